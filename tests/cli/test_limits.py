"""`tallygate limits` and `tallygate keys cache`, with a server and without."""


def test_tiers_accounts_and_keys_are_limited_and_shown(cli):
    cli.ok("accounts", "create", "ann@example.com")
    cli.ok("keys", "create", "ann@example.com", "--name", "k")
    [key] = cli.json("keys", "list", "ann@example.com")
    tier = cli.json("limits", "tiers", "set", "gold", "--requests-per-minute", 60)
    assert (tier["name"], tier["requests_per_minute"]) == ("gold", 60)
    shown = cli.json("limits", "set", "ann@example.com", "--tier", "gold", "--day-usd", "1.5")
    assert shown["tier"] == "gold"
    assert shown["own"]["requests_per_minute"] is None
    assert shown["limits"]["requests_per_minute"] == 60
    assert shown["limits"]["day_microusd"] == 1_500_000
    assert shown["used"]["day_spent_microusd"] == 0
    assert "60" in cli.ok("limits", "show", "ann@example.com")
    cli.ok("limits", "set", "--key", key["id"], "--concurrent-requests", 3)
    assert cli.json("limits", "show", "--key", key["id"])["limits"]["concurrent_requests"] == 3
    lifted = cli.json("limits", "set", "ann@example.com", "--day-usd", "none")
    assert lifted["limits"]["day_usd"] is None
    assert [each["name"] for each in cli.json("limits", "tiers", "list")] == ["gold"]
    assert "1 accounts have the tier gold" in cli.fails("limits", "tiers", "remove", "gold")
    cli.ok("limits", "set", "ann@example.com", "--tier", "default")
    cli.ok("limits", "tiers", "remove", "gold")
    assert cli.json("limits", "tiers", "list") == []


def test_what_makes_no_sense_is_one_line(cli):
    assert "from 1" in cli.fails("limits", "tiers", "set", "t", "--requests-per-minute", 0)
    assert "none" in cli.fails("limits", "tiers", "set", "t", "--tokens-per-minute", "x", status=2)
    assert "no account" in cli.fails("limits", "show", "nobody@example.com")
    assert "--key" in cli.fails("limits", "show", status=2)


def test_caching_is_set_per_key(cli):
    cli.ok("accounts", "create", "ann@example.com")
    cli.ok("keys", "create", "ann@example.com", "--name", "k")
    [key] = cli.json("keys", "list", "ann@example.com")
    assert cli.json("keys", "cache", key["id"], "--ttl", 300)["cache_ttl_s"] == 300
    assert "no more" in cli.ok("keys", "cache", key["prefix"], "--off")
    assert "either" in cli.fails("keys", "cache", key["id"], status=2)
