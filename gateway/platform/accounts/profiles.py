"""Profiles: what people may say of themselves, all of it optional, sealed as one document.

Nothing here is needed to use the gateway. A change is an audit row that names the fields and never
their content.
"""

import zoneinfo
from typing import Final

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from gateway.base.clock import Clock
from gateway.platform.accounts.accounts import Account
from gateway.platform.audit import Audit
from gateway.platform.refusals import Problem
from gateway.store.database import Database
from gateway.store.schema.accounts import accounts, profiles
from gateway.store.secrets import Secrets

LANGUAGES: Final = ("en", "zh", "ja", "vi", "fr", "ru")
ACTION: Final = "profile.change"
LIMITS: Final = {
    "display_name": 100,
    "username": 40,
    "phone": 40,
    "company": 200,
    "billing_address": 600,
    "tax_id": 60,
    "language": 2,
    "time_zone": 60,
    "avatar": 2,  # one or two characters shown as a badge
    "bio": 1_000,
    "default_model": 200,
}
_SEVERAL_LINES = frozenset({"billing_address", "bio"})


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody said; an empty field was not said."""

    display_name: str = ""
    username: str = ""
    phone: str = ""
    company: str = ""
    billing_address: str = ""
    tax_id: str = ""
    language: str = ""
    time_zone: str = ""
    avatar: str = ""
    bio: str = ""
    default_model: str = ""
    notify_balance: bool = True
    notify_news: bool = False  # needs consent, so nobody is asked to object


class Profiles:
    """Reads and changes profiles."""

    def __init__(self, database: Database, secrets: Secrets, clock: Clock, audit: Audit) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._audit = audit

    async def of(self, account: Account) -> Profile:
        """An account's profile; empty where nothing was said."""
        query = select(profiles.c.sealed).where(profiles.c.account_no == account.no)
        sealed = await self._database.read(lambda c: c.scalar(query))
        if sealed is None:
            return Profile()
        text = self._secrets.unseal(sealed, table="profiles", row=account.id)
        return msgspec.json.decode(text, type=Profile)

    async def spoken_by(self, account_id: str) -> str:
        """The language that an account, by its id, wishes its letters in; empty for none said."""
        query = (
            select(profiles.c.sealed)
            .join(accounts, accounts.c.no == profiles.c.account_no)
            .where(accounts.c.id == account_id)
        )
        sealed = await self._database.read(lambda c: c.scalar(query))
        if sealed is None:
            return ""
        text = self._secrets.unseal(sealed, table="profiles", row=account_id)
        return msgspec.json.decode(text, type=Profile).language

    async def change(self, account: Account, wanted: Profile) -> None:
        """Keep a profile as it was filled in. Raises Problem for a field that cannot be kept."""
        checked = _checked(wanted)
        before = await self.of(account)
        names = [
            name
            for name in Profile.__struct_fields__
            if getattr(before, name) != getattr(checked, name)
        ]
        if not names:
            return
        text = msgspec.json.encode(checked).decode()
        values = {
            "sealed": self._secrets.seal(text, table="profiles", row=account.id),
            "updated_us": self._clock.now_us(),
        }

        def write(connection: Connection) -> None:
            changed = connection.execute(
                update(profiles).where(profiles.c.account_no == account.no).values(**values)
            )
            if not changed.rowcount:
                connection.execute(insert(profiles).values(account_no=account.no, **values))
            detail = ", ".join(names)
            self._audit.append(connection, account.id, account.role, ACTION, account.id, detail)

        await self._database.write(write)


def introduce(
    connection: Connection, secrets: Secrets, account: Account, language: str, now_us: int
) -> None:
    """Inside a transaction: the first profile of a new account, in the language it came in."""
    said = Profile(language=language if language in LANGUAGES else "")
    text = msgspec.json.encode(said).decode()
    sealed = secrets.seal(text, table="profiles", row=account.id)
    connection.execute(
        insert(profiles).values(account_no=account.no, sealed=sealed, updated_us=now_us)
    )


def _checked(wanted: Profile) -> Profile:
    made = {}
    for name, limit in LIMITS.items():
        value = str(getattr(wanted, name)).replace("\r\n", "\n").strip()
        if len(value) > limit:
            raise Problem(name, "too_long")
        plain = value.replace("\n", "") if name in _SEVERAL_LINES else value
        if plain and not plain.isprintable():
            raise Problem(name, "malformed")
        made[name] = value
    if made["language"] and made["language"] not in LANGUAGES:
        raise Problem("language", "malformed")
    if made["time_zone"] and made["time_zone"] not in zoneinfo.available_timezones():
        raise Problem("time_zone", "malformed")
    return msgspec.structs.replace(wanted, **made)
