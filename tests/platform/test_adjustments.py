"""Credit by hand: two people above the limit, one entry, nobody agrees with themselves."""

import asyncio

import pytest

from gateway.base.config import load
from gateway.base.money import MoneyError
from gateway.platform.assembly import open_platform
from gateway.platform.refusals import Refusal

USD = 1_000_000


class Office:
    def __init__(self, platform):
        self.platform = platform
        self.adjustments = platform.adjustments

    async def person(self, name, role="finance"):
        return await self.platform.accounts.create(f"{name}@example.com", role)

    async def request(self, by, account, usd, reason="goodwill"):
        return await self.adjustments.request(by, account, usd * USD, "adjustment", reason)

    def balance(self, account):
        return self.platform.ledger.balance(account.no) // USD

    async def sound(self):
        from gateway.platform.ledger.reconcile import verify

        report = await self.platform.database.read(verify)
        assert report.findings == []
        assert (await self.platform.people.audit.verify()).findings == []


@pytest.fixture
async def office(tmp_path):
    settings = load(environ={}, flags={"accounts.four_eyes_usd": "100"})
    platform = await open_platform(settings, tmp_path / "data", environ={})
    made = Office(platform)
    yield made
    await made.sound()
    await platform.close()


async def test_a_small_one_is_given_at_once(office):
    ann, customer = await office.person("ann"), await office.person("customer", "member")
    made = await office.request(ann, customer, 100)
    assert (made.state, made.decided_by, office.balance(customer)) == ("approved", None, 100)
    [row] = await office.platform.people.audit.newest(1)
    assert (row.actor, row.action, row.target) == (ann.id, "credits.request", made.id)


async def test_a_large_one_waits_for_somebody_else(office):
    ann, bob = await office.person("ann"), await office.person("bob", "administrator")
    customer = await office.person("customer", "member")
    made = await office.request(ann, customer, 101)
    assert made.state == "waiting" and office.balance(customer) == 0
    assert [each.id for each in await office.adjustments.waiting()] == [made.id]
    with pytest.raises(Refusal, match="yourself"):
        await office.adjustments.decide(ann, made.id, approve=True)
    assert office.balance(customer) == 0
    done = await office.adjustments.decide(bob, made.id, approve=True)
    assert (done.state, done.decided_by, office.balance(customer)) == ("approved", bob.id, 101)
    for approve in (True, False):
        with pytest.raises(Refusal, match="decided already"):
            await office.adjustments.decide(bob, made.id, approve=approve)
    assert office.balance(customer) == 101 and await office.adjustments.waiting() == []


async def test_a_refused_one_gives_nothing(office):
    ann, bob = await office.person("ann"), await office.person("bob")
    made = await office.request(ann, bob, 1_000)
    done = await office.adjustments.decide(bob, made.id, approve=False)
    assert done.state == "refused" and office.balance(bob) == 0
    with pytest.raises(Refusal):
        await office.adjustments.decide(bob, made.id, approve=True)


async def test_many_small_ones_are_no_way_around(office):
    ann, customer = await office.person("ann"), await office.person("customer", "member")
    made = await asyncio.gather(*(office.request(ann, customer, 30) for _ in range(8)))
    states = [each.state for each in made]
    assert states.count("approved") == 3 and states.count("waiting") == 5
    assert office.balance(customer) == 90


async def test_simultaneous_approvals_give_once(office):
    ann, customer = await office.person("ann"), await office.person("customer", "member")
    others = [await office.person(f"p{n}") for n in range(6)]
    made = await office.request(ann, customer, 500)
    results = await asyncio.gather(
        *(office.adjustments.decide(by, made.id, approve=True) for by in others),
        return_exceptions=True,
    )
    assert sum(not isinstance(each, Refusal) for each in results) == 1
    assert office.balance(customer) == 500


@pytest.mark.parametrize("role", ["member", "support", "operator", "auditor"])
async def test_other_roles_neither_ask_nor_decide(office, role):
    other, ann = await office.person("other", role), await office.person("ann")
    with pytest.raises(Refusal, match="role"):
        await office.request(other, ann, 1)
    made = await office.request(ann, other, 500)
    with pytest.raises(Refusal, match="role"):
        await office.adjustments.decide(other, made.id, approve=True)


async def test_what_is_no_adjustment_is_refused(office):
    ann = await office.person("ann")
    for amount, source, reason in (
        (0, "adjustment", "r"),
        (-1, "adjustment", "r"),
        (1, "adjustment", "  "),
        (1, "adjustment", "r" * 301),
        (1, "theft", "r"),
        (2**63, "adjustment", "r"),
    ):
        with pytest.raises((Refusal, MoneyError)):
            await office.adjustments.request(ann, ann, amount, source, reason)
    with pytest.raises(Refusal):
        await office.adjustments.decide(ann, "adj_nothing", approve=True)
