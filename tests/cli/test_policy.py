"""`tallygate policy show` and what `config show` says of presets."""

from datetime import UTC, datetime, timedelta

from gateway.base.policy import NUMBERS


def test_policy_show_says_value_source_and_who_states_what(stopped, tmp_path, monkeypatch):
    (tmp_path / "tallygate.toml").write_text('[policy]\npreset = "ainexus"\n')
    monkeypatch.setenv("TALLYGATE_ACCOUNTS_MINIMUM_AGE", "13")
    found = stopped.json("policy", "show")
    rows = {row["name"]: row for row in found["numbers"]}
    assert found["preset"] == "ainexus" and list(rows) == [number.name for number in NUMBERS]
    session, age, breach = rows["session_days"], rows["minimum_age"], rows["breach_hours"]
    assert (session["value"], session["source"], session["loose"]) == (30, "preset ainexus", True)
    assert session["setting"] == "accounts.session_days" and session["strict"] == 7
    assert {"policy": "tokenmix", "value": 7, "where": "privacy 8"} in session["stated"]
    assert (age["value"], age["source"], age["strict"]) == (
        13,
        "TALLYGATE_ACCOUNTS_MINIMUM_AGE",
        18,
    )
    assert (breach["value"], breach["source"], breach["setting"]) == (72, "fixed", None)
    assert rows["confirm_hours"]["stated"] == []
    lines = stopped.ok("policy", "show").splitlines()
    assert lines[0] == "preset: ainexus" and lines[2].split()[:2] == ["NUMBER", "VALUE"]
    [line] = [each for each in lines if each.startswith("session_days")]
    assert "preset ainexus (looser)" in line and "tokenmix privacy 8: 7" in line


def test_config_show_names_the_preset_as_the_source(stopped, monkeypatch):
    def sources():
        rows = {row["name"]: row for row in stopped.json("config", "show")}
        names = ("accounts.session_days", "accounts.minimum_age", "cache.max_ttl_s")
        return [(rows[name]["value"], rows[name]["source"]) for name in names]

    assert sources() == [(7, "preset strict"), ("18", "preset strict"), (86_400, "default")]
    monkeypatch.setenv("TALLYGATE_POLICY_PRESET", "tokenmix")
    assert sources() == [(7, "preset tokenmix"), ("13", "preset tokenmix"), (86_400, "default")]
    monkeypatch.setenv("TALLYGATE_POLICY_PRESET", "lax")
    said = stopped.fails("config", "show")
    assert said.startswith("TALLYGATE_POLICY_PRESET: policy.preset is one of strict, tokenmix,")


def test_a_version_is_announced_and_listed(cli, tmp_path):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    later = (datetime.now(UTC) + timedelta(days=32)).strftime("%Y-%m-%d")
    words = ("--words", "Sign-ins last longer.")
    said = cli.ok("policy", "announce", "2", "--effective", tomorrow, *words)
    assert said == f"2, announced for {tomorrow} (minor)\n"
    file = tmp_path / "coming.toml"
    file.write_text('[policy]\npreset = "ainexus"\n')
    longer = ("policy", "announce", "3", *words, "--config", file)
    refused = cli.fails(*longer, "--effective", tomorrow)
    assert refused.startswith("a material change (retention) takes effect on ")
    said = cli.ok(*longer, "--effective", later, "--class", "transfers", "--party", "MiniMax")
    assert said == (
        f"3, announced for {later} (material: parties, transfers, retention)\n"
        "  session_days: 7 -> 30\n  receives data from then on: MiniMax\n"
    )
    [third, second, first] = cli.json("policy", "versions")
    assert (first["name"], first["in_force"], second["coming"]) == ("1", True, False)
    assert third["coming"] and third["told"] is None and third["notice_days"] == 30
    lines = cli.ok("policy", "versions").splitlines()
    assert lines[0].split()[0] == "VERSION" and "parties, transfers, retention" in lines[1]
    assert "already" in cli.fails("policy", "announce", "3", "--effective", later, *words)
