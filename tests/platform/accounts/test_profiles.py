"""Profiles and addresses: every field comes back, sealed on disk, and its change is on record."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from gateway.platform.accounts.profiles import LIMITS, Profile
from gateway.platform.refusals import Problem, Refusal
from tests.platform.accounts.conftest import HOME, PASSWORD

FULL = Profile(
    display_name="Ann Öst",
    username="ann",
    phone="+46 70 123 45 67",
    company="Öst & Co",
    billing_address="Storgatan 1\n111 22 Stockholm",
    tax_id="SE556000-0000",
    language="fr",
    time_zone="Europe/Stockholm",
    avatar="🦉",
    bio="First line\nsecond <b>line</b>",
    default_model="sandbox/echo",
    notify_balance=False,
    notify_news=True,
)


async def test_every_field_is_kept_and_nothing_in_plain(owner, ann):
    assert await owner.people.profiles.of(ann) == Profile(language="en")  # as the form was
    await owner.people.profiles.change(ann, FULL)
    assert await owner.people.profiles.of(ann) == FULL
    [row] = await owner.people.audit.newest(5)
    assert (row.actor, row.action, row.target) == (ann.id, "profile.change", ann.id)
    assert row.detail.split(", ") == list(Profile.__struct_fields__)
    await owner.people.profiles.change(ann, FULL)  # nothing new, nothing to record
    await owner.people.profiles.change(ann, msgspec.structs.replace(FULL, company=""))
    assert (await owner.people.audit.newest(1))[0].detail == "company"
    assert len(await owner.people.audit.newest(5)) == 2
    await owner.reopen()
    for path in owner.rooms.folder.iterdir():
        content = path.read_bytes()
        for canary in ("Ann Öst", "70 123", "Storgatan", "SE556000", "second <b>"):
            assert canary.encode() not in content


@pytest.mark.parametrize("name", sorted(LIMITS))
async def test_every_field_has_an_end(owner, ann, name):
    with pytest.raises(Problem, match=f"{name}: too_long"):
        await owner.people.profiles.change(ann, Profile(**{name: "x" * (LIMITS[name] + 1)}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"language": "de"},
        {"time_zone": "Moon/Base"},
        {"time_zone": "../../etc/passwd"},
        {"company": "a\nb"},
        {"bio": "a\x00b"},
        {"display_name": "a\u202eb"},
    ],
)
async def test_what_cannot_be_shown_is_not_kept(owner, ann, wrong):
    with pytest.raises(Problem, match="malformed"):
        await owner.people.profiles.change(ann, Profile(**wrong))
    assert await owner.people.profiles.of(ann) == Profile(language="en")  # as the form was


async def link_of(owner, email):
    return next((each.token for each in await owner.letters() if each.to == email), None)


async def test_an_address_changes_once_it_has_answered(owner, ann):
    await owner.people.addresses.ask(ann, "New@Example.com", HOME)
    assert owner.rooms.accounts.find("ann@example.com") is ann
    token = await link_of(owner, "new@example.com")
    results = await asyncio.gather(
        *(owner.people.addresses.confirm(token) for _ in range(4)), return_exceptions=True
    )
    assert sum(each is ann for each in results) == 1
    assert owner.rooms.accounts.find("ann@example.com") is None
    newest = (await owner.letters())[0]
    assert (newest.kind, newest.to) == ("address_changed", "ann@example.com")
    await owner.reopen()
    assert owner.rooms.accounts.named("new@example.com").id == ann.id
    await owner.entrance.by_password("new@example.com", PASSWORD, replace(HOME, agent="x"))


async def test_an_address_that_is_taken_gets_no_letter_and_no_account(owner, ann):
    await owner.rooms.accounts.create("bob@example.com")
    await owner.people.addresses.ask(ann, "bob@example.com", HOME)
    assert await link_of(owner, "bob@example.com") is None
    await owner.people.addresses.ask(ann, "carl@example.com", HOME)
    token = await link_of(owner, "carl@example.com")
    await owner.rooms.accounts.create("carl@example.com")
    with pytest.raises(Refusal):
        await owner.people.addresses.confirm(token)
    assert owner.rooms.accounts.named("ann@example.com") is ann
    for wrong in ("", "x", "x" * 500):
        with pytest.raises(Refusal):
            await owner.people.addresses.confirm(wrong)
    with pytest.raises(Problem):
        await owner.people.addresses.ask(ann, "nothing", HOME)
