"""Every page there is, by whom it is opened and with what: the rows of the browser's matrix.

`PAGES` names each GET route of the application once more, so a new page fails the matrix until it
stands here; `NOT_PAGES` are those that answer with something else. `prepare` fills a gateway so
that pages have something to show; `FILLED` names what stands in braces in an address. Who looks:
nobody, an administrator who has all kinds of things, somebody whose account is new (empty states),
a minor, and sessions at a step of signing in.
"""

import re
from dataclasses import dataclass

from aiohttp import web

from gateway.platform.accounts.ages import Guardian
from gateway.platform.accounts.entrance import set_password
from gateway.platform.accounts.identities import Person
from gateway.platform.catalog.schedule import DAY_US
from gateway.platform.keys import Key
from gateway.platform.keys.spread import Crowd
from gateway.platform.registers import KINDS
from gateway.web.console.guides import NAMES as GUIDES
from gateway.web.console.i18n import iso
from tests.fakes.gateway import CATALOG, EMAIL, RunningGateway, chat
from tests.fakes.upstream import FakeUpstream
from tests.web.browser.sessions import sign_in

STRANGER, STAFF, FRESH = "stranger", "staff", "fresh"
SECOND, WELCOME, YOUNG = "second", "welcome", "young"
WHO = (STRANGER, STAFF, FRESH, SECOND, WELCOME, YOUNG)
Places = tuple[tuple[str, str], ...]
APPLICATION = {"X-Title": "Η εφαρμογή μου", "HTTP-Referer": "https://app.example.com/x"}


def by(who: str, *paths: str) -> Places:
    return tuple((who, path) for path in paths)


def _desk(*paths: str) -> Places:
    """Pages of the console: with things on them, and of an account without any."""
    return by(STAFF, *paths) + by(FRESH, paths[0])


PAGES: dict[str, Places] = {
    "/": by(STRANGER, "/") + by(STAFF, "/"),
    "/models": by(STRANGER, "/models", "/models?q=lorem", "/models?q=none-of-these")
    + by(STRANGER, "/models?model=sandbox/lorem", "/models?model=none"),
    "/docs": by(STRANGER, "/docs") + by(STAFF, "/docs"),
    "/docs/guides/{name}": by(STRANGER, *(f"/docs/guides/{name}" for name in GUIDES)),
    "/docs/reference": by(STRANGER, "/docs/reference"),
    "/status": by(STRANGER, "/status"),
    "/legal/{name}": by(STRANGER, "/legal/privacy", "/legal/terms", "/legal/cookies"),
    "/sign-in": by(STRANGER, "/sign-in"),
    "/sign-in/{token}": by(STRANGER, "/sign-in/abc"),
    "/sign-in/code": by(SECOND, "/sign-in/code"),
    "/sign-in/welcome": by(WELCOME, "/sign-in/welcome"),
    "/sign-up": by(STRANGER, "/sign-up"),
    "/confirm/{token}": by(STRANGER, "/confirm/abc"),
    "/reset": by(STRANGER, "/reset"),
    "/reset/{token}": by(STRANGER, "/reset/abc"),
    "/settings/address/{token}": by(STRANGER, "/settings/address/abc"),
    "/invitations/{token}": by(STRANGER, "/invitations/{invitation}")
    + by(STAFF, "/invitations/{invitation}"),
    "/guardian/{token}": by(STRANGER, "/guardian/{waits}", "/guardian/{agreed}", "/guardian/none"),
    "/console/age": by(YOUNG, "/console/age") + by(STAFF, "/console/age"),
    "/console": _desk("/console"),
    "/console/keys": _desk("/console/keys", "/console/keys?ended=1"),
    "/console/keys/new": by(STAFF, "/console/keys/new"),
    "/console/keys/{id}": by(STAFF, "/console/keys/{key}", "/console/keys/{ended}"),
    "/console/keys/{id}/revoke": by(STAFF, "/console/keys/{key}/revoke"),
    "/console/keys/{id}/leaked": by(STAFF, "/console/keys/{key}/leaked"),
    "/console/usage": _desk(
        "/console/usage",
        "/console/usage?by=key&show=tokens&range=24h",
        "/console/usage?by=application",
    ),
    "/console/logs": _desk("/console/logs", "/console/logs?model=nix"),
    "/console/logs/{id}": by(STAFF, "/console/logs/{request}", "/console/logs/{failed}"),
    "/console/billing": _desk("/console/billing"),
    "/console/organisations": _desk("/console/organisations"),
    "/console/organisations/{id}": by(STAFF, "/console/organisations/{organisation}"),
    "/console/organisations/{id}/invitations/{invitation}/withdraw": by(
        STAFF, "/console/organisations/{organisation}/invitations/{waiting}/withdraw"
    ),
    "/console/organisations/{id}/members/{member}/remove": by(
        STAFF, "/console/organisations/{organisation}/members/{user}/remove"
    ),
    "/console/organisations/{id}/transfer": by(
        STAFF, "/console/organisations/{organisation}/transfer?member={user}"
    ),
    "/console/organisations/{id}/leave": by(STAFF, "/console/organisations/{organisation}/leave"),
    "/console/invitations/{id}/decline": by(STAFF, "/console/invitations/{invited}/decline"),
    "/console/playground": by(STAFF, "/console/playground"),
    "/settings/profile": by(STAFF, "/settings/profile"),
    "/settings/security": _desk("/settings/security"),
    "/settings/sessions/{id}/revoke": by(STAFF, "/settings/sessions/{session}/revoke"),
    "/settings/sessions/revoke": by(STAFF, "/settings/sessions/revoke"),
    "/settings/factors/{id}/remove": by(STAFF, "/settings/factors/{factor}/remove"),
    "/settings/identities/{provider}/remove": by(STAFF, "/settings/identities/github/remove"),
    "/settings/recovery-codes": by(STAFF, "/settings/recovery-codes"),
    "/admin": by(STAFF, "/admin"),
    "/admin/providers": by(STAFF, "/admin/providers"),
    "/admin/providers/{name}": by(STAFF, "/admin/providers/up"),
    "/admin/models": by(STAFF, "/admin/models"),
    "/admin/models/{name}": by(STAFF, "/admin/models/m"),
    "/admin/models/{name}/price/keep": by(STAFF, "/admin/models/m/price/keep"),
    "/admin/prices": by(STAFF, "/admin/prices"),
    "/admin/users": by(STAFF, "/admin/users", "/admin/users?q=none-of-these"),
    "/admin/users/{id}": by(STAFF, "/admin/users/{user}", "/admin/users/{self}")
    + by(STAFF, "/admin/users/{minor}", "/admin/users/{gone}"),
    "/admin/keys": by(STAFF, "/admin/keys", "/admin/keys?q=none-of-it"),
    "/admin/keys/{id}/revoke": by(STAFF, "/admin/keys/{key}/revoke"),
    "/admin/users/{id}/suspend": by(STAFF, "/admin/users/{user}/suspend"),
    "/admin/users/{id}/sessions": by(STAFF, "/admin/users/{user}/sessions"),
    "/admin/users/{id}/age": by(STAFF, "/admin/users/{minor}/age", "/admin/users/{user}/age"),
    "/admin/users/{id}/purge": by(STAFF, "/admin/users/{minor}/purge"),
    "/admin/organisations": by(
        STAFF, "/admin/organisations", "/admin/organisations?q=none-of-these"
    ),
    "/admin/organisations/{id}": by(STAFF, "/admin/organisations/{organisation}"),
    "/admin/breaches": by(STAFF, "/admin/breaches"),
    "/admin/breaches/{id}": by(STAFF, "/admin/breaches/{breach}"),
    "/admin/agreements": by(STAFF, "/admin/agreements"),
    "/admin/attestations": by(STAFF, "/admin/attestations"),
    "/admin/requests": by(STAFF, "/admin/requests", "/admin/requests?account={self}"),
    "/admin/requests/{id}": by(STAFF, "/admin/requests/{request}", "/admin/requests/{failed}"),
    "/admin/organisations/{id}/suspend": by(STAFF, "/admin/organisations/{organisation}/suspend"),
    "/admin/organisations/{id}/members/{member}/remove": by(
        STAFF, "/admin/organisations/{organisation}/members/{user}/remove"
    ),
    "/admin/incidents": by(STAFF, "/admin/incidents"),
    "/admin/incidents/{id}": by(STAFF, "/admin/incidents/{incident}", "/admin/incidents/{wrong}"),
    "/admin/reviews": by(STAFF, "/admin/reviews", "/admin/reviews?state=closed&after=rev_0"),
    "/admin/reviews/{id}": by(STAFF, "/admin/reviews/{case}", "/admin/reviews/{closed}"),
    "/admin/letters": by(STAFF, "/admin/letters"),
    "/admin/adjustments": by(STAFF, "/admin/adjustments"),
    "/admin/ledger": by(STAFF, "/admin/ledger"),
    "/admin/drift": by(STAFF, "/admin/drift"),
    "/admin/audit": by(STAFF, "/admin/audit", "/admin/audit?actor=none"),
    "/admin/settings": by(STAFF, "/admin/settings"),
    "/admin/policy": by(STAFF, "/admin/policy"),
}
NOT_PAGES = {
    *("/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/realtime"),
    *("/static/{digest}/{name}", "/console/events", "/console/usage.csv", "/admin/audit/export"),
    "/sign-in/with/{provider}/callback",  # it leads on, or says in the sign-in's words why not
}
# Of pages that have one template and other words each, all but a few that stand for them: those
# that ask before an act, and the guides.
ALIKE = {
    *(f"/docs/guides/{name}" for name in GUIDES[2:]),
    "/admin/keys/{id}/revoke",
    "/console/keys/{id}/leaked",
    "/console/organisations/{id}/invitations/{invitation}/withdraw",
    "/console/organisations/{id}/members/{member}/remove",
    "/console/organisations/{id}/leave",
    "/console/invitations/{id}/decline",
    "/settings/sessions/{id}/revoke",
    "/settings/sessions/revoke",
    "/settings/identities/{provider}/remove",
    "/settings/recovery-codes",
    "/admin/models/{name}/price/keep",
    "/admin/users/{id}/sessions",
    "/admin/organisations/{id}/suspend",
    "/admin/organisations/{id}/members/{member}/remove",
}
BESIDE = by(STAFF, "/console/none", "/admin/users/none") + by(STRANGER, "/none")  # error pages


def page_routes(app: web.Application) -> set[str]:
    """The addresses of every GET route but those of the API."""
    return {
        route.resource.canonical
        for route in app.router.routes()
        if route.method == "GET"
        and route.resource is not None
        and not route.resource.canonical.startswith("/api/")
    }


def is_of(path: str, canonical: str) -> bool:
    """Whether an address is one of a route's."""
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(canonical))
    return re.fullmatch(pattern, path.partition("?")[0]) is not None


@dataclass(frozen=True)
class Shop:
    """A gateway with something on every page: what fills addresses, and each visitor's token."""

    filled: dict[str, str]
    tokens: dict[str, str]

    def places(self) -> list[tuple[str, str]]:
        """Who opens which address, visitor by visitor; error pages last."""
        found = [place for places in PAGES.values() for place in places]
        return [
            (who, path.format(**self.filled))
            for wanted in WHO
            for who, path in (*found, *BESIDE)
            if who == wanted
        ]


async def prepare(gateway: RunningGateway, upstream: FakeUpstream) -> Shop:
    """Everything that a page can show, of each kind at least one."""
    platform = gateway.gateway.platform
    me = platform.accounts.named(EMAIL)
    await gateway.command(
        "catalog.apply", toml=CATALOG.format(port=upstream.port, disconnect="abort")
    )
    await gateway.command(
        "catalog.apply", toml=CATALOG.format(port=1, disconnect="abort").replace('"up"', '"gone"')
        .replace('"m"', '"team/unreachable-model"')
    )  # fmt: skip
    price = await platform.catalog.stored()
    dearer = price.models["m"].price
    assert dearer is not None
    now_us = platform.clock.now_us()
    await platform.catalog.schedule_price("m", dearer, now_us + 9 * DAY_US)
    for body in (
        chat(),
        chat() | {"model": "sandbox/lorem:tokens=900,tps=0"},
        chat() | {"model": "team/unreachable-model"},
        chat() | {"model": "sandbox/lorem:error=500"},
    ):
        await gateway.post(body, **APPLICATION)
    rows = await gateway.rows()
    failed = next(row["id"] for row in rows if row["status"] >= 500)
    filled = {"request": rows[-1]["id"], "failed": failed, "self": me.id}
    filled |= await _keys(gateway) | await _people(gateway) | await _registers(gateway)
    filled |= await _incidents(gateway)
    filled |= await _reviews(gateway, filled)
    tokens = {STRANGER: "", STAFF: await sign_in(gateway)}
    fresh = await platform.accounts.create("fresh@example.com")
    tokens[FRESH] = await platform.people.sessions.open(fresh)
    filled |= await _ages(gateway)
    young = platform.accounts.named("young@example.com")
    tokens[YOUNG] = await platform.people.sessions.open(young)
    tokens[SECOND] = await platform.people.sessions.open(me, stage="second")
    person = {"provider": "google", "subject": "1", "email": "new@example.com", "name": "New"}
    tokens[WELCOME] = await platform.people.sessions.open(None, stage="welcome", context=person)
    return Shop(filled, tokens)


async def _keys(gateway: RunningGateway) -> dict[str, str]:
    platform = gateway.gateway.platform
    me = platform.accounts.named(EMAIL)
    key = await platform.keys.issue(me, "Ένα πρόγραμμα με αρκετά μακρύ όνομα")
    for name in ("month_microusd", "requests_per_minute"):
        await platform.tiers.set_key(await platform.keys.named(key.id), {name: 5_000_000})
    old = await platform.keys.issue(me, "old")
    await platform.keys.rotate(await platform.keys.named(old.id), 3_600_000_000)
    gone = await platform.keys.issue(me, "gone")
    await platform.keys.revoke(gone.id, me, ended_by="leaked")
    return {"key": key.id, "ended": gone.id}


async def _registers(gateway: RunningGateway) -> dict[str, str]:
    platform = gateway.gateway.platform
    me = platform.accounts.named(EMAIL)
    aware_us = platform.clock.now_us() - DAY_US
    entered = {
        "aware_at": iso(aware_us),
        "discovered": "Τηλεφώνησε ένας πελάτης",
        "nature": "Διευθύνσεις πελατών ήταν ορατές σε άλλους\nσε μία σελίδα",
        "persons": "1200",
        "records": "3400",
        "consequences": "Ανεπιθύμητη διαφήμιση",
        "measures": "Η σελίδα έκλεισε",
        "risk": "high",
    }
    breach = await platform.breaches.enter(me, entered)
    told = {"act": "authority_notified", "at": iso(aware_us + DAY_US // 2)}
    await platform.breaches.update(me, breach, told)
    await platform.breaches.update(None, breach, {"act": "facts", "words": "Ήταν περισσότεροι"})
    for days, act in ((9, "authority_not_needed"), (40, "")):
        id = await platform.breaches.enter(
            None, entered | {"aware_at": iso(aware_us - days * DAY_US)}
        )
        if act:
            await platform.breaches.update(None, id, {"act": act, "words": "Κρυπτογραφημένα"})
    day = iso(aware_us)[:10]
    signed = {"signed_by": "Österreicher & Söhne", "signed": day, "note": "https://dpa.example/1"}
    for title in ("AVV 1", "AVV 2"):
        await platform.agreements.enter(me, signed | {"provider": "up", "title": title})
    done = {"done": iso(aware_us - 99 * DAY_US)[:10], "next_due": iso(aware_us - DAY_US)[:10]}
    done |= {"done_by": "Prüfer GmbH", "result": "Δεν βρέθηκε τίποτα σοβαρό"}
    for kind in KINDS:
        scope = "Büro" if kind == "other" else ""
        await platform.attestations.enter(me, done | {"kind": kind, "scope": scope})
    return {"breach": breach}


async def _incidents(gateway: RunningGateway) -> dict[str, str]:
    """One that is open, maintenance that is planned, one that is over, one that was wrong."""
    platform = gateway.gateway.platform
    room, now_us = platform.incidents, platform.clock.now_us()
    me, day_us = platform.accounts.named(EMAIL), DAY_US
    over = {"begins_us": now_us - 9 * day_us, "ends_us": now_us - 8 * day_us}
    await room.enter(me, "incident", "Τίποτα δεν απαντά", "Διορθώθηκε.", **over)
    planned = {"begins_us": now_us + 2 * day_us, "ends_us": now_us + 3 * day_us}
    await room.enter(me, "maintenance", "Νέος δίσκος", "Μετακόμιση.", models=["m"], **planned)
    wrong = await room.enter(me, "incident", "Λάθος", "Δεν ήταν έτσι.")
    await room.withdraw(me, wrong.id, "δεν ήταν έτσι")
    one = await room.enter(me, "incident", "Αργές απαντήσεις", "Κοιτάμε\n\nτι συμβαίνει.")
    await room.add(me, one.id, "Ένας πάροχος δεν απαντά.")
    return {"incident": one.id, "wrong": wrong.id}


async def _ages(gateway: RunningGateway) -> dict[str, str]:
    """A minor who waits and owes a proof, one whose guardian agreed, one who was forgotten."""
    platform = gateway.gateway.platform
    people, me = platform.people, platform.accounts.named(EMAIL)
    guardian = Guardian("Κηδεμόνας Παπαδόπουλος", "guardian@example.com")
    made = {}
    for name in ("young", "older", "gone"):
        account = made[name] = await platform.accounts.create(f"{name}@example.com")
        await platform.database.write(
            lambda c, each=account: people.guardians.ask(c, each, guardian, "1", "el")
        )
    letters = [each.letter for each in await people.mail.undelivered()]
    asked = {each.values["email"]: each.token for each in letters if each.kind == "guardian_asked"}
    await people.guardians.confirm(asked["older@example.com"])
    letters = [each.letter for each in await people.mail.undelivered()]
    agreed = next(each.token for each in letters if each.kind == "guardian_confirmed")
    due_us = platform.clock.now_us() // DAY_US * DAY_US + 9 * DAY_US
    await people.proofs.request(me, made["young"], "Πρώτη φορά", due_us)
    await people.proofs.lift(me, made["young"], "Ταυτότητα")
    await people.proofs.request(me, made["young"], "Διεύθυνση σχολείου", due_us)
    await platform.erasure.purge(me, made["gone"], "minor")
    return {
        **{"minor": made["young"].id, "gone": made["gone"].id},
        **{"waits": asked["young@example.com"], "agreed": agreed},
    }


async def _reviews(gateway: RunningGateway, filled: dict[str, str]) -> dict[str, str]:
    """Cases of a key that lives, which is open, and of one that has ended."""
    platform = gateway.gateway.platform
    now_us = platform.clock.now_us()
    made = {}
    for name, place in (("ended", "closed"), ("key", "case")):
        row = await platform.keys.named(filled[name])
        key = Key(row.no, row.account, b"", None)
        platform.reviews.suspect(key, Crowd(21, now_us - DAY_US // 3))
        [case] = await platform.reviews.open_due()
        made[place] = case.id
    me = platform.accounts.named(EMAIL)
    await platform.reviews.close(me, made["closed"], "leaked", "Βρέθηκε σε ένα αποθετήριο.")
    return made


async def _people(gateway: RunningGateway) -> dict[str, str]:
    platform = gateway.gateway.platform
    people, room = platform.people, platform.organisations
    me = platform.accounts.named(EMAIL)
    user = await platform.accounts.create("somebody-with-a-long-name@customer.example.com")
    clerk = await platform.accounts.create("finance@example.com", "finance")
    firm = await room.found(me, "Öst & Co")
    await gateway.command("credits.grant", email=firm.account.email, usd="25", reason="invoice 17")
    await room.put(None, firm, user, "manager", 5_000_000)
    await room.issue_key(firm, user, "shared")
    waiting = await platform.invitations.invite(me, firm, "guest@example.com", "member", 1_000_000)
    other = await room.found(user, "Elsewhere")
    invited = await platform.invitations.invite(user, other, EMAIL)
    await people.factors._add(me, "totp", "app", "GEZDGNBVGY3TQOJQ", counter=1)
    people.passwords.cost = 4
    made = await people.passwords.hash("long enough to be one")
    await platform.database.write(lambda c: set_password(c, me, made, 1))
    await people.identities.link(me, Person("github", "7", EMAIL))
    await people.sessions.open(me, agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
    await platform.adjustments.request(clerk, user, 5_000_000_000, "adjustment", "large")
    letters = [each.letter for each in await people.mail.undelivered()]
    token = next(each.token for each in letters if (each.kind, each.to) == ("invitation", EMAIL))
    [factor] = await people.factors.listing(me)
    session = (await people.sessions.listing(me))[0]
    return {
        **{"user": user.id, "organisation": firm.id, "invitation": token},
        **{"waiting": waiting.id, "invited": invited.id},
        **{"factor": factor.id, "session": session.id},
    }
