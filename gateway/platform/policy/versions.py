"""The versions of the legal texts: announced, told to everybody, in force; none is ever deleted.

The first version is what the texts said when it was noted. A later one is announced with the day
from which it holds; where it is a material change, that is at least its days of notice ahead, and
it does not hold before they have passed since everybody's letter was queued: a version that was
not told never begins. A version that is announced before another one began takes its place. What
the texts say is handed in (`State`); this file knows no page and no setting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update

from gateway.base.policy import CLASSES
from gateway.platform.accounts import Account, Accounts
from gateway.platform.mail import Letter, Mail
from gateway.platform.policy.changes import Changes, State, changes, ordered
from gateway.platform.refusals import Refusal
from gateway.platform.registers.filled import DAY_US, Filled
from gateway.platform.registers.register import Register
from gateway.store.outbox import Outbox
from gateway.store.schema.policy import policy_versions

PREFIX: Final = "pol"
ACT: Final = "policy.announce"
BATCH: Final = 200  # letters queued in one transaction
NUMBER_OF_NOTICE: Final = "policy_notice_days"

_json: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Version:
    """One version. Times in epoch microseconds; `told_us` when everybody's letter was queued."""

    id: str
    entered_us: int
    entered_by: str
    name: str
    words: str
    state: State
    classes: tuple[str, ...]
    notice_days: int
    effective_us: int
    told_us: int | None

    @property
    def begins_us(self) -> int | None:
        """From when it holds; None while it has still to be told."""
        if not self.classes:
            return self.effective_us
        if self.told_us is None:
            return None
        return max(self.effective_us, self.told_us + self.notice_days * DAY_US)

    @property
    def holds_us(self) -> int:
        """The day that is announced for it, or a later one where it was told late."""
        return self.effective_us if self.begins_us is None else self.begins_us

    def has_begun(self, now_us: int) -> bool:
        """Whether its time has come."""
        return self.begins_us is not None and self.begins_us <= now_us


class Versions:
    """Keeps the versions in memory, announces new ones, has them told.

    `on_change` hears the name of the version in force, at the start and when it is another.
    """

    def __init__(
        self,
        register: Register,
        accounts: Accounts,
        mail: Mail,
        outbox: Outbox,
        on_change: Callable[[str], None],
    ) -> None:
        self._register = register
        self._accounts = accounts
        self._mail = mail
        self._outbox = outbox
        self._on_change = on_change
        self._said = ""
        self.all: tuple[Version, ...] = ()  # the oldest first

    async def load(self) -> None:
        """Read every version."""
        self.all = await self._register.database.read(_read)
        self.refresh()

    def refresh(self) -> None:
        """Say which version holds now, if it is another than before."""
        current = self.current()
        if current is not None and current.name != self._said:
            self._said = current.name
            self._on_change(current.name)

    def current(self) -> Version | None:
        """The version in force; None before the first was noted."""
        now_us = self._register.clock.now_us()
        return next((each for each in reversed(self.standing()) if each.has_begun(now_us)), None)

    def coming(self) -> Version | None:
        """The version that is announced and does not hold yet, if there is one."""
        now_us = self._register.clock.now_us()
        last = self.all[-1] if self.all else None
        return None if last is None or last.has_begun(now_us) else last

    def standing(self) -> list[Version]:
        """Those that no later announcement has replaced before they began."""
        return [
            each
            for each, later in zip_longest(self.all, self.all[1:])
            if later is None or each.has_begun(later.entered_us)
        ]

    def changes_of(self, version: Version) -> Changes:
        """What a version changes of the one that was in force when it was announced."""
        before = [
            each
            for each in self.standing()
            if each.entered_us < version.entered_us and each.has_begun(version.entered_us)
        ]
        return changes(before[-1].state, version.state) if before else Changes()

    async def begin(self, name: str, state: State) -> None:
        """Note the first version, which holds from now on; nothing where there is one."""
        if not self.all:
            now_us = self._register.clock.now_us()
            await self._add(None, name, "", state, (), 0, now_us)

    async def announce(
        self,
        by: Account | None,
        fields: Mapping[str, str],
        more: Sequence[str],
        state: State,
    ) -> Version:
        """Announce a version of these texts; `more` are classes that only a person can tell.

        The fields are `name`, `words` (what changes, for everybody) and the day `effective`.
        Raises Unfit, and Refusal for a day that is too early, or before a first version.
        """
        current, now_us = self.current(), self._register.clock.now_us()
        if current is None:
            raise Refusal("there is no version in force yet; start the server first")
        filled = Filled(fields, now_us)
        name, words = filled.line("name"), filled.text("words")
        effective_us = filled.later_day("effective", 0)
        if effective_us is None:
            filled.wrong("effective", "blank")
        filled.done()
        wrong = sorted(set(more) - set(CLASSES))
        if wrong:
            raise Refusal(f"no class of change: {wrong[0][:40]}; they are {', '.join(CLASSES)}")
        if any(each.name == name for each in self.all):
            raise Refusal(f"there is a version {name!r} already; give this one another name")
        classes = ordered((*changes(current.state, state).classes, *more))
        days = current.state.numbers.get(NUMBER_OF_NOTICE, 0) if classes else 0
        earliest_us = now_us + days * DAY_US
        if (effective_us or 0) < earliest_us:
            day = datetime.fromtimestamp(-(-earliest_us // DAY_US) * DAY_US // 1_000_000, UTC)
            kind = f"a material change ({', '.join(classes)})" if classes else "a minor change"
            raise Refusal(f"{kind} takes effect on {day:%Y-%m-%d} at the earliest")
        return await self._add(by, name, words, state, classes, days, effective_us or 0)

    async def _add(
        self,
        by: Account | None,
        name: str,
        words: str,
        state: State,
        classes: tuple[str, ...],
        notice_days: int,
        effective_us: int,
    ) -> Version:
        values: dict[str, Any] = {
            "name": name,
            "words": words,
            "numbers": _json(dict(state.numbers)).decode(),
            "texts": _json(dict(state.texts)).decode(),
            "parties": _json(state.parties).decode(),
            "classes": _json(classes).decode(),
            "notice_days": notice_days,
            "effective_us": effective_us,
            "told_us": None,
        }
        made = await self._register.add(by, policy_versions, PREFIX, ACT, values)
        await self.load()
        return next(each for each in self.all if each.id == made)

    async def tell(self) -> int:
        """Queue the letters that tell of a coming material version; returns how many.

        Called again and again: each person is noted with their letter, and once nobody is left the
        version counts as told. Raises StorageUnavailable.
        """
        version = self.coming()
        if version is None or not version.classes or version.told_us is not None:
            return 0
        topic = f"policy {version.id}"
        noted = await self._register.database.read(lambda c: self._outbox.noted(c, topic))
        people = [each for each in self._accounts if each.is_person and each.state == "active"]
        left = [each for each in people if each.id not in noted]
        values = {
            "name": version.name,
            "words": version.words,
            "effective_us": version.effective_us,
        }

        def write(connection: Connection) -> None:
            for each in left[:BATCH]:
                self._outbox.note(connection, topic, each.id)
                letter = Letter("policy_change", each.email, each.id, values=values)
                self._mail.queue(connection, letter)
            if len(left) <= BATCH:
                now_us = self._register.clock.now_us()
                row = policy_versions.c.id == version.id
                connection.execute(update(policy_versions).where(row).values(told_us=now_us))

        await self._register.database.write(write)
        if len(left) <= BATCH:
            await self.load()
        return len(left[:BATCH])


def _read(connection: Connection) -> tuple[Version, ...]:
    columns = policy_versions.c
    query = select(policy_versions).order_by(columns.entered_us, columns.id)
    return tuple(
        Version(
            row.id,
            row.entered_us,
            row.entered_by,
            row.name,
            row.words,
            State(
                msgspec.json.decode(row.numbers, type=dict[str, int]),
                msgspec.json.decode(row.texts, type=dict[str, str]),
                msgspec.json.decode(row.parties, type=tuple[str, ...]),
            ),
            msgspec.json.decode(row.classes, type=tuple[str, ...]),
            row.notice_days,
            row.effective_us,
            row.told_us,
        )
        for row in connection.execute(query)
    )
