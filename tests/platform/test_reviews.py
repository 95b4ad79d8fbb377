"""Review cases: one a key, never silent, closed by a person with a finding and words."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from gateway.base.clock import ManualClock
from gateway.base.config import load
from gateway.platform.assembly import open_platform
from gateway.platform.keys.spread import Crowd
from gateway.platform.refusals import Refusal
from gateway.platform.reviews import MAX_SUSPECTS, Place
from gateway.store.schema.reviews import review_cases
from tests.fakes.folder import new_folder

DAY_S = 86_400
FEW = Crowd(21, 1_699_999_000_000_000)


class Desk:
    """A platform on a clock that is set, with a holder of keys and somebody who looks at cases."""

    def __init__(self, folder, where):
        self.folder = folder
        self.url = where if isinstance(where, str) else ""
        self.clock = ManualClock()

    async def open(self, **settings):
        flags = {"store.url": self.url} | settings
        settings = load(environ={}, flags=flags)
        if not self.url:
            new_folder(self.folder)
        self.platform = await open_platform(settings, self.folder, self.clock, environ={})
        self.room, accounts = self.platform.reviews, self.platform.accounts
        self.ann = accounts.find("ann@example.com") or await accounts.create("ann@example.com")
        staff = "staff@example.com"
        self.staff = accounts.find(staff) or await accounts.create(staff, "support")
        return self

    async def key(self, name="laptop", account=None):
        return (await self.platform.keys.issue(account or self.ann, name)).key

    async def suspected(self, key):
        """What is opened for a key when it was seen in too many networks."""
        self.room.suspect(key, FEW)
        return await self.room.open_due()

    async def letters(self):
        found = [each.letter for each in await self.platform.people.mail.undelivered()]
        return [each for each in found if each.kind == "key_spread"]

    async def acts(self):
        return [
            (row.actor, row.action, row.target, row.detail)
            for row in reversed(await self.platform.people.audit.newest(100))
            if row.action.startswith("reviews")
        ]


@pytest.fixture
async def desk(tmp_path, where):
    made = await Desk(tmp_path / "data", where).open()
    yield made
    assert (await made.platform.people.audit.verify()).findings == []
    await made.platform.close()


async def test_a_case_is_opened_with_its_audit_row_and_one_letter(desk):
    key = await desk.key()
    [case] = await desk.suspected(key)
    assert (case.key_no, case.account_no, case.is_open) == (key.no, desk.ann.no, True)
    assert (case.networks, case.most_networks, case.window_hours) == (21, 20, 24)
    assert (case.since_us, case.opened_us) == (FEW.since_us, desk.clock.now_us())
    assert await desk.room.named(case.id) == case and await desk.room.waiting() == 1
    row = (await desk.platform.keys.numbered([key.no]))[key.no]
    detail = f"{row.id}: 21 networks in 24 hours"
    assert await desk.acts() == [("gateway", "reviews.open", case.id, detail)]
    [letter] = await desk.letters()
    assert (letter.to, letter.values["key_id"], letter.values["name"]) == (
        *("ann@example.com", row.id),
        "laptop",
    )
    assert not key.revoked and desk.ann.state == "active" and row.revoked_us is None


async def test_a_key_has_one_open_case_and_after_it_none_for_a_while(desk):
    key = await desk.key()
    [case] = await desk.suspected(key)
    desk.clock.advance(90 * DAY_S)
    assert await desk.suspected(key) == []
    await desk.room.close(desk.staff, case.id, "own_use", "They travel.")
    assert await desk.suspected(key) == []
    desk.clock.advance(30 * DAY_S - 1)
    assert await desk.suspected(key) == []
    assert len(await desk.letters()) == 1
    desk.clock.advance(1)
    [again] = await desk.suspected(key)
    assert again.id != case.id and len(await desk.letters()) == 2
    assert (await desk.room.latest([key.no, 999])) == {key.no: again}


async def test_the_database_keeps_a_second_open_case_out(desk):
    [case] = await desk.suspected(await desk.key())
    row = {name: getattr(case, name) for name in review_cases.c.keys()}  # noqa: SIM118
    with pytest.raises(IntegrityError):
        await desk.platform.database.write(
            lambda c: c.execute(review_cases.insert().values(row | {"id": "rev_other"}))
        )


async def test_a_restart_forgets_no_case_and_writes_no_letter_again(desk):
    key = await desk.key()
    [case] = await desk.suspected(key)
    await desk.platform.close()
    await desk.open()
    assert await desk.room.named(case.id) == case
    key = desk.platform.keys.ring.by_digest(key.digest)
    assert await desk.suspected(key) == []
    assert len(await desk.letters()) == 1


async def test_a_case_is_closed_once_by_somebody_with_a_finding_and_words(desk):
    [case] = await desk.suspected(await desk.key())
    with pytest.raises(Refusal, match="no such finding"):
        await desk.room.close(desk.staff, case.id, "guilty", "x")
    with pytest.raises(Refusal, match="a text is"):
        await desk.room.close(desk.staff, case.id, "leaked", " ")
    with pytest.raises(Refusal, match="no review case 'rev_none'"):
        await desk.room.close(desk.staff, "rev_none", "leaked", "x")
    desk.clock.advance(60)
    closed = await desk.room.close(desk.staff, case.id, "leaked", " In a repository.\nRotated. ")
    assert (closed.state, closed.finding, closed.closed_by) == ("closed", "leaked", desk.staff.id)
    assert closed.words == "In a repository.\nRotated."
    assert closed.closed_us == desk.clock.now_us() and await desk.room.waiting() == 0
    with pytest.raises(Refusal, match="closed already"):
        await desk.room.close(None, case.id, "own_use", "x")
    acts = await desk.acts()
    assert acts[1:] == [(desk.staff.id, "reviews.write", case.id, "closed: leaked")]


async def test_open_ones_are_listed_first_and_page_by_page(desk):
    cases = []
    for number in range(7):
        desk.clock.advance(1)
        cases += await desk.suspected(await desk.key(f"key {number}"))
    for case in (cases[1], cases[4], cases[6]):
        await desk.room.close(None, case.id, "unclear", "Nobody answers.")
    expected = [cases[n].id for n in (5, 3, 2, 0, 6, 4, 1)]
    found, after = [], None
    while page := await desk.room.listing(2, after):
        found += [each.id for each in page]
        after = Place(page[-1].state, page[-1].id)
    assert found == expected


async def test_owners_and_whoever_holds_the_key_are_told_of_an_organisations_key(desk):
    accounts, room = desk.platform.accounts, desk.platform.organisations
    owner, bystander = [await accounts.create(f"{name}@example.com") for name in ("own", "by")]
    gone = await accounts.create("gone@example.com")
    firm = await room.found(owner, "Öst & Co")
    for member in (desk.ann, bystander):
        await room.put(owner, firm, member)
    await room.put(owner, firm, gone, "owner")
    await accounts.set_state(gone, "suspended")
    issued = await room.issue_key(firm, desk.ann, "server")
    [case] = await desk.suspected(issued.key)
    assert case.account_no == firm.account.no
    letters = await desk.letters()
    assert {each.to for each in letters} == {"own@example.com", "ann@example.com"}
    assert {each.values["organisation"] for each in letters} == {"Öst & Co"}


async def test_what_waits_is_bounded_and_a_key_waits_once(desk):
    keys = [await desk.key(f"key {number}") for number in range(2)]
    for _ in range(5):
        desk.room.suspect(keys[0], FEW)
    for number in range(MAX_SUSPECTS + 50):
        ghost = type("Ghost", (), {"no": 10_000 + number, "account": desk.ann})()
        desk.room.suspect(ghost, FEW)
    desk.room.suspect(keys[1], FEW)
    assert len(desk.room._suspects) == MAX_SUSPECTS
    assert len(await desk.room.open_due()) == 1  # the others are of no stored key
    assert desk.room._suspects == {}
    assert len(await desk.suspected(keys[1])) == 1


async def test_what_could_not_be_written_is_tried_again(desk, monkeypatch):
    key = await desk.key()

    def fails(*_):
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(desk.platform.people.audit, "append", fails)
        with pytest.raises(RuntimeError):
            await desk.suspected(key)
    assert await desk.platform.database.read(lambda c: c.execute(select(review_cases)).all()) == []
    assert await desk.letters() == []
    assert len(await desk.room.open_due()) == 1 and len(await desk.letters()) == 1
