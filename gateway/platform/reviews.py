"""Review cases: what the gateway noticed about a key, until a person has said what it is.

A case is opened for a key that more networks use than may (see `keys.spread`). Nothing is blocked
by it and nothing happens silently: with the case, in one transaction, stand a row of the audit log
and a letter to whoever holds the key. A key has one open case at most, and after it was closed none
for a while. Requests only put a suspicion down in memory, at most so many; a worker opens the
cases. What is dropped or lost with the process is found again, since the use goes on.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, insert, select, tuple_, update

from gateway.base.clock import Clock
from gateway.base.ids import IdFactory
from gateway.platform.accounts import Account
from gateway.platform.audit import GATEWAY, LOCAL, Audit
from gateway.platform.incidents.checks import checked_words
from gateway.platform.keys import Key, KeyRow, Keys
from gateway.platform.keys.spread import Crowd
from gateway.platform.mail import Letter, Mail
from gateway.platform.organisations import Organisations
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.reviews import review_cases

log = logging.getLogger("tallygate.reviews")
OPEN, WRITE = "reviews.open", "reviews.write"
FINDINGS: Final = ("own_use", "leaked", "passed_on", "unclear")
MAX_SUSPECTS: Final = 1_000  # that wait for the worker
QUERY_NUMBERS: Final = 500


class Terms(NamedTuple):
    """The settings: how many networks in how many hours, and how long a closed case rests."""

    most_networks: int
    window_hours: int
    again_us: int


class Place(NamedTuple):
    """Where a page of the listing ended."""

    state: str
    id: str


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `networks`: at least so many since `since_us`. Times in epoch microseconds."""

    id: str
    kind: str
    key_no: int
    account_no: int
    opened_us: int
    networks: int
    since_us: int
    most_networks: int
    window_hours: int
    state: str
    closed_us: int | None
    closed_by: str | None
    finding: str | None
    words: str | None

    @property
    def is_open(self) -> bool:
        """Whether nobody has said yet what it is."""
        return self.state == "open"


class _Suspect(NamedTuple):
    key_no: int
    account: Account
    crowd: Crowd
    at_us: int


class Reviews:
    """Opens, lists and closes."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        organisations: Organisations,
        mail: Mail,
        audit: Audit,
        clock: Clock,
        ids: IdFactory,
        terms: Terms,
    ) -> None:
        self.terms = terms
        self._database = database
        self._keys = keys
        self._organisations = organisations
        self._mail = mail
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._suspects: dict[int, _Suspect] = {}

    # --- opening --------------------------------------------------------------------------------

    def suspect(self, key: Key, crowd: Crowd) -> None:
        """Put down that a key is used from too many networks; a request's part, and no more."""
        if len(self._suspects) < MAX_SUSPECTS:
            made = _Suspect(key.no, key.account, crowd, self._clock.now_us())
            self._suspects.setdefault(key.no, made)

    @property
    def suspected(self) -> bool:
        """Whether a case waits to be opened."""
        return bool(self._suspects)

    async def open_due(self) -> list[Case]:
        """Open the cases that are due; what fails is tried again. Raises StorageUnavailable."""
        due = list(self._suspects.values())
        if not due:
            return []
        rows = await self._keys.numbered([each.key_no for each in due])
        cases = [(self._case(each), rows[each.key_no]) for each in due if each.key_no in rows]

        def write(connection: Connection) -> list[Case]:
            return [case for case, row in cases if self._open(connection, case, row)]

        opened = await self._database.write(write)
        for each in due:
            self._suspects.pop(each.key_no, None)
        for case in opened:
            log.warning("review case opened", extra={"f": {"case": case.id, "kind": case.kind}})
        return opened

    def _case(self, suspect: _Suspect) -> Case:
        crowd, terms = suspect.crowd, self.terms
        return Case(
            id=self._ids.make("rev"),
            kind="address_spread",
            key_no=suspect.key_no,
            account_no=suspect.account.no,
            opened_us=suspect.at_us,
            networks=crowd.networks,
            since_us=min(crowd.since_us, suspect.at_us),
            most_networks=terms.most_networks,
            window_hours=terms.window_hours,
            state="open",
            **dict.fromkeys(("closed_us", "closed_by", "finding", "words")),
        )

    def _open(self, connection: Connection, case: Case, row: KeyRow) -> bool:
        columns = review_cases.c
        query = select(columns.state, columns.closed_us).where(columns.key_no == case.key_no)
        last = connection.execute(query.order_by(columns.id.desc()).limit(1)).first()
        if last is not None and last.state == "open":
            return False
        if last is not None and last.closed_us > case.opened_us - self.terms.again_us:
            return False
        stored = {name: getattr(case, name) for name in columns.keys()}  # noqa: SIM118
        connection.execute(insert(review_cases).values(**stored))
        detail = f"{row.id}: {case.networks} networks in {case.window_hours} hours"
        self._audit.append(connection, GATEWAY, GATEWAY, OPEN, case.id, detail)
        for letter in self._letters(case, row):
            self._mail.queue(connection, letter)
        return True

    def _letters(self, case: Case, row: KeyRow) -> list[Letter]:
        """To the holder; of an organisation's key to its owners and whoever it was issued to."""
        organisation = self._organisations.by_no(row.account.no)
        readers = {row.account.no: row.account}
        if organisation is not None:
            holder = organisation.keys.get(row.no)
            members = organisation.members.items()
            readers = {no: m.account for no, m in members if m.part == "owner" or no == holder}
        values = {
            "key_id": row.id,
            "name": row.name,
            "prefix": row.prefix,
            "most_networks": case.most_networks,
            "window_hours": case.window_hours,
            "organisation": organisation.name if organisation is not None else "",
        }
        return [
            Letter("key_spread", reader.email, reader.id, values=values)
            for reader in readers.values()
            if reader.state == "active" and reader.is_person
        ]

    # --- looking --------------------------------------------------------------------------------

    async def listing(self, limit: int, after: Place | None = None) -> list[Case]:
        """Open cases first, then closed ones; of each the newest first."""
        columns = review_cases.c
        query = select(review_cases).order_by(columns.state.desc(), columns.id.desc()).limit(limit)
        if after is not None:
            query = query.where(tuple_(columns.state, columns.id) < tuple_(*after))
        return await self._database.read(lambda c: [Case(*row) for row in c.execute(query)])

    async def waiting(self) -> int:
        """How many are open."""
        query = select(func.count()).where(review_cases.c.state == "open")
        return await self._database.read(lambda c: int(c.execute(query).scalar_one()))

    async def named(self, id: str) -> Case:
        """One case. Raises Refusal."""
        return await self._database.read(lambda c: _one(c, id))

    async def latest(self, key_nos: Collection[int]) -> dict[int, Case]:
        """The last case of each of some keys, by the key's number."""
        wanted = sorted(key_nos)
        parts = [wanted[at : at + QUERY_NUMBERS] for at in range(0, len(wanted), QUERY_NUMBERS)]
        if not parts:
            return {}
        return await self._database.read(lambda c: _latest(c, parts))

    # --- closing --------------------------------------------------------------------------------

    async def close(self, by: Account | None, id: str, finding: str, words: str) -> Case:
        """Say what it was, once; `by` None: whoever owns the host. Raises Refusal."""
        if finding not in FINDINGS:
            raise Refusal("there is no such finding")
        actor, role = (by.id, str(by.role)) if by is not None else (LOCAL, LOCAL)
        values = {
            "state": "closed",
            "closed_us": self._clock.now_us(),
            "closed_by": actor,
            "finding": finding,
            "words": checked_words(words),
        }

        def write(connection: Connection) -> Case:
            if not _one(connection, id).is_open:
                raise Refusal("the case was closed already")
            connection.execute(update(review_cases).where(review_cases.c.id == id).values(**values))
            self._audit.append(connection, actor, role, WRITE, id, f"closed: {finding}")
            return _one(connection, id)

        return await self._database.write(write)


def _one(connection: Connection, id: str) -> Case:
    row = connection.execute(select(review_cases).where(review_cases.c.id == id)).first()
    if row is None:
        raise Refusal(f"there is no review case {id[:80]!r}")
    return Case(*row)


def _latest(connection: Connection, parts: Sequence[Sequence[int]]) -> dict[int, Case]:
    columns, found = review_cases.c, {}
    for part in parts:
        newest = (
            select(func.max(columns.id)).where(columns.key_no.in_(part)).group_by(columns.key_no)
        )
        query = select(review_cases).where(columns.id.in_(newest))
        for row in connection.execute(query):
            case = Case(*row)
            found[case.key_no] = case
    return found
