"""The bucket: never more than the rate allows over any span, never less than it owes."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.limits.rate import MINUTE_NS, Bucket

SECOND_NS = 10**9
steps = st.lists(
    st.tuples(st.integers(0, 90 * SECOND_NS), st.integers(1, 50)), min_size=1, max_size=60
)


def granted(bucket: Bucket, asked: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(moment, units) of every request that fits; `asked` holds (nanoseconds since, units)."""
    now_ns, taken = 10**15, []
    for pause_ns, units in asked:
        now_ns += pause_ns
        if not bucket.excess(units, now_ns):
            bucket.take(units, now_ns)
            taken.append((now_ns, units))
    return taken


@given(st.integers(1, 1_000), steps)
def test_no_span_holds_more_than_a_burst_and_the_rate(limit: int, asked) -> None:
    taken = granted(Bucket(limit), asked)
    for first, (start_ns, _) in enumerate(taken):
        units = 0
        for end_ns, more in taken[first:]:
            units += more
            assert units <= limit + Fraction(limit * (end_ns - start_ns), MINUTE_NS)


@given(st.integers(1, 10_000), st.integers(0, 200))
def test_whoever_keeps_asking_gets_the_whole_rate(limit: int, seconds: int) -> None:
    bucket, taken, now_ns = Bucket(limit), 0, 0
    for now_ns in range(0, seconds * SECOND_NS + 1, SECOND_NS):
        while not bucket.excess(1, now_ns):
            bucket.take(1, now_ns)
            taken += 1
    assert taken == limit + limit * now_ns // MINUTE_NS


@given(st.integers(1, 100), steps)
def test_the_wait_is_exact(limit: int, asked) -> None:
    bucket = Bucket(limit)
    now_ns = 10**15 + sum(pause_ns for pause_ns, _ in asked)
    granted(bucket, asked)
    wait_ns = bucket.wait_ns(1, now_ns)
    assert not bucket.excess(1, now_ns + wait_ns)
    if wait_ns:
        assert bucket.excess(1, now_ns + wait_ns - 1)
    assert bucket.remaining(now_ns) == max(
        (n for n in range(1, limit + 1) if not bucket.excess(n, now_ns)), default=0
    )
    assert bucket.remaining(now_ns + bucket.reset_ns(now_ns)) == limit


@given(st.integers(1, 1_000), steps)
def test_what_is_given_back_at_once_was_never_taken(limit: int, asked) -> None:
    plain, undone, now_ns = Bucket(limit), Bucket(limit), 10**15
    for pause_ns, units in asked:
        now_ns += pause_ns
        undone.take(3, now_ns)
        undone.give_back(3)
        assert undone.debt(now_ns) == plain.debt(now_ns)
        if not plain.excess(units, now_ns):
            plain.take(units, now_ns)
            undone.take(units, now_ns)


@given(
    st.integers(10, 1_000),
    st.lists(
        st.tuples(
            st.integers(0, 30 * SECOND_NS),
            st.integers(1, 300),
            st.integers(0, 100),
            st.integers(0, 5),
        ),
        max_size=60,
    ),
)
def test_reserved_units_are_used_within_the_rate(limit: int, requests) -> None:
    """Requests reserve, run over some of the later ones' beginnings, and use a part."""
    bucket, now_ns = Bucket(limit), 10**15
    running: list[list[int]] = []
    used: list[tuple[int, int]] = []
    for pause_ns, units, percent, lasts in requests:
        now_ns += pause_ns
        for request in list(running):
            request[2] -= 1
            if request[2] < 0:
                running.remove(request)
                bucket.settle(request[0], request[1], now_ns)
                used.append((now_ns, request[1]))
        if not bucket.excess(units, now_ns):
            bucket.reserved += units
            running.append([units, units * percent // 100, lasts])
    for first, (start_ns, _) in enumerate(used):
        units = 0
        for end_ns, more in used[first:]:
            units += more
            assert units <= limit + Fraction(limit * (end_ns - start_ns), MINUTE_NS)
    for request in running:
        bucket.settle(request[0], request[1], now_ns)
    assert bucket.reserved == 0


@given(st.integers(1, 1_000), st.integers(1, 1_000), st.integers(1, 1_000))
def test_another_limit_keeps_what_was_counted(before: int, after: int, units: int) -> None:
    bucket = Bucket(before)
    bucket.take(units, 5)
    bucket.change_limit(after, 5)
    assert bucket.debt(5) == units * MINUTE_NS
    assert bucket.remaining(5) == max(after - units, 0)


@given(st.integers(1, 10**6), st.integers(0, 120 * SECOND_NS))
def test_a_restored_debt_ends_when_the_saved_one_would(limit: int, left_ns: int) -> None:
    bucket = Bucket(limit)
    bucket.restore(left_ns, 7)
    assert bucket.reset_ns(7) == left_ns
