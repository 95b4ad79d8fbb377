"""Roles: what each may do, as one table of role by action. Least privilege: nothing not listed.

Every route and command names one action. `OWN` actions concern the signed-in account alone; all
others concern the place, and doing one is an audit row. Nobody has a right by being somebody.
"""

from typing import Final, get_args

from gateway.platform.accounts.accounts import Role

OWN_READ: Final = "own.read"
OWN_WRITE: Final = "own.write"
ADMIN_READ: Final = "admin.read"  # the first page of the administration, and no room of it
OWN: Final = frozenset({OWN_READ, OWN_WRITE})

_READ_PEOPLE = ("accounts.read", "keys.read", "requests.read", "credits.read")
_EVERY_READ = (
    *_READ_PEOPLE,
    *("catalog.read", "ledger.read", "audit.read", "settings.read", "usage.read"),
    *("breaches.read", "agreements.read", "attestations.read"),
    *("incidents.read", "reviews.read"),
)

TABLE: Final[dict[Role, frozenset[str]]] = {
    "member": OWN,
    "support": OWN
    | {ADMIN_READ, *_READ_PEOPLE, "sessions.revoke", "keys.revoke", "incidents.read"}
    | {"accounts.age", "reviews.read", "reviews.write"},
    "finance": OWN
    | {ADMIN_READ, "accounts.read", "credits.read", "ledger.read"}
    | {"credits.request", "credits.decide"},
    "operator": OWN
    | {
        ADMIN_READ,
        *("catalog.read", "catalog.write", "requests.read", "usage.read", "settings.read"),
        *("keys.read", "keys.revoke", "agreements.read", "incidents.read", "incidents.write"),
        *("reviews.read", "reviews.write"),
    },
    "auditor": OWN | {ADMIN_READ, *_EVERY_READ, "audit.export"},
    "administrator": OWN
    | {
        ADMIN_READ,
        *_EVERY_READ,
        *("accounts.create", "accounts.suspend", "accounts.link", "accounts.role"),
        *("accounts.age", "accounts.erase"),
        # A letter's link signs in or resets: who may read undelivered mail may become anybody.
        *("mail.show", "sessions.revoke", "keys.create", "keys.revoke", "catalog.write"),
        *("credits.request", "credits.decide", "audit.export", "organisations.write"),
        *("breaches.write", "agreements.write", "attestations.write"),
        *("incidents.write", "reviews.write"),
    },
}
ROLES: Final[tuple[Role, ...]] = get_args(Role)
ACTIONS: Final = frozenset().union(*TABLE.values())


def may(role: Role, action: str) -> bool:
    """Whether a role may do an action. An action that no role has is a mistake: KeyError."""
    if action not in ACTIONS:
        raise KeyError(action)
    return action in TABLE[role]


def is_administrative(action: str) -> bool:
    """Whether doing it must stand in the audit log."""
    return action not in OWN
