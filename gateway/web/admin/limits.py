"""Administrative commands on limits: tiers, accounts, keys, and what has been used of each.

A field that is left out stays as it is, null lifts the limit. Budgets are given in decimal dollars
and shown in both dollars and micro-dollars.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.base.money import format_usd, parse_usd
from gateway.platform.assembly import Platform
from gateway.platform.limits import Limits
from gateway.platform.limits.budget import PERIODS
from gateway.platform.limits.entry import Scope
from gateway.platform.refusals import Refusal
from gateway.platform.tiers import DEFAULT_TIER

Number = int | None | UnsetType
Dollars = str | None | UnsetType


class Values(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The limits to change."""

    requests_per_minute: Number = UNSET
    tokens_per_minute: Number = UNSET
    concurrent_requests: Number = UNSET
    day_usd: Dollars = UNSET
    week_usd: Dollars = UNSET
    month_usd: Dollars = UNSET

    def changes(self) -> dict[str, int | None]:
        """The fields that were given, in the units of Limits. Raises MoneyError."""
        found: dict[str, int | None] = {}
        for name in Limits._fields[:3]:
            value = getattr(self, name)
            if value is not UNSET:
                found[name] = value
        for period in PERIODS:
            usd = getattr(self, f"{period}_usd")
            if usd is not UNSET:
                found[f"{period}_microusd"] = None if usd is None else parse_usd(usd)
        return found


class NoValues(msgspec.Struct, forbid_unknown_fields=True):
    """No parameters."""


class TierName(msgspec.Struct, forbid_unknown_fields=True):
    """A tier."""

    name: str


class TierLimits(Values):
    """A tier and what to change of it."""

    name: str


class AccountLimits(Values):
    """An account, its tier where that changes, and what to change of its own limits."""

    email: str
    tier: str | None = None


class KeyLimits(Values):
    """A key by id or shown prefix, and what to change of its own limits."""

    key: str


class KeyCache(msgspec.Struct, forbid_unknown_fields=True):
    """A key by id or shown prefix, and for how many seconds its answers are cached."""

    key: str
    ttl_s: int | None = None


class LimitsOf(msgspec.Struct, forbid_unknown_fields=True):
    """Whose limits to show: an account's, or a key's."""

    email: str | None = None
    key: str | None = None


def _shown(limits: Limits) -> dict[str, Any]:
    shown: dict[str, Any] = dict(zip(Limits._fields[:3], limits[:3], strict=True))
    for period, amount in zip(PERIODS, limits[3:], strict=True):
        shown[f"{period}_usd"] = None if amount is None else format_usd(amount)
        shown[f"{period}_microusd"] = amount
    return shown


def _used(platform: Platform, scope: Scope, no: int, limits: Limits) -> dict[str, Any]:
    """What is counted now, of each limit that is set."""
    if limits == Limits():
        return {}
    limiter = platform.tiers.limiter
    now_ns, now_us = limiter.now_ns(), platform.clock.now_us()
    parts = limiter.entry(scope, no, limits).parts
    used: dict[str, Any] = {}
    if parts.requests is not None:
        used["requests_remaining"] = parts.requests.remaining(now_ns)
    if parts.tokens is not None:
        used["tokens_remaining"] = parts.tokens.remaining(now_ns)
        used["tokens_reserved"] = parts.tokens.reserved
    if parts.gate is not None:
        used["requests_running"] = parts.gate.running
    for budget in parts.budgets:
        window = budget.window(now_us)
        used[f"{budget.period}_spent_usd"] = format_usd(window.spent_microusd)
        used[f"{budget.period}_spent_microusd"] = window.spent_microusd
        used[f"{budget.period}_held_microusd"] = window.held_microusd
    return used


async def tiers_list(platform: Platform, _: Any) -> Any:
    """Every tier."""
    return [{"name": name, **_shown(each)} for name, each in sorted(platform.tiers.tiers.items())]


async def tiers_set(platform: Platform, p: TierLimits) -> Any:
    """Make or change a tier."""
    return {"name": p.name, **_shown(await platform.tiers.set_tier(p.name, p.changes()))}


async def tiers_remove(platform: Platform, p: TierName) -> Any:
    """Remove a tier that no account is assigned to."""
    await platform.tiers.remove_tier(p.name)
    return {"name": p.name, "state": "removed"}


async def limits_set(platform: Platform, p: AccountLimits) -> Any:
    """Change an account's tier and its own limits."""
    account = platform.accounts.named(p.email)
    await platform.tiers.set_account(account, p.changes(), tier=p.tier)
    return await limits_show(platform, LimitsOf(email=account.email))


async def limits_set_key(platform: Platform, p: KeyLimits) -> Any:
    """Change a key's own limits."""
    row = await platform.keys.named(p.key)
    await platform.tiers.set_key(row, p.changes())
    return await limits_show(platform, LimitsOf(key=row.id))


async def limits_show(platform: Platform, p: LimitsOf) -> Any:
    """What binds an account or a key, where it comes from, and what has been used of it."""
    tiers = platform.tiers
    if (p.email is None) == (p.key is None):
        raise Refusal("name an account or a key")
    if p.key is not None:
        row = await platform.keys.named(p.key)
        limits = tiers.of_key(row)
        found = {"key": row.id, "email": row.account.email, "limits": _shown(limits)}
        terms = row.account.limits
        bound = limits if terms is None else terms.keys.get(row.no, Limits())
        return {**found, "used": _used(platform, "key", row.no, bound)}
    account = platform.accounts.named(p.email or "")
    terms = account.limits
    default = DEFAULT_TIER if DEFAULT_TIER in tiers.tiers else None
    bound = Limits() if terms is None else terms.account
    return {
        "email": account.email,
        "tier": tiers.tier_of(account) or default,
        "own": _shown(tiers.own(account)),
        "limits": _shown(bound),
        "used": _used(platform, "account", account.no, bound),
    }


async def keys_cache(platform: Platform, p: KeyCache) -> Any:
    """Let a key's answers be cached, or not any more."""
    row = await platform.keys.set_cache(p.key, p.ttl_s)
    return {"id": row.id, "email": row.account.email, "cache_ttl_s": row.cache_ttl_s}


# Rows of the table of commands: parameters, function.
LIMIT_COMMANDS: dict[
    str, tuple[type[msgspec.Struct], Callable[[Platform, Any], Awaitable[Any]]]
] = {
    "limits.set": (AccountLimits, limits_set),
    "limits.set_key": (KeyLimits, limits_set_key),
    "limits.show": (LimitsOf, limits_show),
    "tiers.list": (NoValues, tiers_list),
    "tiers.set": (TierLimits, tiers_set),
    "tiers.remove": (TierName, tiers_remove),
    "keys.cache": (KeyCache, keys_cache),
}
