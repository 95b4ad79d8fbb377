"""Administrative commands about incidents and maintenance; another part of the table in `commands`.

Times are given and shown in UTC. What is entered here is public at once.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.platform.assembly import Platform
from gateway.platform.incidents import Incident, parse_time
from gateway.web.admin.reports import MAX_LISTED, shown_time


class IncidentListing(msgspec.Struct, forbid_unknown_fields=True):
    """How many to list, the newest first."""

    limit: int = 100


class NewIncident(msgspec.Struct, forbid_unknown_fields=True):
    """The operator's words; no models are all, no beginning is now."""

    kind: str
    title: str
    text: str
    models: list[str] = []
    begins: str | None = None
    ends: str | None = None


class NewUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Which one, and what is known now."""

    id: str
    text: str


class IncidentEnd(msgspec.Struct, forbid_unknown_fields=True):
    """Which one is over, and since when; now without a time."""

    id: str
    ends: str | None = None


class IncidentWithdrawal(msgspec.Struct, forbid_unknown_fields=True):
    """Which one is taken from the public, and why; the reason stays on record."""

    id: str
    reason: str


def _shown(platform: Platform, incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "kind": incident.kind,
        "state": incident.phase(platform.clock.now_us()),
        "title": incident.title,
        "text": incident.words,
        "models": list(incident.models),
        "begins": shown_time(incident.begins_us),
        "ends": shown_time(incident.ends_us),
        "entered": shown_time(incident.entered_us),
        "withdrawn": shown_time(incident.withdrawn_us),
        "withdrawn_for": incident.withdrawn_for,
        "updates": [
            {"at": shown_time(each.at_us), "text": each.words} for each in incident.updates
        ],
    }


async def incidents_list(platform: Platform, p: IncidentListing) -> Any:
    """Incidents and maintenance, withdrawn ones too."""
    found = await platform.incidents.listing(max(1, min(p.limit, MAX_LISTED)))
    return [_shown(platform, each) for each in found]


async def incidents_add(platform: Platform, p: NewIncident) -> Any:
    """Enter an incident or maintenance."""
    made = await platform.incidents.enter(
        None,
        p.kind,
        p.title,
        p.text,
        models=p.models,
        begins_us=parse_time(p.begins or ""),
        ends_us=parse_time(p.ends or ""),
    )
    return _shown(platform, made)


async def incidents_update(platform: Platform, p: NewUpdate) -> Any:
    """Add what is known now."""
    return _shown(platform, await platform.incidents.add(None, p.id, p.text))


async def incidents_end(platform: Platform, p: IncidentEnd) -> Any:
    """Say that it is over, or when maintenance will be."""
    ended = await platform.incidents.end(None, p.id, parse_time(p.ends or ""))
    return _shown(platform, ended)


async def incidents_withdraw(platform: Platform, p: IncidentWithdrawal) -> Any:
    """Take one from the public for good."""
    await platform.incidents.withdraw(None, p.id, p.reason)
    return _shown(platform, await platform.incidents.named(p.id))


INCIDENT_COMMANDS: dict[
    str, tuple[type[msgspec.Struct], Callable[[Platform, Any], Awaitable[Any]]]
] = {
    "incidents.list": (IncidentListing, incidents_list),
    "incidents.add": (NewIncident, incidents_add),
    "incidents.update": (NewUpdate, incidents_update),
    "incidents.end": (IncidentEnd, incidents_end),
    "incidents.withdraw": (IncidentWithdrawal, incidents_withdraw),
}
