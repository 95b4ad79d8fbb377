"""Signing up: what is asked, what is written, and what nobody can find out."""

import re

import pytest
from sqlalchemy import func, select

from gateway.base.errors import Overloaded, TooManyAttempts
from gateway.platform.accounts.ages import Said
from gateway.platform.accounts.passwords import Passwords, check_new
from gateway.platform.accounts.sign_up import Wish
from gateway.platform.refusals import Problem, Refusal
from gateway.store.schema.accounts import agreements, credentials, sign_ups
from tests.platform.accounts.conftest import ADULT, HOME, PASSWORD


def wish(**changes):
    fields = {"email": "Ann@Example.com", "password": PASSWORD}
    return Wish(**(fields | {"accepts_terms": True, "said": ADULT} | changes))


async def rows_of(owner, table):
    query = select(table)
    return await owner.rooms.database.read(lambda c: c.execute(query).all())


async def test_an_account_is_made_by_the_letter_and_the_password(owner):
    await owner.people.sign_up.ask(wish(), HOME)
    assert owner.rooms.accounts.find("ann@example.com") is None
    [letter] = await owner.letters()
    assert (letter.kind, letter.to) == ("confirm", "ann@example.com")
    with pytest.raises(Problem):
        await owner.people.sign_up.confirm(letter.token, "a stranger's guess", HOME)
    account = await owner.people.sign_up.confirm(letter.token, PASSWORD, HOME)
    assert (account.email, account.role) == ("ann@example.com", "member")
    with pytest.raises(Refusal):
        await owner.people.sign_up.confirm(letter.token, PASSWORD, HOME)
    [agreed] = await rows_of(owner, agreements)
    assert (agreed.document, agreed.version, agreed.age) == ("terms", "1", 18)
    await owner.reopen()
    entry = await owner.entrance.by_password("ANN@example.com", PASSWORD, HOME)
    assert (await owner.account(entry.token)).id == account.id


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"email": "nobody"}, "email: malformed"),
        ({"password": "short"}, "password: too_short"),
        ({"password": "x" * 257}, "password: too_long"),
        ({"password": "ann@example.com"}, "password: is_address"),
        ({"accepts_terms": False}, "terms: required"),
        ({"said": Said("1960", "")}, "age: required"),
        ({"said": Said("", "yes")}, "born: required"),
    ],
)
async def test_what_is_filled_in_wrong_leaves_no_row(owner, changes, problem):
    with pytest.raises(Problem, match=problem):
        await owner.people.sign_up.ask(wish(**changes), HOME)
    assert await rows_of(owner, sign_ups) == [] and await owner.letters() == []


async def test_the_age_that_is_kept_is_the_one_attested(owner):
    owner.people.close()
    owner.open(**{"accounts.minimum_age": "13", "accounts.terms_version": "2026-11"})
    await owner.people.sign_up.ask(wish(), HOME)
    [row] = await rows_of(owner, sign_ups)
    assert (row.age, row.terms_version, row.guardian_sealed) == (18, "2026-11", None)


async def test_sign_up_can_be_closed(owner):
    owner.people.close()
    owner.open(**{"accounts.sign_up": "closed"})
    with pytest.raises(Problem, match="closed"):
        await owner.people.sign_up.ask(wish(), HOME)


async def test_an_address_with_an_account_gets_the_same_answer_and_another_letter(owner, ann):
    before = await owner.rooms.database.read(
        lambda c: c.scalar(select(func.count()).select_from(sign_ups))
    )
    assert await owner.people.sign_up.ask(wish(email="new@example.com"), HOME) is None
    assert await owner.people.sign_up.ask(wish(), HOME) is None
    [second, first, _] = await owner.letters()
    assert (first.kind, second.kind) == ("confirm", "already_registered")
    assert second.token == "" and second.account_id == ann.id
    assert len(await rows_of(owner, sign_ups)) == before + 2


async def test_two_letters_make_one_account(owner):
    for _ in range(2):
        await owner.people.sign_up.ask(wish(), HOME)
    second, first = await owner.letters()
    await owner.people.sign_up.confirm(first.token, PASSWORD, HOME)
    with pytest.raises(Refusal):
        await owner.people.sign_up.confirm(second.token, PASSWORD, HOME)
    assert len(owner.rooms.accounts) == 1


async def test_a_link_dies_after_two_days_and_its_row_with_it(owner):
    await owner.people.sign_up.ask(wish(), HOME)
    [letter] = await owner.letters()
    owner.rooms.clock.advance(48 * 3600)
    with pytest.raises(Refusal):
        await owner.people.sign_up.confirm(letter.token, PASSWORD, HOME)
    await owner.people.sign_up.ask(wish(email="b@example.com"), HOME)
    assert len(await rows_of(owner, sign_ups)) == 1


async def test_a_mailbox_is_not_flooded(owner):
    for _ in range(3):
        await owner.people.sign_up.ask(wish(), HOME)
    with pytest.raises(TooManyAttempts) as error:
        await owner.people.sign_up.ask(wish(), HOME)
    assert 0 < error.value.retry_after_s <= 15 * 60


async def test_nothing_that_was_typed_is_stored_in_plain(owner, ann):
    await owner.entrance.by_password("ann@example.com", PASSWORD, HOME)
    await owner.rooms.close()
    for path in owner.rooms.folder.iterdir():
        content = path.read_bytes()
        for canary in (PASSWORD, "ann@example.com", "198.51.100.7", "Firefox"):
            assert canary.encode() not in content, (path, canary)
    await owner.rooms.open()


async def test_hashes_are_bcrypt_at_the_cost_set_and_made_anew_when_it_rises(owner, ann):
    [row] = await rows_of(owner, credentials)
    assert re.fullmatch(r"\$2b\$04\$[./A-Za-z0-9]{53}", row.password_hash)
    owner.people.passwords.cost = 5
    await owner.entrance.by_password("ann@example.com", PASSWORD, HOME)
    [row] = await rows_of(owner, credentials)
    assert row.password_hash.startswith("$2b$05$")
    await owner.entrance.by_password("ann@example.com", PASSWORD, HOME)


def test_the_default_cost_is_twelve_and_none_below_can_be_set():
    from gateway.base.config import ConfigError, load

    assert load(environ={}).accounts_bcrypt_cost == 12
    with pytest.raises(ConfigError):
        load(environ={}, flags={"accounts.bcrypt_cost": 11})


async def test_passwords_beyond_bcrypts_limit_count_in_full(owner):
    passwords: Passwords = owner.people.passwords
    long = "p" * 200
    check_new(long)
    made = await passwords.hash(long)
    assert await passwords.check(long, made)
    assert not await passwords.check(long[:-1] + "q", made)
    assert await passwords.check("a\x00b", await passwords.hash("a\x00b"))
    assert not await passwords.check("a\x00c", await passwords.hash("a\x00b"))
    assert not await passwords.check("", None)


async def test_sign_ups_that_nobody_confirms_are_bounded(owner):
    owner.people.sign_up.max_waiting = 3
    for number in range(3):
        await owner.people.sign_up.ask(wish(email=f"u{number}@example.com"), HOME)
    with pytest.raises(Overloaded):
        await owner.people.sign_up.ask(wish(email="one-more@example.com"), HOME)
    owner.rooms.clock.advance(48 * 3600)
    await owner.people.sign_up.ask(wish(email="one-more@example.com"), HOME)
