"""Hold the counter against the reference tokenizers for long: `make fuzz` runs this.

python -m tests.native.compare_tokens [--strings N] [--seed S] [encoding ...]
"""

from __future__ import annotations

import argparse
import sys
import time

from gateway._native import tokens
from tests.native.references import reference, settled
from tests.native.texts import Texts

# Their references split with a Unicode version of their own (see references.settled).
DIFFERING_UNICODE = {"deepseek_v3"}


def compare(name: str, strings: int, seed: int) -> int:
    """Compare `strings` random texts, whole and cut; returns how many differ."""
    texts, expected, wrong = Texts(seed), reference(name), 0
    started, size = time.monotonic(), 0
    for number in range(strings):
        text = texts.text()
        if name in DIFFERING_UNICODE:
            text = settled(text)
        data = text.encode()
        size += len(data)
        want = expected(text)
        counter = tokens.Counter(name)
        for part in texts.cuts(data):
            counter.feed(part)
        found = (tokens.count(data, name), tokens.count(text, name), counter.finish())
        if found != (want, want, want):
            wrong += 1
            if wrong <= 10:
                print(f"{name}: {found} instead of {want}: {text!r}"[:600])
        if number % 20000 == 19999:
            took = time.monotonic() - started
            print(f"{name}: {number + 1:,} strings, {wrong} wrong, {took:.0f} s", flush=True)
    print(f"{name}: {strings:,} strings, {size:,} bytes, seed {seed}: {wrong} wrong")
    return wrong


def main() -> int:
    """Compare the named encodings, or all in the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encodings", nargs="*")
    parser.add_argument("--strings", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20261121)
    arguments = parser.parse_args()
    names = arguments.encodings or tokens.vocabularies()
    return sum(compare(name, arguments.strings, arguments.seed) for name in names) > 0


if __name__ == "__main__":
    sys.exit(main())
