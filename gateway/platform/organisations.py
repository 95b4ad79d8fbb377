"""Organisations: a shared balance, the people who spend from it, and how much each may.

An organisation is an account that nobody signs in as; its wallet is the shared balance and its
keys are issued to members, so the path of a request knows nothing of organisations. An owner
manages everything, a manager members; there is always an owner. What a member has spent in a month
is read from the rollups that are written with each charge.
"""

import calendar
import time
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Account, Accounts
from gateway.platform.audit import Audit
from gateway.platform.keys import IssuedKey, Keys
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.organisations import (
    organisation_keys,
    organisation_members,
    organisations,
)
from gateway.store.schema.request_log import usage_hourly

MemberRole = Literal["owner", "manager", "member"]
ACTION: Final = "organisations.write"
MAX_NAME = 100
MAX_MEMBERS = 1_000
HOUR_S = 3_600
DOMAIN: Final = "organisation.invalid"  # RFC 2606: no mail can ever go there


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in an organisation. `monthly_limit_microusd` None: as much as there is."""

    account: Account
    role: MemberRole
    monthly_limit_microusd: int | None
    joined_us: int


class Organisations:
    """Founds organisations and keeps their members."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        keys: Keys,
        audit: Audit,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._keys = keys
        self._audit = audit
        self._clock = clock
        self._ids = ids

    async def found(self, founder: Account, name: str) -> Account:
        """A new organisation with one owner; its account holds the balance. Raises Refusal."""
        label = name.strip()
        if not label or len(label) > MAX_NAME or not label.isprintable():
            raise Refusal(f"an organisation's name is 1 to {MAX_NAME} printable characters")
        address = f"{self._ids.make('org')}@{DOMAIN}"

        def write(connection: Connection) -> Account:
            made = self._accounts.insert(connection, address)
            now_us = self._clock.now_us()
            connection.execute(
                insert(organisations).values(account_no=made.no, name=label, created_us=now_us)
            )
            self._join(connection, made, founder, "owner", None)
            self._record(connection, founder, made, "found")
            return made

        made = await self._database.write(write)
        self._accounts.keep(made)
        return made

    async def put(
        self,
        by: Account,
        organisation: Account,
        account: Account,
        role: MemberRole = "member",
        monthly_limit_microusd: int | None = None,
    ) -> None:
        """Add a member, or change one. Raises Refusal."""
        if monthly_limit_microusd is not None and monthly_limit_microusd < 0:
            raise Refusal("a limit is zero or more")

        def write(connection: Connection) -> None:
            mine = self._role(connection, organisation, by)
            theirs = self._role(connection, organisation, account)
            _check_rights(mine, theirs, role)
            if theirs is None:
                self._join(connection, organisation, account, role, monthly_limit_microusd)
            else:
                connection.execute(
                    update(organisation_members)
                    .where(_is_member(organisation, account))
                    .values(role=role, monthly_limit_microusd=monthly_limit_microusd)
                )
            self._check_owner(connection, organisation)
            self._record(connection, by, organisation, f"put {account.id} {role}")

        await self._database.write(write)

    async def remove(self, by: Account, organisation: Account, account: Account) -> None:
        """Remove a member and revoke their keys; everybody may leave. Raises Refusal."""

        def write(connection: Connection) -> list[int]:
            theirs = self._role(connection, organisation, account)
            if theirs is None:
                raise Refusal("that account is not a member")
            if by is not account:
                _check_rights(self._role(connection, organisation, by), theirs, theirs)
            connection.execute(
                delete(organisation_members).where(_is_member(organisation, account))
            )
            self._check_owner(connection, organisation)
            self._record(connection, by, organisation, f"remove {account.id}")
            return self._key_nos(connection, organisation, account)

        numbers = await self._database.write(write)
        for id in (await self._keys.ids(numbers)).values():
            await self._keys.revoke(id)

    async def members(self, organisation: Account) -> list[Member]:
        """Everybody in an organisation, in the order they joined."""
        columns = organisation_members.c
        query = (
            select(organisation_members)
            .where(columns.organisation_no == organisation.no)
            .order_by(columns.joined_us, columns.account_no)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [self._member(row) for row in rows]

    async def of(self, account: Account) -> list[tuple[Account, str]]:
        """The organisations an account belongs to, with their names."""
        query = (
            select(organisations.c.account_no, organisations.c.name)
            .join(
                organisation_members,
                organisation_members.c.organisation_no == organisations.c.account_no,
            )
            .where(organisation_members.c.account_no == account.no)
            .order_by(organisations.c.name)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [(self._accounts.by_no(row.account_no), row.name) for row in rows]

    async def issue_key(self, organisation: Account, member: Account, name: str) -> IssuedKey:
        """A key that spends the shared balance in a member's name. Raises Refusal."""
        is_member = await self._database.read(
            lambda c: self._role(c, organisation, member) is not None
        )
        if not is_member:
            raise Refusal("that account is not a member")
        issued = await self._keys.issue(organisation, name)

        def write(connection: Connection) -> None:
            connection.execute(
                insert(organisation_keys).values(
                    key_no=issued.key.no, organisation_no=organisation.no, account_no=member.no
                )
            )

        await self._database.write(write)
        return issued

    async def spent_this_month(self, organisation: Account, member: Account) -> int:
        """Microusd that a member's keys have cost since the month began, in UTC."""
        now = time.gmtime(self._clock.now_us() // 1_000_000)
        start_hour = calendar.timegm((now.tm_year, now.tm_mon, 1, 0, 0, 0)) // HOUR_S

        def read(connection: Connection) -> int:
            numbers = self._key_nos(connection, organisation, member)
            columns = usage_hourly.c
            query = select(func.sum(columns.cost_microusd)).where(
                columns.hour >= start_hour,
                columns.account_no == organisation.no,
                columns.key_no.in_(numbers),
            )
            return int(connection.scalar(query) or 0)

        return await self._database.read(read)

    async def left_this_month(self, organisation: Account, member: Member) -> int | None:
        """Microusd that a member may still spend this month; None without a limit."""
        limit = member.monthly_limit_microusd
        if limit is None:
            return None
        return max(0, limit - await self.spent_this_month(organisation, member.account))

    def _join(
        self,
        connection: Connection,
        organisation: Account,
        account: Account,
        role: MemberRole,
        limit_microusd: int | None,
    ) -> None:
        query = select(func.count()).select_from(organisation_members)
        here = organisation_members.c.organisation_no == organisation.no
        if (connection.scalar(query.where(here)) or 0) >= MAX_MEMBERS:
            raise Refusal(f"an organisation has at most {MAX_MEMBERS} members")
        connection.execute(
            insert(organisation_members).values(
                organisation_no=organisation.no,
                account_no=account.no,
                role=role,
                monthly_limit_microusd=limit_microusd,
                joined_us=self._clock.now_us(),
            )
        )

    def _role(self, connection: Connection, organisation: Account, account: Account) -> str | None:
        query = select(organisation_members.c.role)
        return connection.scalar(query.where(_is_member(organisation, account)))

    def _check_owner(self, connection: Connection, organisation: Account) -> None:
        columns = organisation_members.c
        query = select(columns.account_no).where(
            columns.organisation_no == organisation.no, columns.role == "owner"
        )
        if connection.scalar(query.limit(1)) is None:
            raise Refusal("an organisation needs an owner")

    def _key_nos(self, connection: Connection, organisation: Account, member: Account) -> list[int]:
        columns = organisation_keys.c
        query = select(columns.key_no).where(
            columns.organisation_no == organisation.no, columns.account_no == member.no
        )
        return list(connection.scalars(query))

    def _record(
        self, connection: Connection, by: Account, organisation: Account, detail: str
    ) -> None:
        self._audit.append(connection, by.id, by.role, ACTION, organisation.id, detail)

    def _member(self, row: Any) -> Member:
        account = self._accounts.by_no(row.account_no)
        return Member(account, row.role, row.monthly_limit_microusd, row.joined_us)


def _is_member(organisation: Account, account: Account) -> Any:
    columns = organisation_members.c
    return (columns.organisation_no == organisation.no) & (columns.account_no == account.no)


def _check_rights(mine: str | None, theirs: str | None, wanted: str) -> None:
    """Whether one member may make another what is wanted. Raises Refusal."""
    allowed = mine == "owner" or (
        mine == "manager" and theirs in (None, "member") and wanted == "member"
    )
    if not allowed:
        raise Refusal("your part in the organisation does not allow this")
