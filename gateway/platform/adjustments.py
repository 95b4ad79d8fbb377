"""Credit given or taken back by hand: who asked, who agreed, and why, before it is in the ledger.

What one person gives one account within a day, or takes back from it, stays theirs to decide up to
a limit; above it a second person must agree, and nobody agrees with themselves. To forfeit credit,
which may reach what was paid for, always takes two. The decision, the audit row and the ledger's
entry are one transaction; nothing waits longer than the credit that it would take.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.base.money import checked
from gateway.platform.accounts import Account, Accounts
from gateway.platform.accounts.accounts import check_open
from gateway.platform.accounts.roles import may
from gateway.platform.audit import Audit
from gateway.platform.ledger.chart import kind_of_source
from gateway.platform.ledger.ledger import Ledger
from gateway.platform.ledger.takings import Taking
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.organisations import adjustments

Kind = Literal["grant", "revoke", "forfeit"]
TAKINGS: Final[dict[str, Taking]] = {"revoke": "revocation", "forfeit": "forfeiture"}
DAY_US = 86_400 * 1_000_000
REQUEST, DECIDE = "credits.request", "credits.decide"
MAX_REASON = 200  # as much as the ledger keeps of one
_FIELDS: Final = ("id", "amount_microusd", "source", "reason", "kind", "corrects")


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A wish and its fate. `state`: waiting, approved or refused. Times in epoch microseconds."""

    id: str
    account: Account
    amount_microusd: int
    source: str
    reason: str
    state: str
    requested_by: str
    requested_us: int
    decided_by: str | None
    decided_us: int | None
    kind: Kind = "grant"
    corrects: str | None = None  # the ledger's transaction that a revocation makes good


class _NeedsTwo(Exception):
    """It is more than one person may give alone."""


class _Repeated(Exception):
    """The same was asked before, by the same id."""


class Adjustments:
    """Takes wishes and decisions. `limit_microusd` is what one person may give alone."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        ledger: Ledger,
        audit: Audit,
        clock: Clock,
        ids: IdFactory,
        limit_microusd: int,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._limit_microusd = limit_microusd

    async def request(
        self,
        by: Account,
        account: Account,
        amount_microusd: int,
        source: str,
        reason: str,
        *,
        id: str | None = None,
        kind: Kind = "grant",
        corrects: str | None = None,
    ) -> Adjustment:
        """Give credit or take it back, or ask for that; the same `id` again does nothing more.

        `source` is of a grant. `corrects` names the transaction whose credit a revocation takes
        back; without it only credit that was given by hand is taken. Raises Refusal, MoneyError:
        nothing is taken that is not there.
        """
        _entitled(by, REQUEST)
        if kind == "grant":
            check_open(account)
            kind_of_source(source)
        elif source:
            raise Refusal("what is taken back goes where it came from")
        words = checked_reason(amount_microusd, reason)
        id = id or self._ids.make("adj")
        row = {
            "id": id,
            "account_no": account.no,
            "amount_microusd": amount_microusd,
            "source": source,
            "reason": words,
            "requested_by": by.id,
            "requested_us": self._clock.now_us(),
            "kind": kind,
            "corrects": corrects or None,
        }

        def give(connection: Connection) -> None:
            if _is_repeated(connection, row):
                raise _Repeated
            today_microusd = self._alone_today(connection, by, account, kind)
            if kind == "forfeit" or today_microusd + amount_microusd > self._limit_microusd:
                raise _NeedsTwo
            add(connection, "approved")

        def add(connection: Connection, state: str) -> None:
            self._record(connection, by, REQUEST, id)
            connection.execute(insert(adjustments).values(state=state, **row))

        try:
            await self._move(row, account, give)
        except _NeedsTwo:
            await self._database.write(lambda c: add(c, "waiting"))
        except _Repeated:
            pass  # what was asked for then stands
        return await self.named(id)

    async def decide(self, by: Account, id: str, *, approve: bool) -> Adjustment:
        """Agree or refuse, once. Raises Refusal: unknown, decided before, or one's own."""
        _entitled(by, DECIDE)
        wish = await self.named(id)

        def settle(connection: Connection) -> None:
            columns = adjustments.c
            decided = connection.execute(
                update(adjustments)
                .where(columns.id == id, columns.state == "waiting", columns.requested_by != by.id)
                .values(
                    state="approved" if approve else "refused",
                    decided_by=by.id,
                    decided_us=self._clock.now_us(),
                )
            )
            if decided.rowcount != 1:
                raise Refusal("it was decided already, or you asked for it yourself")
            self._record(connection, by, DECIDE, id, "approved" if approve else "refused")

        if approve:
            row = {name: getattr(wish, name) for name in _FIELDS}
            await self._move(row, wish.account, settle)
        else:
            await self._database.write(settle)
        return await self.named(id)

    async def named(self, id: str) -> Adjustment:
        """One adjustment. Raises Refusal."""
        query = select(adjustments).where(adjustments.c.id == id)
        row = await self._database.read(lambda c: c.execute(query).first())
        if row is None:
            raise Refusal(f"there is no adjustment {id[:64]!r}")
        return self._adjustment(row)

    async def waiting(self, limit: int = 200) -> list[Adjustment]:
        """What waits for a second person, the oldest first."""
        columns = adjustments.c
        query = (
            select(adjustments)
            .where(columns.state == "waiting")
            .order_by(columns.requested_us)
            .limit(limit)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return [self._adjustment(row) for row in rows]

    async def waiting_one(self, id: str) -> Adjustment | None:
        """What waits under this id; None where nothing does."""
        columns = adjustments.c
        query = select(adjustments).where(columns.id == id, columns.state == "waiting")
        rows = await self._database.read(lambda c: c.execute(query).all())
        return self._adjustment(rows[0]) if rows else None

    async def _move(
        self, row: Mapping[str, Any], account: Account, within: Callable[[Connection], None]
    ) -> None:
        """Let the ledger do what an adjustment says."""
        common: dict[str, Any] = {
            "reason": row["reason"],
            "transaction_id": f"adjust:{row['id']}",
            "within": within,
        }
        amount_microusd, kind = row["amount_microusd"], row["kind"]
        if kind == "grant":
            await self._ledger.grant(account.no, amount_microusd, source=row["source"], **common)
            return
        taking, corrects = TAKINGS[kind], row["corrects"]
        await self._ledger.take(
            account.no, amount_microusd, taking=taking, corrects=corrects, **common
        )

    def _alone_today(
        self, connection: Connection, by: Account, account: Account, kind: Kind
    ) -> int:
        """What one person did alone, so that many small ones are no way around the limit."""
        columns = adjustments.c
        query = select(func.sum(columns.amount_microusd)).where(
            columns.requested_by == by.id,
            columns.account_no == account.no,
            columns.kind == kind,
            columns.state == "approved",
            columns.decided_by.is_(None),
            columns.requested_us > self._clock.now_us() - DAY_US,
        )
        return int(connection.scalar(query) or 0)

    def _record(
        self, connection: Connection, by: Account, action: str, id: str, detail: str = ""
    ) -> None:
        self._audit.append(connection, by.id, by.role, action, id, detail)

    def _adjustment(self, row: Any) -> Adjustment:
        values = dict(row._mapping)
        return Adjustment(account=self._accounts.by_no(values.pop("account_no")), **values)


def _entitled(by: Account, action: str) -> None:
    if by.state != "active" or not may(by.role, action):
        raise Refusal("your role does not allow this")


def _is_repeated(connection: Connection, wanted: dict[str, Any]) -> bool:
    """Whether this adjustment is there. Raises Refusal when the id is another's."""
    found = connection.execute(select(adjustments).where(adjustments.c.id == wanted["id"])).first()
    if found is None:
        return False
    same = ("account_no", "requested_by", *_FIELDS[1:])
    if any(getattr(found, name) != wanted[name] for name in same):
        raise Refusal("this form was sent before with other content; open the page again")
    return True


def forget_waiting(connection: Connection, account_nos: list[int]) -> int:
    """Inside a transaction: what waits for accounts that are closed is decided; how many."""
    columns = adjustments.c
    waiting = columns.account_no.in_(account_nos) & (columns.state == "waiting")
    return connection.execute(delete(adjustments).where(waiting)).rowcount


def checked_reason(amount_microusd: int, reason: str) -> str:
    """The reason as it is kept, of an amount that may be moved. Raises Refusal."""
    if checked(amount_microusd) <= 0:
        raise Refusal("the amount of an adjustment must be above zero")
    words = reason.strip()
    if not words or len(words) > MAX_REASON or not words.isprintable():
        most = MAX_REASON
        raise Refusal(f"an adjustment needs a reason of at most {most} printable characters")
    return words
