import base64
import hmac
import os
import re
import tracemalloc
from array import array
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from gateway.platform.accounts import Account
from gateway.platform.keys import KEY_PREFIX, Key, KeyRing, Recall, Scope, new_key_text
from gateway.platform.keys.packed import PackedKeys
from gateway.platform.refusals import Refusal
from gateway.store.schema.keys import api_keys


@given(st.binary(min_size=32, max_size=32))
def test_a_key_carries_all_its_bits(random):
    text = new_key_text(lambda _: random)
    assert re.fullmatch(r"sk-tg-[0-9A-Za-z]{43}", text)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value = 0
    for character in reversed(text.removeprefix(KEY_PREFIX)):
        value = value * 62 + digits.index(character)
    assert value.to_bytes(32) == random


async def test_an_issued_key_is_found_by_text_or_bytes_and_after_a_restart(rooms):
    account = await rooms.accounts.create("a@b.c")
    issued = await rooms.keys.issue(account, "laptop", expires_us=5)
    for token in (issued.text, issued.text.encode()):
        key = rooms.keys.ring.find(token)
        assert key is issued.key
    assert (issued.name, issued.prefix) == ("laptop", issued.text[:12])
    assert (key.account, key.expires_us, key.revoked) == (account, 5, False)
    await rooms.reopen()
    again = rooms.keys.ring.find(issued.text)
    assert again is rooms.keys.ring.find(issued.text)
    assert (again.no, again.expires_us, again.digest) == (key.no, 5, key.digest)
    assert again.account is rooms.accounts.named("a@b.c")


async def test_only_the_whole_key_opens(rooms):
    issued = await rooms.keys.issue(await rooms.accounts.create("a@b.c"), "k")
    text = issued.text
    wrong = [text[:n] for n in range(len(text))]
    wrong += [text + "x", text.upper(), text.replace("sk-", "SK-"), " " + text, "", "\ud800" * 9]
    wrong += [text[:i] + chr(ord(text[i]) ^ 1) + text[i + 1 :] for i in range(len(text))]
    wrong += ["x" * 10_000, text * 5]
    assert [token for token in wrong if rooms.keys.ring.find(token) is not None] == []


async def test_a_revoked_key_is_gone_at_once_and_for_good(rooms):
    account = await rooms.accounts.create("a@b.c")
    issued = await rooms.keys.issue(account, "k")
    assert await rooms.keys.revoke(issued.id) == issued.id
    assert rooms.keys.ring.find(issued.text) is None
    assert issued.key.revoked  # running requests hold this record
    assert await rooms.keys.revoke(issued.id) == issued.id
    await rooms.reopen()
    assert rooms.keys.ring.find(issued.text) is None
    assert [row.revoked_us for row in await rooms.keys.listing()] == [rooms.clock.now_us()]


async def test_what_a_connection_showed_names_the_same_key_until_that_changes(rooms):
    account = await rooms.accounts.create("a@b.c")
    issued = await rooms.keys.issue(account, "k")
    ring, recall, shown = rooms.keys.ring, Recall(), f"Bearer {issued.text}"
    assert recall.key_of(ring, shown) is None and recall.key_of(ring, "") is None
    recall.keep(shown, issued.key)
    assert recall.key_of(ring, shown) is issued.key
    for other in (shown[:-1], shown + "x", shown.lower(), issued.text, "", "Bearer \xe9"):
        assert recall.key_of(ring, other) is None
    # The same text names another record now.
    changed = Key(issued.key.no, account, issued.key.digest, 5)
    ring.add(changed)
    assert recall.key_of(ring, shown) is None
    recall.keep(shown, changed)
    await rooms.keys.revoke(issued.id)
    assert recall.key_of(ring, shown) is None
    recall.keep(shown, changed)
    recall.forget()
    ring.add(changed)
    assert recall.key_of(ring, shown) is None and recall.key_of(ring, "") is None


async def test_a_key_is_revoked_by_prefix_or_by_name_within_its_account(rooms):
    ann = await rooms.accounts.create("ann@b.c")
    bob = await rooms.accounts.create("bob@b.c")
    first, second = await rooms.keys.issue(ann, "k"), await rooms.keys.issue(bob, "k")
    with pytest.raises(Refusal, match="no key 'k'"):
        await rooms.keys.revoke("k")
    assert await rooms.keys.revoke("k", ann) == first.id
    with pytest.raises(Refusal, match="no key"):
        await rooms.keys.revoke(second.id, ann)
    assert await rooms.keys.revoke(second.prefix) == second.id


async def test_an_ambiguous_name_revokes_nothing(rooms):
    ann = await rooms.accounts.create("ann@b.c")
    issued = [await rooms.keys.issue(ann, "k") for _ in range(2)]
    with pytest.raises(Refusal, match="2 keys match"):
        await rooms.keys.revoke("k", ann)
    assert all(rooms.keys.ring.find(each.text) for each in issued)
    await rooms.keys.revoke(issued[0].id)
    assert await rooms.keys.revoke("k", ann) == issued[1].id


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x00b"])
async def test_a_bad_name_makes_no_key(rooms, name):
    with pytest.raises(Refusal, match="printable"):
        await rooms.keys.issue(await rooms.accounts.create("a@b.c"), name)
    assert len(rooms.keys.ring) == 0


async def test_listing_is_newest_first_and_bounded(rooms):
    ann, bob = await rooms.accounts.create("ann@b.c"), await rooms.accounts.create("bob@b.c")
    for index in range(3):
        await rooms.keys.issue(ann, f"ann {index}")
    await rooms.keys.issue(bob, "bob")
    assert [row.name for row in await rooms.keys.listing(ann)] == ["ann 2", "ann 1", "ann 0"]
    assert [row.name for row in await rooms.keys.listing(limit=2)] == ["bob", "ann 2"]


async def test_no_key_is_in_the_data_folder_in_any_form(rooms):
    account = await rooms.accounts.create("a@b.c")
    keys = [(await rooms.keys.issue(account, f"k{index}")).text for index in range(20)]
    await rooms.close()
    stored = b"".join(path.read_bytes() for path in rooms.folder.iterdir())
    for text in keys:
        hidden = text[12:]
        forms = [hidden[i : i + 8] for i in range(len(hidden) - 7)]
        forms += [text.encode().hex(), base64.b64encode(text.encode()).decode(), quote(text)]
        assert [form for form in forms if form.encode() in stored] == []
    await rooms.open()


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=256))
def test_the_ring_looks_up_the_hmac_of_the_whole_key(pepper, token):
    ring = KeyRing(pepper)
    digest = hmac.digest(pepper, token, "sha256")
    key = Key(1, None, digest, None)
    ring.add(key)
    assert ring.find(token) is key


def test_two_peppers_find_different_keys():
    assert KeyRing(b"a").find("sk-tg-x") is KeyRing(b"b").find("sk-tg-x") is None


async def test_repr_shows_no_key(rooms):
    issued = await rooms.keys.issue(await rooms.accounts.create("a@b.c"), "k")
    assert issued.text not in repr(issued) + repr(issued.key) + str(issued)


def test_a_million_keys_fit_in_400_mebibytes():
    """Measured over 20,000, all of them used; what they hold besides is shared."""
    account = Account(1, "acc_1", "a@b.c", "member", "active", 0)
    ring = KeyRing(b"p")
    number = 20_000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for no in range(1_000_000, 1_000_000 + number):
            ring.add(Key(no, account, os.urandom(32), None))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(ring) == number
    assert used / number * 1_000_000 < 400 * 2**20


SCOPE = Scope(models=frozenset({"m"}))


@pytest.mark.parametrize("gaps", [False, True])
async def test_every_stored_key_is_found_after_a_restart_and_no_other(rooms, gaps):
    """Those with an end, bounds or cached answers among them; revoked ones and gaps beside."""
    ann, bob = await rooms.accounts.create("ann@b.c"), await rooms.accounts.create("bob@b.c")
    made = [await rooms.keys.issue((ann, bob)[n % 3 == 0], f"k{n}") for n in range(60)]
    made += [
        await rooms.keys.issue(bob, "dated", expires_us=7),
        await rooms.keys.issue(ann, "bound", scope=SCOPE),
        await rooms.keys.issue(ann, "cached", cache_ttl_s=9),
    ]
    for issued in made[::7]:
        await rooms.keys.revoke(issued.id)
    if gaps:
        numbers = [issued.key.no for issued in made[::5]]
        await rooms.database.write(
            lambda c: c.execute(delete(api_keys).where(api_keys.c.no.in_(numbers)))
        )
    await rooms.reopen()
    gone = {id(issued) for issued in (*made[::7], *(made[::5] if gaps else ()))}
    ring = rooms.keys.ring
    assert len(ring) == len(made) - len(gone)
    for issued in made:
        found, key = ring.find(issued.text), issued.key
        if id(issued) in gone:
            assert found is None
            continue
        assert (found.no, found.account.id) == (key.no, key.account.id)
        assert (found.expires_us, found.cache_ttl_s) == (key.expires_us, key.cache_ttl_s)
        assert found.scope == key.scope and found.digest == key.digest
    assert len(ring) == len(made) - len(gone)
    last = next(issued for issued in made if id(issued) not in gone)
    held = ring.find(last.text)
    await rooms.keys.revoke(last.id)
    assert held.revoked and ring.find(last.text) is None
    assert len(ring) == len(made) - len(gone) - 1
    assert all(ring.find(new_key_text()) is None for _ in range(200))


DIGESTS = st.binary(min_size=32, max_size=32)


@given(st.sets(DIGESTS, max_size=40), DIGESTS)
def test_packed_keys_are_looked_up_like_a_dictionary(digests, other):
    ordered = sorted(digests)
    numbers = array("q", range(1, len(ordered) + 1))
    packed = PackedKeys(b"".join(ordered), numbers, numbers, {}, set(), lambda no: no)
    known = dict(zip(ordered, numbers, strict=True))
    for digest in (*ordered, other, bytes(32), b"\xff" * 32):
        assert packed.number(digest) == known.get(digest, 0)
    if len(ordered) > 1:
        with pytest.raises(ValueError, match="order"):
            PackedKeys(b"".join(ordered[::-1]), numbers, numbers, {}, set(), lambda no: no)
