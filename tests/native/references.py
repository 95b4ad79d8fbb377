"""Reference tokenizers for the counter's tests, all built offline.

tiktoken is the reference of every family whose published tokenizer is a tiktoken encoding: its
cache directory is filled from the packaged vocabularies (tiktoken checks the official sha256 of
o200k_base and cl100k_base on loading them). DeepSeek's is three splits, made with `regex`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import struct
import tempfile
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import regex
import tiktoken

from gateway._native import tokens

BLOBS = "https://openaipublic.blob.core.windows.net/encodings"
LETTERS = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
SMALL = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
QUOTES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
# The published expressions of the families (tokenizer.json, tekken.json, tokenization_kimi.py).
PATTERNS = {
    "qwen": rf"{QUOTES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}",
    "glm4": rf"{QUOTES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}",
    "tekken": rf"[^\r\n\p{{L}}\p{{N}}]?[{LETTERS}]*[{SMALL}]+"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{LETTERS}]+[{SMALL}]*|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}",
    "kimi_k2": rf"[\p{{Han}}]+|[^\r\n\p{{L}}\p{{N}}]?[{LETTERS}&&[^\p{{Han}}]]*"
    rf"[{SMALL}&&[^\p{{Han}}]]+{QUOTES}?|[^\r\n\p{{L}}\p{{N}}]?[{LETTERS}&&[^\p{{Han}}]]+"
    rf"[{SMALL}&&[^\p{{Han}}]]*{QUOTES}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}",
}
DEEPSEEK = (
    r"\p{N}{1,3}",
    r"[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{SPACES}",
)


def vocabulary(name: str) -> list[bytes]:
    """The tokens of a packaged vocabulary, read independently of the C loader."""
    data = zlib.decompress((tokens.DATA / f"{name}.tgv").read_bytes())
    _, count, whole, _, _, _, states = struct.unpack_from("<4sIIIIIB", data)
    at = 28 + 128 + 32 + states * 32
    found = [data[at + i : at + i + 1] for i in range(256)]
    merged = count - 256
    planes = data[at + 256 : at + 256 + 6 * merged]
    literals = {}
    at += 256 + 6 * merged
    for _ in range(whole):
        rank, length = struct.unpack_from("<IH", data, at)
        literals[rank] = data[at + 6 : at + 6 + length]
        at += 6 + length
    for i in range(merged):
        low, middle, high, low2, middle2, high2 = planes[i::merged]
        left, right = low | middle << 8 | high << 16, low2 | middle2 << 8 | high2 << 16
        found.append(literals.get(256 + i) or found[left] + found[right])
    return found


@functools.cache
def cache_directory() -> str:
    """A directory tiktoken reads its encodings from, filled from the packaged vocabularies."""
    folder = tempfile.mkdtemp(prefix="tiktoken-")
    for name in ("o200k_base", "cl100k_base"):
        lines = (base64.b64encode(t) + b" %d\n" % rank for rank, t in enumerate(vocabulary(name)))
        file = hashlib.sha1(f"{BLOBS}/{name}.tiktoken".encode()).hexdigest()
        (Path(folder) / file).write_bytes(b"".join(lines))
    return folder


@functools.cache
def encoding(name: str) -> tiktoken.Encoding:
    """tiktoken's encoding of that name, or one built from a family's vocabulary and pattern."""
    if name in PATTERNS or name == "deepseek_v3":
        ranks = {token: rank for rank, token in enumerate(vocabulary(name))}
        pattern = PATTERNS.get(name, r"(?s:.)+")  # DeepSeek's pieces are cut before
        return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    os.environ["TIKTOKEN_CACHE_DIR"] = cache_directory()
    return tiktoken.get_encoding(name)


def isolate(pattern: str, parts: list[str]) -> list[str]:
    """Hugging Face's `Split(behavior="Isolated")`: matches and what lies between them."""
    found = []
    for part in parts:
        at = 0
        for match in regex.finditer(pattern, part):
            found += [part[at : match.start()], match.group()]
            at = match.end()
        found.append(part[at:])
    return [part for part in found if part]


def deepseek_count(text: str) -> int:
    """Tokens of DeepSeek V3's tokenizer.json."""
    parts = [text]
    for pattern in DEEPSEEK:
        parts = isolate(pattern, parts)
    return sum(len(encoding("deepseek_v3").encode_ordinary(part)) for part in parts)


def reference(name: str) -> Callable[[str], int]:
    """The function that counts as the family's own tokenizer does."""
    if name == "deepseek_v3":
        return deepseek_count
    engine = encoding(name)
    if name == "qwen":  # dashscope/tokenizers/qwen_tokenizer.py
        return lambda text: len(engine.encode_ordinary(unicodedata.normalize("NFC", text)))
    return lambda text: len(engine.encode_ordinary(text))


def settled(text: str) -> str:
    """The text without characters younger than Python's Unicode, on which engines differ."""
    return "".join(c for c in text if unicodedata.category(c) != "Cn")
