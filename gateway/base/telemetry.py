"""Structured log lines and the counters behind /metrics.

A log line is one JSON object; a metric label is one of model, provider, target, status class, and
the number of label sets is bounded. Neither may ever carry a prompt, a completion, a key or a
client's address. This file knows nothing of HTTP or Prometheus' text format.
"""

import logging
import re
import sys
import time
from bisect import bisect_left
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import Any

import msgspec

LOG = logging.getLogger("tallygate")
QUEUE_LINES = 10_000  # past this, lines are dropped and counted instead of blocking the loop
MAX_SERIES = 2_000
LATENCY_BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 120_000)
_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")
MAX_FOREIGN_CHARS = 120
_VALUE = re.compile(r"[\n<({\['\"%]")  # where a value begins in a library's message
_encode = msgspec.json.Encoder().encode


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, then the fields given as `extra={"f": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; an exception adds its type and place, never its message."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": _event(record),
        }
        fields = getattr(record, "f", None)
        if fields:
            line.update(fields)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            if trace is not None:
                code = trace.tb_frame.f_code
                line["at"] = f"{code.co_name}:{trace.tb_lineno}"
        return _encode(line).decode()


def _event(record: logging.LogRecord) -> str:
    """The event's words. Of a library's record only the fixed ones before any value.

    A library may put an object's repr into its message (asyncio a failed task's, aiohttp a peer's
    address), and with it whatever that object holds.
    """
    if record.name.partition(".")[0] == LOG.name:
        return record.getMessage()
    words = _VALUE.split(str(record.msg), maxsplit=1)[0].strip(" :=")
    return f"{record.name}: {words[:MAX_FOREIGN_CHARS]}"


class _DroppingHandler(QueueHandler):
    """Queues lines for the writing thread; a full queue drops the line and counts it."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never block the event loop for a log line."""
        try:
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keep the record whole: formatting belongs to the writing thread."""
        return record


def start_logging(level: str) -> QueueListener:
    """Send the process's log to stderr as JSON through a bounded queue; returns the listener."""
    stream = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter()
    formatter.converter = time.gmtime
    stream.setFormatter(formatter)
    queue: Queue[logging.LogRecord] = Queue(QUEUE_LINES)
    listener = QueueListener(queue, stream)
    root = logging.getLogger()
    root.handlers = [_DroppingHandler(queue)]
    root.setLevel(level.upper())
    for noisy in ("asyncio", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    listener.start()
    return listener


class Histogram:
    """Cumulative bucket counts of milliseconds, in the shape Prometheus expects."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(LATENCY_BUCKETS_MS) + 1)
        self.count = 0
        self.sum_ms = 0

    def observe(self, value_ms: int) -> None:
        """Count one value in milliseconds."""
        self.count += 1
        self.sum_ms += value_ms
        self.buckets[bisect_left(LATENCY_BUCKETS_MS, value_ms)] += 1


class RequestSeries:
    """The counters of one (model, provider, status class)."""

    def __init__(self) -> None:
        self.duration = Histogram()
        self.first_token = Histogram()
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_microusd = 0


class Metrics:
    """The process's counters: plain integers, read by whoever renders /metrics."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, str], RequestSeries] = {}
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, Any] = {}

    def series(self, model: str, provider: str, status: int) -> RequestSeries:
        """The series of a finished request; past MAX_SERIES everything lands in `other`."""
        key = (model, provider, _CLASSES[status // 100])
        series = self.requests.get(key)
        if series is None:
            if len(self.requests) >= MAX_SERIES:
                key = ("other", "other", key[2])
            series = self.requests.setdefault(key, RequestSeries())
        return series

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a named counter."""
        self.counters[name] = self.counters.get(name, 0) + amount
