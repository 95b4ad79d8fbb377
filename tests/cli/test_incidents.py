"""`tallygate incidents`, with a server and without."""


def test_an_incident_from_first_to_last(cli):
    cli.ok("accounts", "create", "ann@example.com")
    assert "no incidents" in cli.ok("incidents", "list")
    made = cli.json("incidents", "add", "Slow answers", "--text", "We look into it.")
    assert (made["kind"], made["state"], made["models"], made["ends"]) == (
        *("incident", "open"),
        *([], None),
    )
    added = cli.json("incidents", "update", made["id"], "A provider fails.")
    assert [each["text"] for each in added["updates"]] == ["A provider fails."]
    assert "over" in cli.ok("incidents", "end", made["id"])
    [row] = cli.json("incidents", "list")
    assert row["state"] == "over" and row["ends"] >= row["begins"]
    assert "Slow answers" in cli.ok("incidents", "list")
    assert "over already" in cli.fails("incidents", "end", made["id"])


def test_a_wrong_one_is_withdrawn_and_stays_on_record(cli):
    cli.ok("accounts", "create", "ann@example.com")
    made = cli.json("incidents", "add", "Slow answers", "--text", "We look into it.")
    assert "withdrew" in cli.ok("incidents", "withdraw", made["id"], "it was another place")
    [row] = cli.json("incidents", "list")
    assert row["withdrawn_for"] == "it was another place" and row["withdrawn"] is not None
    assert row["state"] == "withdrawn"
    assert "withdrawn already" in cli.fails("incidents", "withdraw", made["id"], "twice")
    assert "REASON" in cli.fails("incidents", "withdraw", made["id"], status=2)


def test_what_makes_no_sense_is_one_line(cli):
    cli.ok("accounts", "create", "ann@example.com")
    add = ("incidents", "add", "Move", "--text", "We move.")
    assert "ends after it begins" in cli.fails(*add, "--maintenance")
    assert "a time is written" in cli.fails(*add, "--begins", "soon")
    assert "no model nix" in cli.fails(*add, "--model", "nix")
    assert "no incident inc_1" in cli.fails("incidents", "update", "inc_1", "x")
    assert "--text" in cli.fails("incidents", "add", "Move", status=2)
