"""The Date line says what the library says of the same second, whichever was asked for before."""

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.dates import DateLine

MOMENTS = st.integers(0, 253_402_300_799)  # to the last second of the year 9999
STEPS = st.lists(st.one_of(st.integers(0, 130), st.integers(-70, -1)), max_size=20)


@given(MOMENTS, STEPS)
def test_a_line_is_the_moments_own(now_s: int, steps: list[int]) -> None:
    line = DateLine()
    for step in (0, *steps):
        now_s = min(max(0, now_s + step), 253_402_300_799)
        assert line.at(now_s) == f"Date: {formatdate(now_s, usegmt=True)}\r\n".encode()
