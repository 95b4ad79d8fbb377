"""Administrative commands over the versions of the legal texts. Part of the table in `commands`."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.base.policy import NUMBERS
from gateway.platform.assembly import Platform
from gateway.platform.policy.versions import Version
from gateway.platform.refusals import Refusal
from gateway.web.admin.reports import Nothing, shown_time
from gateway.web.console.legal import state_of


class NewVersion(msgspec.Struct, forbid_unknown_fields=True):
    """A version: its name, the day 2026-12-31 from which it holds, what changes in words.

    `classes` are material changes that only a person can tell; `numbers` replace present ones, and
    `parties` will receive data besides those that do.
    """

    name: str = ""
    effective: str = ""
    words: str = ""
    classes: list[str] = []
    numbers: dict[str, int] = {}
    parties: list[str] = []


async def versions_list(platform: Platform, _: Nothing) -> Any:
    """Every version, the newest first, with what it changes."""
    return [_shown(platform, each) for each in reversed(platform.versions.all)]


async def versions_announce(platform: Platform, p: NewVersion) -> Any:
    """Announce a version of what the texts say now, with the numbers that are given."""
    state = state_of(platform.settings, platform.catalog.snapshot.providers.values())
    await platform.versions.begin(platform.settings.accounts_terms_version, state)
    unknown = sorted(set(p.numbers) - {number.name for number in NUMBERS})
    if unknown:
        raise Refusal(f"no number of the policy: {unknown[0][:40]}")
    fields = {"name": p.name, "words": p.words, "effective": p.effective}
    wanted = state._replace(
        numbers={**state.numbers, **p.numbers},
        parties=tuple(sorted({*state.parties, *filter(None, map(str.strip, p.parties))})),
    )
    return _shown(platform, await platform.versions.announce(None, fields, p.classes, wanted))


def _shown(platform: Platform, version: Version) -> dict[str, Any]:
    changed = platform.versions.changes_of(version)
    current, coming = platform.versions.current(), platform.versions.coming()
    return {
        "id": version.id,
        "name": version.name,
        "in_force": version == current,
        "coming": version == coming,
        "announced": shown_time(version.entered_us),
        "announced_by": version.entered_by,
        "effective": shown_time(version.effective_us),
        "begins": shown_time(version.begins_us),
        "told": shown_time(version.told_us),
        "notice_days": version.notice_days,
        "classes": list(version.classes),
        "words": version.words,
        "numbers": [each._asdict() for each in changed.numbers],
        "texts": list(changed.texts),
        "new_parties": list(changed.new_parties),
        "gone_parties": list(changed.gone_parties),
    }


VERSION_COMMANDS: dict[
    str, tuple[type[msgspec.Struct], Callable[[Platform, Any], Awaitable[Any]]]
] = {
    "policy.list": (Nothing, versions_list),
    "policy.announce": (NewVersion, versions_announce),
}
