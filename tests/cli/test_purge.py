"""`tallygate accounts purge`, with a server and without."""

PURGE = ("accounts", "purge", "kid@example.com", "--reason")


def test_a_minor_is_forgotten(cli):
    cli.ok("accounts", "create", "kid@example.com")
    made = cli.json("keys", "create", "kid@example.com", "--name", "homework")
    cli.ok(
        "credits", "grant", "kid@example.com", "3", "--reason", "test", "--source", "cash:manual"
    )
    cli.ok("credits", "grant", "kid@example.com", "2", "--reason", "test")
    assert "a ground is one of minor" in cli.fails(*PURGE, "their name is Kim")
    assert "--reason" in cli.fails("accounts", "purge", "kid@example.com", status=2)
    done = cli.json(*PURGE, "minor")
    assert done["rows"]["api_keys"] == 1 and done["scrubbed"] is True
    assert (done["owed_usd"], done["owed_microusd"]) == ("3.00", 3_000_000)
    assert "no account" in cli.fails(*PURGE, "minor")
    [row] = [row for row in cli.json("accounts", "list") if row["id"] == done["id"]]
    assert row["state"] == "closed" and "kid" not in row["email"]
    assert row["balance_microusd"] == 3_000_000
    [key] = [row for row in cli.json("keys", "list") if row["id"] == made["id"]]
    assert (key["state"], key["name"], key["email"]) == ("revoked", "-", row["email"])
    assert "closed for good" in cli.fails("accounts", "activate", row["email"])
    assert cli.json("ledger", "verify")["ok"] and cli.json("audit", "verify")["ok"]
    for path in cli.data.rglob("*"):
        if path.is_file():
            assert b"homework" not in path.read_bytes(), path


def test_what_was_done_is_said(cli):
    cli.ok("accounts", "create", "kid@example.com")
    said = cli.ok(*PURGE, "minor")
    assert said.startswith("purged acc_") and "stays owed for a refund: 0.00 USD" in said
    assert "kid@example.com" not in said
