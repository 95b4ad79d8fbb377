"""Second factors: the RFC's own codes, a real signature, and nothing that works twice."""

import asyncio
import base64
import json
from dataclasses import replace

import pytest

from gateway.base.errors import TooManyAttempts
from gateway.platform.accounts import totp
from gateway.platform.accounts.passkeys import Site
from gateway.platform.refusals import Problem
from tests.fakes.authenticator import Authenticator
from tests.platform.accounts.conftest import HOME, PASSWORD

EMAIL = "ann@example.com"
SITE = Site("gate.example", "https://gate.example")
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(at_s, code):
    assert totp.code_at(RFC_SECRET, at_s // 30, 8) == code
    step = totp.matching_step(RFC_SECRET, code[2:], at_s * 1_000_000, 0)
    assert step == at_s // 30


def test_a_code_is_good_for_one_step_on_either_side_and_once():
    now_us = 1_700_000_000 * 1_000_000
    step = 1_700_000_000 // 30
    codes = {n: totp.code_at("GEZDGNBV", step + n) for n in range(-4, 5)}
    good = [n for n, code in codes.items() if totp.matching_step("GEZDGNBV", code, now_us, 0)]
    assert good == [-1, 0, 1]
    code = totp.code_at("GEZDGNBV", step)
    assert totp.matching_step("GEZDGNBV", code, now_us, step) is None
    for wrong in ("", "12345", "abcdef", "１２３４５６", "0" * 1000):
        assert totp.matching_step("GEZDGNBV", wrong, now_us, 0) is None


async def signed_in(owner):
    """An open session of the account, and the token that is its own."""
    entry = await owner.entrance.by_password(EMAIL, PASSWORD, HOME)
    return await owner.sessions.find(entry.token), entry


def code_now(owner, secret):
    return totp.code_at(secret, owner.rooms.clock.now_us() // 30_000_000)


async def with_totp(owner, account):
    """The account has an authenticator app; returns its secret and the recovery codes."""
    session, entry = await signed_in(owner)
    secret = await owner.people.factors.begin_totp(session)
    session = await owner.sessions.find(entry.token)
    codes = await owner.people.factors.finish_totp(session, account, code_now(owner, secret))
    owner.rooms.clock.advance(60)
    return secret, codes


async def at_step(owner):
    """A session that owes its second factor."""
    entry = await owner.entrance.by_password(EMAIL, PASSWORD, HOME)
    assert entry.owes_factor and await owner.account(entry.token) is None
    return await owner.sessions.find(entry.token), replace(HOME, token=entry.token)


async def test_a_password_alone_signs_nobody_in(owner, ann):
    secret, codes = await with_totp(owner, ann)
    assert len(codes) == 10 and len({*codes}) == 10
    session, visit = await at_step(owner)
    with pytest.raises(Problem, match="code: wrong"):
        await owner.people.factors.by_code(session, "000000", visit)
    code = code_now(owner, secret)
    entry = await owner.people.factors.by_code(session, f" {code[:3]} {code[3:]} ", visit)
    assert await owner.account(entry.token) is ann
    assert await owner.sessions.find(visit.token) is None
    session, visit = await at_step(owner)
    with pytest.raises(Problem):  # the same code again
        await owner.people.factors.by_code(session, code, visit)


async def test_a_code_that_was_not_the_apps_adds_nothing(owner, ann):
    session, entry = await signed_in(owner)
    with pytest.raises(Problem):
        await owner.people.factors.finish_totp(session, ann, "123456")
    await owner.people.factors.begin_totp(session)
    session = await owner.sessions.find(entry.token)
    with pytest.raises(Problem):
        await owner.people.factors.finish_totp(session, ann, "12345")
    assert await owner.people.factors.listing(ann) == []


async def test_one_code_used_at_once_by_many_signs_one_in(owner, ann):
    secret, _ = await with_totp(owner, ann)
    steps = [await at_step(owner) for _ in range(5)]
    code = code_now(owner, secret)
    results = await asyncio.gather(
        *(owner.people.factors.by_code(session, code, visit) for session, visit in steps),
        return_exceptions=True,
    )
    assert sum(not isinstance(each, Problem) for each in results) == 1


async def test_a_recovery_code_works_once(owner, ann):
    _, codes = await with_totp(owner, ann)
    session, visit = await at_step(owner)
    await owner.people.factors.by_code(session, codes[0].upper().replace("-", " "), visit)
    assert await owner.people.factors.codes_left(ann) == 9
    session, visit = await at_step(owner)
    with pytest.raises(Problem):
        await owner.people.factors.by_code(session, codes[0], visit)
    fresh = await owner.people.factors.renew_codes(ann)
    with pytest.raises(Problem):
        await owner.people.factors.by_code(session, codes[1], visit)
    await owner.people.factors.by_code(session, fresh[0], visit)


async def test_codes_cannot_be_guessed(owner, ann):
    await with_totp(owner, ann)
    session, visit = await at_step(owner)
    for _ in range(10):
        with pytest.raises(Problem):
            await owner.people.factors.by_code(session, "000000", visit)
    with pytest.raises(TooManyAttempts):
        await owner.people.factors.by_code(session, "000000", visit)


async def test_the_step_ends_after_a_quarter_of_an_hour(owner, ann):
    await with_totp(owner, ann)
    _, visit = await at_step(owner)
    owner.rooms.clock.advance(15 * 60)
    assert await owner.sessions.find(visit.token) is None


async def test_no_secret_or_code_is_stored_in_plain(owner, ann):
    secret, codes = await with_totp(owner, ann)
    await owner.rooms.close()
    for path in owner.rooms.folder.iterdir():
        content = path.read_bytes()
        for canary in (secret, base64.b32decode(secret).hex(), *codes):
            assert canary.encode() not in content
    await owner.rooms.open()


async def test_removing_the_last_factor_takes_the_codes_along(owner, ann):
    await with_totp(owner, ann)
    other = await owner.rooms.accounts.create("other@example.com")
    [factor] = await owner.people.factors.listing(ann)
    assert not await owner.people.factors.remove(other, factor.id)
    assert await owner.people.factors.remove(ann, factor.id)
    assert await owner.people.factors.codes_left(ann) == 0
    assert not (await owner.entrance.by_password(EMAIL, PASSWORD, HOME)).owes_factor
    kinds = [letter.kind for letter in await owner.letters()]
    assert kinds.count("factor_changed") == 2


# --- passkeys -----------------------------------------------------------------------------------


async def with_passkey(owner, account, key=None):
    session, _ = await signed_in(owner)
    key = key or Authenticator(SITE.origin)
    options = owner.people.factors.passkey_options(session, account, SITE, [])
    await owner.people.factors.add_passkey(session, account, SITE, key.create(options), "phone")
    return key


async def test_a_passkey_signs_in(owner, ann):
    key = await with_passkey(owner, ann)
    session, visit = await at_step(owner)
    options = await owner.people.factors.assertion_options(session, SITE)
    entry = await owner.people.factors.by_passkey(session, SITE, key.get(options), visit)
    assert await owner.account(entry.token) is ann
    [factor] = await owner.people.factors.listing(ann)
    assert (factor.kind, factor.name) == ("passkey", "phone") and factor.used_us is not None


async def test_an_answer_is_good_for_its_own_question_only(owner, ann):
    key = await with_passkey(owner, ann)
    session, visit = await at_step(owner)
    options = await owner.people.factors.assertion_options(session, SITE)
    old = key.get(options)
    await owner.people.factors.by_passkey(session, SITE, old, visit)
    session, visit = await at_step(owner)
    options = await owner.people.factors.assertion_options(session, SITE)
    asked = json.loads(options)
    elsewhere = Authenticator("https://evil.example")
    elsewhere.id, elsewhere.key, elsewhere.counter = key.id, key.key, 50
    forged = Authenticator(SITE.origin)
    forged.id = key.id
    stale = Authenticator(SITE.origin)
    stale.id, stale.key = key.id, key.key  # a copy whose counter lags behind
    for answer in (
        old,
        elsewhere.get(options),
        forged.get(options),
        stale.get(options),
        Authenticator(SITE.origin).get(options),
        key.get(json.dumps(asked | {"rpId": "evil.example"})),
        "",
        "{}",
        "[]",
        "null",
        "x" * 20_000,
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}',
    ):
        with pytest.raises((Problem, TooManyAttempts)):
            await owner.people.factors.by_passkey(session, SITE, answer, visit)
        owner.rooms.clock.advance(80)  # spaced out, so that none is refused for its number
        session = replace(session)


async def test_a_passkey_belongs_to_one_account_once(owner, ann):
    key = await with_passkey(owner, ann)
    await owner.people.factors.remove(ann, (await owner.people.factors.listing(ann))[0].id)
    await with_passkey(owner, ann, key)
    session, visit = await at_step(owner)
    entry = await owner.people.factors.by_passkey(
        session, SITE, key.get(await owner.people.factors.assertion_options(session, SITE)), visit
    )
    session = await owner.sessions.find(entry.token)
    options = owner.people.factors.passkey_options(session, ann, SITE, [])
    with pytest.raises(Problem):
        await owner.people.factors.add_passkey(session, ann, SITE, key.create(options), "again")
    for name in ("x" * 61, "a\nb"):
        with pytest.raises(Problem):
            await owner.people.factors.add_passkey(
                session, ann, SITE, Authenticator(SITE.origin).create(options), name
            )
