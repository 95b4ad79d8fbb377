"""`tallygate breaches`, `agreements` and `attestations`, with a server and without."""

AWARE = "2026-01-01T12:00"
BREACH = (
    *("--aware-at", AWARE, "--discovered", "a log", "--nature", "addresses were shown"),
    *("--persons", 12, "--records", 40, "--consequences", "mail", "--measures", "closed"),
)


def test_a_breach_is_entered_and_added_to(cli):
    assert cli.ok("breaches", "list") == "no breaches are registered\n"
    made = cli.json("breaches", "add", *BREACH, "--risk", "high")
    assert (made["aware_at"], made["due"]) == ("2026-01-01T12:00:00Z", "2026-01-04T12:00:00Z")
    assert made["duties"]["authority"]["state"] == "overdue"
    assert made["duties"]["persons"]["hours_left"] < 0
    line = cli.ok("breaches", "list").splitlines()[1]
    assert line.startswith(made["id"]) and line.count("OVERDUE by") == 2
    told = ("authority_notified", "--at", "2026-01-03T12:00")
    said = cli.ok("breaches", "update", made["id"], *told)
    assert "  authority: notified\n" in said and "  persons: OVERDUE" in said
    excused = ("persons_not_needed", "--words", "all of it was encrypted")
    after = cli.json("breaches", "update", made["id"], *excused)
    assert after["duties"]["persons"]["state"] == "not needed"
    assert [each["act"] for each in after["updates"]] == ["authority_notified", excused[0]]
    assert cli.json("breaches", "list") == [after]


def test_what_is_blank_or_impossible_is_one_line(cli):
    said = cli.fails("breaches", "add", *BREACH[2:], "--risk", "some", "--aware-at", " ")
    assert said == "aware_at must be filled in; risk is none of the choices"
    assert "--risk" in cli.fails("breaches", "add", *BREACH, status=2)
    assert "there is no breach" in cli.fails("breaches", "update", "brc_1", "facts")


def test_agreements_and_attestations_are_listed_as_they_stand(cli):
    signed = ("--signed-by", "Ann", "--signed", "2026-01-01")
    assert cli.ok("agreements", "add", "up", "--title", "DPA 1", *signed) == (
        "up: DPA 1, in force\n"
    )
    ended = cli.json(
        "agreements", "add", "up", "--title", "DPA 2", *signed, "--valid-until", "2026-01-02"
    )
    assert not ended["in_force"]
    states = {each["title"]: each["in_force"] for each in cli.json("agreements", "list")}
    assert states == {"DPA 1": False, "DPA 2": False}  # the last one counts
    done = ("--done-by", "Scanners Ltd", "--done", "2026-01-01", "--result", "nothing grave")
    cli.ok("attestations", "add", "firewall", *done, "--next-due", "2026-01-02")
    assert "2026-01-02 OVERDUE" in cli.ok("attestations", "list")
    assert "scope must be filled in" in cli.fails("attestations", "add", "other", *done)


def test_with_the_setting_an_agreement_comes_before_the_provider(stopped, monkeypatch):
    monkeypatch.setenv("TALLYGATE_CATALOG_REQUIRE_AGREEMENTS", "true")
    said = stopped.fails("providers", "add", "groq", "--key", "gsk-1")
    assert said.startswith("provider 'groq': no agreement with it is in force")
    signed = ("--title", "DPA", "--signed-by", "Ann", "--signed", "2026-01-01")
    stopped.ok("agreements", "add", "groq", *signed)
    assert "+ provider groq" in stopped.ok("providers", "add", "groq", "--key", "gsk-1")
