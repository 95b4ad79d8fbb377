"""Gemini's lists of tokens by modality: each priced apart, and none counted twice."""

import json
from typing import Any

import pytest

from gateway.platform.metering.modal import ModalTokens, apart, read_gemini
from gateway.platform.metering.reports import read_report

REPORT: dict[str, Any] = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 30,
    "candidatesTokenCount": 50,
    "thoughtsTokenCount": 7,
    "toolUsePromptTokenCount": 3,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 40},
        {"modality": "AUDIO", "tokenCount": 45},
        {"modality": "VIDEO", "tokenCount": 15},
    ],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}, {"modality": "TEXT"}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 45}],
}
UNITS = ("audio_input", "audio_cache_read", "image_output")


def test_each_modality_is_found() -> None:
    assert read_gemini(REPORT) == ModalTokens((48, 25, 0), (10, 20, 0), (12, 0, 45))


def test_what_has_a_price_is_taken_out_of_the_text() -> None:
    raw = json.dumps(REPORT).encode()
    report = read_report("gemini", raw)
    assert report is not None
    usage = apart(report.usage, raw, UNITS, 10**6, gemini=True)
    assert dict(usage.units) == {"audio_input": 25, "audio_cache_read": 20, "image_output": 45}
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning) == (48, 10, 12, 7)
    whole = usage.input + usage.cache_read + 25 + 20
    assert whole == report.input_total and usage.output + 45 == report.output_total
    assert apart(report.usage, raw, ("character",), 10**6, gemini=True) == report.usage


@pytest.mark.parametrize(
    "details",
    [
        [{"modality": "AUDIO", "tokenCount": 101}],
        [{"modality": "AUDIO", "tokenCount": -1}],
        [{"modality": "AUDIO", "tokenCount": 1.5}],
        ["AUDIO"],
    ],
)
def test_details_that_make_no_sense_leave_the_usage_as_it_was(details: Any) -> None:
    raw = json.dumps({**REPORT, "promptTokensDetails": details}).encode()
    report = read_report("gemini", raw)
    assert report is not None
    assert apart(report.usage, raw, UNITS, 10**6, gemini=True) == report.usage
