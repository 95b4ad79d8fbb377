"""Tiers: what binds whom, that it outlives the process, and budgets that start from the rollup."""

import asyncio

import pytest

from gateway.platform.ledger.holds import Bank
from gateway.platform.limits import Limits
from gateway.platform.limits.terms import NO_LIMITS
from gateway.platform.refusals import Refusal
from gateway.platform.request_log.record import RequestRow
from gateway.platform.settlement import Settlements
from gateway.platform.tiers import Tiers

DAY_US = 86_400 * 10**6


async def opened(rooms):
    tiers = Tiers(rooms.database, rooms.accounts, rooms.clock)
    await tiers.load()
    return tiers


def spent(tiers, scope, no, limits, at_us):
    budgets = tiers.limiter.entry(scope, no, limits).parts.budgets
    return {budget.period: budget.window(at_us).spent_microusd for budget in budgets}


def row(rooms, account, key_no, cost_microusd, started_us):
    fields = dict.fromkeys(RequestRow._fields, 0)
    texts = ("model", "provider", "upstream_model", "endpoint", "error_code", "units")
    fields |= dict.fromkeys(texts, "") | {"basis": "none", "outcome": "completed"}
    fields |= {"id": rooms.ids.make("req"), "account_no": account.no, "key_no": key_no}
    return RequestRow(**fields | {"started_us": started_us, "cost_microusd": cost_microusd})


async def test_own_limits_lie_over_those_of_the_tier_and_all_of_it_is_kept(rooms):
    ann, bob = await rooms.accounts.create("ann@x.org"), await rooms.accounts.create("bob@x.org")
    issued = await rooms.keys.issue(ann, "laptop")
    tiers = await opened(rooms)
    assert ann.limits is None
    await tiers.set_tier("default", {"requests_per_minute": 10, "month_microusd": 5})
    await tiers.set_tier("gold", {"requests_per_minute": 100, "concurrent_requests": 7})
    await tiers.set_account(ann, {"tokens_per_minute": 9}, tier="gold")
    await tiers.set_key(await rooms.keys.named(issued.id), {"day_microusd": 3})

    def check(ann, bob):
        assert ann.limits.account == Limits(100, 9, 7)
        assert ann.limits.keys == {issued.key.no: Limits(day_microusd=3)}
        assert bob.limits.account == Limits(10, month_microusd=5)

    check(ann, bob)
    cid = await rooms.accounts.create("cid@x.org")
    assert cid.limits is bob.limits
    await rooms.reopen()
    tiers = await opened(rooms)
    ann, bob = rooms.accounts.named("ann@x.org"), rooms.accounts.named("bob@x.org")
    check(ann, bob)
    with pytest.raises(Refusal, match="1 accounts have the tier gold"):
        await tiers.remove_tier("gold")
    await tiers.set_account(ann, {"tokens_per_minute": None}, tier="default")
    await tiers.set_key(await rooms.keys.named(issued.id), {"day_microusd": None})
    await tiers.remove_tier("gold")
    await tiers.remove_tier("default")
    assert (ann.limits, bob.limits) == (None, None)
    assert tiers.effective(ann) == NO_LIMITS


@pytest.mark.parametrize("value", [0, -1, 10**13])
async def test_a_senseless_limit_changes_nothing(rooms, value):
    ann = await rooms.accounts.create("ann@x.org")
    tiers = await opened(rooms)
    with pytest.raises(Refusal, match="requests-per-minute must be from 1"):
        await tiers.set_account(ann, {"requests_per_minute": value})
    with pytest.raises(Refusal, match="no tier 'gold'"):
        await tiers.set_account(ann, {}, tier="gold")
    with pytest.raises(Refusal, match="name"):
        await tiers.set_tier("a b", {})
    assert ann.limits is None


async def test_a_budget_set_while_charges_queue_counts_each_of_them_once(rooms):
    ann = await rooms.accounts.create("ann@x.org")
    tiers = await opened(rooms)
    settlements = Settlements(rooms.database, Bank(), 1_000)
    now_us = rooms.clock.now_us()
    done = []

    def charge(amount, started_us=now_us):
        settlements.submit(None, row(rooms, ann, 4, amount, started_us), lambda: done.append(1))
        if ann.limits is not None:
            tiers.limiter.spend(ann.no, 4, ann.limits, started_us, amount)

    charge(1_000, now_us - 3 * DAY_US)
    for _ in range(50):
        charge(1)
    setting = asyncio.create_task(tiers.set_account(ann, {"day_microusd": 500}))
    for _ in range(200):
        charge(1)
        await asyncio.sleep(0)
    await setting
    charge(1)
    changing = asyncio.create_task(tiers.set_account(ann, {"month_microusd": 9_000}))
    for _ in range(20):
        charge(1)
        await asyncio.sleep(0)
    await changing
    assert spent(tiers, "account", ann.no, ann.limits.account, now_us) == {
        "day": 271,
        "month": 1_271,
    }
    await rooms.reopen()
    again = await opened(rooms)
    ann = rooms.accounts.named("ann@x.org")
    assert len(done) == 272
    assert spent(again, "account", ann.no, ann.limits.account, now_us) == {
        "day": 271,
        "month": 1_271,
    }


async def test_a_budget_lifted_and_set_again_knows_what_was_spent_between(rooms):
    ann = await rooms.accounts.create("ann@x.org")
    tiers = await opened(rooms)
    settlements = Settlements(rooms.database, Bank(), 1_000)
    now_us = rooms.clock.now_us()

    def charge(amount):
        settlements.submit(None, row(rooms, ann, 4, amount, now_us), lambda: None)
        if ann.limits is not None:
            tiers.limiter.spend(ann.no, 4, ann.limits, now_us, amount)

    await tiers.set_tier("default", {"day_microusd": 500})
    charge(5)
    await tiers.set_tier("default", {"day_microusd": None})
    charge(6)
    await tiers.set_tier("default", {"day_microusd": 400})
    charge(7)
    assert spent(tiers, "account", ann.no, ann.limits.account, now_us) == {"day": 18}


async def test_rates_survive_a_restart(rooms):
    ann = await rooms.accounts.create("ann@x.org")
    tiers = await opened(rooms)
    await tiers.set_account(ann, {"requests_per_minute": 60})

    def standing(tiers, account):
        return tiers.limiter.standing(account.no, 1, account.limits)[0]

    for _ in range(40):
        tiers.limiter.admit(
            ann.no, 1, ann.limits, prompt_tokens=1, output_tokens=1, started_us=1
        ).finish(2)
    await tiers.save()
    await tiers.save()
    await rooms.reopen()
    rooms.clock.advance(10)
    tiers = await opened(rooms)
    assert standing(tiers, rooms.accounts.named("ann@x.org")) == (60, 30, 30 * 10**9)
    rooms.clock.advance(31)
    await tiers.save()
    assert len(tiers.limiter) == 0
