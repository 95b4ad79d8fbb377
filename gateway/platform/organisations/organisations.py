"""The room of organisations: founded, joined, led, left; their keys and what members may spend.

An organisation is an account that nobody signs in as; its wallet is the shared balance and its
keys are issued to members, so the path of a request knows nothing of organisations. There is
always an owner. A member's monthly limit is a share that binds all their keys in it at admission.
Changes are made one after the other, durable before they are visible here, with their audit row.
"""

import asyncio
import calendar
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Account, Accounts
from gateway.platform.accounts.accounts import ORGANISATION_DOMAIN
from gateway.platform.audit import LOCAL, Audit
from gateway.platform.keys import IssuedKey, KeyRow, Keys
from gateway.platform.limits import Share
from gateway.platform.organisations.checks import check_member, check_payer, checked_name
from gateway.platform.organisations.members import Member, Organisation
from gateway.platform.organisations.parts import Part, check_part, check_reach
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.series import Cut, use_by_key
from gateway.platform.tiers import Tiers
from gateway.store.database import Database
from gateway.store.schema.organisations import (
    organisation_keys,
    organisation_members,
    organisations,
)

ACTION: Final = "organisations.write"
PLAYGROUND: Final = "Playground"
MAX_MEMBERS = 1_000
MAX_FOUNDED = 20  # organisations that one account may own
HOUR_S = 3_600


class Organisations:
    """Every organisation, loaded once."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        keys: Keys,
        tiers: Tiers,
        audit: Audit,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._keys = keys
        self._tiers = tiers
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._by_no: dict[int, Organisation] = {}
        self._by_id: dict[str, Organisation] = {}
        self._of: dict[int, dict[int, Organisation]] = {}  # by member, then by organisation
        self.changing = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._by_no)

    def __iter__(self) -> Iterator[Organisation]:
        return iter(self._by_no.values())

    async def load(self) -> Mapping[int, Mapping[int, Share]]:
        """Read everything; accounts and keys must be loaded. Returns every share, by account."""
        await self._database.read(self._read)
        for account in self._accounts:
            if not account.may_spend:
                await self.follow(account)
        return {each.account.no: each.shares() for each in self}

    def _read(self, connection: Connection) -> None:
        for row in connection.execute(select(organisations)):
            self._keep(Organisation(self._accounts.by_no(row.account_no), row.name, row.created_us))
        columns = organisation_members.c
        query = select(organisation_members).order_by(columns.joined_us, columns.account_no)
        for row in connection.execute(query):
            account = self._accounts.by_no(row.account_no)
            member = Member(account, row.role, row.monthly_limit_microusd, row.joined_us)
            self._join(self._by_no[row.organisation_no], member)
        for key in connection.execute(select(organisation_keys)):
            self._by_no[key.organisation_no].keys[key.key_no] = key.account_no

    def _keep(self, organisation: Organisation) -> None:
        self._by_no[organisation.account.no] = organisation
        self._by_id[organisation.id] = organisation

    def _join(self, organisation: Organisation, member: Member) -> None:
        organisation.members[member.account.no] = member
        self._of.setdefault(member.account.no, {})[organisation.account.no] = organisation

    # --- finding --------------------------------------------------------------------------------

    def by_no(self, no: int | None) -> Organisation | None:
        """The organisation whose account has this number, or None."""
        return self._by_no.get(no) if no is not None else None

    def named(self, id: str) -> Organisation:
        """The organisation of a public id. Raises Refusal."""
        found = self._by_id.get(id)
        if found is None:
            raise Refusal(f"there is no organisation {id[:64]!r}")
        return found

    def of(self, account: Account) -> list[Organisation]:
        """The organisations that somebody belongs to, by name."""
        mine = self._of.get(account.no, {}).values()
        return sorted(mine, key=lambda each: (each.name.casefold(), each.account.no))

    # --- founding and leading -------------------------------------------------------------------

    async def found(self, founder: Account, name: str) -> Organisation:
        """A new organisation with one owner. Raises Refusal."""
        label = checked_name(name)
        address = f"{self._ids.make('org')}@{ORGANISATION_DOMAIN}"
        async with self.changing:
            owned = [each for each in self.of(founder) if each.part_of(founder) == "owner"]
            if len(owned) >= MAX_FOUNDED:
                raise Refusal(f"an account owns at most {MAX_FOUNDED} organisations")
            now_us = self._clock.now_us()

            def write(connection: Connection) -> Account:
                made = self._accounts.insert(connection, address)
                connection.execute(
                    insert(organisations).values(account_no=made.no, name=label, created_us=now_us)
                )
                self.insert_member(connection, made, founder, "owner", None)
                self.record(connection, founder, made, "found")
                return made

            account = await self._database.write(write)
            self._accounts.keep(account)
            made = Organisation(account, label, now_us)
            self._keep(made)
            self._join(made, Member(founder, "owner", None, now_us))
            return made

    async def rename(
        self, by: Account | None, organisation: Organisation, name: str, *, staff: bool = False
    ) -> None:
        """Another name; `staff` as in `put`. Raises Refusal."""
        label, no = checked_name(name), organisation.account.no

        def write(connection: Connection) -> None:
            connection.execute(
                update(organisations).where(organisations.c.account_no == no).values(name=label)
            )
            self.record(connection, by, organisation.account, "rename")

        async with self.changing:
            self._check(None if staff else by, organisation, "organisation.rename")
            await self._database.write(write)
            organisation.name = label

    async def put(
        self,
        by: Account | None,
        organisation: Organisation,
        account: Account,
        part: Part = "member",
        monthly_limit_microusd: int | None = None,
        *,
        within: Callable[[Connection], None] | None = None,
        staff: bool = False,
    ) -> None:
        """Make somebody a member, or change one; `by` None is the operator. Raises Refusal.

        `within` is run first in the same transaction: what it raises, prevents the change. With
        it the caller answers for the right to do this: an invitation was given by somebody. So
        it does with `staff`, which is for those whom a role of the whole place lets do it.
        """
        check_member(organisation.account, account, monthly_limit_microusd)
        no = organisation.account.no
        async with self.changing:
            before = organisation.members.get(account.no)
            if by is not None and within is None and not staff:
                theirs = before.part if before is not None else None
                check_reach(organisation.part_of(by), theirs, part)
            if before is not None and before.part == "owner" and part != "owner":
                self._check_owner_left(organisation, account)

            def write(connection: Connection) -> None:
                if within is not None:
                    within(connection)
                if before is None:
                    self.insert_member(
                        connection, organisation.account, account, part, monthly_limit_microusd
                    )
                else:
                    connection.execute(
                        update(organisation_members)
                        .where(_is_member(no, account))
                        .values(role=part, monthly_limit_microusd=monthly_limit_microusd)
                    )
                detail = f"put {account.id} {part}"
                if monthly_limit_microusd is not None:
                    detail += f" {monthly_limit_microusd} microusd a month"
                self.record(connection, by, organisation.account, detail)

            await self._database.write(write)
            joined_us = before.joined_us if before is not None else self._clock.now_us()
            self._join(organisation, Member(account, part, monthly_limit_microusd, joined_us))
            await self._bind(organisation)

    async def transfer(self, by: Account, organisation: Organisation, account: Account) -> None:
        """Make another member the owner in one's own place, and oneself a manager. Raises
        Refusal."""
        no = organisation.account.no
        async with self.changing:
            self._check(by, organisation, "organisation.transfer")
            heir = organisation.members.get(account.no)
            if heir is None or account is by or account.state != "active":
                raise Refusal("ownership goes to another active member")

            def write(connection: Connection) -> None:
                for who, part in ((account, "owner"), (by, "manager")):
                    connection.execute(
                        update(organisation_members).where(_is_member(no, who)).values(role=part)
                    )
                self.record(connection, by, organisation.account, f"transfer {account.id}")

            await self._database.write(write)
            mine = organisation.members[by.no]
            organisation.members[account.no] = Member(
                account, "owner", heir.monthly_limit_microusd, heir.joined_us
            )
            organisation.members[by.no] = Member(
                by, "manager", mine.monthly_limit_microusd, mine.joined_us
            )

    async def remove(
        self,
        by: Account | None,
        organisation: Organisation,
        account: Account,
        *,
        staff: bool = False,
    ) -> None:
        """Remove a member and revoke their keys in it; everybody may leave. Raises Refusal.

        `staff` as in `put`.
        """
        no = organisation.account.no
        async with self.changing:
            member = organisation.members.get(account.no)
            if member is None:
                raise Refusal("that account is not a member")
            if by is not None and by is not account and not staff:
                check_reach(organisation.part_of(by), member.part, None)
            if member.part == "owner":
                self._check_owner_left(organisation, account)

            def write(connection: Connection) -> None:
                connection.execute(delete(organisation_members).where(_is_member(no, account)))
                self.record(connection, by, organisation.account, f"remove {account.id}")

            await self._database.write(write)
            self.part(organisation, account)
            for id in (await self._keys.ids(organisation.keys_of(account.no))).values():
                await self._keys.revoke(id)
            await self._bind(organisation)

    def part(self, organisation: Organisation, account: Account) -> None:
        """Show a parting that is durable; `changing` is held."""
        organisation.members.pop(account.no, None)
        self._of.get(account.no, {}).pop(organisation.account.no, None)

    # --- keys -----------------------------------------------------------------------------------

    async def issue_key(
        self, organisation: Organisation, member: Account, name: str, **options: Any
    ) -> IssuedKey:
        """A key that spends the shared balance in a member's name; see `Keys.issue`."""
        async with self.changing:
            self._check(member, organisation, "keys.own")
            check_payer(member)
            issued = await self._keys.issue(organisation.account, name, **options)
            await self._assign(organisation, issued.key.no, member)
            return issued

    async def rotate_key(self, organisation: Organisation, row: KeyRow, grace_us: int) -> IssuedKey:
        """A new key of the same member in another's place; see `Keys.rotate`."""
        async with self.changing:
            owner = organisation.members.get(organisation.keys.get(row.no, 0))
            if owner is None:
                raise Refusal("the key's owner has left; make a new one")
            check_payer(owner.account)
            issued = await self._keys.rotate(row, grace_us)
            await self._assign(organisation, issued.key.no, owner.account)
            return issued

    async def playground_key(self, organisation: Organisation, member: Account) -> int:
        """The number under which a member's playground spends the shared balance.

        It is a key like any other, listed and revocable, but its text was thrown away: short-lived
        keys of a session use its number. Raises Refusal.
        """
        rows = await self._keys.listing(organisation.account)
        mine = organisation.keys_of(member.no)
        for row in rows:
            if row.no in mine and row.name == PLAYGROUND and row.revoked_us is None:
                return row.no
        return (await self.issue_key(organisation, member, PLAYGROUND)).key.no

    async def follow(self, account: Account) -> None:
        """Let the keys that were issued to somebody work only while that account may spend."""
        for organisation in self.of(account):
            numbers = organisation.keys_of(account.no)
            await self._keys.rest(numbers, resting=not account.may_spend)

    async def _assign(self, organisation: Organisation, key_no: int, member: Account) -> None:
        def write(connection: Connection) -> None:
            connection.execute(
                insert(organisation_keys).values(
                    key_no=key_no, organisation_no=organisation.account.no, account_no=member.no
                )
            )

        await self._database.write(write)
        organisation.keys[key_no] = member.no
        if organisation.members[member.no].monthly_limit_microusd is not None:
            await self._bind(organisation)

    # --- spending -------------------------------------------------------------------------------

    async def spent_this_month(self, organisation: Organisation) -> dict[int, int]:
        """Microusd that each member's keys have cost since the month began in UTC, by account."""
        now = time.gmtime(self._clock.now_us() // 1_000_000)
        start_hour = calendar.timegm((now.tm_year, now.tm_mon, 1, 0, 0, 0)) // HOUR_S
        until_hour = self._clock.now_us() // (HOUR_S * 1_000_000) + 1
        cut = Cut(organisation.account.no, start_hour, until_hour)
        uses = await self._database.read(lambda c: use_by_key(c, cut, [start_hour]))
        spent: dict[int, int] = {}
        for key_no, use in uses.items():
            owner = organisation.keys.get(key_no)
            if owner is not None:
                spent[owner] = spent.get(owner, 0) + use.spent_microusd[0]
        return spent

    # --- what the methods share -----------------------------------------------------------------

    def insert_member(
        self,
        connection: Connection,
        organisation: Account,
        account: Account,
        part: Part,
        limit_microusd: int | None,
    ) -> None:
        """Inside a transaction: the row of a new member. Raises Refusal when it is full."""
        query = select(func.count()).select_from(organisation_members)
        here = organisation_members.c.organisation_no == organisation.no
        if (connection.scalar(query.where(here)) or 0) >= MAX_MEMBERS:
            raise Refusal(f"an organisation has at most {MAX_MEMBERS} members")
        connection.execute(
            insert(organisation_members).values(
                organisation_no=organisation.no,
                account_no=account.no,
                role=part,
                monthly_limit_microusd=limit_microusd,
                joined_us=self._clock.now_us(),
            )
        )

    def record(
        self, connection: Connection, by: Account | None, organisation: Account, detail: str
    ) -> None:
        """Inside a transaction: the audit row of a change."""
        actor, role = (by.id, by.role) if by is not None else (LOCAL, LOCAL)
        self._audit.append(connection, actor, role, ACTION, organisation.id, detail)

    def _check(self, by: Account | None, organisation: Organisation, action: str) -> None:
        if by is not None:
            check_part(organisation.part_of(by), action)

    def _check_owner_left(self, organisation: Organisation, leaving: Account) -> None:
        others = (each for each in organisation.members.values() if each.account is not leaving)
        if not any(each.part == "owner" for each in others):
            raise Refusal("an organisation needs an owner")

    async def _bind(self, organisation: Organisation) -> None:
        await self._tiers.set_shares(organisation.account, organisation.shares())


def _is_member(organisation_no: int, account: Account) -> Any:
    columns = organisation_members.c
    return (columns.organisation_no == organisation_no) & (columns.account_no == account.no)
