"""Operations on an organisation's keys: listed, made, changed, rotated and revoked by its members.

A key is one member's and spends the shared balance in that member's name. Who may do what to whose
is what the console's desk says: a plain member sees and changes their own keys, a manager and an
owner every key; what somebody may not see is not found. A rotated key stays its member's.
"""

import msgspec

from gateway.base.errors import NotFound
from gateway.platform.accounts.roles import OWN_READ, OWN_WRITE
from gateway.platform.keys import KeyRow
from gateway.platform.organisations import Desk, Organisation, desk_of
from gateway.platform.refusals import Refusal
from gateway.web.api.door import Call, Operation
from gateway.web.api.keys import (
    MAX_KEYS,
    KeyAnswer,
    KeyChange,
    NewKey,
    NewKeyAnswer,
    Rotation,
    apply_change,
    follow_rotation,
    grace_us,
    issued_answer,
    key_fields,
    options_of,
    record,
)
from gateway.web.api.organisations import asked


class SharedKeyAnswer(KeyAnswer):
    """A key and the member it was issued to; null for one that the operator made."""

    account_id: str | None
    email: str | None


class SharedKeyList(msgspec.Struct):
    """Keys of an organisation, newest first; to a plain member, the caller's alone."""

    keys: list[SharedKeyAnswer]


async def list_shared_keys(call: Call) -> SharedKeyList:
    """The keys that the caller's part shows, ended ones too. Raises NotFound."""
    organisation = asked(call)
    at = desk_of(call.account, organisation)
    rows = await call.platform.keys.listing(organisation.account, MAX_KEYS)
    return SharedKeyList([_shared(call, organisation, row) for row in rows if at.shows(row.no)])


async def make_shared_key(call: Call) -> NewKeyAnswer:
    """A key of the caller. Raises NotFound, Refusal."""
    organisation, wanted = asked(call), call.body
    issued = await call.platform.organisations.issue_key(
        organisation, call.account, wanted.name, **options_of(call, wanted)
    )
    await record(call, "keys.create", issued.id)
    return issued_answer(issued)


async def read_shared_key(call: Call) -> SharedKeyAnswer:
    """One key. Raises NotFound."""
    organisation, row = await _asked_key(call)
    return _shared(call, organisation, row)


async def change_shared_key(call: Call) -> SharedKeyAnswer:
    """Rename, bound or date a key. Raises NotFound, Refusal."""
    _, row = await _asked_key(call)
    await apply_change(call, row)
    return await read_shared_key(call)


async def rotate_shared_key(call: Call) -> NewKeyAnswer:
    """A new key of the same member for an old one. Raises NotFound, Refusal."""
    organisation, row = await _asked_key(call)
    issued = await call.platform.organisations.rotate_key(organisation, row, grace_us(call))
    await follow_rotation(call, row, issued)
    return issued_answer(issued)


async def revoke_shared_key(call: Call) -> None:
    """End a key; its next request is refused. Raises NotFound."""
    organisation, row = await _asked_key(call)
    await call.platform.keys.revoke(row.id, organisation.account)
    await record(call, "keys.revoke", row.id)


async def _asked_key(call: Call) -> tuple[Organisation, KeyRow]:
    """The key of the path, among those that the caller's part shows. Raises NotFound."""
    organisation = asked(call)
    at: Desk = desk_of(call.account, organisation)
    try:
        row = await call.platform.keys.named(call.path["key"], organisation.account)
    except Refusal:
        raise NotFound() from None
    if not at.shows(row.no):
        raise NotFound()
    return organisation, row


def _shared(call: Call, organisation: Organisation, row: KeyRow) -> SharedKeyAnswer:
    no = organisation.keys.get(row.no)
    owner = call.platform.accounts.by_no(no) if no is not None else None
    return SharedKeyAnswer(
        **key_fields(row, call.platform.clock.now_us()),
        account_id=owner.id if owner is not None else None,
        email=owner.email if owner is not None else None,
    )


_KEYS = "/organisations/{id}/keys"
_KEY = _KEYS + "/{key}"

OPERATIONS = (
    Operation(
        *("listSharedKeys", "GET", _KEYS, OWN_READ),
        *("Keys that spend the shared balance", list_shared_keys, SharedKeyList),
    ),
    Operation(
        *("createSharedKey", "POST", _KEYS, OWN_WRITE),
        *("Make a key that spends the shared balance", make_shared_key, NewKeyAnswer),
        body=NewKey,
        status=201,
    ),
    Operation(
        *("getSharedKey", "GET", _KEY, OWN_READ),
        *("One key of an organisation", read_shared_key, SharedKeyAnswer),
    ),
    Operation(
        *("changeSharedKey", "PATCH", _KEY, OWN_WRITE),
        *("Rename, bound or date a key of an organisation", change_shared_key, SharedKeyAnswer),
        body=KeyChange,
    ),
    Operation(
        *("rotateSharedKey", "POST", _KEY + "/rotate", OWN_WRITE),
        *("A new key of the same member for an old one", rotate_shared_key, NewKeyAnswer),
        body=Rotation,
        status=201,
    ),
    Operation(
        *("revokeSharedKey", "DELETE", _KEY, OWN_WRITE),
        *("End a key of an organisation", revoke_shared_key, None),
    ),
)
