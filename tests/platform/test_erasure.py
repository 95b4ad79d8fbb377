"""A purge: nothing names the person any more, on disk either, and the books stay whole."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.base.config import load
from gateway.platform.accounts.ages import Said
from gateway.platform.accounts.erasure import OWNED
from gateway.platform.accounts.guesses import Visit
from gateway.platform.accounts.identities import Person
from gateway.platform.accounts.profiles import LIMITS, Profile
from gateway.platform.accounts.sign_up import Wish
from gateway.platform.assembly import open_platform
from gateway.platform.keys import parse_scope
from gateway.platform.ledger.balances import movements_of
from gateway.platform.ledger.reconcile import verify
from gateway.platform.refusals import Refusal
from gateway.store.schema.keys import api_keys
from gateway.store.schema.request_log import request_log
from gateway.store.schema.tables import metadata
from tests.fakes.canary import Canaries, forms
from tests.fakes.gateway import chat, running
from tests.fakes.upstream import FakeUpstream

PASSWORD = "correct horse"
USD = 1_000_000
DAY_US = 86_400 * 10**6
APPLICATION = "homework-of-kim-0815"
ID = re.compile(r"[a-z]{3}_[0-9a-f]{20,}")  # random, and in the audit log for good
# Tables of a person's that the rooms of accounts do not delete from, and why.
ELSEWHERE = {
    "accounts",  # stays, closed and nameless
    "account_limits",  # numbers of ours
    "adjustments",  # what was decided stays, under the account's number
    "api_keys",  # stay, ended and nameless
    "key_limits",
    "organisations",
    "organisation_members",
    "organisation_keys",
    "organisation_invitations",
}


class Place:
    """A served platform and one person who has left traces everywhere."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.platform = gateway.gateway.platform
        self.people = self.platform.people
        self.people.passwords.cost = 4
        self.canaries = Canaries()
        self.email = f"kid-{'x' * 20}@example.com"
        self.guardian = f"guardian-{'y' * 20}@example.com"
        named = (("address", self.email), ("guardian", self.guardian), ("program", APPLICATION))
        for name, text in named:
            self.canaries.needles[name] = forms(text)
        self.visit = Visit("198.51.100.7", "Firefox")

    async def rows(self, table, *conditions):
        query = select(table).where(*conditions)
        return await self.platform.database.read(lambda c: c.execute(query).all())

    async def letter(self, kind, to=""):
        for shown in await self.people.mail.undelivered():
            if shown.letter.kind == kind and to in ("", shown.letter.to):
                return shown.letter
        raise AssertionError(kind)

    async def fill(self):
        people, platform, word = self.people, self.platform, self.canaries.word
        self.boss = await platform.accounts.create("boss@example.com", "administrator")
        self.friend = await platform.accounts.create("friend@example.com")
        said = Said("2012", "13", True, word("guardian name"), self.guardian)
        await people.sign_up.ask(Wish(self.email, PASSWORD, True, said), self.visit)
        token = (await self.letter("confirm")).token
        self.account = await people.sign_up.confirm(token, PASSWORD, self.visit)
        await people.guardians.confirm((await self.letter("guardian_asked")).token)
        await people.sign_up.ask(Wish(self.email, PASSWORD, True, said), self.visit)
        fields = {name: word(name)[:limit] for name, limit in LIMITS.items() if limit >= 40}
        fields |= {"language": "fr", "time_zone": "Asia/Tokyo", "avatar": "ZQ"}
        await people.profiles.change(self.account, Profile(**fields))
        entry = await people.entrance.by_password(self.email, PASSWORD, self.visit)
        self.token = entry.token
        person = Person("google", "subject-of-the-kid", self.email)
        await people.identities.link(self.account, person)
        await people.sessions.open(None, stage="welcome", context=person._asdict())
        await people.sessions.open(None, stage="welcome", context={"email": "other@example.com"})
        name, secret = word("app")[:60], "GEZDGNBVGY3TQOJQ"
        await people.factors._add(self.account, "totp", name, secret, counter=1)
        await people.addresses.ask(self.account, "kid-new@example.com", self.visit)
        await people.entrance.ask_reset(self.email, self.visit)
        await platform.sign_in.create(self.account)
        now_us = platform.clock.now_us()
        await people.proofs.request(self.boss, self.account, word("reason"), now_us + 5 * DAY_US)
        await people.proofs.lift(self.boss, self.account, word("given"))
        await self.fill_money()
        await self.fill_organisations()

    async def fill_money(self):
        ledger, no = self.platform.ledger, self.account.no
        common = {"reason": "test", "transaction_id": "grant:1"}
        await ledger.grant(no, 5 * USD, source="cash:manual", **common)
        common["transaction_id"] = "grant:2"
        await ledger.grant(no, 2 * USD, source="promotion", **common)
        common["transaction_id"] = "grant:3"
        await ledger.grant(no, 3 * USD, source="adjustment", **common)
        wish = (self.boss, self.account, 500 * USD, "adjustment", "a large one")
        await self.platform.adjustments.request(*wish)
        scope = parse_scope((), (), ("127.0.0.0/8",))
        word = self.canaries.word("key name")
        self.key = await self.platform.keys.issue(self.account, word, scope=scope)
        for _ in range(3):
            assert (await self.ask(self.key)).status == 200
        await self.gateway.settled()

    async def fill_organisations(self):
        shared = self.platform.organisations
        name, key = self.canaries.word("own organisation"), self.canaries.word("key there")
        self.own = await shared.found(self.account, name)
        self.own_key = await shared.issue_key(self.own, self.account, key)
        self.theirs = await shared.found(self.friend, "Theirs")
        await shared.put(None, self.theirs, self.account, "manager")
        self.their_key = await shared.issue_key(
            self.theirs, self.account, self.canaries.word("key elsewhere")
        )
        for organisation in (self.own, self.theirs):
            transaction = f"grant:{organisation.id}"
            await self.platform.ledger.grant(
                organisation.account.no, USD, reason="test", transaction_id=transaction
            )
            key = self.own_key if organisation is self.own else self.their_key
            assert (await self.ask(key)).status == 200
        invite = self.platform.invitations.invite
        await invite(self.account, self.theirs, "guest@example.com")
        third = await shared.found(self.boss, "Third")
        await invite(self.boss, third, self.email)
        await self.gateway.settled()

    async def ask(self, key):
        own = key is not getattr(self, "their_key", None)
        headers = {"Authorization": f"Bearer {key.text}", "X-Title": APPLICATION if own else "B"}
        return await self.gateway.post(chat(), **headers)

    async def traces(self):
        """Every stored value that is the person's: sealed, hashed or plain."""
        found = set()
        for table in OWNED:
            for row in await self.rows(table, table.c.account_no == self.account.no):
                found |= {value for value in row if isinstance(value, bytes)}
                texts = {value for value in row if isinstance(value, str) and len(value) > 12}
                found |= {text.encode() for text in texts if not ID.fullmatch(text)}
        keys = {key.key.no for key in (self.key, self.own_key, self.their_key)}
        for row in await self.rows(api_keys, api_keys.c.no.in_(keys)):
            found |= {row.name.encode(), bytes(row.digest)}
        accounts = metadata.tables["accounts"]
        [row] = await self.rows(accounts, accounts.c.no == self.account.no)
        return found | {bytes(row.email_digest), bytes(row.email_sealed)}

    async def sound(self):
        await self.gateway.settled()
        assert (await self.platform.database.read(verify)).findings == []
        assert (await self.people.audit.verify()).findings == []


@contextlib.asynccontextmanager
async def opened(tmp_path, store_url=""):
    upstream = await FakeUpstream().start()
    settings = {"accounts_minimum_age": "13", "store_url": store_url}
    try:
        async with running(tmp_path / "data", upstream, **settings) as gateway:
            place = Place(gateway)
            await place.fill()
            yield place
    finally:
        await upstream.stop()


@pytest.fixture
async def place(tmp_path, where):
    async with opened(tmp_path, "" if isinstance(where, Path) else where) as made:
        yield made


def test_every_table_of_a_person_is_dealt_with():
    """A new table that refers to accounts belongs to a list: here, or in the room's `OWNED`."""
    referring = {
        table.name
        for table in metadata.tables.values()
        if any(key.column.table.name == "accounts" for key in table.foreign_keys)
        or "account_no" in table.c
    }
    # Numbers only; one is stripped, and of one the rows that name an application go.
    log = {"request_log", "usage_hourly", "usage_units_hourly", "usage_daily"}
    log |= {"usage_applications_hourly", "review_cases"}
    money = {"lots", "wallets"}
    assert referring - log - money == {table.name for table in OWNED} | ELSEWHERE - {
        "accounts",
        "organisation_invitations",
    } | {"organisation_invitations"}


async def test_nothing_names_the_person_any_more(place, caplog):
    platform, account = place.platform, place.account
    traces = await place.traces()
    assert len(traces) > 20
    for table in OWNED:
        if table.name != "recovery_codes":
            assert await place.rows(table, table.c.account_no == account.no), table.name
    receipt = await platform.erasure.purge(place.boss, account, "minor")
    assert receipt.is_scrubbed and receipt.rows["outbox"] >= 5 and receipt.rows["sign_ups"] == 1
    assert receipt.rows["api_keys"] == 3
    for table in OWNED:
        assert await place.rows(table, table.c.account_no == account.no) == [], table.name
    assert account.email == f"{account.id}@closed.invalid" and account.state == "closed"
    assert platform.accounts.find(place.email) is None
    for shown in await place.people.mail.undelivered():
        assert place.email not in str(shown) and place.guardian not in str(shown)
    [step] = await place.rows(metadata.tables["sessions"], func.length("x") == 1)
    assert step.account_no is None  # somebody else's
    rows = await place.rows(api_keys, api_keys.c.no.in_([place.key.key.no, place.own_key.key.no]))
    assert {(row.name, row.prefix, row.scope) for row in rows} == {("-", "sk-tg-", None)}
    assert place.own.account.state == "closed" and place.own.name == place.own.account.id
    assert account.no not in place.theirs.members and place.theirs.account.state == "active"
    await place.sound()
    assert not place.canaries.found_in(caplog.text.encode())
    for path in platform.folder.path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not place.canaries.found_in(content), path
            assert [each for each in traces if each in content] == [], path
    for row in await place.people.audit.page(0, 1_000):
        assert not place.canaries.found_in(str(row).encode())


async def test_keys_and_sessions_are_dead_at_the_next_request(place):
    assert await place.people.sessions.account(place.token) is place.account
    await place.platform.erasure.purge(place.boss, place.account, "minor")
    for key in (place.key, place.own_key, place.their_key):
        answer = await place.ask(key)
        assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert await place.people.sessions.account(place.token) is None
    for act in ("activate", "suspend"):
        with pytest.raises(Refusal, match="closed for good"):
            await place.gateway.command(f"accounts.{act}", email=place.account.email)
    with pytest.raises(Refusal):
        await place.platform.adjustments.request(
            place.boss, place.account, USD, "adjustment", "late"
        )


async def test_free_credit_goes_back_and_purchased_credit_stays_owed(place):
    platform, account = place.platform, place.account
    before = platform.ledger.balance(account.no)
    receipt = await platform.erasure.purge(place.boss, account, "minor")
    assert receipt.owed_microusd == platform.ledger.balance(account.no) == 5 * USD
    moved = await platform.database.read(lambda c: movements_of(c, account.no))
    taken = [each for each in moved if each.kind == "revocation"]
    assert {each.source for each in taken} == {"promotion", "adjustment"}
    assert -sum(each.amount_microusd for each in taken) == before - 5 * USD
    assert platform.ledger.balance(place.own.account.no) == 0  # it was closed, too
    assert platform.ledger.balance(place.theirs.account.no) > 0
    assert await platform.erasure.settle() == 0
    waiting = await platform.adjustments.waiting()
    assert [each for each in waiting if each.account is account] == []
    await place.sound()


async def test_what_a_running_request_holds_is_taken_when_it_has_ended(place):
    platform, account = place.platform, place.account
    wallet = platform.bank.wallets[account.no]
    hold = platform.bank.hold(account.no, 9 * USD, 9 * USD)
    await platform.erasure.purge(place.boss, account, "minor")
    assert wallet.available_microusd == 0 and wallet.balance_microusd >= 9 * USD
    hold.release()
    assert await platform.erasure.settle() == 1
    assert wallet.balance_microusd == 5 * USD
    await place.sound()


async def test_the_log_keeps_what_the_books_are_compared_with(place):
    mine = request_log.c.account_no == place.account.no
    before = await place.rows(request_log, mine)
    await place.platform.erasure.purge(None, place.account, "minor")
    after = await place.rows(request_log, mine)
    assert len(after) == len(before) == 3
    for row in after:
        assert (row.endpoint, row.duration_ms, row.first_token_ms, row.trail) == ("", 0, None, "")
        assert row.cost_picousd > 0 and row.model == "m" and row.application == ""
    assert before[0].application.strip() == APPLICATION
    elsewhere = await place.rows(request_log, request_log.c.account_no == place.theirs.account.no)
    assert elsewhere[0].endpoint == "chat"
    await place.sound()


async def test_who_and_what_is_refused(place):
    erasure, account = place.platform.erasure, place.account
    with pytest.raises(Refusal, match="a ground is one of"):
        await erasure.purge(place.boss, account, "their name is Kid")
    for by, whom, words in (
        (account, account, "somebody else"),
        (None, place.boss, "has a role"),
        (None, place.own.account, "nobody's"),
    ):
        with pytest.raises(Refusal, match=words):
            await erasure.purge(by, whom, "minor")
    await place.platform.organisations.put(None, place.own, place.friend)
    with pytest.raises(Refusal, match="hand its ownership over first"):
        await erasure.purge(place.boss, account, "minor")
    assert account.state == "active" and (await place.ask(place.key)).status == 200
    await place.platform.organisations.transfer(account, place.own, place.friend)
    await erasure.purge(place.boss, account, "minor")
    assert place.own.account.state == "active" and account.no not in place.own.members
    assert (await place.ask(place.own_key)).status == 401


async def test_a_caller_that_goes_away_leaves_it_done(place):
    asked = asyncio.create_task(place.platform.erasure.purge(place.boss, place.account, "minor"))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    async with asyncio.timeout(20):
        while place.platform.erasure._running:
            await asyncio.sleep(0.01)
    assert place.account.state == "closed" and (await place.ask(place.key)).status == 401
    assert place.platform.ledger.balance(place.account.no) == 5 * USD


async def test_again_it_stays_so_and_the_address_is_free(place):
    platform, account = place.platform, place.account
    await platform.erasure.purge(place.boss, account, "minor")
    again = await platform.erasure.purge(None, account, "minor")
    assert again.rows["api_keys"] == 0 and account.state == "closed"
    rows = [row for row in await place.people.audit.newest(50) if row.action == "accounts.erase"]
    assert [(row.actor, row.target) for row in rows] == [
        ("local", account.id),
        (place.boss.id, account.id),
    ]
    assert rows[1].detail.startswith("minor: api_keys 3")
    new = await platform.accounts.create(place.email)  # grown up, perhaps
    assert new.no != account.no and new.state == "active"


async def test_a_start_finds_it_closed_and_its_free_credit_due(tmp_path):
    settings = load(environ={})
    platform = await open_platform(settings, tmp_path / "data", environ={})
    account = await platform.accounts.create("kid@example.com")
    await platform.ledger.grant(account.no, USD, reason="test", transaction_id="grant:1")
    hold = platform.bank.hold(account.no, USD, USD)
    await platform.erasure.purge(None, account, "minor")
    hold.release()
    await platform.close()
    platform = await open_platform(settings, tmp_path / "data", environ={})
    found = platform.accounts.by_no(account.no)
    assert found.state == "closed" and platform.ledger.balance(account.no) == USD
    assert await platform.erasure.settle() == 1
    assert platform.ledger.balance(account.no) == 0
    with pytest.raises(Refusal):
        await platform.accounts.create(found.email)
    assert (await platform.database.read(verify)).findings == []
    await platform.close()


async def test_the_file_keeps_nothing_in_its_free_space(tmp_path):
    """Names of keys, which stand in plain, through splits of pages and updates of rows."""
    platform = await open_platform(load(environ={}), tmp_path / "data", environ={})
    account = await platform.accounts.create("kid@example.com")
    other = await platform.accounts.create("other@example.com")
    for number in range(120):
        await platform.keys.issue(account, f"canary-{number}-" + "n" * 60)
        await platform.keys.issue(other, "o" * 60)
    assert (await platform.erasure.purge(None, account, "minor")).is_scrubbed
    files = {
        path.name: path.read_bytes() for path in platform.folder.path.iterdir() if path.is_file()
    }
    assert files["tallygate.db-wal"] == b""
    assert all(b"canary-" not in content for content in files.values())
    await platform.close()
