import base64
import hmac
import os
import re
import tracemalloc
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.accounts import Account
from gateway.platform.keys import KEY_PREFIX, Key, KeyRing, new_key_text
from gateway.platform.refusals import Refusal


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
    assert (key.name, key.prefix, key.account, key.expires_us, key.revoked) == (
        "laptop",
        issued.text[:12],
        account,
        5,
        False,
    )
    await rooms.reopen()
    again = rooms.keys.ring.find(issued.text)
    assert (again.no, again.id, again.name, again.prefix) == (key.no, key.id, "laptop", key.prefix)
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
    assert await rooms.keys.revoke(issued.key.id) == issued.key.id
    assert rooms.keys.ring.find(issued.text) is None
    assert issued.key.revoked  # running requests hold this record
    assert await rooms.keys.revoke(issued.key.id) == issued.key.id
    await rooms.reopen()
    assert rooms.keys.ring.find(issued.text) is None
    assert [row.revoked_us for row in await rooms.keys.listing()] == [rooms.clock.now_us()]


async def test_a_key_is_revoked_by_prefix_or_by_name_within_its_account(rooms):
    ann = await rooms.accounts.create("ann@b.c")
    bob = await rooms.accounts.create("bob@b.c")
    first, second = await rooms.keys.issue(ann, "k"), await rooms.keys.issue(bob, "k")
    with pytest.raises(Refusal, match="no key 'k'"):
        await rooms.keys.revoke("k")
    assert await rooms.keys.revoke("k", ann) == first.key.id
    with pytest.raises(Refusal, match="no key"):
        await rooms.keys.revoke(second.key.id, ann)
    assert await rooms.keys.revoke(second.key.prefix) == second.key.id


async def test_an_ambiguous_name_revokes_nothing(rooms):
    ann = await rooms.accounts.create("ann@b.c")
    issued = [await rooms.keys.issue(ann, "k") for _ in range(2)]
    with pytest.raises(Refusal, match="2 keys match"):
        await rooms.keys.revoke("k", ann)
    assert all(rooms.keys.ring.find(each.text) for each in issued)
    await rooms.keys.revoke(issued[0].key.id)
    assert await rooms.keys.revoke("k", ann) == issued[1].key.id


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
    key = Key(1, "key_1", None, "sk-tg-", "k", digest, None)
    ring.add(key)
    assert ring.find(token) is key


def test_two_peppers_find_different_keys():
    assert KeyRing(b"a").find("sk-tg-x") is KeyRing(b"b").find("sk-tg-x") is None


async def test_repr_shows_no_key(rooms):
    issued = await rooms.keys.issue(await rooms.accounts.create("a@b.c"), "k")
    assert issued.text not in repr(issued) + repr(issued.key) + str(issued)


def test_a_million_keys_fit_in_400_mebibytes():
    """Measured over 20,000, with texts as long as real ones; what they hold besides is shared."""
    account = Account(1, "acc_1", "a@b.c", "member", "active", 0)
    ring = KeyRing(b"p")
    number = 20_000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for no in range(1_000_000, 1_000_000 + number):
            id = f"key_{no:028x}"
            ring.add(Key(no, id, account, f"sk-tg-{no:06x}", f"key {no}", os.urandom(32), None))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(ring) == number
    assert used / number * 1_000_000 < 400 * 2**20
