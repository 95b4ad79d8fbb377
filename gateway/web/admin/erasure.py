"""Administrative commands about people who are forgotten. Part of the table in `commands`."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.base.money import format_usd
from gateway.platform.assembly import Platform


class Purge(msgspec.Struct, forbid_unknown_fields=True):
    """The address of an account whose owner is forgotten, and the ground, a word of ours."""

    email: str
    reason: str


async def accounts_purge(platform: Platform, p: Purge) -> Any:
    """Close an account for good and delete all that is known of its owner."""
    account = platform.accounts.named(p.email)
    done = await platform.erasure.purge(None, account, p.reason)
    return {
        "id": account.id,
        "state": account.state,
        "rows": {name: count for name, count in done.rows.items() if count},
        "owed_usd": format_usd(done.owed_microusd),
        "owed_microusd": done.owed_microusd,
        "scrubbed": done.is_scrubbed,
    }


ERASURE_COMMANDS: dict[
    str, tuple[type[msgspec.Struct], Callable[[Platform, Any], Awaitable[Any]]]
] = {"accounts.purge": (Purge, accounts_purge)}
