"""Usage reports of Anthropic and Gemini: one schema, nothing twice, absent apart from zero."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.platform.metering.reports import CACHE_WRITE_1H, read_report
from gateway.platform.metering.usage import Report, Usage


def report(dialect: str, last: Any, start: Any = None, limit: int = 10**6) -> Report | None:
    def raw(value: Any) -> bytes | None:
        return None if value is None else json.dumps(value).encode()

    return read_report(dialect, raw(last), raw(start), limit)


START = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 5,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "output_tokens": 1,
}


def test_the_last_value_of_each_field_wins_and_nothing_is_summed() -> None:
    found = report("anthropic", {"output_tokens": 7}, START)
    units = ((CACHE_WRITE_1H, 10),)
    assert found == Report(Usage(10, 5, 20, 7, 0, units), 45, 7, False, True)
    again = report("anthropic", {**START, "output_tokens": 9}, START)
    assert again is not None and again.usage == Usage(10, 5, 20, 9, 0, units)
    late = report("anthropic", {"cache_read_input_tokens": 6, "output_tokens": None}, START)
    assert late is not None and late.usage == Usage(10, 6, 20, 1, 0, units)


def test_an_input_told_anew_replaces_the_whole_input() -> None:
    start = {"input_tokens": 1000, "output_tokens": 0}
    last = {"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 4}
    found = report("anthropic", last, start)
    assert found == Report(Usage(100, 900, 0, 4), 1000, 4, False, True)
    other = report("anthropic", {"input_tokens": 7, "output_tokens": 1}, START)
    assert other == Report(Usage(7, 0, 0, 1), 7, 1, False, True)
    same = {"input_tokens": 10, "cache_creation_input_tokens": 30, "output_tokens": 1}
    kept = report("anthropic", same, START)
    assert kept is not None and kept.usage == Usage(10, 0, 20, 1, 0, ((CACHE_WRITE_1H, 10),))


def test_the_placeholder_of_a_stream_that_was_cut_is_no_count() -> None:
    found = report("anthropic", None, START)
    assert found is not None and found.sane
    assert (found.input_total, found.output_total, found.usage.output) == (45, None, 0)


def test_thinking_is_a_part_of_output() -> None:
    usage = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    found = report("anthropic", {**usage, "input_tokens": 1})
    assert found is not None and found.usage == Usage(1, 0, 0, 9, 4)


def test_gemini_counts_thoughts_beside_the_answer_and_the_cache_inside_the_prompt() -> None:
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 5,
        "toolUsePromptTokenCount": 3,
        "totalTokenCount": 128,
    }
    found = report("gemini", usage)
    assert found == Report(Usage(63, 40, 0, 25, 5), 103, 25, False, True)
    first = report("gemini", {"promptTokenCount": 100, "totalTokenCount": 100})
    assert first is not None and (first.output_total, first.input_total) == (None, 100)
    zero = report("gemini", {"promptTokenCount": 100, "candidatesTokenCount": 0})
    assert zero is not None and zero.output_total == 0
    clamped = report("gemini", {"promptTokenCount": 1, "cachedContentTokenCount": 2})
    assert clamped is not None and clamped.flagged and clamped.usage.input == 0


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
@pytest.mark.parametrize("bad", [-1, 1.5, "9", True, 10**30, 10**7, [1], {}])
def test_an_absurd_number_makes_the_report_insane(dialect: str, bad: Any) -> None:
    names = {"anthropic": ("input_tokens", "output_tokens"), "gemini": ("promptTokenCount",) * 2}
    first, second = names[dialect]
    found = report(dialect, {second: 1, first: bad})
    assert found is not None and not found.sane and found.usage == Usage()


def test_tokens_that_are_each_sane_may_not_be_too_many_together() -> None:
    found = report("anthropic", {"input_tokens": 9, "cache_read_input_tokens": 9}, limit=10)
    assert found is not None and not found.sane and found.input_total == 18


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"{}", b"null", b'{"x":1}'])
@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_what_is_no_report_is_none(dialect: str, raw: bytes) -> None:
    assert read_report(dialect, raw) is None


numbers = st.none() | st.integers(-5, 2000) | st.floats() | st.text(max_size=3)
objects = st.dictionaries(
    st.sampled_from([*START, "promptTokenCount", "cachedContentTokenCount", "thoughtsTokenCount"]),
    numbers | st.dictionaries(st.sampled_from([*START["cache_creation"]]), numbers),  # type: ignore[misc]
)


@given(st.sampled_from(["anthropic", "gemini"]), objects, st.none() | objects)
def test_no_report_gives_a_negative_or_absurd_usage(dialect: str, last: Any, start: Any) -> None:
    found = report(dialect, last, start, limit=1000)
    if found is None:
        return
    usage = found.usage
    assert min(usage[:5]) >= 0 and usage.reasoning <= usage.output
    assert usage.total_input + sum(count for _, count in usage.units) <= 1000
