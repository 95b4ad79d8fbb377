"""Letters: queued in the transaction of what they tell of, sent later, tried again with backoff.

Without an SMTP server a letter's link goes to the log and the letter stays where an administrator
can read it; nothing is silently lost. Words are the renderer's: a letter here is a kind, an
address, a language and values; where the reader has an account, what that account's profile says
of its language goes before. No address or name is ever logged.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from gateway.platform.mail.smtp import MailRefused
from gateway.store.database import Database
from gateway.store.outbox import Item, Outbox

log = logging.getLogger("tallygate.mail")
TOPIC = "mail"
BATCH = 20
FIRST_DELAY_US = 15 * 1_000_000
LONGEST_DELAY_US = 6 * 3600 * 1_000_000
MAX_ATTEMPTS = 18  # the last one comes about two days after the first
MAX_SHOWN = 200
LOOK_S = 10.0  # so long after a letter was queued the outbox is watched, then as often

Kind = Literal[
    "confirm",
    "already_registered",
    "reset",
    "address",
    "address_changed",
    "password_changed",
    "new_device",
    "factor_changed",
    "invitation",
    "low_balance",
    "guardian_asked",
    "guardian_confirmed",
    "guardian_decided",
    "age_proof",
    "age_proof_lifted",
    "policy_change",
    "key_spread",
]


class Letter(NamedTuple):
    """What to say to whom. `values` are plain JSON; `token` completes the link of the kind."""

    kind: Kind
    to: str
    account_id: str = ""
    locale: str = "en"
    token: str = ""
    values: dict[str, Any] = {}  # noqa: RUF012 (never changed)


class Written(NamedTuple):
    """A letter in words; `link` is its address to follow, or empty."""

    subject: str
    text: str
    link: str = ""


class Shown(NamedTuple):
    """A letter that could not be sent, for an administrator. `created_us`: epoch microseconds."""

    id: str
    state: str
    attempts: int
    error: str | None
    created_us: int
    letter: Letter


Render = Callable[[Letter], Written]
Send = Callable[[str, str, Written], Awaitable[None]]
Spoken = Callable[[str], Awaitable[str]]


class Mail:
    """Queues letters and delivers what is due.

    `spoken` tells the language that an account (by id) wishes, or an empty text. It is asked when
    a letter is sent and not when it is queued: a page takes as long for an address without one.
    """

    def __init__(self, database: Database, outbox: Outbox, spoken: Spoken | None = None) -> None:
        self._database = database
        self._clock = database.clock
        self._outbox = outbox
        self._spoken = spoken
        self._look_s = 0.0  # when the database is asked again though nothing was queued

    def queue(self, connection: Connection, letter: Letter, *, void: bool = False) -> None:
        """Inside a transaction: send this letter if the transaction is committed.

        A `void` letter is the same work for nothing, so that no one can tell by the time.
        """
        self._outbox.append(connection, TOPIC, letter._asdict(), void=void)

    @property
    def may_be_due(self) -> bool:
        """Whether the database should be asked: something was queued, or it is time to look."""
        now_s = self._clock.monotonic_s()
        return now_s >= self._look_s or now_s <= self._outbox.appended_s + LOOK_S

    async def deliver(self, render: Render, send: Send | None) -> int:
        """Send what is due, one after the other; returns how many were dealt with.

        Called every second; the database is only asked when a letter may be due.

        `send(id, to, written)` is None where no SMTP server is set. Raises StorageUnavailable.
        """
        if not self.may_be_due:
            return 0
        self._look_s = self._clock.monotonic_s() + LOOK_S
        items = await self._database.read(lambda c: self._outbox.due(c, BATCH))
        if len(items) == BATCH:
            self._look_s = 0.0  # there may be more
        for item in items:
            await self._deliver(item, render, send)
        return len(items)

    async def undelivered(self) -> list[Shown]:
        """Letters that wait, failed, or could only be shown; newest first."""
        items = await self._database.read(lambda c: self._outbox.undelivered(c, MAX_SHOWN))
        return [
            Shown(i.id, i.state, i.attempts, i.error, i.created_us, Letter(**i.body))
            for i in items
            if i.topic == TOPIC
        ]

    def forget(self, connection: Connection, account_id: str, address: str) -> int:
        """Inside a transaction: delete the letters to an account or address, and those that name
        the address to somebody else; how many."""

        def names(body: dict[str, Any]) -> bool:
            letter = Letter(**body)
            return (
                letter.account_id == account_id
                or letter.to == address
                or address in letter.values.values()
            )

        return self._outbox.drop(connection, TOPIC, names)

    async def purge(self) -> None:
        """Forget letters that are long done."""
        await self._database.write(self._outbox.purge)

    async def _deliver(self, item: Item, render: Render, send: Send | None) -> None:
        fields = {"id": item.id}
        try:
            letter = Letter(**item.body)
            if letter.account_id and self._spoken is not None:
                wished = await self._spoken(letter.account_id)
                letter = letter._replace(locale=wished or letter.locale)
            written = render(letter)
        except Exception:  # a fault of ours must not stop the letters behind it
            log.exception("a letter cannot be written", extra={"f": fields})
            await self._failed(item, MailRefused("unwritable", False), fields)
            return
        fields |= {"kind": letter.kind, "account": letter.account_id}
        if send is None:
            # The operator of a gateway without mail is who can pass the link on.
            log.warning(
                "no SMTP server is set; the letter's link",
                extra={"f": {**fields, "link": written.link}},
            )
            await self._database.write(lambda c: self._outbox.finish(c, item.id, "shown"))
            return
        try:
            await send(item.id, letter.to, written)
        except MailRefused as refused:
            await self._failed(item, refused, fields)
            return
        await self._database.write(lambda c: self._outbox.finish(c, item.id, "done"))

    async def _failed(self, item: Item, refused: MailRefused, fields: dict[str, str]) -> None:
        final = refused.final or item.attempts + 1 >= MAX_ATTEMPTS
        log.warning(
            "mail was not accepted", extra={"f": {**fields, "error": refused.kind, "final": final}}
        )

        def write(connection: Connection) -> None:
            if final:
                self._outbox.finish(connection, item.id, "failed", refused.kind)
                return
            delay_us = min(FIRST_DELAY_US << item.attempts, LONGEST_DELAY_US)
            self._outbox.put_off(connection, item.id, delay_us, refused.kind)

        await self._database.write(write)
