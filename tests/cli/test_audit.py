"""What an operator does at the command line stands in the audit log, and can be taken out of it."""

import json


def owner(cli):
    [row] = [r for r in cli.json("accounts", "list") if r["email"] == "ann@example.com"]
    return row


def export(cli, after):
    return cli.ok("audit", "export", "--after", after).splitlines()


def test_every_command_leaves_a_row_and_the_log_is_exported_with_its_head(cli):
    cli.ok("accounts", "create", "ann@example.com")
    *_, first = cli.ok("audit", "export").splitlines()
    start = int(json.loads(first)["head"].partition(":")[0])
    account = owner(cli)
    cli.ok("credits", "grant", "ann@example.com", "5", "--reason", "r")
    key = cli.json("keys", "create", "ann@example.com", "--name", "k")
    cli.fails("keys", "revoke", key["key"])
    cli.ok("keys", "revoke", key["id"])
    *rows, head = [json.loads(line) for line in export(cli, start)]
    assert [(row["action"], row["target"]) for row in rows] == [
        ("accounts.list", ""),
        ("credits.grant", account["id"]),
        ("keys.create", account["id"]),
        ("keys.revoke", ""),
        ("keys.revoke", key["id"]),
        ("audit.export", ""),
    ]
    assert all(row["actor"] == "local" for row in rows)
    text = json.dumps(rows)
    assert "example.com" not in text and key["key"] not in text
    said = cli.ok("audit", "verify", "--head", head["head"])
    assert said.startswith(f"{start + 7} rows, as they were written; head {start + 7}:")
    *rest, _ = export(cli, start + 6)
    assert [json.loads(line)["action"] for line in rest] == ["audit.verify", "audit.export"]


def test_a_head_that_is_not_in_the_chain_is_found(cli):
    cli.ok("accounts", "create", "ann@example.com")
    foreign = "1:" + "ab" * 32
    result = cli.run("audit", "verify", "--head", foreign)
    assert result.exit_code == 1 and "it was cut" in result.stdout
    assert "a head is written" in cli.fails("audit", "verify", "--head", "nonsense")


def test_roles_are_given_by_name(cli):
    cli.ok("accounts", "create", "ann@example.com")
    assert "is finance" in cli.ok("accounts", "role", "ann@example.com", "finance")
    assert owner(cli)["role"] == "finance"
    said = cli.fails("accounts", "role", "ann@example.com", "root")
    assert "support" in said and "'root'" in said


def test_letters_that_nobody_got_are_listed(cli):
    cli.ok("accounts", "create", "ann@example.com")
    assert cli.ok("mail", "list") == "every letter was delivered\n"
