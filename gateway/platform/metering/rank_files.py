"""Encodings from an operator's own tiktoken cache: TIKTOKEN_CACHE_DIR is honoured as tiktoken does.

The encodings OpenAI's current models use are packaged. Of the older ones tiktoken's rank files are
used where that directory holds them: under the name tiktoken gives them (the SHA-1 of their
address) and with the SHA-256 it publishes; compiled when first used, in about two seconds. Nothing
is ever downloaded. Knows nothing of models.
"""

import base64
import binascii
import hashlib
import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gateway._native import tokens
from gateway.platform.metering.vocabulary_file import Splitter, pack

VARIABLE = "TIKTOKEN_CACHE_DIR"
BLOBS = "https://openaipublic.blob.core.windows.net/encodings"


class RankFile(NamedTuple):
    """Where tiktoken gets a vocabulary, the sum it must have, and the splitter in the package."""

    address: str
    sha256: str
    splitter: str

    @property
    def name(self) -> str:
        """The file's name in tiktoken's cache (tiktoken/load.py, read_file_cached)."""
        return hashlib.sha1(self.address.encode(), usedforsecurity=False).hexdigest()


# Addresses, sums and patterns: tiktoken_ext/openai_public.py of tiktoken 0.14.
RANK_FILES = {
    "p50k_base": RankFile(
        f"{BLOBS}/p50k_base.tiktoken",
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        "spaced",
    ),
    "r50k_base": RankFile(
        f"{BLOBS}/r50k_base.tiktoken",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        "spaced",
    ),
}


def read_ranks(text: bytes) -> list[bytes]:
    """The tokens of a rank file ("base64 rank" lines) by rank; ValueError where it is none."""
    ranks = {}
    for line in text.splitlines():
        if line:
            token, rank = line.split()
            try:
                ranks[int(rank)] = base64.b64decode(token, validate=True)
            except binascii.Error as error:
                raise ValueError("a token is not base64") from error
    return [ranks[rank] for rank in sorted(ranks)]


def read(encoding: str) -> bytes:
    """The content of an encoding's rank file; VocabularyError where there is none to trust."""
    file, folder = RANK_FILES[encoding], os.environ.get(VARIABLE)
    if not folder:
        raise tokens.VocabularyError(
            f"encoding {encoding} is not packaged: set {VARIABLE} to a directory that holds its "
            f"rank file {file.name}"
        )
    try:
        content = (Path(folder) / file.name).read_bytes()
    except OSError as error:
        raise tokens.VocabularyError(
            f"encoding {encoding}: its rank file {file.name} cannot be read in the directory that "
            f"{VARIABLE} names: {error.strerror}"
        ) from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise tokens.VocabularyError(
            f"encoding {encoding}: {file.name} in the directory that {VARIABLE} names does not "
            f"have the sha256 tiktoken publishes"
        )
    return content


def compile_ranks(encoding: str) -> bytes:
    """The encoding's vocabulary as the counter loads it; VocabularyError as `read` raises it."""
    splitter = Splitter.unpack(tokens.splitter(RANK_FILES[encoding].splitter))
    return pack(read_ranks(read(encoding)), splitter)


def refusal(encoding: str) -> str | None:
    """Why a known encoding cannot be used; None where it can or is none of these."""
    encoding = tokens.ALIASES.get(encoding, encoding)
    if encoding not in RANK_FILES:
        return None
    try:
        read(encoding)
    except tokens.VocabularyError as error:
        return str(error)
    return None


for _encoding in RANK_FILES:
    tokens.provide(_encoding, partial(compile_ranks, _encoding))
