"""The most that pictures, documents and sound may cost, against published examples and figures."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.platform.metering.files import audio_bound, document_bound, image_bound
from gateway.platform.metering.pictures import size_px

# What was measured of pictures of ten sizes sent to five models of 2026, their question of at most
# 80 tokens included (data set "image-token-cost" on Hugging Face; Claude 5.5 and Haiku 4.5, Gemini
# 3, GPT-6 and GPT-5.5 with `detail: auto`).
MEASURED = [
    ((256, 256), 177, 165, 1090, 77, 77),
    ((512, 512), 438, 426, 1090, 308, 308),
    ((768, 768), 861, 849, 1090, 692, 692),
    ((1024, 1024), 1446, 1434, 1090, 1229, 1229),
    ((1280, 720), 1273, 1261, 1101, 1104, 1104),
    ((1920, 1080), 2768, 1625, 1101, 2448, 2448),
    ((1080, 1920), 2768, 1625, 1101, 2448, 2448),
    ((2560, 1440), 3069, 1657, 1101, 4320, 4320),
    ((3840, 2160), 3069, 1657, 1101, 9792, 9792),
    ((4032, 3024), 4005, 1661, 1065, 14364, 11868),
]
NAMED = (
    "us.anthropic.claude-opus-5-5-v1:0",
    "claude-haiku-4-5",
    "gemini-3.1-pro",
    "gpt-6-astra",
    "openai/gpt-5.5",
)
MODELS = (*NAMED, "gpt-4o", "gpt-4o-mini", "gpt-5-mini", "gemini-2.5-flash", "qwen3-vl", "o3")


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: "{}x{}".format(*row[0]))
def test_no_measured_picture_costs_more(
    row: tuple[tuple[int, int], int, int, int, int, int],
) -> None:
    size, *measured = row
    for model, tokens in zip(NAMED, measured, strict=True):
        assert tokens - 80 <= image_bound(model, size) <= max(3 * tokens, 2_240)


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),  # guide "Images and vision", its examples
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4.1-mini", (1024, 1024), "auto", 1659),
        ("gemini-2.5-flash", (384, 384), "auto", 258),  # guide "Understand and count tokens"
        ("claude-3-7-sonnet", (200, 200), "auto", 64),  # guide "Vision": about 54, in patches 64
        ("claude-3-7-sonnet", (1092, 1092), "auto", 1590),  # and about 1,590
    ],
)
def test_published_examples(model: str, size: tuple[int, int], detail: str, tokens: int) -> None:
    assert image_bound(model, size, detail) == tokens


@given(st.sampled_from(MODELS), st.integers(1, 6_000), st.integers(1, 6_000))
@example("gemini-2.5-flash", 3_073, 3_073)
@example("gemini-2.5-flash", 3_841, 3_073)
def test_an_unknown_size_costs_no_less_than_a_known_one(
    model: str, width: int, height: int
) -> None:
    if model.startswith("gemini-2") and width * height > 12_000_000:
        return
    narrow = max(width, height) > 4 * min(width, height)
    if not (model.startswith("gemini-2") and narrow):
        assert image_bound(model, None) >= image_bound(model, (width, height))


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack("!II", width, height) + b"\x08\x02"


def jpeg(width: int, height: int) -> bytes:
    exif = b"\xff\xe1" + struct.pack("!H", 40_000) + b"\xff\xc0" * 19_999
    frame = b"\xff\xc2" + struct.pack("!HBHH", 17, 8, height, width)
    return b"\xff\xd8" + exif + b"\xff\xff\xdb" + struct.pack("!H", 4) + b"\0\0" + frame


def webp(kind: bytes, width: int, height: int) -> bytes:
    body = {
        b"VP8X": b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14),
        b"VP8 ": b"\0" * 3 + b"\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }[kind]
    return b"RIFF\0\0\0\0WEBP" + kind + b"\0\0\0\0" + body


@given(st.integers(1, 16_000), st.integers(1, 16_000))
def test_sizes_are_read_from_the_headers(width: int, height: int) -> None:
    files = [png(width, height), jpeg(width, height), b"GIF89a" + struct.pack("<HH", width, height)]
    files += [webp(kind, width, height) for kind in (b"VP8X", b"VP8L", b"VP8 ")]
    for file in files:
        assert size_px(file) == (width, height)
        assert size_px(file[: len(file) // 2]) is None


@given(
    st.binary(max_size=64), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"])
)
def test_nothing_breaks_the_reader(data: bytes, start: bytes) -> None:
    found = size_px(start + data)
    assert found is None or min(found) > 0


def test_documents_by_their_pages_or_not_at_all() -> None:
    pages = b"%PDF-1.7\n" + b"<</Type /Page>>\n" * 3 + b"<< /Type /Pages /Count 3 >>"
    assert document_bound("gemini-3-pro", pages, "application/pdf") == 3 * 1_120
    claude = document_bound("claude-opus-5", pages, "application/pdf")
    assert claude is not None and claude >= 3 * 2_481  # the dearest page measured
    assert document_bound("gpt-5", b"%PDF-1.7 packed", "application/pdf") is None
    assert document_bound("gpt-5", None, "application/pdf") is None
    assert document_bound("gpt-5", b"PK", "application/msword") is None
    assert document_bound("gpt-5", "é".encode() * 50, "text/plain") == 100


def test_sound_by_the_second() -> None:
    assert audio_bound("gpt-audio", 60_000) == 616
    assert audio_bound("gemini-3-flash", 60_000) == 1_936
