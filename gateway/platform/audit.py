"""The audit log: who did what to whom, append-only, in a keyed hash chain.

Each row's digest is an HMAC over its fields and the digest before it, so a row that is changed,
removed, inserted or moved breaks the chain from there on; the key is not in the database. A cut at
the end is found by a head that was exported earlier. Rows hold ids and words of ours, never an
address, a name or a secret. This file knows nothing of accounts.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, func, insert, select

from gateway.base.clock import Clock
from gateway.base.progress import Progress
from gateway.platform.refusals import Refusal
from gateway.store.database import Database
from gateway.store.schema.audit import audit_log
from gateway.store.secrets import Secrets

LOCAL = "local"  # the actor behind the administration socket: whoever owns the data folder
GATEWAY = "gateway"  # the actor of what happens by itself, such as a case that opens
START = bytes(32)
PART = 1_000
MAX_TEXT = 300
MAX_FINDINGS = 20

_encode = msgspec.json.Encoder().encode


class Entry(NamedTuple):
    """A row. `at_us`: epoch microseconds."""

    seq: int
    at_us: int
    actor: str
    role: str
    action: str
    target: str
    detail: str
    digest: bytes


class Head(NamedTuple):
    """The newest row's place in the chain; written `12:ab34...`, kept outside it is evidence."""

    seq: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.digest.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read what `str` wrote. Raises Refusal."""
        number, _, digest = text.strip().partition(":")
        try:
            made = cls(int(number), bytes.fromhex(digest))
        except ValueError:
            made = cls(-1, b"")
        if made.seq < 0 or len(made.digest) != len(START):
            raise Refusal("a head is written NUMBER:64-HEX-DIGITS, as `audit export` prints it")
        return made


class AuditReport(NamedTuple):
    """The result of a verification; empty findings mean that every row is as it was written."""

    rows: int
    head: Head
    findings: list[str]
    exported: Head | None = None  # what it was compared with


class Audit:
    """Records, lists and verifies."""

    def __init__(self, database: Database, secrets: Secrets, clock: Clock) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock

    async def record(
        self, actor: str, role: str, action: str, target: str = "", detail: str = ""
    ) -> None:
        """Append a row; durable when this returns. Raises StorageUnavailable."""
        await self._database.write(lambda c: self.append(c, actor, role, action, target, detail))

    def append(
        self,
        connection: Connection,
        actor: str,
        role: str,
        action: str,
        target: str = "",
        detail: str = "",
    ) -> None:
        """Inside a transaction: the row stands if and only if what it tells of does."""
        columns = audit_log.c
        newest = connection.execute(
            select(columns.seq, columns.digest).order_by(columns.seq.desc()).limit(1)
        ).first()
        seq, before = (newest.seq + 1, newest.digest) if newest is not None else (1, START)
        texts = [each[:MAX_TEXT] for each in (actor, role, action, target, detail)]
        fields = (seq, self._clock.now_us(), *texts)
        names = ("seq", "at_us", "actor", "role", "action", "target", "detail")
        connection.execute(
            insert(audit_log).values(
                **dict(zip(names, fields, strict=True)), digest=self._digest(fields, before)
            )
        )

    async def newest(
        self, limit: int, *, before: int | None = None, actor: str | None = None
    ) -> list[Entry]:
        """Rows, newest first; `before` a seq, of one actor or of all."""
        columns = audit_log.c
        query = select(audit_log).order_by(columns.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(columns.seq < before)
        if actor is not None:
            query = query.where(columns.actor == actor)
        return await self._database.read(lambda c: [Entry(*row) for row in c.execute(query)])

    async def page(self, after: int, limit: int) -> list[Entry]:
        """Rows in their order, those behind a seq: what an export is made of."""
        query = (
            select(audit_log).where(audit_log.c.seq > after).order_by(audit_log.c.seq).limit(limit)
        )
        return await self._database.read(lambda c: [Entry(*row) for row in c.execute(query)])

    async def head(self) -> Head:
        """The newest row's number and digest."""
        rows = await self.newest(1)
        return Head(rows[0].seq, rows[0].digest) if rows else Head(0, START)

    async def verify(self, exported: Head | None = None) -> AuditReport:
        """Recompute the chain; with a head exported earlier also that it is still in it."""
        return await self._database.read(lambda c: self.check(c, Progress(), exported))

    def check(
        self, connection: Connection, progress: Progress, exported: Head | None = None
    ) -> AuditReport:
        """`verify` on a connection, counted. Raises Stopped."""
        newest = connection.scalar(select(func.max(audit_log.c.seq))) or 0
        progress.begin(1, 1, newest)
        before, seq, rows = START, 0, 0
        findings: list[str] = []
        met = exported is None or (exported.seq == 0 and exported.digest == START)
        for entry in _in_order(connection):
            rows += 1
            progress.count(1)
            if entry.seq != seq + 1:
                findings.append(f"rows between {seq} and {entry.seq} are missing")
            if entry.digest != self._digest(entry[:-1], before):
                findings.append(f"row {entry.seq} is not as it was written")
            met = met or (exported is not None and exported == (entry.seq, entry.digest))
            seq, before = entry.seq, entry.digest
            if len(findings) >= MAX_FINDINGS:
                break
        if not met and exported is not None:
            findings.append(f"the exported head {exported.seq} is not in the chain: it was cut")
        return AuditReport(rows, Head(seq, before), findings, exported)

    def _digest(self, fields: tuple[Any, ...], before: bytes) -> bytes:
        return self._secrets.audit_digest(_encode(fields) + before)


def _in_order(connection: Connection) -> Iterator[Entry]:
    query = select(audit_log).order_by(audit_log.c.seq)
    rows = connection.execution_options(yield_per=PART).execute(query)
    for row in rows:
        yield Entry(*row)
