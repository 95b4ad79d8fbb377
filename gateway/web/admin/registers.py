"""Administrative commands over the registers: breaches, agreements, attestations.

What is given is what a form would hold; the rooms look at it. Part of the table in `commands`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.platform.assembly import Platform
from gateway.platform.registers import Agreement, Attestation, Breach, Duty
from gateway.platform.registers.attestations import latest
from gateway.platform.registers.breaches import HOUR_US
from gateway.web.admin.reports import Nothing, shown_time


class NewBreach(msgspec.Struct, forbid_unknown_fields=True):
    """A breach; `aware_at` as 2026-12-31T23:59 in UTC, `risk` high or not_high."""

    aware_at: str = ""
    discovered: str = ""
    nature: str = ""
    persons: str = ""
    records: str = ""
    consequences: str = ""
    measures: str = ""
    risk: str = ""


class BreachUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """What is added to a breach: an act, when a notification was made, words."""

    id: str
    act: str = ""
    at: str = ""
    words: str = ""


class NewAgreement(msgspec.Struct, forbid_unknown_fields=True):
    """An agreement with a provider; days as 2026-12-31."""

    provider: str = ""
    title: str = ""
    signed_by: str = ""
    signed: str = ""
    valid_until: str = ""
    note: str = ""


class NewAttestation(msgspec.Struct, forbid_unknown_fields=True):
    """What was looked at, by whom and when, with which result; days as 2026-12-31."""

    kind: str = ""
    scope: str = ""
    done_by: str = ""
    done: str = ""
    result: str = ""
    next_due: str = ""


async def breaches_list(platform: Platform, _: Nothing) -> Any:
    """Every breach with what was added to it and who is still to be told, newest first."""
    now_us = platform.clock.now_us()
    return [_breach(each, now_us) for each in await platform.breaches.listing()]


async def breaches_add(platform: Platform, p: NewBreach) -> Any:
    """Enter a breach."""
    made = await platform.breaches.enter(None, msgspec.structs.asdict(p))
    return _breach(await platform.breaches.named(made), platform.clock.now_us())


async def breaches_update(platform: Platform, p: BreachUpdate) -> Any:
    """Add to a breach."""
    await platform.breaches.update(None, p.id, msgspec.structs.asdict(p))
    return _breach(await platform.breaches.named(p.id), platform.clock.now_us())


async def agreements_list(platform: Platform, _: Nothing) -> Any:
    """Every agreement, the last entered first, and of each provider whether it has one in force."""
    now_us = platform.clock.now_us()
    found = await platform.agreements.listing()
    last = {each.provider: each.id for each in reversed(found)}
    return [_agreement(each, now_us, last[each.provider] == each.id) for each in found]


async def agreements_add(platform: Platform, p: NewAgreement) -> Any:
    """Enter an agreement; it replaces the one before with the same provider."""
    made = await platform.agreements.enter(None, msgspec.structs.asdict(p))
    [entered] = [each for each in await platform.agreements.listing() if each.id == made]
    return _agreement(entered, platform.clock.now_us(), True)


async def attestations_list(platform: Platform, _: Nothing) -> Any:
    """Every attestation, newest first, and of the last of each kind whether the next is overdue."""
    now_us = platform.clock.now_us()
    found = await platform.attestations.listing()
    last = {each.id for each in latest(found)}
    return [_attestation(each, each.id in last and each.is_overdue(now_us)) for each in found]


async def attestations_add(platform: Platform, p: NewAttestation) -> Any:
    """Enter an attestation."""
    made = await platform.attestations.enter(None, msgspec.structs.asdict(p))
    [entered] = [each for each in await platform.attestations.listing() if each.id == made]
    return _attestation(entered, False)


def _breach(breach: Breach, now_us: int) -> dict[str, Any]:
    return {
        "id": breach.id,
        "entered": shown_time(breach.entered_us),
        "entered_by": breach.entered_by,
        "aware_at": shown_time(breach.aware_us),
        "due": shown_time(breach.due_us),
        "high_risk": breach.is_high_risk,
        "discovered": breach.discovered,
        "nature": breach.nature,
        "persons": breach.persons,
        "records": breach.records,
        "consequences": breach.consequences,
        "measures": breach.measures,
        "duties": {each.to: _duty(each, now_us) for each in breach.duties},
        "updates": [
            {
                "entered": shown_time(each.entered_us),
                "entered_by": each.entered_by,
                "act": each.act,
                "at": shown_time(each.at_us),
                "words": each.words,
            }
            for each in breach.updates
        ],
    }


def _duty(duty: Duty, now_us: int) -> dict[str, Any]:
    left_us = duty.left_us(now_us)
    return {
        "state": _state(duty, left_us),
        "notified": shown_time(duty.at_us),
        "hours_left": left_us // HOUR_US if duty.waits else None,
    }


def _state(duty: Duty, left_us: int) -> str:
    if duty.excused:
        return "not needed"
    if duty.at_us is not None:
        return "notified late" if duty.is_late else "notified"
    return "overdue" if left_us < 0 else "waiting"


def _agreement(each: Agreement, now_us: int, is_last: bool) -> dict[str, Any]:
    return {
        "id": each.id,
        "provider": each.provider,
        "title": each.title,
        "signed_by": each.signed_by,
        "signed": _day(each.signed_us),
        "valid_until": _day(each.valid_until_us),
        "note": each.note,
        "in_force": is_last and each.in_force(now_us),
        "entered": shown_time(each.entered_us),
        "entered_by": each.entered_by,
    }


def _attestation(each: Attestation, is_overdue: bool) -> dict[str, Any]:
    return {
        "id": each.id,
        "kind": each.kind,
        "scope": each.scope,
        "done_by": each.done_by,
        "done": _day(each.done_us),
        "result": each.result,
        "next_due": _day(each.next_due_us),
        "overdue": is_overdue,
        "entered": shown_time(each.entered_us),
        "entered_by": each.entered_by,
    }


def _day(at_us: int | None) -> str | None:
    shown = shown_time(at_us)
    return None if shown is None else shown[:10]


REGISTER_COMMANDS: dict[
    str, tuple[type[msgspec.Struct], Callable[[Platform, Any], Awaitable[Any]], bool]
] = {
    "breaches.list": (Nothing, breaches_list, False),
    "breaches.add": (NewBreach, breaches_add, False),
    "breaches.update": (BreachUpdate, breaches_update, False),
    "agreements.list": (Nothing, agreements_list, False),
    "agreements.add": (NewAgreement, agreements_add, True),  # before the catalog that needs it
    "attestations.list": (Nothing, attestations_list, False),
    "attestations.add": (NewAttestation, attestations_add, False),
}
