"""Where each vocabulary comes from, and the sum it must have.

Wheels are fetched with pip into build/vocab (ignored by git) and read as archives, except
splintr-rs, whose vocabularies are inside its compiled module: that one is unpacked and imported.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / "build" / "vocab"


@dataclass(frozen=True)
class Source:
    """A package, the reader of its file, and the sha256 of the vocabulary's rank text."""

    package: str
    file: str
    read: Callable[[Path, str], list[bytes]]
    sha256: str
    size: int | None = None  # ranks to keep: the rest are special tokens


def rank_text(tokens: list[bytes]) -> bytes:
    """OpenAI's text form of a vocabulary: one "base64 rank" line per token, in rank order."""
    return b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tokens))


def fetch(package: str) -> Path:
    """The wheel of `package`, downloaded once."""
    folder = CACHE / package.replace("==", "-")
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        subprocess.run([*command, package], check=True)  # noqa: S603
    return next(folder.glob("*.whl"))


def quicktok(wheel: Path, file: str) -> list[bytes]:
    """u32 count, then per token u16 length, bytes, u32 rank."""
    data = zipfile.ZipFile(wheel).read(file)
    (count,) = struct.unpack_from("<I", data)
    at, found = 4, {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        token = data[at + 2 : at + 2 + length]
        (rank,) = struct.unpack_from("<I", data, at + 2 + length)
        found[rank] = token
        at += 6 + length
    return [found[rank] for rank in range(len(found))]


def tiktoken_text(wheel: Path, file: str) -> list[bytes]:
    """OpenAI's text form, as it stands."""
    lines = (line.split() for line in zipfile.ZipFile(wheel).read(file).splitlines() if line)
    found = {int(rank): base64.b64decode(token) for token, rank in lines}
    return [found[rank] for rank in range(len(found))]


def tekken(wheel: Path, file: str) -> list[bytes]:
    """Mistral's JSON; the model uses the first `default_vocab_size` less the special tokens."""
    data = json.loads(zipfile.ZipFile(wheel).read(file))
    config = data["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    return [base64.b64decode(entry["token_bytes"]) for entry in data["vocab"][:size]]


def byte_of_character() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes, inverted."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(others)}


def hugging_face(wheel: Path, file: str) -> list[bytes]:
    """A tokenizer.json of byte-level BPE: the bytes, then one token per merge, in merge order."""
    model = json.loads(zipfile.ZipFile(wheel).read(file))["model"]
    stand_in = byte_of_character()
    merged = (m.split(" ") if isinstance(m, str) else m for m in model["merges"])
    tokens = [bytes([b]) for b in range(256)]
    seen = set(tokens)
    for left, right in merged:
        token = bytes(stand_in[c] for c in left + right)
        if token not in seen:
            seen.add(token)
            tokens.append(token)
    return tokens


def splintr(wheel: Path, file: str) -> list[bytes]:
    """The vocabulary `file` of splintr's compiled module, token by token."""
    folder = wheel.with_suffix("")
    if not folder.exists():
        zipfile.ZipFile(wheel).extractall(folder)
    script = (
        "import sys, base64, splintr\n"
        "t = splintr.Tokenizer.from_pretrained(sys.argv[1])\n"
        "for i in range(splintr.base_vocab_size(sys.argv[1])):\n"
        "    print(base64.b64encode(bytes(t.decode_token_bytes(i))).decode())\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script, file],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        check=True,
    )
    return [base64.b64decode(line) for line in done.stdout.split()]


SOURCES = {
    "o200k_base": Source(
        "quicktok-v1==0.4.0",
        "quicktok/data/o200k.vocab",
        quicktok,
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "cl100k_base": Source(
        "quicktok-v1==0.4.0",
        "quicktok/data/cl100k.vocab",
        quicktok,
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "deepseek_v3": Source(
        "litellm==1.109.1",
        "litellm/litellm_core_utils/tokenizers/deepseek_tokenizer.json",
        hugging_face,
        "54a75564c4f651eacebacef63a1101d5cb505fa0398b709b0ab929f11e713e49",
    ),
    "qwen": Source(
        "dashscope==2.0.2",
        "dashscope/resources/qwen.tiktoken",
        tiktoken_text,
        "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186",
    ),
    "tekken": Source(
        "mistral-common==1.13.1",
        "mistral_common/data/tekken_240911.json",
        tekken,
        "64a081edb3cbb8639a4eea9a7135ab9a0467c50676c672b217ba655f4d50e127",
    ),
    "glm4": Source(
        "splintr-rs==0.22.0",
        "glm4",
        splintr,
        "5a493598071550244b2ee7f26118f3edec2150b9dfa967929a99052ac83fe716",
        151329,
    ),
    "kimi_k2": Source(
        "splintr-rs==0.22.0",
        "kimi_k2",
        splintr,
        "b6c497a7469b33ced9c38afb1ad6e47f03f5e5dc05f15930799210ec050c5103",
    ),
}


def load(name: str) -> list[bytes]:
    """The tokens of a vocabulary in rank order; ValueError when their sum is not the pinned one."""
    source = SOURCES[name]
    tokens = source.read(fetch(source.package), source.file)[: source.size]
    found = hashlib.sha256(rank_text(tokens)).hexdigest()
    if found != source.sha256:
        raise ValueError(f"{name}: sha256 is {found}, pinned is {source.sha256}")
    return tokens
