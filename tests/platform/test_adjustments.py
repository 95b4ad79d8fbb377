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


async def back(office, by, account, usd, kind="revoke", corrects=None):
    amount = usd * USD
    return await office.adjustments.request(
        by, account, amount, "", "given twice", kind=kind, corrects=corrects
    )


async def test_credit_is_taken_back_and_says_what_it_makes_good(office):
    ann, customer = await office.person("ann"), await office.person("customer", "member")
    first = await office.request(ann, customer, 60)
    second = await office.request(ann, customer, 30)
    made = await back(office, ann, customer, 50, corrects=f"adjust:{first.id}")
    assert (made.state, made.kind) == ("approved", "revoke") and office.balance(customer) == 40
    await back(office, ann, customer, 35)  # the newest first: 30 of the second, 5 of the first
    assert office.balance(customer) == 5
    with pytest.raises(MoneyError, match="not so much left"):
        await back(office, ann, customer, 1, corrects=f"adjust:{second.id}")
    from gateway.platform.ledger.balances import movements_of
    from gateway.platform.request_log.statement import statement, with_balances

    def read(connection):
        lines, _ = statement(connection, customer.no)
        return movements_of(connection, customer.no), with_balances(lines, 5 * USD)

    movements, lines = await office.platform.database.read(read)
    assert [(m.kind, m.amount_microusd // USD, m.reason) for m in movements] == [
        *[("revocation", -5, "given twice"), ("revocation", -30, "given twice")],
        *[("revocation", -50, "given twice"), ("adjustment", 30, "goodwill")],
        ("adjustment", 60, "goodwill"),
    ]
    assert sorted(line.amount_microusd // USD for line in lines) == [-50, -30, -5, 30, 60]
    assert lines[-1].balance_microusd == lines[-1].amount_microusd


async def test_never_below_zero_nor_below_what_requests_hold(office):
    ann, customer = await office.person("ann"), await office.person("customer", "member")
    await office.request(ann, customer, 90)
    bank = office.platform.bank
    with (
        bank.hold(customer.no, 60 * USD, 60 * USD),
        pytest.raises(MoneyError, match="running requests hold it"),
    ):
        await back(office, ann, customer, 31)
    results = await asyncio.gather(
        *(back(office, ann, customer, 20) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(each, MoneyError) for each in results) == 2
    assert office.balance(customer) == 10
    assert bank.wallets[customer.no].held_microusd == 0


async def test_much_is_taken_back_by_two_and_only_if_it_is_there_then(office):
    ann, bob = await office.person("ann"), await office.person("bob")
    customer = await office.person("customer", "member")
    for by in (ann, bob):
        await office.request(by, customer, 100)
    wish = await back(office, ann, customer, 150)
    assert wish.state == "waiting" and office.balance(customer) == 200
    with pytest.raises(Refusal, match="yourself"):
        await office.adjustments.decide(ann, wish.id, approve=True)
    await back(office, bob, customer, 100)
    with pytest.raises(MoneyError):
        await office.adjustments.decide(bob, wish.id, approve=True)
    assert (await office.adjustments.named(wish.id)).state == "waiting"
    assert office.balance(customer) == 100


async def test_to_forfeit_takes_two_people_whatever_the_amount(office):
    """Promise: credit is forfeited for a breach alone, by a decision of two, with a reason."""
    ann, bob = await office.person("ann"), await office.person("bob")
    customer = await office.person("customer", "member")
    await office.adjustments.request(ann, customer, 50 * USD, "cash:manual", "paid")
    with pytest.raises(MoneyError):  # what was paid for is not credit given by hand
        await back(office, ann, customer, 1)
    wish = await back(office, ann, customer, 1, kind="forfeit")
    assert wish.state == "waiting" and office.balance(customer) == 50
    done = await office.adjustments.decide(bob, wish.id, approve=True)
    assert (done.state, done.decided_by, office.balance(customer)) == ("approved", bob.id, 49)
    with pytest.raises((Refusal, MoneyError)):
        await office.adjustments.request(ann, customer, USD, "", "   ", kind="forfeit")


async def test_a_failed_write_gives_the_credit_back_in_memory(office, monkeypatch):
    ann, customer = await office.person("ann"), await office.person("customer", "member")
    await office.request(ann, customer, 50)

    async def broken(_):
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(office.platform.ledger._database, "write", broken)
        with pytest.raises(OSError):
            await back(office, ann, customer, 20)
    assert office.balance(customer) == 50
    await back(office, ann, customer, 50)
    assert office.balance(customer) == 0
