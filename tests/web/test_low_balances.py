"""A low balance is written of once, to those who want it, until it has been enough again."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gateway.base.telemetry import Metrics
from gateway.platform.mail import Letter
from gateway.web.console.letters import Letters
from gateway.workers import low_balances
from tests.fakes.gateway import EMAIL, RunningGateway, chat, running
from tests.fakes.upstream import FakeUpstream, answering, completion

OWNER = "owner@example.com"


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    made = await FakeUpstream().start()
    made.handler = answering(completion("one two three", 9, 3))
    yield made
    await made.stop()


async def letters(gateway: RunningGateway) -> list[Letter]:
    """Those that were written, after the job has looked once more."""
    await gateway.settled()
    await low_balances(gateway.gateway.platform, Metrics())
    sent = await gateway.gateway.platform.people.mail.undelivered()
    return [each.letter for each in sent if each.letter.kind == "low_balance"]


async def test_one_letter_each_time_a_balance_falls(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with running(tmp_path / "data", upstream, credit_usd="1") as one:
        assert await letters(one) == []
        assert (await one.post(chat())).status == 200
        [letter] = await letters(one)
        assert (letter.to, letter.values["limit_microusd"]) == (EMAIL, 1_000_000)
        assert 0 < letter.values["balance_microusd"] < 1_000_000
        await one.post(chat())
        assert len(await letters(one)) == 1
        written = Letters("https://gate.example").write(letter)
        assert "$1" in written.text and "https://gate.example/settings/profile" in written.text
    async with running(tmp_path / "data", upstream, credit_usd="0") as one:
        assert len(await letters(one)) == 1  # a restart writes none again
        await one.gateway.platform.people.mail.purge()
        assert len(await letters(one)) == 1
        await one.command("credits.grant", email=EMAIL, usd="0.000001", reason="too little")
        assert len(await letters(one)) == 1
        await one.command("credits.grant", email=EMAIL, usd="5", reason="enough")
        assert len(await letters(one)) == 1
        await one.command("credits.revoke", email=EMAIL, usd="5", reason="by mistake")
        assert len(await letters(one)) == 2
        assert len(await letters(one)) == 2


async def test_who_does_not_want_it_or_is_away_gets_none(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async with running(tmp_path / "data", upstream, credit_usd="1") as one:
        platform = one.gateway.platform
        account = platform.accounts.named(EMAIL)
        profile = await platform.people.profiles.of(account)
        unwanted = msgspec.structs.replace(profile, notify_balance=False)
        await platform.people.profiles.change(account, unwanted)
        await one.command("accounts.create", email="away@example.com")
        await one.command("credits.grant", email="away@example.com", usd="0.5", reason="little")
        await one.post(chat())
        assert await letters(one) == []


async def test_zero_writes_never(tmp_path: Path, upstream: FakeUpstream) -> None:
    off = {"accounts_low_balance_usd": "0"}
    async with running(tmp_path / "data", upstream, credit_usd="1", **off) as one:
        await one.post(chat())
        assert await letters(one) == []


async def test_an_organisations_owners_are_written_to(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async with running(tmp_path / "data", upstream) as one:
        platform = one.gateway.platform
        owner = await platform.accounts.create(OWNER)
        member = platform.accounts.named(EMAIL)
        shared = await platform.organisations.found(owner, "Öst & Co")
        await platform.organisations.put(owner, shared, member)
        await one.command("credits.grant", email=shared.account.email, usd="1", reason="test")
        issued = await platform.organisations.issue_key(shared, member, "laptop")
        one.key = issued.text
        assert (await one.post(chat())).status == 200
        [letter] = await letters(one)
        assert (letter.to, letter.values["organisation"]) == (OWNER, "Öst & Co")
        assert "Öst & Co" in Letters("https://gate.example").write(letter).text
