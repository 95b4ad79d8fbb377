import json
import subprocess
import sys

import pytest

from tests.platform.catalog.test_document import EXAMPLE

from .conftest import Cli, Served


def test_an_operators_first_hour(cli, tmp_path):
    assert cli.ok("accounts", "create", "ann@example.com").startswith(
        "created member ann@example.com (acc_"
    )
    said = cli.ok("credits", "grant", "ann@example.com", "12.5", "--reason", "welcome")
    first, transaction, last = said.splitlines()
    assert first == "granted 12.50 USD to ann@example.com (adjustment: welcome)"
    assert transaction.startswith("transaction grant:") and last == "balance 12.50 USD"
    assert cli.ok("credits", "balance", "ANN@example.com") == "balance 12.50 USD\n"
    made = cli.json("keys", "create", "ann@example.com", "--name", "laptop")
    assert set(made) >= {"id", "key", "prefix"}
    assert made["key"].startswith(made["prefix"]) and len(made["prefix"]) == 12
    listed = cli.json("keys", "list", "ann@example.com")
    assert [(row["id"], row["state"]) for row in listed] == [(made["id"], "active")]
    assert made["key"] not in json.dumps(listed) + cli.ok("keys", "list")
    assert cli.ok("keys", "revoke", made["id"]) == f"revoked {made['id']}\n"
    assert cli.json("keys", "list", "ann@example.com")[0]["state"] == "revoked"
    assert cli.ok("requests", "list") == "no requests yet\n"
    assert cli.ok("usage", "drift") == "no drift: reports agree with our own count\n"
    assert cli.ok("ledger", "verify") == "the ledger is sound\n"
    assert cli.json("ledger", "verify")["ok"] is True


def test_a_key_for_a_shell_variable_is_alone_on_stdout(cli):
    cli.ok("accounts", "create", "ann@example.com", "--admin")
    result = cli.run("keys", "create", "ann@example.com", "--name", "k", "--expires-days", "30")
    assert result.exit_code == 0
    assert result.stdout.startswith("sk-tg-") and result.stdout.count("\n") == 1
    assert "only time" in result.stderr
    assert cli.json("keys", "list", "ann@example.com")[0]["expires"] is not None


def test_a_grant_with_the_same_id_grants_once(cli):
    cli.ok("accounts", "create", "ann@example.com")
    for _ in range(3):
        cli.ok("credits", "grant", "ann@example.com", "5", "--reason", "r", "--id", "order-1")
    assert cli.json("credits", "balance", "ann@example.com")["balance_microusd"] == 5_000_000
    said = cli.fails("credits", "grant", "ann@example.com", "6", "--reason", "r", "--id", "order-1")
    assert "order-1" in said


def test_credit_is_taken_back_once_and_never_below_zero(cli):
    cli.ok("accounts", "create", "ann@example.com")
    cli.ok("credits", "grant", "ann@example.com", "5", "--reason", "r", "--id", "order-1")
    cli.ok("credits", "grant", "ann@example.com", "2", "--reason", "r", "--source", "cash:manual")
    take = ("credits", "revoke", "ann@example.com")
    named = ("--reason", "wrong account", "--corrects", "grant:order-1", "--id", "back-1")
    for _ in range(2):
        assert cli.ok(*take, "3", *named) == (
            "took 3.00 USD back from ann@example.com (wrong account)\nbalance 4.00 USD\n"
        )
    assert "other fields" in cli.fails(*take, "1", *named)
    assert "not so much left" in cli.fails(*take, "3", "--reason", "more than was given by hand")
    assert "no credit" in cli.fails(*take, "1", "--reason", "r", "--corrects", "grant:none")
    assert "a reason is needed" in cli.fails(*take, "1", "--reason", " ")
    assert "positive amount" in cli.fails(*take, "-1", "--reason", "r")
    assert cli.json("credits", "balance", "ann@example.com")["balance_microusd"] == 4_000_000
    assert cli.json("ledger", "verify")["ok"] is True


def test_an_organisation_from_the_command_line(cli):
    for name in ("ann", "bob"):
        cli.ok("accounts", "create", f"{name}@example.com")
    made = cli.json("organisations", "create", "ann@example.com", "Firm")
    cli.ok("credits", "grant", made["email"], "5", "--reason", "shared")
    cli.ok("organisations", "set", made["id"], "bob@example.com", "--monthly", "2.5")
    [ann, bob] = cli.json("organisations", "members", made["id"])
    assert (ann["part"], ann["monthly_usd"], bob["monthly_usd"]) == ("owner", None, "2.50")
    [row] = cli.json("organisations", "list")
    assert (row["name"], row["members"], row["balance_usd"]) == ("Firm", 2, "5.00")
    assert "needs an owner" in cli.fails("organisations", "remove", made["id"], "ann@example.com")
    assert "have left" not in cli.ok("organisations", "remove", made["id"], "bob@example.com")
    assert "no organisation" in cli.fails("organisations", "members", "acc_1")
    assert "nobody signs in" in cli.fails("accounts", "link", made["email"])


def test_suspension_and_links(cli):
    cli.ok("accounts", "create", "ann@example.com")
    assert "/sign-in/" in cli.ok("accounts", "link", "ann@example.com")
    assert "suspended ann@example.com" in cli.ok("accounts", "suspend", "ann@example.com")
    assert cli.fails("accounts", "link", "ann@example.com").endswith("is suspended")
    rows = {row["email"]: row["state"] for row in cli.json("accounts", "list")}
    assert rows["ann@example.com"] == "suspended"
    assert cli.ok("accounts", "activate", "ann@example.com") == "activated ann@example.com\n"


def test_the_catalog_is_applied_listed_and_exported(cli, tmp_path):
    file = tmp_path / "catalog.toml"
    file.write_text(EXAMPLE)
    dry = cli.run("catalog", "apply", file, "--dry-run")
    assert dry.stdout.splitlines()[-1] == "dry run: nothing was changed"
    applied = cli.run("catalog", "apply", file)
    assert applied.stdout.splitlines() == dry.stdout.splitlines()[:-1]
    assert applied.stdout.startswith("+ provider openai: https://api.openai.com/v1\n+ model gpt-4o")
    assert applied.stderr == (
        "warning: provider openai has no credentials: OPENAI_API_KEY is not set\n"
    )
    assert cli.ok("catalog", "apply", file) == "nothing to change\n"
    row = {row["model"]: row for row in cli.json("catalog", "list")}["gpt-4o-mini"]
    assert (row["input_usd_per_million"], row["targets"]) == ("0.15", ["openai:gpt-4o-mini"])
    exported = tmp_path / "exported.toml"
    exported.write_text(cli.ok("catalog", "export"))
    assert cli.ok("catalog", "apply", exported, "--prune") == "nothing to change\n"


ERRORS = [
    (("accounts", "create", "nonsense"), "not an e-mail address: 'nonsense'"),
    (("accounts", "create", "ann@example.com"), "the account ann@example.com exists already"),
    (("keys", "create", "bob@example.com", "--name", "k"), "no account bob@example.com; create"),
    (("keys", "create", "ann@example.com", "--name", ""), "a key's name is 1 to 100 printable"),
    (("keys", "create", "ann@example.com", "--name", "k", "--expires-days", "0"), "expires after"),
    (("keys", "revoke", "key_nothing"), "no key 'key_nothing'; see: tallygate keys list"),
    (("credits", "grant", "ann@example.com", "0", "--reason", "r"), "must be above zero"),
    (("credits", "grant", "ann@example.com", "-5", "--reason", "r"), "must be above zero"),
    (("credits", "grant", "ann@example.com", "1e9", "--reason", "r"), "not an amount in USD"),
    (("credits", "grant", "ann@example.com", "0.0000001", "--reason", "r"), "at most six decimals"),
    (("credits", "grant", "ann@example.com", "1", "--reason", " "), "a reason is needed"),
    (("credits", "grant", "ann@example.com", "1", "--reason", "r", "--source", "x"), "x"),
    (("catalog", "apply", "absent.toml"), "cannot read absent.toml: No such file"),
    (
        ("catalog", "apply", "wrong.toml"),
        "wrong.toml: unknown key 'modles'; did you mean 'models'?",
    ),
]


def test_every_error_is_one_line(cli, tmp_path):
    (tmp_path / "wrong.toml").write_text("[[modles]]\n")
    cli.ok("accounts", "create", "ann@example.com")
    for arguments, words in ERRORS:
        assert words in cli.fails(*arguments)


USAGE = [
    (("accounts", "create"), "missing argument 'EMAIL'; see: tallygate accounts create --help"),
    (("keys", "create", "a@b.c"), "missing option '--name'; see: tallygate keys create --help"),
    (("kesy",), "no such command 'kesy'; did you mean 'keys'?; see: tallygate --help"),
    (("keys", "lits"), "no such command 'lits'"),
    (("keys", "list", "--limti", "1"), "no such option '--limti'; did you mean '--limit'?"),
    (("keys", "list", "--limit", "0"), "invalid value for '--limit'"),
]


@pytest.mark.parametrize(("arguments", "words"), USAGE)
def test_wrong_usage_is_one_line_and_status_2(stopped, arguments, words):
    assert words in stopped.fails(*arguments, status=2)


@pytest.mark.parametrize(
    "arguments",
    [("keys", "list"), ("accounts", "list"), ("ledger", "verify"), ("credits", "balance", "a@b.c")],
)
def test_looking_does_not_make_an_installation(stopped, arguments):
    assert stopped.fails(*arguments) == (
        f"there is no installation in {stopped.data}; start one with: "
        f"tallygate serve --data {stopped.data}"
    )
    assert not stopped.data.exists()


def test_a_data_path_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "data").write_text("")
    said = Cli(tmp_path / "data").fails("accounts", "create", "a@b.c", status=2)
    assert "is a file" in said


def test_a_folder_held_by_a_process_without_a_socket_is_one_line(stopped, monkeypatch):
    from gateway.cli import client
    from gateway.store.lock import DataFolder

    monkeypatch.setattr(client, "BUSY_TIMEOUT_S", 0.0)
    with DataFolder(stopped.data):
        said = stopped.fails("accounts", "create", "a@b.c")
    assert "is in use by process" in said and "try again" in said


def test_damaged_books_are_reported_with_status_1(stopped):
    import sqlite3

    stopped.ok("accounts", "create", "a@b.c")
    stopped.ok("credits", "grant", "a@b.c", "1", "--reason", "r")
    raw = sqlite3.connect(stopped.data / "tallygate.db")
    raw.execute("DROP TRIGGER ledger_entries_no_update")
    raw.execute("UPDATE ledger_entries SET memo = 's'")
    raw.commit()
    raw.close()
    result = stopped.run("ledger", "verify")
    assert result.exit_code == 1
    assert "ledger entry 1 was altered" in result.stdout
    assert "ledger entry 1 was altered" in stopped.fails("credits", "balance", "a@b.c")


def test_a_key_works_across_the_servers_life(stopped):
    stopped.ok("accounts", "create", "ann@example.com")
    before = stopped.json("keys", "create", "ann@example.com", "--name", "before")
    with Served(stopped.data):
        during = stopped.json("keys", "create", "ann@example.com", "--name", "during")
        stopped.ok("keys", "revoke", before["id"])
    rows = {row["id"]: row["state"] for row in stopped.json("keys", "list", "ann@example.com")}
    assert rows == {before["id"]: "revoked", during["id"]: "active"}


def test_config_show_says_value_source_and_help(stopped, tmp_path, monkeypatch):
    (tmp_path / "tallygate.toml").write_text("[server]\nhost = '::1'\n")
    monkeypatch.setenv("TALLYGATE_SERVER_PORT", "9000")
    rows = {row["name"]: row for row in stopped.json("config", "show")}
    assert (rows["server.host"]["value"], rows["server.host"]["source"]) == (
        "::1",
        "tallygate.toml",
    )
    assert (rows["server.port"]["value"], rows["server.port"]["source"]) == (
        9000,
        "TALLYGATE_SERVER_PORT",
    )
    assert all(row["help"] for row in rows.values())
    assert "server.port" in stopped.ok("config", "show")
    monkeypatch.setenv("TALLYGATE_SERVER_PROT", "1")
    assert "did you mean 'TALLYGATE_SERVER_PORT'?" in stopped.fails("config", "show")


def test_real_processes_leave_no_key_behind(tmp_path):
    """The whole way through the shell: JSON on stdout, no secret in any stored byte."""
    data = str(tmp_path / "data")

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments, "--data", data, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
            check=True,
        )
        assert done.stderr == ""
        return json.loads(done.stdout)

    run("accounts", "create", "bench@example.com")
    run("credits", "grant", "bench@example.com", "1000000", "--reason", "bench")
    key = run("keys", "create", "bench@example.com", "--name", "bench")["key"]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    hidden = key[12:]
    windows = [hidden[i : i + 8].encode() for i in range(len(hidden) - 7)]
    assert [window for window in windows if window in stored] == []


def test_the_command_line_starts_without_the_heavy_modules():
    code = (
        "import sys, gateway.cli.main, gateway.cli.client, gateway.cli.keys\n"
        "heavy = {'sqlalchemy', 'aiohttp', 'alembic', 'cryptography', 'gateway.app'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
