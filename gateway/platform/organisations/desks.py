"""Desks: whose things the console shows, one's own or an organisation's, and how much of them.

A plain member of an organisation sees the shared balance and what their own keys did; managers and
owners see all of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.platform.accounts import Account
from gateway.platform.organisations.members import Organisation
from gateway.platform.organisations.parts import Part, part_may


@dataclass(frozen=True, slots=True)
class Desk:
    """`account` is whose books are open, `person` who looks; `key_nos` None: every key's.

    `choices` are the organisations whose desk the person may take.
    """

    account: Account
    person: Account
    organisation: Organisation | None = None
    part: Part | None = None
    key_nos: frozenset[int] | None = None
    choices: tuple[Organisation, ...] = field(default=(), compare=False)

    def may(self, action: str) -> bool:
        """Whether the person may do an action of an organisation here; at one's own desk, all."""
        return self.part is None or part_may(self.part, action)

    def shows(self, key_no: int) -> bool:
        """Whether what a key did may be seen."""
        return self.key_nos is None or key_no in self.key_nos


def desk_of(
    person: Account, organisation: Organisation | None, choices: Iterable[Organisation] = ()
) -> Desk:
    """Somebody's desk in an organisation; their own one where they have no part in it."""
    part = organisation.part_of(person) if organisation is not None else None
    if organisation is None or part is None:
        return Desk(person, person, choices=tuple(choices))
    key_nos = None if part_may(part, "usage.all") else organisation.keys_of(person.no)
    return Desk(organisation.account, person, organisation, part, key_nos, tuple(choices))
