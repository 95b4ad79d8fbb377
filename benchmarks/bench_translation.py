"""CPU of one streamed chunk: metered and passed on, or metered, translated and passed on.

    python benchmarks/bench_translation.py [--chunks N] [--rounds N]

Each chunk is one event with about 20 bytes of text, as providers send them. Three costs are taken
in turn, round by round in one process, so that a noisy machine hurts all alike; the medians are in
microseconds of CPU a chunk:

- `meter_us`: the native meter alone (the counter included);
- `passed_us`: a read from a socket, the meter, a write to a socket: the least any proxy does;
- `translated_us`: the same with the event read and written in the other dialect between.

`ratio` is translated / passed; it is to stay below 2. The two calls of the peers, a send and a
receive, are counted in both and stand in for the event loop, which is left out of both and costs
more than they do. Prints one JSON line a pair.
"""

import argparse
import json
import socket
import statistics
import time
from collections.abc import Callable

from gateway._native.sse import StreamMeter
from gateway._native.tokens import Counter
from gateway.proxy.dialects.chat import CHAT
from gateway.proxy.dialects.gemini import GEMINI
from gateway.proxy.dialects.messages import MESSAGES
from gateway.proxy.dialects.neutral import Dialect, Facts, TextDelta
from gateway.proxy.dialects.responses import RESPONSES

FACTS = Facts("req_0193a1b2c3d4", "house/model", 1_790_000_000)
TEXT = " of the quick brown"
METERS = {"chat": "chat", "messages": "anthropic", "responses": "responses"}
PAIRS = (
    ("chat", CHAT, MESSAGES),
    ("messages", MESSAGES, CHAT),
    ("responses", RESPONSES, MESSAGES),
    ("chat", CHAT, RESPONSES),
    ("chat", CHAT, GEMINI),
)


def chunk_of(dialect: Dialect) -> bytes:
    """A usual chunk of the middle of a stream."""
    writer = dialect.stream_writer(FACTS)
    writer.write([TextDelta("begin")])
    return writer.write([TextDelta(TEXT)])


def timed(step: Callable[[bytes], object], chunk: bytes, chunks: int) -> float:
    """Microseconds of CPU a chunk."""
    began = time.process_time_ns()
    for _ in range(chunks):
        step(chunk)
    return (time.process_time_ns() - began) / chunks / 1000


def steps(name: str, source: Dialect, target: Dialect) -> dict[str, Callable[[bytes], object]]:
    """The three ways of one chunk, each with machines of its own."""

    def meter() -> StreamMeter:
        return StreamMeter(METERS[name], lambda: Counter("o200k_base"), remove_usage=False)

    near, far = socket.socketpair()
    onward, client = socket.socketpair()
    alone, passing, translating = meter(), meter(), meter()
    reader, writer = source.stream_reader(), target.stream_writer(FACTS)

    def passed(chunk: bytes) -> None:
        far.send(chunk)
        data = passing.feed(near.recv(65536))
        if data:
            onward.send(data)
        client.recv(65536)

    def translated(chunk: bytes) -> None:
        far.send(chunk)
        data = translating.feed(near.recv(65536))
        if data:
            onward.send(writer.write(reader.feed(data)))
        client.recv(65536)

    return {"meter_us": alone.feed, "passed_us": passed, "translated_us": translated}


def main() -> None:
    """Measure both directions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    for name, source, target in PAIRS:
        ways = steps(name, source, target)
        chunk = chunk_of(source)
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, step in ways.items():
                taken[way].append(timed(step, chunk, args.chunks))
        medians = {way: round(statistics.median(times), 2) for way, times in taken.items()}
        ratio = round(medians["translated_us"] / medians["passed_us"], 2)
        print(json.dumps({"pair": f"{name} to {target.name}", **medians, "ratio": ratio}))


if __name__ == "__main__":
    main()
