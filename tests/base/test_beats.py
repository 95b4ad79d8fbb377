"""Periodic work is due at beats: never early by more than one, never late, never twice at once."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.base.beats import BEAT_S, next_beat_s

MOMENTS = st.floats(0, 1e7)


@given(MOMENTS, st.sampled_from([0.5, 1, 5, 600, 86_400]))
def test_the_next_beat_is_within_the_interval_and_later_than_now(now_s: float, s: float) -> None:
    due_s = next_beat_s(now_s, s)
    assert now_s < due_s <= now_s + s + 0.02 and due_s > now_s + s - BEAT_S
    assert due_s / BEAT_S == round(due_s / BEAT_S)


@given(MOMENTS, st.sampled_from([0.5, 1, 5]), st.lists(st.floats(-0.001, 0.2), max_size=20))
def test_a_timer_that_is_a_little_early_or_late_keeps_its_pace(
    now_s: float, s: float, jitter: list[float]
) -> None:
    first = due_s = next_beat_s(now_s, s)
    for late_s in jitter:
        due_s = next_beat_s(due_s + late_s, s)
    assert due_s == first + s * len(jitter)


def test_jobs_of_any_intervals_meet() -> None:
    assert next_beat_s(17.3, 0.5) == 17.5 and next_beat_s(17.3, 1) == 18.0
    assert next_beat_s(17.6, 0.5) == 18.0


@given(MOMENTS, st.floats(0.001, 0.499))
def test_shorter_intervals_have_no_beat(now_s: float, interval_s: float) -> None:
    assert next_beat_s(now_s, interval_s) == now_s + interval_s
