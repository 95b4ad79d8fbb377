"""Administrative commands about review cases; another part of the table in `commands`."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.platform.assembly import Platform
from gateway.platform.keys import KeyRow
from gateway.platform.reviews import Case
from gateway.web.admin.reports import MAX_LISTED, shown_time


class ReviewListing(msgspec.Struct, forbid_unknown_fields=True):
    """How many to list, the open ones first."""

    limit: int = 100


class ReviewEnd(msgspec.Struct, forbid_unknown_fields=True):
    """Which case, what it was, and in words."""

    id: str
    finding: str
    text: str


def _shown(platform: Platform, case: Case, keys: dict[int, KeyRow]) -> dict[str, Any]:
    key = keys.get(case.key_no)
    return {
        "id": case.id,
        "kind": case.kind,
        "state": case.state,
        "key": key.id if key is not None else None,
        "prefix": key.prefix if key is not None else None,
        "email": platform.accounts.by_no(case.account_no).email,
        "opened": shown_time(case.opened_us),
        "networks": case.networks,
        "since": shown_time(case.since_us),
        "most_networks": case.most_networks,
        "window_hours": case.window_hours,
        "closed": shown_time(case.closed_us),
        "closed_by": case.closed_by,
        "finding": case.finding,
        "text": case.words,
    }


async def reviews_list(platform: Platform, p: ReviewListing) -> Any:
    """Review cases, the open ones first."""
    found = await platform.reviews.listing(max(1, min(p.limit, MAX_LISTED)))
    keys = await platform.keys.numbered([each.key_no for each in found])
    return [_shown(platform, each, keys) for each in found]


async def reviews_close(platform: Platform, p: ReviewEnd) -> Any:
    """Say what a case was, once."""
    case = await platform.reviews.close(None, p.id, p.finding, p.text)
    return _shown(platform, case, await platform.keys.numbered([case.key_no]))


REVIEW_COMMANDS: dict[
    str, tuple[type[msgspec.Struct], Callable[[Platform, Any], Awaitable[Any]]]
] = {
    "reviews.list": (ReviewListing, reviews_list),
    "reviews.close": (ReviewEnd, reviews_close),
}
