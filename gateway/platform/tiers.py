"""Tiers: which limits bind which account and key, kept in the database and in the records.

What binds an account is its own limits, over those of its tier. An account without a tier has the
tier `default`, where there is one. A key's own limits bind it besides. Every change is durable
before it binds, and binds from the next request on.

Budgets start from what the hourly rollup says was spent. Where a budget is new, that sum is read
in the writer's queue: what was charged before is in the sum, what is charged later is counted by
the limiter, and nothing is in both.
"""

import asyncio
import re
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from gateway.base.clock import Clock
from gateway.platform.accounts import Account, Accounts
from gateway.platform.keys import KeyRow
from gateway.platform.limits.budget import HOUR_US, PERIODS, period_no, period_start_us
from gateway.platform.limits.entry import Scope
from gateway.platform.limits.limiter import Limiter, Saved
from gateway.platform.limits.terms import NO_LIMITS, Limits, Share, Terms, checked_limits
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.query import spending
from gateway.store.database import Database
from gateway.store.schema.limits import account_limits, key_limits, limit_state, limit_tiers

DEFAULT_TIER = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LIMITS = tuple(Limits._fields)
Changes = Mapping[str, int | None]
Shares = Mapping[int, Share]  # by key


class Tiers:
    """Every limit that was set, and the limiter that keeps to them."""

    def __init__(self, database: Database, accounts: Accounts, clock: Clock) -> None:
        self.limiter = Limiter(clock)
        self.tiers: dict[str, Limits] = {}
        self._database = database
        self._accounts = accounts
        self._clock = clock
        self._own: dict[int, tuple[str | None, Limits]] = {}
        self._keys: dict[int, dict[int, Limits]] = {}  # by account, then by key
        self._shares: dict[int, Shares] = {}  # by account
        self._changing = asyncio.Lock()

    async def load(self, shares: Mapping[int, Shares] | None = None) -> None:
        """Read every limit, what was spent and what rates had counted; accounts must be loaded.

        `shares` are those of organisations' members, by account.
        """
        self._shares = {no: each for no, each in (shares or {}).items() if each}
        saved = await self._database.read(self._read)
        self._bind(list(self._accounts))
        await self._count_spending()
        states = []
        for state in saved:
            limits = self._limits_of(state)
            if limits is not None:
                states.append((state, limits))
        self.limiter.restore(states)

    def _read(self, connection: Connection) -> list[Saved]:
        for name, *values in connection.execute(select(limit_tiers)):
            self.tiers[name] = Limits(*values)
        for no, tier, *values in connection.execute(select(account_limits)):
            self._own[no] = (tier, Limits(*values))
        for no, account_no, *values in connection.execute(select(key_limits)):
            self._keys.setdefault(account_no, {})[no] = Limits(*values)
        query = select(limit_state).where(limit_state.c.reset_us > self._clock.now_us())
        return [Saved(*row) for row in connection.execute(query)]

    # --- what binds whom ------------------------------------------------------------------------

    def tier_of(self, account: Account) -> str | None:
        """The tier assigned to an account; None when it has the default."""
        return self._own.get(account.no, (None, NO_LIMITS))[0]

    def own(self, account: Account) -> Limits:
        """What was set for this account itself."""
        return self._own.get(account.no, (None, NO_LIMITS))[1]

    def of_key(self, row: KeyRow) -> Limits:
        """What was set for a key."""
        return self._keys.get(row.account.no, {}).get(row.no, NO_LIMITS)

    def effective(self, account: Account) -> Limits:
        """What binds an account: its own limits over those of its tier."""
        tier, own = self._own.get(account.no, (None, NO_LIMITS))
        return own.over(self.tiers.get(tier or DEFAULT_TIER, NO_LIMITS))

    def _bind(self, accounts: list[Account]) -> None:
        """Let the records of accounts say what binds them; the default tier's share one value."""
        default = Terms(self.tiers.get(DEFAULT_TIER, NO_LIMITS))
        if default == Terms(NO_LIMITS):
            self._accounts.default_limits = None
        elif default != self._accounts.default_limits:
            self._accounts.default_limits = default
        shared = self._accounts.default_limits
        for account in accounts:
            no = account.no
            if no not in self._own and no not in self._keys and no not in self._shares:
                account.limits = shared
                continue
            keys, shares = self._keys.get(no, {}), self._shares.get(no, {})
            terms = Terms(self.effective(account), keys, shares)
            account.limits = None if terms == Terms(NO_LIMITS) else terms

    def _limits_of(self, state: Saved) -> Limits | None:
        if state.scope == "key":
            for keys in self._keys.values():
                if state.no in keys:
                    return keys[state.no]
            return None
        terms = self._accounts.by_no(state.no).limits
        return terms.account if terms is not None else None

    # --- changes --------------------------------------------------------------------------------

    async def set_tier(self, name: str, changes: Changes) -> Limits:
        """Make or change a tier. Raises Refusal for a bad name or value."""
        if not _NAME.fullmatch(name):
            raise Refusal("a tier's name is letters, digits, dots and dashes, at most 64")
        async with self._changing:
            new = _changed(self.tiers.get(name, NO_LIMITS), changes)

            def write(connection: Connection) -> None:
                table = limit_tiers
                values = new._asdict()
                touched = connection.execute(
                    table.update().where(table.c.name == name).values(**values)
                )
                if not touched.rowcount:
                    connection.execute(insert(table).values(name=name, **values))

            await self._database.write(write)
            self.tiers[name] = new
            await self._rebind([a for a in self._accounts if self._has_tier(a, name)])
            return new

    async def remove_tier(self, name: str) -> None:
        """Remove a tier. Raises Refusal when it is unknown or an account is assigned to it."""
        async with self._changing:
            if name not in self.tiers:
                raise _no_tier(name)
            users = sum(1 for tier, _ in self._own.values() if tier == name)
            if users:
                raise Refusal(f"{users} accounts have the tier {name}; give them another first")

            def write(connection: Connection) -> None:
                connection.execute(delete(limit_tiers).where(limit_tiers.c.name == name))

            await self._database.write(write)
            del self.tiers[name]
            await self._rebind([a for a in self._accounts if self._has_tier(a, name)])

    async def set_account(
        self, account: Account, changes: Changes, *, tier: str | None = None
    ) -> None:
        """Change an account's own limits, and its tier where one is named (`default`: none).

        Raises Refusal for an unknown tier or a bad value.
        """
        async with self._changing:
            if tier is not None and tier != DEFAULT_TIER and tier not in self.tiers:
                raise _no_tier(tier)
            assigned, own = self._own.get(account.no, (None, NO_LIMITS))
            if tier is not None:
                assigned = None if tier == DEFAULT_TIER else tier
            new = _changed(own, changes)

            def write(connection: Connection) -> None:
                table = account_limits
                connection.execute(delete(table).where(table.c.account_no == account.no))
                if assigned is not None or new != NO_LIMITS:
                    row = {"account_no": account.no, "tier": assigned, **new._asdict()}
                    connection.execute(insert(table).values(**row))

            await self._database.write(write)
            self._own[account.no] = (assigned, new)
            if assigned is None and new == NO_LIMITS:
                del self._own[account.no]
            await self._rebind([account])

    async def set_key(self, row: KeyRow, changes: Changes) -> Limits:
        """Change a key's own limits. Raises Refusal for a bad value."""
        async with self._changing:
            new = _changed(self.of_key(row), changes)

            def write(connection: Connection) -> None:
                table = key_limits
                connection.execute(delete(table).where(table.c.key_no == row.no))
                if new != NO_LIMITS:
                    values = {"key_no": row.no, "account_no": row.account.no, **new._asdict()}
                    connection.execute(insert(table).values(**values))

            await self._database.write(write)
            keys = dict(self._keys.pop(row.account.no, {}))
            keys.pop(row.no, None)
            if new != NO_LIMITS:
                keys[row.no] = new
            if keys:
                self._keys[row.account.no] = keys
            await self._rebind([row.account], row.no)
            return new

    async def set_shares(self, account: Account, shares: Shares) -> None:
        """Let an account's keys have these shares; who stores them has done so before."""
        async with self._changing:
            lifted = {each.no for each in self._shares.pop(account.no, {}).values()}
            if shares:
                self._shares[account.no] = shares
            bound = {each.no: each.limits for each in shares.values()}
            await self._rebind([account])
            for no in lifted - bound.keys():
                self.limiter.adapt("member", no, NO_LIMITS)

    def _has_tier(self, account: Account, name: str) -> bool:
        return (self.tier_of(account) or DEFAULT_TIER) == name

    async def _rebind(self, accounts: list[Account], key_no: int | None = None) -> None:
        """Bind the new limits and, without a step in between, ask what had been spent."""
        self._begin_seeding()
        self._bind(accounts)
        for account in accounts:
            terms = account.limits or Terms(NO_LIMITS)
            self.limiter.adapt("account", account.no, terms.account)
            if key_no is not None:
                self.limiter.adapt("key", key_no, terms.keys.get(key_no, NO_LIMITS))
            for share in set(terms.shares.values()):
                self.limiter.adapt("member", share.no, share.limits)
        await self._count_spending(accounts[0] if len(accounts) == 1 else None)

    async def _count_spending(self, account: Account | None = None) -> None:
        if not self._begin_seeding():
            return
        at_us = self._clock.now_us()
        hours = [period_start_us(p, period_no(p, at_us)) // HOUR_US for p in PERIODS]
        no = account.no if account is not None else None
        rows = await self._database.write(lambda connection: spending(connection, hours, no))
        sums: dict[tuple[Scope, int], list[int]] = {}
        limits: dict[tuple[Scope, int], Limits] = {}
        for account_no, key_no, spent in rows:
            terms = self._accounts.by_no(account_no).limits
            if terms is None:
                continue
            bound: list[tuple[Scope, int, Limits | None]] = [
                ("account", account_no, terms.account),
                ("key", key_no, terms.keys.get(key_no)),
            ]
            share = terms.shares.get(key_no)
            if share is not None:
                bound.append(("member", *share))
            for scope, number, own in bound:
                if own is not None and own.has_budget:
                    limits[scope, number] = own
                    total = sums.setdefault((scope, number), [0, 0, 0])
                    total[:] = map(sum, zip(total, spent, strict=True))
        self.limiter.seed(
            at_us, [(*which, limits[which], (s[0], s[1], s[2])) for which, s in sums.items()]
        )

    def _begin_seeding(self) -> bool:
        """Let new budgets await what had been spent; False when there is no budget at all."""
        if (
            any(limits.has_budget for limits in self.tiers.values())
            or any(limits.has_budget for _, limits in self._own.values())
            or any(limits.has_budget for keys in self._keys.values() for limits in keys.values())
            or self._shares
        ):
            self.limiter.begin_seeding()
            return True
        return False

    # --- the state of rates ---------------------------------------------------------------------

    @property
    def counting(self) -> bool:
        """Whether rates count anything now, so that `save` may have something to store."""
        return self.limiter.warm

    async def save(self) -> None:
        """Store what rates have counted since the last call; called every second and at stop."""
        changed = self.limiter.tick()
        if not changed:
            return
        now_us = self._clock.now_us()
        table = limit_state

        def write(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.reset_us <= now_us))
            for state in changed:
                key = state._asdict()
                reset_us = key.pop("reset_us")
                touched = connection.execute(
                    table.update().filter_by(**key).values(reset_us=reset_us)
                )
                if not touched.rowcount:
                    connection.execute(insert(table).values(**state._asdict()))

        await self._database.write(write)


def _no_tier(name: str) -> Refusal:
    return Refusal(f"no tier {name[:64]!r}; see: tallygate limits tiers list")


def _changed(limits: Limits, changes: Changes) -> Limits:
    return checked_limits(limits._replace(**{n: changes[n] for n in _LIMITS if n in changes}))
