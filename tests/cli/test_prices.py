"""`tallygate prices`: differences are shown, accepted by a person, announced where they rise."""

import re

CATALOG = """
[[providers]]
name = "openai"
kind = "openai"
base_url = "https://api.openai.com/v1"
api_key = "env:OPENAI_API_KEY"
[[models]]
name = "dear"
context_tokens = 128000
max_output_tokens = 16384
[[models.targets]]
provider = "openai"
model = "gpt-4o-mini"
[models.price]
input = "9"
output = "90"
request = "0.01"
[[models]]
name = "cheap"
context_tokens = 128000
max_output_tokens = 16384
[[models.targets]]
provider = "openai"
model = "gpt-4o-mini"
[models.price]
input = "0.01"
output = "0.02"
[[models]]
name = "unknown"
context_tokens = 128000
max_output_tokens = 16384
[[models.targets]]
provider = "openai"
model = "nobody-knows-it"
[models.price]
input = "1"
output = "2"
"""
KNOWN = {"input": "0.15", "cache_read": "0.075", "output": "0.6"}


def prepared(cli):
    cli.data.mkdir(exist_ok=True)
    file = cli.data.parent / "catalog.toml"
    file.write_text(CATALOG)
    cli.ok("catalog", "apply", file)
    return cli


def named(rows):
    return {row["model"]: row for row in rows}


def test_differences_are_shown(cli):
    prepared(cli)
    shown = cli.ok("prices", "compare")
    assert re.search(r"^dear +openai:gpt-4o-mini +9 +0\.15 ", shown, re.M)
    assert "genai-prices" in shown and "unknown " not in shown.splitlines()[1]
    rows = named(cli.json("prices", "compare")["prices"])
    assert (rows["dear"]["margin"], rows["cheap"]["margin"]) == ("gain", "loss")
    assert rows["unknown"]["margin"] == "unknown" and rows["unknown"]["proposed"] is None
    assert rows["dear"]["proposed"] == {**KNOWN, "request": "0.01"}  # the fee is ours
    assert rows["dear"]["begins"] is None and rows["cheap"]["begins"].endswith("T00:00:00Z")


def test_a_person_accepts_and_nothing_is_entered_twice(cli):
    prepared(cli)
    dry = cli.ok("prices", "import", "--dry-run")
    assert "~ model dear: input 9 output 90 request 0.01 -> input 0.15" in dry
    assert "dry run: nothing was changed" in dry
    refused = cli.run("prices", "import", input="n\n")
    assert refused.exit_code == 0 and "nothing was changed" in refused.stdout
    assert len(cli.json("prices", "import", "--dry-run")["changes"]) == 2
    accepted = cli.run("prices", "import", "dear", input="y\n")
    assert accepted.exit_code == 0 and accepted.stdout.endswith("entered\n")
    rows = named(cli.json("catalog", "list"))
    assert rows["dear"]["input_usd_per_million"] == "0.15"
    assert 'request = "0.01"' in cli.ok("catalog", "export")
    [left] = cli.json("prices", "import", "--yes")["changes"]
    assert left["model"] == "cheap" and left["to"] == KNOWN
    assert named(cli.json("catalog", "list"))["cheap"]["input_usd_per_million"] == "0.01"
    assert cli.ok("prices", "import", "--yes") == "nothing to change\n"  # it is announced already


def test_what_cannot_be_imported_is_one_line(cli):
    prepared(cli)
    assert "did you mean 'cheap'?" in cli.fails("prices", "import", "cheep", "--yes")
    assert "--yes or --dry-run" in cli.fails("prices", "import", "--json")
