"""A minor's account: it waits for the guardian's consent, gets it, loses it."""

import pytest
from sqlalchemy import select

from gateway.base.errors import TooManyAttempts
from gateway.platform.accounts.ages import Said
from gateway.platform.accounts.identities import Person
from gateway.platform.accounts.sign_up import Wish
from gateway.platform.refusals import Refusal
from gateway.store.schema.accounts import agreements, sign_ups
from gateway.store.schema.ages import guardian_consents
from tests.platform.accounts.conftest import HOME, PASSWORD

GUARDIAN = "guardian@example.com"


@pytest.fixture
async def young(owner):
    """Rooms where minors may sign up."""
    owner.people.close()
    owner.open(**{"accounts.minimum_age": "13", "accounts.terms_version": "7"})
    return owner


def said(owner):
    year = 1970 + owner.rooms.clock.now_us() // (31_556_952 * 10**6)
    return Said(str(year - 15), "13", True, "Grace Guardian", GUARDIAN)


async def signed_up(owner):
    await owner.people.sign_up.ask(Wish("kid@example.com", PASSWORD, True, said(owner), "fr"), HOME)
    [letter] = await owner.letters()
    assert letter.kind == "confirm"  # nobody is written to before the address has answered
    return await owner.people.sign_up.confirm(letter.token, PASSWORD, HOME)


async def newest(owner, kind):
    return next(each for each in await owner.letters() if each.kind == kind)


async def test_the_guardian_is_asked_and_the_account_held(young):
    account = await signed_up(young)
    assert account.holds == {"guardian"} and not account.may_spend
    letter = await newest(young, "guardian_asked")
    assert (letter.to, letter.locale, letter.account_id) == (GUARDIAN, "fr", "")
    consent = await young.people.guardians.of(account)
    assert consent.guardian == ("Grace Guardian", GUARDIAN)
    assert (consent.state, consent.terms_version) == ("waiting", "7")
    entry = await young.entrance.by_password("kid@example.com", PASSWORD, HOME)
    assert (await young.account(entry.token)) is account  # signs in as ever
    [row] = await young.rooms.database.read(lambda c: c.execute(select(agreements)).all())
    assert row.age == 13
    assert not await young.rooms.database.read(lambda c: c.execute(select(sign_ups)).all())


async def test_consent_is_given_once_and_taken_back_once(young):
    account, guardians = await signed_up(young), young.people.guardians
    first = (await newest(young, "guardian_asked")).token
    with pytest.raises(Refusal):
        await guardians.confirm("nonsense")
    assert (await guardians.by_token(first)).state == "waiting"
    young.rooms.clock.advance(400 * 86_400)  # the link does not expire
    assert (await guardians.confirm(first)).account is account
    assert account.may_spend and (await guardians.of(account)).state == "confirmed"
    assert (await newest(young, "guardian_decided")).to == "kid@example.com"
    for again in (guardians.confirm, guardians.withdraw, guardians.by_token):
        with pytest.raises(Refusal):
            await again(first)
    second = (await newest(young, "guardian_confirmed")).token
    with pytest.raises(Refusal):
        await guardians.confirm(second)
    await guardians.withdraw(second)
    assert account.holds == {"guardian"}
    consent = await guardians.of(account)
    assert consent.state == "withdrawn" and consent.withdrawn_us == young.rooms.clock.now_us()
    for again in (guardians.confirm, guardians.withdraw, guardians.by_token):
        with pytest.raises(Refusal):
            await again(second)
    with pytest.raises(Refusal):  # the minor cannot have it asked again
        await guardians.write_again(account, HOME)
    rows = await young.people.audit.newest(2)
    assert [(row.role, row.target, row.detail) for row in rows] == [
        ("guardian", account.id, "withdrawn"),
        ("guardian", account.id, "confirmed"),
    ]


async def test_a_guardian_may_refuse_at_once(young):
    account = await signed_up(young)
    await young.people.guardians.withdraw((await newest(young, "guardian_asked")).token)
    assert (await young.people.guardians.of(account)).state == "withdrawn" and account.holds


async def test_what_is_held_stays_so_over_a_restart(young):
    await signed_up(young)
    token = (await newest(young, "guardian_asked")).token
    await young.reopen()
    await young.people.load()
    account = young.rooms.accounts.named("kid@example.com")
    assert account.holds == {"guardian"}
    await young.people.guardians.confirm(token)
    await young.reopen()
    await young.people.load()
    assert not young.rooms.accounts.named("kid@example.com").holds


async def test_another_letter_ends_the_link_before_and_no_mailbox_is_flooded(young):
    account, guardians = await signed_up(young), young.people.guardians
    first = (await newest(young, "guardian_asked")).token
    await guardians.write_again(account, HOME)
    second = (await newest(young, "guardian_asked")).token
    with pytest.raises(Refusal):
        await guardians.by_token(first)
    assert (await guardians.by_token(second)).account is account
    for _ in range(2):
        await guardians.write_again(account, HOME)
    with pytest.raises(TooManyAttempts):
        await guardians.write_again(account, HOME)


async def test_a_minor_from_another_site_is_held_too(young):
    person = Person("google", "42", "kid@example.com")
    attested = young.people.sign_up.attested(True, said(young), "kid@example.com")
    account = await young.people.identities.create(person, attested)
    assert account.holds == {"guardian"}
    assert (await newest(young, "guardian_asked")).to == GUARDIAN


async def test_tokens_and_names_are_not_stored_in_plain(young):
    await signed_up(young)
    token = (await newest(young, "guardian_asked")).token
    [row] = await young.rooms.database.read(lambda c: c.execute(select(guardian_consents)).all())
    assert token.encode() not in b"".join(each for each in row if isinstance(each, bytes))
    await young.rooms.close()
    for path in young.rooms.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert all(each.encode() not in content for each in (token, GUARDIAN, "Grace"))
    await young.rooms.open()
