"""The pump against the relay: the same bytes, tokens and end, whatever the split or framing."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway._native.http1 import Relay, ResponseReader
from gateway._native.pump import Lane, Pump
from gateway._native.sse import StreamMeter
from gateway._native.tokens import Counter
from tests.fakes.upstream import DONE, chunk, event, framed, usage_event

ENCODING = "o200k_base"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
TO_CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
FIRST = chunk("It was a")  # read before a lane may leave: there is a counter from then on
NEVER = 2**62


@pytest.fixture(scope="module")
def pump() -> Iterator[Pump]:
    one = Pump()
    thread = threading.Thread(target=one.run)
    thread.start()
    yield one
    one.stop()
    thread.join()


def dechunked(data: bytes) -> bytes:
    """The body that whole chunks carry."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body += data[:length]
        assert data[length : length + 2] == b"\r\n"
        data = data[length + 2 :]
    return body


def counted(factory: Callable[[], Counter] | None = None) -> StreamMeter:
    return StreamMeter("chat", factory or partial(Counter, ENCODING), remove_usage=True)


class Stream:
    """One stream begun at home: head and first event are read, as when a lane is sent off."""

    def __init__(self, head: bytes, first: bytes, write: Callable[[bytes], object]) -> None:
        self.excess = False
        self.reader = ResponseReader()
        self.meter = counted()
        assert not self.reader.feed(head)
        self.relay = Relay(self.reader, self.meter, write, grow_at=NEVER, last=b"")
        self.feed(first)

    def feed(self, data: bytes) -> None:
        if self.reader.ended:
            self.excess = True  # its connection would not be used again
        elif not self.reader.error:
            self.relay.feed(data)

    def outcome(self) -> tuple[object, ...]:
        reader, meter = self.reader, self.meter
        tail = meter.take_tail()
        tokens = meter.finish()
        end = (reader.ended, reader.keep_alive and not self.excess, reader.error)
        told = (tokens, meter.usage, meter.error, meter.events, meter.done, meter.truncated)
        return tail, end, told, meter.malformed_events, meter.too_large


class Carried:
    """The same through a pump: two pairs of sockets, and an owner who takes up what comes home."""

    def __init__(self, pump: Pump, head: bytes, first: bytes) -> None:
        self.pump = pump
        self.provider, self._from = socket.socketpair()
        self._to, self.client = socket.socketpair()
        self.client.setblocking(False)
        self.received = b""
        self.stream = Stream(head, first, self._write)
        self.lane: Lane | None = None
        self.trips = 0
        self.back = False  # came home, and the pump has said so

    def _write(self, data: bytes) -> None:
        while data:  # the owner's transport buffers; here the test reads what is in the way
            with contextlib.suppress(BlockingIOError):
                sent = self._to.send(data, socket.MSG_DONTWAIT)
                data = data[sent:]
            self.read()

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while got := self.client.recv(1 << 20):
                self.received += got

    def leave(self) -> bool:
        """Send it away if it may go."""
        self.lane = Lane(self.pump, self.stream.relay, self)
        if self.lane.start(self._from.fileno(), self._to.fileno()):
            self.trips += 1
            return True
        self.lane = None
        return False

    def home(self) -> None:
        """Take it home and go on from what it left."""
        if self.lane is not None:
            lane, self.lane, self.back = self.lane, None, False
            lane.take()
            rest = lane.settle()
            if rest is not None:
                self.stream.feed(rest)

    def came_back(self, wait_s: float = 0.0) -> bool:
        if not self.back and select.select([self.pump.descriptor], [], [], wait_s)[0]:
            for owner in cast(list[Carried], self.pump.returned()):
                owner.back = True
        return self.back

    def until_read(self) -> None:
        """Wait until what the provider has sent is read, or the lane came home."""
        while self.lane is not None and not self.came_back(0.0005):
            if not select.select([self._from], [], [], 0)[0]:
                return

    def finish(self) -> None:
        """The provider closes; all that is on its way arrives."""
        self.provider.close()
        while self.lane is not None or self.leave():
            if self.came_back(10):
                self.home()
                self.read()
                if not select.select([self._from], [], [], 0)[0]:
                    continue
                break
        with contextlib.suppress(ConnectionError):
            while data := self._from.recv(65536):
                self.stream.feed(data)
        self.read()

    def close(self) -> None:
        for each in (self.provider, self._from, self._to, self.client):
            each.close()


texts = st.text(st.characters(codec="utf-8"), max_size=40)
events = st.one_of(
    texts.map(chunk),
    texts.map(lambda text: chunk(text, index=1)),
    texts.map(lambda text: chunk(reasoning_content=text)),
    st.just(b": a comment\n\n"),
    st.just(b"data: {broken\n\n"),
    st.just(b"event: x\r\ndata: 1\r\n\r\n"),
    st.just(usage_event(9, 5)),
    st.just(event({"error": {"message": "gone", "code": 500}})),
    st.binary(max_size=60),
)
FRAMINGS = ("lone", "padded", "any", "length", "close", "broken")


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, bytes, list[bytes]]:
    """Head, what is read at home, and the reads after it."""
    parts = [FIRST, *draw(st.lists(events, max_size=12))]
    if draw(st.booleans()):
        parts.append(DONE)
    framing = draw(st.sampled_from(FRAMINGS))
    body = b"".join(parts)
    if framing in ("length", "close"):
        head = LENGTH % len(body) if framing == "length" else TO_CLOSE
        wire, start = body, len(FIRST)
        if framing == "length" and draw(st.booleans()):
            wire += b"more"
    else:
        head = CHUNKED
        sizes = draw(st.lists(st.integers(1, 90), min_size=1, max_size=8))
        if framing == "any":
            rest, parts = body[len(FIRST) :], [FIRST]
            while rest:
                size = sizes[len(parts) % len(sizes)]
                parts.append(rest[:size])
                rest = rest[size:]
        frame = padded if framing == "padded" else framed
        pieces = [frame(part) for part in parts if part]
        wire, start = b"".join(pieces), len(pieces[0])
        if framing == "broken":
            wire += draw(st.sampled_from([b"x\r\n", b"5\r\nabcdefg", b"0\r\nbad trailer\r\n\r\n"]))
        elif draw(st.booleans()):
            wire += draw(st.sampled_from([b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"0\r\n\r\nmore"]))
    ends = [start, *(at + 2 for at in range(start, len(wire)) if wire[at : at + 2] == b"\n\n")]
    ends += [at + 4 for at in range(start, len(wire)) if wire[at : at + 4] == b"\n\n\r\n"]
    places = st.integers(start, len(wire)) if draw(st.booleans()) else st.sampled_from(ends)
    edges = [start, *sorted(draw(st.lists(places, max_size=12))), len(wire)]
    return head, wire[:start], [wire[a:b] for a, b in pairwise(edges) if b > a]


def padded(data: bytes) -> bytes:
    """A chunk in a longer form than it needs."""
    return b"00%x ;a=b\r\n%b\r\n" % (len(data), data)


@settings(max_examples=300, deadline=None)
@given(streams(), st.lists(st.sampled_from(["stay", "go", "home", "wait"]), max_size=12))
def test_what_a_lane_carries_is_what_its_relay_would(
    pump: Pump, stream: tuple[bytes, bytes, list[bytes]], steps: list[str]
) -> None:
    head, first, reads = stream
    written = bytearray()
    plain = Stream(head, first, written.extend)
    carried = Carried(pump, head, first)
    try:
        for number, data in enumerate(reads):
            plain.feed(data)
            step = steps[number % len(steps)] if steps else "wait"
            if step in ("go", "wait") and carried.lane is None:
                carried.leave()
            if step == "home":
                carried.home()
            with contextlib.suppress(BrokenPipeError):
                carried.provider.sendall(data)
            if step == "wait":
                carried.until_read()
            if carried.came_back():
                carried.home()
        carried.finish()
        assert dechunked(carried.received) == dechunked(bytes(written))
        assert carried.stream.outcome() == plain.outcome()
    finally:
        carried.home()
        carried.close()


def begun(pump: Pump) -> Carried:
    return Carried(pump, CHUNKED, framed(FIRST))


def test_a_lane_carries_without_anybody_asking(pump: Pump) -> None:
    carried = begun(pump)
    carried.read()
    assert carried.leave()
    for number in range(50):
        piece = framed(chunk(f" word{number}"))
        carried.provider.sendall(piece)
        assert select.select([carried.client], [], [], 10)[0]
        assert carried.client.recv(65536) == piece
    assert carried.stream.relay.take_reads() == 51  # the first was read at home
    assert carried.stream.relay.away()
    carried.home()
    assert carried.stream.relay.last.endswith(b"\n\n")
    assert carried.stream.meter.tokens >= 90
    carried.close()


def test_a_count_that_was_asked_for_brings_it_home(pump: Pump) -> None:
    carried = begun(pump)
    carried.stream.relay.look_again_at(20)
    assert carried.leave()
    sent = 0
    while not carried.came_back():
        carried.provider.sendall(framed(chunk(" word")))
        sent += 1
        assert sent < 1_000
    carried.home()
    assert carried.stream.meter.tokens >= 20
    assert not carried.stream.relay.is_quiet()
    carried.close()


def test_a_count_may_be_put_off_while_it_is_away(pump: Pump) -> None:
    carried = begun(pump)
    relay = carried.stream.relay
    relay.look_again_at(20)
    assert carried.leave()
    relay.look_again_at(40)
    while (before := relay.counted()) < 30:
        carried.provider.sendall(framed(chunk(" word")))
        while relay.counted() == before:
            assert not carried.came_back(0.001)
    while not carried.came_back():
        carried.provider.sendall(framed(chunk(" word")))
    carried.home()
    assert relay.counted() == carried.stream.meter.tokens >= 40 == relay.grow_at
    carried.close()


def test_a_client_that_reads_nothing_holds_the_provider_up(pump: Pump) -> None:
    carried = begun(pump)
    assert carried.leave()
    carried.provider.setblocking(False)
    piece, sent = framed(chunk("word " * 1_000)), 0
    while not carried.came_back(0.001):
        with contextlib.suppress(BlockingIOError):
            sent += carried.provider.send(piece[sent % len(piece) :])
        assert sent < 10_000_000
    carried.home()
    carried.read()
    body = dechunked(carried.received)
    assert body.startswith(FIRST)
    carried.close()


def test_more_than_one_turn_may_read_passes_whole(pump: Pump) -> None:
    carried = begun(pump)
    assert carried.leave()
    pieces = b"".join(framed(chunk(f" word{number}")) for number in range(20_000))
    sender = threading.Thread(target=carried.provider.sendall, args=(pieces,))
    sender.start()
    while b" word19999" not in carried.received[-500:]:
        if carried.came_back():  # the client was slower for a moment, or an event was cut
            carried.home()
        if carried.lane is None and not carried.leave():
            carried.stream.feed(carried._from.recv(100))
        select.select([carried.client], [], [], 0.05)
        carried.read()
    assert dechunked(carried.received) == FIRST + dechunked(pieces)
    sender.join()
    carried.home()
    carried.close()


@pytest.mark.parametrize("leaves_first", [True, False])
def test_an_end_that_nobody_announced_brings_it_home(pump: Pump, leaves_first: bool) -> None:
    carried = begun(pump)
    assert carried.leave()
    if leaves_first:
        carried.provider.close()
    else:
        carried.client.close()
        carried.provider.sendall(framed(chunk("x")))
    assert carried.came_back(10)
    assert carried.lane is not None
    carried.lane.take()
    carried.close()


def test_the_first_text_of_a_choice_asks_for_the_interpreter(pump: Pump) -> None:
    """Its counter is made on the thread, while the thread that waits for the lane has let go."""
    carried = begun(pump)
    assert carried.leave()
    for index in range(1, 30):
        carried.provider.sendall(framed(chunk(" word", index=index)))
        carried.home()
        assert carried.leave()
    while carried.stream.relay.take_reads() == 0:
        carried.read()
    carried.home()
    carried.provider.close()
    carried.finish()
    assert carried.stream.meter.finish() == 3 + 29
    carried.close()


def test_what_a_failing_counter_raised_is_raised_at_home(pump: Pump) -> None:
    made: list[Counter] = []

    def factory() -> Counter:
        if made:
            raise MemoryError("no counter")
        made.append(Counter(ENCODING))
        return made[0]

    carried = begun(pump)
    carried.stream.meter = counted(factory)
    relay = Relay(carried.stream.reader, carried.stream.meter, print, grow_at=NEVER, last=b"")
    carried.stream.relay = relay
    carried.stream.meter.feed(FIRST)
    assert carried.leave()
    carried.provider.sendall(framed(chunk("x", index=1)))
    assert carried.came_back(10)
    assert carried.lane is not None
    carried.lane.take()
    with pytest.raises(MemoryError, match="no counter"):
        carried.lane.settle()
    carried.close()


@pytest.mark.parametrize(
    ("encoding", "read"),
    [
        pytest.param("qwen", FIRST, id="its counter asks Python to normalise"),
        pytest.param(ENCODING, b": nothing\n\n", id="it has no counter yet"),
    ],
)
def test_a_stream_that_cannot_be_counted_there_stays(
    pump: Pump, encoding: str, read: bytes
) -> None:
    carried = begun(pump)
    meter = counted(partial(Counter, encoding))
    meter.feed(read)
    carried.stream.relay = Relay(carried.stream.reader, meter, print, grow_at=NEVER, last=b"")
    assert not carried.leave()
    carried.close()


def test_many_lanes_come_and_go(pump: Pump) -> None:
    """More than the table begins with; a slot that is used again names the lane that has it now."""
    lanes = [begun(pump) for _ in range(150)]
    for carried in lanes:
        carried.read()
    for turn in range(4):
        for number, carried in enumerate(lanes):
            if (number + turn) % 3:
                carried.home()
            elif carried.lane is None:
                assert carried.leave()
            piece = framed(chunk(f" {turn}"))
            carried.provider.sendall(piece)
    for carried in lanes:
        carried.finish()
        assert dechunked(carried.received).count(b"data: ") == 5
        assert carried.stream.outcome()[2][0] >= 5  # type: ignore[index]
        carried.close()
