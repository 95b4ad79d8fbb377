import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.clock import ManualClock
from gateway.platform.keys.scope import Scope, listed_models, parse_scope, read_scope, write_scope
from gateway.platform.refusals import Refusal

NAMES = st.from_regex(r"[a-z][a-z0-9/.-]{0,20}\*?", fullmatch=True)
NETWORKS = st.one_of(
    st.ip_addresses().map(str),
    st.builds(lambda a, n: f"{a}/{n}", st.ip_addresses(v=4), st.integers(0, 32)),
)


@given(st.lists(NAMES, max_size=5), st.lists(NETWORKS, max_size=5))
def test_a_scope_is_stored_as_it_is(models, networks):
    scope = parse_scope(models, ["chat", "messages"], networks)
    assert read_scope(write_scope(scope)) == scope
    assert scope is not None and set(listed_models(scope)) == set(models)


def test_no_bounds_are_no_scope():
    assert parse_scope([" ", ""], [], [""]) is None
    assert write_scope(None) is None and read_scope(None) is None


def test_a_scope_admits_what_it_names_and_nothing_else():
    scope = parse_scope(["gpt-4o", "sandbox/*"], ["chat"], ["192.0.2.0/24", "2001:db8::/32"])
    assert scope is not None
    named = ("gpt-4o", "sandbox/echo", "gpt-4o-mini", "sandbox", "")
    assert [scope.admits_model(name) for name in named] == [True, True, False, False, False]
    assert scope.admits_endpoint("chat") and not scope.admits_endpoint("messages")
    inside = ("192.0.2.7", "2001:db8::1", "::ffff:192.0.2.9")
    outside = ("192.0.3.1", "2001:db9::1", "", "localhost", "::ffff:192.0.3.9")
    assert all(map(scope.admits_address, inside))
    assert not any(map(scope.admits_address, outside))
    assert Scope().admits_model("any") and Scope().admits_address("")


@pytest.mark.parametrize(
    "parts",
    [
        (["a b"], [], []),
        (["a*b"], [], []),
        (["m" * 300], [], []),
        ([f"m{n}" for n in range(51)], [], []),
        ([], ["CHAT!"], []),
        ([], [], ["example.com"]),
        ([], [], ["10.0.0.0/33"]),
    ],
)
def test_what_makes_no_sense_is_refused(parts):
    with pytest.raises(Refusal):
        parse_scope(*parts)


async def test_bounds_survive_a_restart_and_change_at_once(rooms):
    account = await rooms.accounts.create("a@b.c")
    scope = parse_scope(["m"], [], ["10.0.0.0/8"])
    issued = await rooms.keys.issue(account, "bound", scope=scope)
    assert rooms.keys.ring.find(issued.text).scope == scope
    await rooms.reopen()
    assert rooms.keys.ring.find(issued.text).scope == scope
    row = await rooms.keys.named(issued.id)
    await rooms.keys.change(row, name="free", scope=None, expires_us=None)
    assert rooms.keys.ring.find(issued.text).scope is None
    assert (await rooms.keys.named(issued.id)).name == "free"
    await rooms.keys.revoke(row.id)
    with pytest.raises(Refusal):
        await rooms.keys.change(
            await rooms.keys.named(row.id), name="x", scope=None, expires_us=None
        )
    assert rooms.keys.ring.find(issued.text) is None


async def test_a_rotated_key_works_on_for_its_grace_and_no_longer(rooms):
    account = await rooms.accounts.create("a@b.c")
    scope = parse_scope(["m"])
    old = await rooms.keys.issue(account, "k", scope=scope)
    row = await rooms.keys.named(old.id)
    grace_us = 3_600_000_000
    new = await rooms.keys.rotate(row, grace_us)
    assert (new.name, new.key.scope) == ("k", scope) and new.text != old.text
    end_us = rooms.clock.now_us() + grace_us
    assert rooms.keys.ring.find(old.text).expires_us == end_us
    again = await rooms.keys.named(old.id)
    assert (again.expires_us, again.ended_by, again.revoked_us) == (end_us, "rotated", None)
    with pytest.raises(Refusal):
        await rooms.keys.rotate(again, grace_us)
    last = await rooms.keys.rotate(await rooms.keys.named(new.id), 0)
    assert rooms.keys.ring.find(new.text) is None
    assert rooms.keys.ring.find(last.text) is not None
    assert (await rooms.keys.named(new.id)).ended_by == "rotated"


async def test_a_rotation_never_lengthens_a_life(rooms):
    account = await rooms.accounts.create("a@b.c")
    end_us = rooms.clock.now_us() + 5_000_000
    old = await rooms.keys.issue(account, "k", expires_us=end_us)
    new = await rooms.keys.rotate(await rooms.keys.named(old.id), 3_600_000_000)
    assert old.key.expires_us == new.key.expires_us == end_us
    assert isinstance(rooms.clock, ManualClock)
    with pytest.raises(Refusal):
        await rooms.keys.rotate(await rooms.keys.named(new.id), 10**15)
