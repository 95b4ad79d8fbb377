"""Operations on API keys: list, make, change, rotate, revoke. A key's text is told once."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.keys import IssuedKey, KeyRow, Scope, parse_scope
from gateway.platform.keys.scope import listed_models
from gateway.platform.limits.terms import NO_LIMITS
from gateway.web.api.door import Call, Operation
from gateway.web.api.shapes import moment, written
from gateway.web.api.usage import own_key

DAY_US = 86_400 * 1_000_000
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
    return KeyList([_key(row, now_us) for row in rows])


async def read_key(call: Call) -> KeyAnswer:
    """One key. Raises NotFound."""
    return _key(await own_key(call, call.path["id"]), call.platform.clock.now_us())


async def make_key(call: Call) -> NewKeyAnswer:
    """Issue a key. Raises Refusal."""
    wanted: NewKey = call.body
    issued = await call.platform.keys.issue(
        call.account,
        wanted.name,
        expires_us=_end_us(call, wanted.expires_days),
        scope=_scope(wanted.bounds),
    )
    return _issued(issued)


async def change_key(call: Call) -> KeyAnswer:
    """Rename, bound or date a key. Raises NotFound, Refusal."""
    row, wanted = await own_key(call, call.path["id"]), call.body
    await call.platform.keys.change(
        row,
        name=row.name if wanted.name is UNSET else wanted.name,
        scope=row.scope if wanted.bounds is UNSET else _scope(wanted.bounds),
        expires_us=row.expires_us
        if wanted.expires_days is UNSET
        else _end_us(call, wanted.expires_days),
    )
    return await read_key(call)


async def rotate_key(call: Call) -> NewKeyAnswer:
    """A new key for an old one. Raises NotFound, Refusal."""
    row = await own_key(call, call.path["id"])
    grace_us = call.body.grace_hours * 3_600 * 1_000_000
    issued = await call.platform.keys.rotate(row, grace_us)
    limits = call.platform.tiers.of_key(row)
    if limits != NO_LIMITS:  # a new key must not be a way around them
        made = await own_key(call, issued.key.id)
        await call.platform.tiers.set_key(made, limits._asdict())
    return _issued(issued)


async def revoke_key(call: Call) -> None:
    """End a key; its next request is refused. Raises NotFound."""
    row = await own_key(call, call.path["id"])
    await call.platform.keys.revoke(row.id, call.account)


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


def _issued(issued: IssuedKey) -> NewKeyAnswer:
    return NewKeyAnswer(issued.key.id, issued.key.name, issued.text, moment(issued.key.expires_us))


def _key(row: KeyRow, now_us: int) -> KeyAnswer:
    state = "active"
    if row.revoked_us is not None:
        state = "revoked"
    elif row.expires_us is not None and row.expires_us <= now_us:
        state = "expired"
    return KeyAnswer(
        row.id,
        row.name,
        row.prefix,
        state,
        written(row.created_us),
        moment(row.expires_us),
        moment(row.revoked_us),
        _bounds(row.scope),
    )


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
