"""`tallygate reviews`, without a server; with one, see `tests/web/test_sightings.py`."""

import asyncio

from gateway.base.config import load
from gateway.platform.assembly import open_platform
from gateway.platform.keys.spread import Crowd


async def noticed(folder):
    """A case of a new key of ann's, as the gateway opens it."""
    platform = await open_platform(load(environ={}), folder, environ={})
    issued = await platform.keys.issue(platform.accounts.named("ann@example.com"), "laptop")
    platform.reviews.suspect(issued.key, Crowd(21, platform.clock.now_us() - 10**9))
    [case] = await platform.reviews.open_due()
    await platform.close()
    return case.id


def test_a_case_is_listed_and_closed_once(stopped):
    cli = stopped
    cli.ok("accounts", "create", "ann@example.com")
    assert "no review cases" in cli.ok("reviews", "list")
    id = asyncio.run(noticed(cli.data))
    [row] = cli.json("reviews", "list")
    assert (row["id"], row["state"], row["email"], row["networks"]) == (
        *(id, "open"),
        *("ann@example.com", 21),
    )
    assert id in cli.ok("reviews", "list")
    assert "no such finding" in cli.fails("reviews", "close", id, "guilty", "x")
    assert "no review case" in cli.fails("reviews", "close", "rev_1", "leaked", "x")
    assert f"closed {id}: leaked" in cli.ok("reviews", "close", id, "leaked", "In a log.")
    [row] = cli.json("reviews", "list", "--limit", "5")
    assert (row["state"], row["finding"], row["text"], row["closed_by"]) == (
        *("closed", "leaked"),
        *("In a log.", "local"),
    )
    assert "closed already" in cli.fails("reviews", "close", id, "leaked", "x")
