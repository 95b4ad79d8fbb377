"""Measure the token counter beside other tokenizers: python -m benchmarks.bench_tokens

One run, one process, the same texts in requests of 2,000 characters, the contenders in turn on
each part of the text. "Unseen": each request is met once, tables and caches warm from other text of
its class. "Repeated": the same 200 kB over and over. Adversarial: ours alone, on what is slowest,
fed in three ways. Times are the thread's processor time, best part; on a shared machine compare the
columns, not the days. `--peers` installs the others into build/peers with pip; without it those
that are not importable are left out.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.token_texts import DRAWN, HOSTILE, texts
from gateway._native import tokens

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "build" / "peers"
PACKAGES = ("tiktoken==0.14.0", "rs-bpe==0.1.0", "quicktok-v1==0.4.0", "gigatoken==0.10.0")
PARTS = 5
Count = Callable[[str], object]


def rank_file(name: str, folder: Path) -> Path:
    """The vocabulary as tiktoken caches it, rebuilt from the package's own data."""
    from tests.native.references import BLOBS, cache_directory

    folder.mkdir(parents=True, exist_ok=True)
    file = hashlib.sha1(f"{BLOBS}/{name}.tiktoken".encode()).hexdigest()
    target = folder / file
    if not target.exists():
        target.write_bytes((Path(cache_directory()) / file).read_bytes())
    return target


def contenders(name: str) -> dict[str, Count]:
    """Ours and every other that imports, by name. tiktoken and gigatoken build the ids."""
    found: dict[str, Count] = {"tallygate": lambda text: tokens.count(text, name)}
    file = rank_file(name, ROOT / "build" / "tiktoken")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(file.parent)
    try:
        import tiktoken

        engine = tiktoken.get_encoding(name)
        found["tiktoken"] = lambda text: len(engine.encode_ordinary(text))
    except ImportError as error:
        print(f"left out: tiktoken ({error})")
    try:
        from rs_bpe.bpe import openai

        found["rs-bpe"] = getattr(openai, name)().count
    except (ImportError, AttributeError) as error:
        print(f"left out: rs-bpe ({error})")
    try:
        import quicktok

        found["quicktok"] = quicktok.get_encoding(name).count
    except (ImportError, AttributeError) as error:
        print(f"left out: quicktok ({error})")
    try:
        from gigatoken import Tokenizer

        scheme = {"o200k_base": "o200k", "cl100k_base": "gpt4"}[name]
        fast = Tokenizer.from_tiktoken(str(file), scheme)
        found["gigatoken"] = lambda text: len(fast.encode(text))
    except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
        print(f"left out: gigatoken ({error})")
    return found


def requests(text: str) -> list[str]:
    """The text in requests of 2,000 characters."""
    return [text[at : at + 2000] for at in range(0, len(text), 2000)]


def took_s(count: Callable[[Any], object], parts: Sequence[str | bytes]) -> float:
    """Processor time of counting the parts one after another."""
    started = time.thread_time()
    for part in parts:
        count(part)
    return max(time.thread_time() - started, 1e-9)


def speeds(counts: dict[str, Count], text: str) -> dict[str, dict[str, float]]:
    """MB/s by contender: unseen and repeated."""
    parts = requests(text)
    size = len(parts) // (PARTS + 1)
    slices = [parts[i * size : (i + 1) * size] for i in range(PARTS + 1)]
    result: dict[str, dict[str, float]] = {name: {} for name in counts}
    for name, count in counts.items():
        took_s(count, slices[0])
        result[name]["unseen"] = result[name]["repeated"] = 0.0
    for part in slices[1:]:
        size_mb = sum(len(p.encode()) for p in part) / 1e6
        for name, count in counts.items():
            speed = size_mb / took_s(count, part)
            result[name]["unseen"] = max(result[name]["unseen"], speed)
    again = parts[:100]
    size_mb = sum(len(p.encode()) for p in again) / 1e6
    for _ in range(8):
        for name, count in counts.items():
            speed = size_mb / took_s(count, again)
            result[name]["repeated"] = max(result[name]["repeated"], speed)
    return result


def streaming_ns(text: str, name: str) -> dict[str, float]:
    """One delta of four characters, from Python; beside calling an empty Python function."""
    deltas = [text[at : at + 4] for at in range(0, 800, 4)]

    def nothing(_delta: str) -> None:
        pass

    def best(make: Callable[[], Callable[[str], object]]) -> float:
        found = float("inf")
        for _ in range(300):
            call = make()
            started = time.perf_counter_ns()
            for delta in deltas:
                call(delta)
            found = min(found, time.perf_counter_ns() - started)
        return found / len(deltas)

    return {"feed": best(lambda: tokens.Counter(name).feed), "empty call": best(lambda: nothing)}


def hostile_texts(name: str, most_bytes: int = 400_000) -> dict[str, bytes]:
    """Adversarial texts by kind: endless patterns, then the vocabulary's own tokens at random.

    Of tokens by the tens of thousands nothing is at hand in the processor's caches, and where no
    space stands between them nothing has been counted before.
    """
    from tests.native.references import vocabulary

    found = {}
    for kind, unit in HOSTILE.items():
        data = unit.encode()
        found[kind] = (data * (most_bytes // len(data) + 1))[:most_bytes]
    tokens_found = []
    for data in vocabulary(name):
        with contextlib.suppress(UnicodeDecodeError):
            tokens_found.append(data.decode())
    draw = random.Random(10)
    for kind, accepted in DRAWN.items():
        pool = [token for token in map(str.strip, tokens_found) if accepted.fullmatch(token)]
        if kind == "vocabulary white space":
            pool = [token for token in tokens_found if token.isspace()]
        text = "".join(draw.choices(pool, k=most_bytes)).encode()
        found[kind] = text[:most_bytes].decode(errors="ignore").encode()
    return found


def hostile(name: str) -> dict[str, dict[str, float]]:
    """MB/s over adversarial texts: whole, and in feeds of 48 bytes and of one."""
    found: dict[str, dict[str, float]] = {}
    for kind, data in hostile_texts(name).items():
        found[kind] = {}
        for label, size in (("whole", len(data)), ("48", 48), ("1", 1)):
            feeds = [data[at : at + size] for at in range(0, len(data), size)]
            best = min(took_s(tokens.Counter(name).feed, feeds) for _ in range(3))
            found[kind][label] = len(data) / 1e6 / best
    return found


def growth(text: str, name: str) -> dict[str, float]:
    """ns per byte at 1, 10 and 100 MB: one text, and one endless piece."""
    found = {}
    for label, unit in (("English", text[:1_000_000].encode()), ("one piece", b"a" * 1_000_000)):
        for times in (1, 10, 100):
            counter, started = tokens.Counter(name), time.thread_time_ns()
            for _ in range(times):
                counter.feed(unit)
            counter.finish()
            spent = time.thread_time_ns() - started
            found[f"{label}, {times} MB"] = spent / (times * len(unit))
    return found


MEMORY = """
import resource, sys, time
def rss_kib():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() // 1024
from gateway._native import tokens
before = rss_kib(); started = time.perf_counter(); spent = time.process_time()
tokens.load(sys.argv[1])
took = time.perf_counter() - started; spent = time.process_time() - spent
tokens.count("hello world", sys.argv[1])
tokens.count(open(sys.argv[2]).read(), sys.argv[1])
print(took * 1000, spent * 1000, (rss_kib() - before) / 1024)
"""


def memory(name: str, sample: Path) -> dict[str, float]:
    """Load time, of it the processor's, and resident growth in a fresh process; best of five."""
    runs = []
    for _ in range(5):
        command = [sys.executable, "-c", MEMORY, name, str(sample)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        runs.append([float(x) for x in done.stdout.split()])
    load, processor, resident = zip(*runs, strict=True)
    return {"load_ms": min(load), "load_cpu_ms": min(processor), "rss_mib": max(resident)}


def table(results: dict[str, dict[str, dict[str, float]]], what: str) -> None:
    """Print MB/s by class and contender, and the ratio to tiktoken."""
    names = list(next(iter(results.values())))
    print(f"\n{what}, MB/s   " + "".join(f"{n:>12}" for n in names) + "   vs tiktoken")
    for kind, row in results.items():
        cells = "".join(f"{row[n][what]:12.1f}" for n in names)
        ratio = row["tallygate"][what] / row["tiktoken"][what] if "tiktoken" in row else 0
        print(f"{kind:<16} {cells} {ratio:12.1f}x")


def hostile_table(rows: dict[str, dict[str, float]]) -> None:
    """Print MB/s by kind of adversarial text, the worst last."""
    print("\nadversarial, MB/s in feeds of" + "".join(f"{n:>8}" for n in next(iter(rows.values()))))
    for kind, row in sorted(rows.items(), key=lambda item: -min(item[1].values())):
        print(f"{kind:<29}" + "".join(f"{speed:8.1f}" for speed in row.values()))


def main() -> None:
    """Run everything; --json FILE keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoding", default="o200k_base")
    parser.add_argument("--bytes", type=int, default=4_000_000, help="of each class of text")
    parser.add_argument("--chinese", type=Path, help="a file of real Chinese text")
    parser.add_argument("--peers", action="store_true", help="install the other tokenizers")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.peers:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(PEERS), *PACKAGES]
        subprocess.run(pip, check=True)
    sys.path.append(str(PEERS))
    counts = contenders(options.encoding)
    classes = texts(options.bytes, options.chinese)
    results = {kind: speeds(counts, text) for kind, text in classes.items()}
    sample = ROOT / "build" / "sample.txt"
    sample.write_text(classes["mixed"][:500_000], encoding="utf-8")
    figures = {
        "speed": results,
        "streaming_ns": streaming_ns(classes["English"], options.encoding),
        "hostile": hostile(options.encoding),
        "growth_ns_per_byte": growth(classes["English"], options.encoding),
        "memory": memory(options.encoding, sample),
    }
    table(results, "unseen")
    table(results, "repeated")
    hostile_table(figures["hostile"])
    for key in ("streaming_ns", "growth_ns_per_byte", "memory"):
        print(f"\n{key}: {json.dumps(figures[key], default=lambda x: round(x, 1))}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
