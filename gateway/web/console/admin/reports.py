"""Pages that only report: the ledger, usage drift, the audit log, the settings, the policy."""

from functools import partial

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from gateway.base.policy import POLICIES
from gateway.platform.assembly import Platform
from gateway.platform.audit import Entry, Head
from gateway.platform.checks import AUDIT, LEDGER
from gateway.platform.ledger import books
from gateway.platform.ledger.reconcile import verify
from gateway.platform.policy import in_force
from gateway.platform.policy.changes import Changes, changes
from gateway.platform.policy.versions import Version
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.rollup import PPM, Drift, drift
from gateway.web.console.admin.frame import (
    DAY_US,
    PAGE_ROWS,
    Holder,
    allowed,
    holder,
    holders,
    number,
)
from gateway.web.console.forms import read_form
from gateway.web.console.legal import state_of
from gateway.web.console.render import Pages
from gateway.web.guard import Guard, redirect

DRIFT_DAYS = 7
EXPORT_PART = 1_000
PATIENCE_S = 1.0  # for a check; one that takes longer is shown while it runs


class ReportPages:
    """The handlers over one platform."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform = platform
        self._pages = pages

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """The routes, for the application."""
        return [
            guard.get("/admin/ledger", "ledger.read", self.ledger),
            guard.post("/admin/ledger/verify", "ledger.read", self.verify),
            guard.get("/admin/drift", "usage.read", self.drift),
            guard.get("/admin/audit", "audit.read", self.audit),
            guard.post("/admin/audit/verify", "audit.read", self.verify_audit),
            guard.get("/admin/audit/export", "audit.export", self.export),
            guard.get("/admin/settings", "settings.read", self.settings),
            guard.get("/admin/policy", "settings.read", self.policy),
        ]

    async def ledger(self, request: web.Request) -> web.Response:
        """The journal, newest first, beside the balances of the chart."""
        before = number(request, "before")

        def read(connection: Connection) -> tuple[list[books.Entry], list[books.Position], int]:
            return (
                books.entries(connection, before=before, limit=PAGE_ROWS + 1),
                books.positions(connection),
                books.liabilities(connection),
            )

        entries, positions, owed_microusd = await self._platform.database.read(read)
        by_no = self._platform.accounts.by_no
        owners = {
            each.owner_no: by_no(each.owner_no) for each in entries if each.owner_no is not None
        }
        return self._pages.render(
            request,
            "admin/ledger.html",
            may=allowed(request),
            entries=entries[:PAGE_ROWS],
            following=entries[PAGE_ROWS - 1].seq if len(entries) > PAGE_ROWS else None,
            positions=positions,
            owed_microusd=owed_microusd,
            sum_microusd=sum(each.balance_microusd for each in positions) + owed_microusd,
            owners={no: (each.id, holder(self._platform, each)) for no, each in owners.items()},
            checked=self._platform.checks.last(LEDGER),
            progress=self._platform.checks.progress(LEDGER),
        )

    async def verify(self, request: web.Request) -> web.Response:
        """Check the whole ledger; the result stays until the next check."""
        await self._platform.checks.run_for(LEDGER, verify, PATIENCE_S)
        return redirect("/admin/ledger")

    async def drift(self, request: web.Request) -> web.Response:
        """Models whose providers report another usage than our own count."""
        platform = self._platform
        since_day = platform.clock.now_us() // DAY_US - DRIFT_DAYS + 1

        def read(connection: Connection) -> list[Drift]:
            return drift(connection, -1, since_day=since_day, least_requests=1)

        found = await platform.database.read(read)
        return self._pages.render(
            request,
            "admin/drift.html",
            rows=found,
            limit_ppm=platform.settings.usage_drift_limit_ppm,
            ppm=PPM,
            days=DRIFT_DAYS,
        )

    async def audit(self, request: web.Request) -> web.Response:
        """Who did what, newest first."""
        return await self._audit(request)

    async def _audit(self, request: web.Request, refused: str = "") -> web.Response:
        before = number(request, "before")
        actor = request.query.get("actor", "").strip()[:80]
        rows = await self._platform.people.audit.newest(
            PAGE_ROWS + 1, before=before, actor=actor or None
        )
        may = allowed(request)
        people: dict[str, Holder] = {}
        if "accounts.read" in may:
            wanted = {row.actor for row in rows} | {row.target for row in rows}
            people = holders(self._platform, wanted)
        return self._pages.render(
            request,
            "admin/audit.html",
            status=422 if refused else 200,
            may=may,
            rows=rows[:PAGE_ROWS],
            following=rows[PAGE_ROWS - 1].seq if len(rows) > PAGE_ROWS else None,
            actor=actor,
            people=people,
            head=await self._platform.people.audit.head(),
            checked=self._platform.checks.last(AUDIT),
            progress=self._platform.checks.progress(AUDIT),
            refused=refused,
        )

    async def verify_audit(self, request: web.Request) -> web.Response:
        """Recompute the chain; with a head kept elsewhere, also that nothing was cut."""
        text = (await read_form(request)).text("head").strip()
        try:
            exported = Head.parse(text[:200]) if text else None
        except Refusal as refusal:
            return await self._audit(request, refused=str(refusal))
        check = partial(self._platform.people.audit.check, exported=exported)
        await self._platform.checks.run_for(AUDIT, check, PATIENCE_S)
        return redirect("/admin/audit")

    async def export(self, request: web.Request) -> web.StreamResponse:
        """The whole log as JSON lines; the last line is the head to keep elsewhere."""
        audit = self._platform.people.audit
        response = web.StreamResponse(
            headers={
                "Content-Type": "application/x-ndjson",
                "Content-Disposition": 'attachment; filename="audit.ndjson"',
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            }
        )
        last = await audit.head()
        await response.prepare(request)
        after = 0
        while after < last.seq:
            rows = await audit.page(after, EXPORT_PART)
            rows = [row for row in rows if row.seq <= last.seq]
            if not rows:
                break
            await response.write(b"".join(_line(row) for row in rows))
            after = rows[-1].seq
        await response.write(msgspec.json.encode({"head": str(last)}) + b"\n")
        await response.write_eof()
        return response

    async def settings(self, request: web.Request) -> web.Response:
        """Every setting, its value and where that comes from; they are read at the start."""
        return self._pages.render(
            request, "admin/settings.html", rows=self._platform.settings.rows()
        )

    async def policy(self, request: web.Request) -> web.Response:
        """Every number of the policy, what decided it, and which known policies state which."""
        settings = self._platform.settings
        return self._pages.render(
            request,
            "admin/policy.html",
            rows=in_force(settings),
            preset=settings.policy_preset,
            policies=POLICIES,
            versions=_versions(self._platform),
            drift=_drift(self._platform),
        )


def _versions(platform: Platform) -> list[tuple[Version, str]]:
    """Every version, the newest first, and where it stands."""
    versions = platform.versions
    current, coming, standing = versions.current(), versions.coming(), versions.standing()
    return [
        (
            each,
            "current"
            if each == current
            else "coming"
            if each == coming
            else "earlier"
            if each in standing
            else "replaced",
        )
        for each in reversed(versions.all)
    ]


def _drift(platform: Platform) -> Changes:
    """What the texts say now that the version in force does not."""
    current = platform.versions.current()
    if current is None:
        return Changes()
    providers = platform.catalog.snapshot.providers.values()
    return changes(current.state, state_of(platform.settings, providers))


def _line(row: Entry) -> bytes:
    return msgspec.json.encode({**row._asdict(), "digest": row.digest.hex()}) + b"\n"
