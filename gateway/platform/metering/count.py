"""Counting tokens for people at a terminal: files or standard input, exact or estimated.

Knows nothing of requests or prices.

    python -m gateway.platform.metering.count [FILE ...] [--encoding NAME | --model NAME]
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gateway._native import tokens
from gateway.platform.metering.encodings import (
    DEFAULT_ENCODING,
    encoding_for_model,
    refusal,
)

CHUNK_BYTES = 1 << 20
BAR_FROM_BYTES = 32 << 20  # about a fifth of a second's counting: below it no bar is worth drawing
BAR_CELLS = 30


class Total(NamedTuple):
    """What a counted text had."""

    size_bytes: int
    tokens: int


def _pieces(stream: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """The stream in chunks, with a bar on a terminal when it is long. Size 0: not known."""
    done, drawn_s = 0, time.monotonic()
    bar = sys.stderr.isatty() and (not size_bytes or size_bytes >= BAR_FROM_BYTES)
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk
        done += len(chunk)
        if bar and time.monotonic() - drawn_s > 0.1:
            drawn_s = time.monotonic()
            cells = min(done, size_bytes) * BAR_CELLS // size_bytes if size_bytes else 0
            share = f"[{'#' * cells:<{BAR_CELLS}}] " if size_bytes else ""
            sys.stderr.write(f"\r{share}{done / 1e6:,.0f} MB")
            sys.stderr.flush()
    if bar:
        sys.stderr.write("\r\033[K")


def count_stream(stream: BinaryIO, encoding: str, size_bytes: int = 0) -> Total:
    """Count a stream of UTF-8 as one text, in constant memory; `size_bytes` is for the bar only."""
    counter, size = tokens.Counter(encoding), 0
    for chunk in _pieces(stream, size_bytes):
        counter.feed(chunk)
        size += len(chunk)
    return Total(size, counter.finish())


def _encoding(name: str) -> str:
    if why := refusal(name):
        raise argparse.ArgumentTypeError(f"{why}; known: {', '.join(tokens.encodings())}")
    return name


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tallygate count", description="Count the tokens of files or of standard input."
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="files; none or -: standard input")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--encoding", type=_encoding, metavar="NAME", help=", ".join(tokens.encodings())
    )
    which.add_argument("--model", metavar="NAME", help="the encoding of this model, as gpt-4o")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print "tokens bytes name" for each file, as wc does; 1 when a file cannot be read."""
    arguments, status, totals = _arguments(argv), 0, []
    encoding = arguments.encoding or DEFAULT_ENCODING
    if arguments.model:
        encoding = encoding_for_model(arguments.model)
    about = "" if tokens.Counter(encoding).exact else "about "
    for name in arguments.files or ["-"]:
        try:
            if name == "-":
                total = count_stream(sys.stdin.buffer, encoding)
            else:
                with Path(name).open("rb") as stream:
                    total = count_stream(stream, encoding, Path(name).stat().st_size)
        except OSError as error:
            sys.stderr.write(f"tallygate count: {name}: {error.strerror}\n")
            status = 1
            continue
        totals.append(total)
        sys.stdout.write(f"{about}{total.tokens} tokens  {total.size_bytes} bytes  {name}\n")
    if len(totals) > 1:
        whole, size = sum(t.tokens for t in totals), sum(t.size_bytes for t in totals)
        sys.stdout.write(f"{about}{whole} tokens  {size} bytes  total\n")
    sys.stderr.write(f"encoding {encoding}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
