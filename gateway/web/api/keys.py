"""Operations on API keys: list, make, change, rotate, revoke. A key's text is told once."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.keys import IssuedKey, KeyRow, Scope, parse_scope
from gateway.platform.keys.scope import listed_models
from gateway.platform.limits.terms import NO_LIMITS
from gateway.web.api.door import Call, Operation
from gateway.web.api.shapes import moment, written
from gateway.web.api.usage import own_key

HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US
MAX_DAYS = 36_500
MAX_KEYS = 1_000
MAX_GRACE_HOURS = 30 * 24
KeyLabel = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Days = Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)]
Words = Annotated[list[str], msgspec.Meta(max_length=50)]


class Bounds(msgspec.Struct, forbid_unknown_fields=True):
    """What a key may be used for; an empty list does not bound. `name*` is any such model."""

    models: Words = []
    endpoints: Words = []
    addresses: Words = []


class KeyAnswer(msgspec.Struct):
    """A key without its text. `state`: active, expired or revoked."""

    id: str
    name: str
    prefix: str
    state: str
    created: str
    expires: str | None
    revoked: str | None
    bounds: Bounds


class NewKeyAnswer(msgspec.Struct):
    """A key just made; `text` is not shown again."""

    id: str
    name: str
    text: str
    expires: str | None


class KeyList(msgspec.Struct):
    """The account's keys, newest first."""

    keys: list[KeyAnswer]


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key to make; without `expires_days` it does not expire."""

    name: KeyLabel
    expires_days: Days | None = None
    bounds: Bounds | None = None


class KeyChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a key; what is left out stays, null lifts it."""

    name: KeyLabel | UnsetType = UNSET
    expires_days: Days | UnsetType | None = UNSET
    bounds: Bounds | UnsetType | None = UNSET


class Rotation(msgspec.Struct, forbid_unknown_fields=True):
    """For how many hours the old key works on."""

    grace_hours: Annotated[int, msgspec.Meta(ge=0, le=MAX_GRACE_HOURS)] = 24


async def list_keys(call: Call) -> KeyList:
    """The account's keys, ended ones too."""
    rows = await call.platform.keys.listing(call.account, MAX_KEYS)
    now_us = call.platform.clock.now_us()
    return KeyList([key_answer(row, now_us) for row in rows])


async def read_key(call: Call) -> KeyAnswer:
    """One key. Raises NotFound."""
    return key_answer(await own_key(call, call.path["id"]), call.platform.clock.now_us())


async def make_key(call: Call) -> NewKeyAnswer:
    """Issue a key. Raises Refusal."""
    wanted: NewKey = call.body
    issued = await call.platform.keys.issue(
        call.account,
        wanted.name,
        **options_of(call, wanted),
    )
    await record(call, "keys.create", issued.id)
    return issued_answer(issued)


async def change_key(call: Call) -> KeyAnswer:
    """Rename, bound or date a key. Raises NotFound, Refusal."""
    row = await own_key(call, call.path["id"])
    await apply_change(call, row)
    return await read_key(call)


async def rotate_key(call: Call) -> NewKeyAnswer:
    """A new key for an old one. Raises NotFound, Refusal."""
    row = await own_key(call, call.path["id"])
    issued = await call.platform.keys.rotate(row, grace_us(call))
    await follow_rotation(call, row, issued)
    return issued_answer(issued)


async def revoke_key(call: Call) -> None:
    """End a key; its next request is refused. Raises NotFound."""
    row = await own_key(call, call.path["id"])
    await call.platform.keys.revoke(row.id, call.account)
    await record(call, "keys.revoke", row.id)


# --- what an organisation's keys are made and changed by, too -----------------------------------


async def apply_change(call: Call, row: KeyRow) -> None:
    """Do what a KeyChange says. Raises Refusal."""
    wanted: KeyChange = call.body
    await call.platform.keys.change(
        row,
        name=row.name if wanted.name is UNSET else wanted.name,
        scope=row.scope if wanted.bounds is UNSET else _scope(wanted.bounds),
        expires_us=row.expires_us
        if wanted.expires_days is UNSET
        else _end_us(call, wanted.expires_days),
    )
    await record(call, "keys.change", row.id)


async def follow_rotation(call: Call, row: KeyRow, issued: IssuedKey) -> None:
    """Bind the new key by the old one's limits: it must not be a way around them."""
    limits = call.platform.tiers.of_key(row)
    if limits != NO_LIMITS:
        made = await call.platform.keys.named(issued.id, row.account)
        await call.platform.tiers.set_key(made, limits._asdict())
    await record(call, "keys.rotate", row.id, f"in its place {issued.id}")


async def record(call: Call, action: str, id: str, detail: str = "") -> None:
    """The audit row of what somebody did to a key, as the console writes it."""
    who = call.account
    await call.platform.people.audit.record(who.id, who.role, action, id, detail)


def options_of(call: Call, wanted: NewKey) -> dict[str, Any]:
    """What a new key is issued with; see `Keys.issue`. Raises Refusal."""
    return {"expires_us": _end_us(call, wanted.expires_days), "scope": _scope(wanted.bounds)}


def grace_us(call: Call) -> int:
    """How long the old key of a Rotation works on."""
    hours: int = call.body.grace_hours
    return hours * HOUR_US


def _end_us(call: Call, days: int | None) -> int | None:
    return None if days is None else call.platform.clock.now_us() + days * DAY_US


def _scope(bounds: Bounds | None) -> Scope | None:
    if bounds is None:
        return None
    return parse_scope(bounds.models, bounds.endpoints, bounds.addresses)


def _bounds(scope: Scope | None) -> Bounds:
    if scope is None:
        return Bounds()
    return Bounds(
        listed_models(scope), sorted(scope.endpoints), [str(each) for each in scope.networks]
    )


def issued_answer(issued: IssuedKey) -> NewKeyAnswer:
    """A key with its text."""
    return NewKeyAnswer(issued.id, issued.name, issued.text, moment(issued.key.expires_us))


def key_answer(row: KeyRow, now_us: int) -> KeyAnswer:
    """A key without its text."""
    return KeyAnswer(**key_fields(row, now_us))


def key_fields(row: KeyRow, now_us: int) -> dict[str, Any]:
    """The fields of a KeyAnswer."""
    state = "active"
    if row.revoked_us is not None:
        state = "revoked"
    elif row.expires_us is not None and row.expires_us <= now_us:
        state = "expired"
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "state": state,
        "created": written(row.created_us),
        "expires": moment(row.expires_us),
        "revoked": moment(row.revoked_us),
        "bounds": _bounds(row.scope),
    }


OPERATIONS = (
    Operation(
        *("listKeys", "GET", "/keys", OWN_READ, "The account's keys"),
        *(list_keys, KeyList),
    ),
    Operation(
        *("createKey", "POST", "/keys", OWN_WRITE, "Make a key; its text is told once"),
        *(make_key, NewKeyAnswer),
        body=NewKey,
        status=201,
    ),
    Operation(
        *("getKey", "GET", "/keys/{id}", OWN_READ, "One key"),
        *(read_key, KeyAnswer),
    ),
    Operation(
        *("changeKey", "PATCH", "/keys/{id}", OWN_WRITE, "Rename, bound or date a key"),
        *(change_key, KeyAnswer),
        body=KeyChange,
    ),
    Operation(
        *("rotateKey", "POST", "/keys/{id}/rotate", OWN_WRITE, "A new key for an old one"),
        *(rotate_key, NewKeyAnswer),
        body=Rotation,
        status=201,
    ),
    Operation(
        *("revokeKey", "DELETE", "/keys/{id}", OWN_WRITE, "End a key"),
        *(revoke_key, None),
    ),
)
