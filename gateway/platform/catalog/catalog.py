"""The catalog room: loads a snapshot, applies documents in one transaction, swaps the snapshot.

A change is durable before a request can meet it. `env:` references are resolved at each load from
the environment given; a missing variable leaves the provider listed, without credentials, and adds
one warning. Providers of kind `sandbox` are left out where the setting `sandbox.enabled` is off.
Where agreements are asked for, a provider without one is not added, moved or given a model.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

from gateway.base.clock import Clock
from gateway.platform.catalog import render, rows
from gateway.platform.catalog.build import build_snapshot
from gateway.platform.catalog.changes import Change, compare, newly_used
from gateway.platform.catalog.document import parse, read_file
from gateway.platform.catalog.entries import Document
from gateway.platform.catalog.reader import CatalogError, nearest
from gateway.platform.catalog.schedule import Version, coming, history, schedule, take_back
from gateway.platform.catalog.snapshot import Snapshot
from gateway.platform.metering.encodings import known_encodings, preload, refusal
from gateway.platform.pricing.prices import Price
from gateway.platform.registers import Agreements
from gateway.store.database import Database
from gateway.store.secrets import Secrets

log = logging.getLogger("tallygate.catalog")


class Catalog:
    """Holds the snapshot that requests read: `catalog.snapshot`."""

    def __init__(
        self,
        database: Database,
        secrets: Secrets,
        clock: Clock,
        *,
        sandbox: bool = True,
        environ: Mapping[str, str] = os.environ,
        agreements: Agreements | None = None,
    ) -> None:
        self.snapshot = Snapshot()
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._sandbox = sandbox
        self._environ = environ
        self._agreements = agreements
        self._preloading = False

    async def load(self) -> None:
        """Read the database and swap the snapshot."""
        now_us = self._clock.now_us()

        def read(connection: Connection) -> Snapshot:
            return build_snapshot(
                rows.read_document(connection, self._secrets, now_us),
                rows.read_created_us(connection),
                self._environ,
                sandbox=self._sandbox,
                next_price_us=rows.next_price_us(connection, now_us),
                coming=coming(connection, now_us),
            )

        before, snapshot = self.snapshot, await self._database.read(read)
        if self._preloading:
            await asyncio.to_thread(preload, encodings_of(snapshot))
        self.snapshot = snapshot
        for warning in self.snapshot.warnings:
            if warning not in before.warnings:  # each is said once
                log.warning("catalog", extra={"f": {"warning": warning}})

    async def preload(self) -> None:
        """Load the vocabularies that count the models' tokens, off the loop.

        From now on also those of each new snapshot before a request can meet it: one takes 0.2 s.
        """
        self._preloading = True
        await asyncio.to_thread(preload, encodings_of(self.snapshot))

    @property
    def price_due(self) -> bool:
        """Whether the time of a scheduled price has come."""
        due_us = self.snapshot.next_price_us
        return due_us is not None and due_us <= self._clock.now_us()

    async def refresh_due(self) -> bool:
        """Reload when a scheduled price has taken effect; cheap to call often."""
        if not self.price_due:
            return False
        await self.load()
        return True

    async def apply(
        self, text: str, source: str, *, dry_run: bool = False, prune: bool = False
    ) -> list[Change]:
        """Make the catalog what a TOML text says; returns the changes made (or to be made).

        Raises CatalogError, and then nothing is changed. Applying the same text again changes
        nothing.
        """
        return await self.apply_document(parse(text, source), dry_run=dry_run, prune=prune)

    async def apply_document(
        self,
        wanted: Document,
        *,
        dry_run: bool = False,
        prune: bool = False,
        only_new: bool = False,
    ) -> list[Change]:
        """As `apply`, for a document; `only_new` leaves every entry alone that is already there."""
        check_encodings(wanted)
        now_us = self._clock.now_us()

        def plan(connection: Connection) -> list[Change]:
            stored = rows.read_document(connection, self._secrets, now_us)
            changes = compare(stored, wanted, prune=prune)
            changes = [change for change in changes if change.sign == "+" or not only_new]
            self._check_agreed(connection, newly_used(stored, changes))
            return changes

        def change(connection: Connection) -> list[Change]:
            changes = plan(connection)
            rows.apply(connection, changes, self._secrets, now_us)
            return changes

        if dry_run:
            return await self._database.read(plan)
        changes = await self._database.write(change)
        await self.load()
        return changes

    def _check_agreed(self, connection: Connection, names: list[str]) -> None:
        """Raises CatalogError for a provider that an agreement is asked of and that has none."""
        if self._agreements is None:
            return
        for name in self._agreements.lacking(connection, names):
            raise CatalogError(
                f"provider {name!r}: no agreement with it is in force; enter one first, at "
                "/admin/agreements or with: tallygate agreements add"
            )

    async def permitted(self, wanted: Document) -> Document:
        """What of a document may be added: no provider that lacks an agreement, nor its models."""
        agreements, names = (
            self._agreements,
            [name for name, entry in wanted.providers.items() if entry.kind != "sandbox"],
        )
        if agreements is None:
            return wanted
        lacking = await self._database.read(lambda c: set(agreements.lacking(c, names)))
        for name in sorted(lacking):
            warning = f"provider {name} is not offered: no agreement with it is in force"
            log.warning("catalog", extra={"f": {"warning": warning}})
        return Document(
            {name: each for name, each in wanted.providers.items() if name not in lacking},
            {
                name: each
                for name, each in wanted.models.items()
                if not any(target.provider in lacking for target in each.targets)
            },
        )

    async def apply_file(self, path: Path) -> list[Change]:
        """`apply` a file. Raises CatalogError also when it cannot be read."""
        return await self.apply(await asyncio.to_thread(read_file, path), str(path))

    async def export(self) -> str:
        """The stored catalog as TOML text, without any literal credential."""
        return render.render(await self.stored())

    async def stored(self) -> Document:
        """The stored catalog with the prices in effect; credentials in plain: never show it."""
        now_us = self._clock.now_us()
        return await self._database.read(
            lambda connection: rows.read_document(connection, self._secrets, now_us)
        )

    async def price_versions(self, model: str) -> list[Version]:
        """The versions of a model's price, newest first, those to come too."""
        return await self._database.read(lambda connection: history(connection, model))

    async def schedule_price(self, model: str, price: Price, effective_us: int | None) -> None:
        """Give a model a price from a time on. Raises Refusal (see `schedule`)."""
        now_us = self._clock.now_us()
        await self._database.write(lambda c: schedule(c, model, price, effective_us, now_us))
        await self.load()

    async def keep_price(self, model: str) -> None:
        """Take back what is scheduled for a model. Raises Refusal."""
        now_us = self._clock.now_us()
        await self._database.write(lambda connection: take_back(connection, model, now_us))
        await self.load()


def encodings_of(snapshot: Snapshot) -> frozenset[str]:
    """The encodings that a snapshot's models name."""
    return frozenset(model.encoding for model in snapshot.models.values())


def check_encodings(document: Document) -> None:
    """Raises CatalogError for a model whose encoding the counter does not know."""
    known = known_encodings()
    for model in document.models.values():
        why = refusal(model.encoding) if model.encoding is not None else None
        if model.encoding is not None and why is not None:
            hint = nearest(model.encoding, known) if why.startswith("unknown") else ""
            raise CatalogError(f"model {model.name!r}: {why}{hint}")
