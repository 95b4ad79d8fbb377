"""How long files play: what headers say, within what the size allows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.proxy.media.audio import HIGHEST_BYTES_PER_S, LOWEST_BYTES_PER_S, duration_ms
from tests.fakes.media import wav


@pytest.mark.parametrize("seconds", [1, 3, 60])
def test_a_wav_file_plays_as_long_as_it_says(seconds):
    assert duration_ms(memoryview(wav(seconds))) == seconds * 1000


def test_a_header_that_claims_too_little_is_raised():
    data = bytearray(wav(60))
    data[28:32] = (2**31).to_bytes(4, "little")  # bytes a second
    data[24:28] = (2**30).to_bytes(4, "little")  # samples a second
    found = duration_ms(memoryview(bytes(data)))
    assert found >= len(data) * 1000 // HIGHEST_BYTES_PER_S


def test_a_header_that_claims_too_much_is_cut():
    data = bytearray(wav(1))
    data[40:44] = b"\xff\xff\xff\xff"
    assert duration_ms(memoryview(bytes(data))) <= len(data) * 1000 // LOWEST_BYTES_PER_S + 1


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([b"", b"RIFF", b"ID3\x04", b"OggS", b"fLaC", b"\xff\xfb", b"....ftypM4A "]),
    st.binary(max_size=600),
)
def test_no_file_breaks_it(magic, data):
    file = memoryview(magic + data)
    found = duration_ms(file)
    size = len(file)
    assert -(-size * 1000 // HIGHEST_BYTES_PER_S) <= found <= -(-size * 1000 // LOWEST_BYTES_PER_S)
