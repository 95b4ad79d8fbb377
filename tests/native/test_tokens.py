"""The compiled counter: equal to the reference tokenizers at any cutting, whatever the data."""

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._native import tokens
from tests.native.compare_tokens import compare
from tests.native.references import encoding, reference, vocabulary
from tests.native.texts import SENTENCES, TELLING

NAMES = tokens.vocabularies()
OFFICIAL = ["cl100k_base", "o200k_base"]
TEXT = st.lists(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(TELLING)), max_size=200
).map("".join)


@pytest.mark.parametrize("name", NAMES)
def test_random_texts_count_as_the_reference_at_any_cutting(name: str) -> None:
    assert compare(name, 2500 if name in OFFICIAL else 800, seed=11) == 0


@pytest.mark.parametrize("name", OFFICIAL)
@given(text=TEXT, cuts=st.lists(st.integers(1, 40), max_size=20))
@settings(max_examples=300, deadline=None)
def test_equal_to_tiktoken(name: str, text: str, cuts: list[int]) -> None:
    expected, data = len(encoding(name).encode_ordinary(text)), text.encode()
    counter, at = tokens.Counter(name), 0
    for cut in cuts:
        counter.feed(data[at : at + cut])
        at += cut
    counter.feed(data[at:])
    assert counter.count <= expected
    assert counter.finish() == expected
    assert tokens.count(text, name) == expected


@pytest.mark.parametrize("name", OFFICIAL)
@given(data=st.binary(max_size=300), cut=st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_no_utf8_count_as_replaced(name: str, data: bytes, cut: int) -> None:
    expected = len(encoding(name).encode_ordinary(data.decode("utf-8", "replace")))
    counter = tokens.Counter(name)
    for at in range(0, len(data), cut):
        counter.feed(data[at : at + cut])
    assert counter.finish() == expected
    assert tokens.count(data, name) == expected


@given(text=st.text(st.characters(), max_size=40), cut=st.integers(1, 5))
@settings(max_examples=300, deadline=None)
def test_surrogates_pair_across_feeds_and_lone_ones_are_replaced(text: str, cut: int) -> None:
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    expected = len(encoding("o200k_base").encode_ordinary(whole))
    counter = tokens.Counter("o200k_base")
    for at in range(0, len(text), cut):
        counter.feed(text[at : at + cut])
    assert counter.finish() == expected


def test_a_lone_half_before_bytes_and_at_the_end() -> None:
    counter = tokens.Counter("o200k_base")
    counter.feed("a\ud83d")
    counter.feed(b"b")
    counter.feed("\ud83d")
    assert counter.finish() == tokens.count("a\ufffdb\ufffd", "o200k_base")


RUNS = {
    "letters": "a" * 5000,
    "wide letters": "魑魅饕餮" * 700,
    "equal signs": "=" * 5000,
    "spaces": " " * 5000 + "x",
    "newline, then spaces": "\n" + " " * 5000 + "x",
    "newline, spaces, end": "\n" + " " * 5000,
    "newline, spaces, newline": "x\n" + " " * 3000 + "\n" + " " * 3000 + "\ny",
    "capitals after a modifier": "ª" + "A" * 3000 + " ª" + "A" * 3000 + "b",
    "marks": "\u0308" * 3000,
    "invalid": "\ufffd" * 2000,
    "slashes": "/" * 3000 + "\n/" * 2000,
    "digits": "1234567" * 900,
    "mixed": SENTENCES * 40,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("run", RUNS)
def test_long_pieces_are_exact(run: str, name: str) -> None:
    data, expected = RUNS[run].encode(), reference(name)(RUNS[run])
    for step in (3, 1000, len(data)):
        counter = tokens.Counter(name)
        for at in range(0, len(data), step):
            counter.feed(data[at : at + step])
        assert counter.finish() == expected


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize(
    "text", ["ab", "responsibly ", "-- - ---- -- ", "👩\u200d👩\u200d👧", "中" * 9]
)
def test_a_piece_and_the_same_with_zeros_behind_are_kept_apart(text: str, name: str) -> None:
    expected = reference(name)
    for zeros in [*range(20), *range(20)]:
        padded = text + "\0" * zeros
        assert tokens.count(padded, name) == expected(padded)
        assert tokens.count(f"x\n{padded}\n{SENTENCES}", name) == expected(
            f"x\n{padded}\n{SENTENCES}"
        )


MARKED = st.text(
    st.one_of(
        st.sampled_from(
            "aeoAcn \n中かが가각\u0301\u0308\u0323\u0345\u3099\u09be\u0b47\u0b3e\u212b\ufb1d"
        ),
        st.characters(categories=["Mn", "Mc", "Lo", "Ll"]),
    ),
    max_size=60,
)


@given(text=MARKED, cut=st.integers(1, 7))
@settings(max_examples=600, deadline=None)
def test_qwen_counts_the_normal_form_at_any_cutting(text: str, cut: int) -> None:
    for form in (text, unicodedata.normalize("NFD", text)):
        data, counter = form.encode(), tokens.Counter("qwen")
        for at in range(0, len(data), cut):
            counter.feed(data[at : at + cut])
        expected = reference("qwen")(form)
        assert counter.finish() == tokens.count(form, "qwen") == expected


def test_endless_marks_are_counted_in_bounded_parts() -> None:
    text = "e" + "\u0301" * 5000 + "x"
    assert tokens.count(text, "qwen") >= tokens.count("e" + "\u0301" * 100, "qwen")
    counter = tokens.Counter("qwen")
    for character in text:
        counter.feed(character)
    assert abs(counter.finish() - tokens.count(text, "qwen")) <= 100


def test_the_count_never_falls_and_ends_at_the_total() -> None:
    counter, seen = tokens.Counter("o200k_base"), 0
    for character in SENTENCES:
        counter.feed(character)
        assert counter.count >= seen
        seen = counter.count
    assert counter.finish() == counter.count == tokens.count(SENTENCES, "o200k_base")


def test_finish_begins_a_new_text() -> None:
    counter = tokens.Counter("o200k_base")
    counter.feed("hel")
    assert counter.finish() == counter.finish() == 1
    counter.feed("lo")
    assert counter.finish() == 2


def test_every_kind_of_buffer_counts() -> None:
    text = "naïve 中文 text"
    data = text.encode()
    expected = tokens.count(text, "o200k_base")
    for form in (data, bytearray(data), memoryview(data)):
        assert tokens.count(form, "o200k_base") == expected
    with pytest.raises(TypeError):
        tokens.count(3, "o200k_base")  # type: ignore[arg-type]


def test_estimates_say_so() -> None:
    base = tokens.count(SENTENCES, "o200k_base")
    for name, (of, numerator, denominator) in tokens.ESTIMATES.items():
        counter = tokens.Counter(name)
        counter.feed(SENTENCES)
        assert of == "o200k_base"
        assert counter.finish() == -(-base * numerator // denominator)
        assert not counter.exact
        assert counter.encoding == name
    assert tokens.Counter("o200k_base").exact


def test_an_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        tokens.Counter("nonsense")
    with pytest.raises(ValueError, match="unknown encoding"):
        tokens.load("../o200k_base")


@pytest.mark.parametrize("name", NAMES)
def test_vocabularies_are_small_and_their_sums_recorded(name: str) -> None:
    packed = (tokens.DATA / f"{name}.tgv").read_bytes()
    assert len(packed) < 1_000_000
    recorded = dict(
        line.split()[::-1] for line in (tokens.DATA / "SHA256SUMS").read_text().splitlines()
    )
    assert recorded[f"{name}.tgv"] == hashlib.sha256(packed).hexdigest()
    assert len(set(vocabulary(name))) == len(vocabulary(name))


LOAD_FROM = """
import sys
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from gateway._native import tokens
tokens.DATA = Path(sys.argv[1])
try:
    tokens.load("cl100k_base")
except tokens.VocabularyError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("harm", ["altered", "missing"])
def test_a_harmed_vocabulary_is_refused(tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "data"
    shutil.copytree(tokens.DATA, folder)
    file = folder / "cl100k_base.tgv"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    if harm == "missing":
        (folder / "unicode.tgu").unlink()
    command = [sys.executable, "-c", LOAD_FROM, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.startswith("refused:"), done.stderr


def test_an_endless_piece_takes_no_memory() -> None:
    counter = tokens.Counter("o200k_base")
    chunk = b"a" * 65536
    counter.feed(chunk)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(80):
        counter.feed(chunk)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2000  # KiB
    assert counter.count == 0  # one piece, not decided yet
    assert counter.finish() > 80 * 65536 // 128


def test_threads_that_need_the_same_vocabulary_load_it_once() -> None:
    made, together = [], threading.Barrier(4)
    packed = tokens._read("cl100k_base.tgv")

    def make() -> bytes:
        made.append(threading.get_ident())
        return bytes(packed)

    def count(_: int) -> int:
        together.wait(10)
        return int(tokens.count("hello world", "made_by_threads"))

    tokens.provide("made_by_threads", make)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(count, range(4))) == {tokens.count("hello world", "cl100k_base")}
    assert len(made) == 1
