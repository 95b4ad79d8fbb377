"""Encodings from an operator's tiktoken cache: exact where the file is right, refused where not."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
import tiktoken

from gateway._native import tokens
from gateway.platform.metering import rank_files
from gateway.platform.metering.encodings import known_encodings, refusal
from gateway.platform.metering.vocabulary_file import Splitter
from tests.native.references import vocabulary
from tests.native.texts import Texts

# tiktoken_ext/openai_public.py, r50k_pat_str.
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


def rank_text(ranks: list[bytes]) -> bytes:
    return b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(ranks))


@pytest.fixture
def ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The first tokens of a real vocabulary, in the place of p50k_base and with its own sum."""
    found = vocabulary("cl100k_base")[:20_000]
    file = rank_files.RANK_FILES["p50k_base"]
    text = rank_text(found)
    (tmp_path / file.name).write_bytes(text)
    changed = file._replace(sha256=hashlib.sha256(text).hexdigest())
    monkeypatch.setitem(rank_files.RANK_FILES, "p50k_base", changed)
    monkeypatch.setenv(rank_files.VARIABLE, str(tmp_path))
    return found


def test_the_files_have_the_names_that_tiktoken_gives_them() -> None:
    assert rank_files.RANK_FILES["p50k_base"].name == "ec7223a39ce59f226a68acc30dc1af2788490e15"


def test_a_rank_file_counts_as_tiktoken_does(ranks: list[bytes]) -> None:
    numbered = {token: rank for rank, token in enumerate(ranks)}
    engine = tiktoken.Encoding("t", pat_str=PATTERN, mergeable_ranks=numbered, special_tokens={})
    assert {"p50k_base", "p50k_edit"} <= known_encodings()
    texts = Texts(5)
    for _ in range(600):
        text = texts.text()
        counter = tokens.Counter("p50k_base")
        for part in texts.cuts(text.encode()):
            counter.feed(part)
        expected = len(engine.encode_ordinary(text))
        assert counter.finish() == tokens.count(text, "p50k_edit") == expected, text
        assert counter.exact


def test_without_the_directory_the_refusal_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(rank_files.VARIABLE, raising=False)
    assert "r50k_base" not in known_encodings()
    why = refusal("gpt2")
    assert why is not None
    assert "TIKTOKEN_CACHE_DIR" in why
    assert rank_files.RANK_FILES["r50k_base"].name in why
    with pytest.raises(tokens.VocabularyError, match="TIKTOKEN_CACHE_DIR"):
        tokens.Counter("r50k_base")


def test_an_altered_or_missing_file_is_refused(ranks: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / rank_files.RANK_FILES["p50k_base"].name
    path.write_bytes(path.read_bytes() + b"\n")
    assert "sha256" in (refusal("p50k_base") or "")
    path.unlink()
    assert "cannot be read" in (refusal("p50k_base") or "")


def test_packaged_names_are_not_refused_and_unknown_ones_are() -> None:
    assert refusal("o200k_base") is refusal("o200k_harmony") is refusal("estimate_claude") is None
    assert tokens.count("hello world", "o200k_harmony") == 2
    assert refusal("nonsense") == "unknown encoding 'nonsense'"


@pytest.mark.parametrize("data", [b"", b"TGP1", b"XXXX" + bytes(168), b"TGP1" + bytes(169)])
def test_what_is_no_splitter_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="splitter"):
        Splitter.unpack(data)


@pytest.mark.parametrize("text", [b"!!!! 0\n", b"YQ==\n", b"YQ== x\n"])
def test_what_is_no_rank_file_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        rank_files.read_ranks(text)
