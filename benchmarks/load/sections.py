"""What is measured of one gateway: each section is one load and the figures it gives.

All loads go to 127.0.0.1 and are bounded in requests and in seconds. CPU is that of the gateway's
process tree; a "piece" is a content chunk of the mock that reached the client. Times in
microseconds unless the name says otherwise.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.load.build import build
from benchmarks.load.contenders import CONF, Launch
from benchmarks.load.machine import Meter, Watch, cpu_s, open_files
from benchmarks.load.upstream import Upstream

Figures = dict[str, Any]
QUIET_TIMEOUT_S = 20.0
LEAVERS = 20
TURNS = 5  # of a passed and a translated load each
SPARE_FILES = 20  # for what a gateway opens meanwhile besides streams


@dataclass(frozen=True, slots=True)
class Target:
    """What a load is aimed at."""

    pid: int
    port: int
    launch: Launch
    max_streams: int = 10_000

    @classmethod
    def direct(cls, upstream: Upstream) -> Target:
        """The mock itself, with no gateway before it."""
        return cls(upstream.pid, upstream.port, Launch(()))


def half_load(trial: Figures) -> float:
    """The requests a second that would use half a CPU, each at the cost of the trial's."""
    return round(max(1.0, min(1_500.0, 0.5e6 / trial["cpu_per_request"])), 1)


def shares(streams: int, room: int, inside: bool) -> tuple[int, int]:
    """How many streams to proxy (two files each) and to answer inside (one), of so many files.

    At most a tenth is answered inside: the figure is one of proxied streams.
    """
    if 2 * streams <= room:
        return streams, 0
    within = 2 * streams - room
    if inside and within <= streams // 10:
        return streams - within, within
    return max(0, room // 2), 0


class Loads:
    """Aims loads at targets behind one mock. Each returns figures; `wait_until_quiet` between."""

    def __init__(self, upstream: Upstream, seconds: float, max_files: int) -> None:
        self._upstream = upstream
        self._seconds = seconds
        self._max_files = max_files
        self._client = str(build("client"))

    # The two load generators.

    def _drive(self, target: Target, limit_s: float, *options: object) -> Figures:
        launch = target.launch
        command = [self._client, "-p", str(target.port), "-u", launch.path, "-k", launch.key]
        command += ["-m", launch.model, "-T", str(limit_s), *map(str, options)]
        for header in launch.headers:
            command += ["-H", header]
        with Meter(target.pid, (self._upstream.pid,)) as meter:
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return self._with_costs(json.loads(output), meter)

    def _with_costs(self, found: Figures, meter: Meter) -> Figures:
        found["gateway_cpu_share"] = round(meter.cpu_s / meter.seconds, 3)
        found["foreign_cpus"] = round(meter.foreign_cpus, 2)
        if found.get("finished"):
            found["cpu_per_request"] = round(meter.cpu_s / found["finished"] * 1e6, 2)
            found["requests_per_s"] = round(found["finished"] / found["seconds"], 1)
        if found.get("pieces"):
            found["cpu_per_piece"] = round(meter.cpu_s / found["pieces"] * 1e6, 3)
            found["pieces_per_s"] = round(found["pieces"] / found["seconds"], 1)
        failed = ("refused", "http_errors", "broken", "incomplete")
        found["failures"] = sum(found.get(name, 0) for name in failed)
        return found

    def _json(self, target: Target, connections: int, seconds: float) -> Figures:
        wrk = shutil.which("wrk")
        if wrk is None:
            return self._drive(target, seconds, "-j", "-c", connections, "-t", 100_000_000)
        url = f"http://127.0.0.1:{target.port}{target.launch.path}"
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "20s"]
        environment = {
            **os.environ,
            "BENCH_KEY": target.launch.key,
            "BENCH_MODEL": target.launch.model,
            "BENCH_HEADERS": "\n".join(target.launch.headers),
        }
        with Meter(target.pid, (self._upstream.pid,)) as meter:
            output = subprocess.run(
                [*command, "-s", str(CONF / "post.lua"), url],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        found: Figures = json.loads(output[output.rindex("{") :])
        found["finished"] = found.pop("requests")
        times = ("p50", "p90", "p99", "max")
        found["whole_us"] = {name: found.pop(name) for name in times}
        return self._with_costs(found, meter)

    # The sections.

    def json64(self, target: Target) -> Figures:
        """As many answers of 1 KB as 64 connections can get."""
        return self._json(target, 64, self._seconds)

    def json1(self, target: Target) -> Figures:
        """The same over one connection: the time of one request."""
        return self._json(target, 1, max(2.0, self._seconds / 2))

    def p500x10(self, target: Target) -> Figures:
        """500 streams of 200 pieces, 10 ms apart: 50,000 pieces a second are offered."""
        total = 500 * max(2, round(self._seconds / 2))
        options = ("-c", 500, "-t", total, "-n", 200, "-d", 10, "-r", 2000)
        return self._drive(target, self._seconds * 2 + 6, *options)

    def p50x20(self, target: Target) -> Figures:
        """50 streams of 200 pieces, 20 ms apart: an office at work."""
        total = 50 * max(1, round(self._seconds / 4))
        options = ("-c", 50, "-t", total, "-n", 200, "-d", 20, "-r", 1000)
        return self._drive(target, self._seconds * 2 + 8, *options)

    def burst(self, target: Target) -> Figures:
        """64 streams whose 200 pieces come in one write: the cost of bytes."""
        options = ("-c", 64, "-t", 100_000_000, "-n", 200)
        return self._drive(target, max(2.0, self._seconds * 0.6), *options)

    def translated(self, target: Target) -> Figures:
        """100 streams of 200 pieces, 10 ms apart, in turn passed through and translated from
        Anthropic's Messages: the same gateway, the same minute, the cost of a piece of each.
        """
        if not target.launch.translated:
            return {"error": "it translates nothing here"}
        other = replace(target, launch=replace(target.launch, model=target.launch.translated))
        total = 100 * max(1, round(self._seconds / 2))
        options = ("-c", 100, "-t", total, "-n", 200, "-d", 10, "-r", 1000)
        costs: dict[str, list[float]] = {"passed": [], "translated": []}
        found: Figures = {}
        for _ in range(TURNS):
            for name, each in (("passed", target), ("translated", other)):
                found = self._drive(each, self._seconds * 2 + 6, *options)
                if found["failures"] or not found.get("cpu_per_piece"):
                    return {"error": f"{name}: {found['failures']} streams failed", **found}
                costs[name].append(found["cpu_per_piece"])
                self.wait_until_quiet(target)
        pairs = zip(costs["translated"], costs["passed"], strict=True)
        ratios = sorted(round(theirs / ours, 3) for theirs, ours in pairs)
        return {
            "cpu_passed": costs["passed"],
            "cpu_translated": costs["translated"],
            "translation_ratios": ratios,
            "translation_ratio": ratios[len(ratios) // 2],
            "failures": 0,
        }

    def first(self, target: Target) -> Figures:
        """Time to the first piece when half of the gateway's CPU is in use (open loop), and the
        same load straight at the mock; `added_*_ms` is the difference of the quantiles.

        A request costs more in an open loop than among twenty that come in step, so the rate is
        found in two trials: what half a CPU would serve, then what it did.
        """
        shape = ("-n", 20, "-d", 10)
        trial = self._drive(target, 8, "-c", 20, "-t", 200, *shape)
        if not trial.get("cpu_per_request"):
            return {"error": "no stream finished", **trial}
        rate = half_load(trial)
        trial = self._drive(target, 8, "-c", 2_000, "-t", int(rate * 2), "-R", rate, *shape)
        self.wait_until_quiet(target)
        rate = half_load(trial)
        total = max(20, int(rate * self._seconds))
        options = ("-c", 2_000, "-t", total, "-R", rate, "-w", self._seconds / 5, *shape)
        limit_s = self._seconds + 10
        straight = self._drive(Target.direct(self._upstream), limit_s, *options)
        self.wait_until_quiet(target)
        found = self._drive(target, limit_s, *options)
        found.update(rate=rate, direct_first_us=straight["first_us"])
        if found["first_us"] and straight["first_us"]:
            for name in ("p50", "p99"):
                added = found["first_us"][name] - straight["first_us"][name]
                found[f"added_{name}_ms"] = round(added / 1000, 3)
        return found

    def streams(self, target: Target) -> Figures:
        """10,000 slow streams at once (8 pieces, 2 s apart, begun within 7 s): do all complete,
        and what memory does each take?

        A proxied stream takes two open files of the gateway. Where the limit does not allow twice
        the streams, as many as needed go to a model that the gateway answers itself (15 pieces,
        1 s apart; one open file), or, where it has none, there are fewer. Memory is divided by
        how many were open at once.
        """
        room = self._max_files - SPARE_FILES - open_files(target.pid)
        proxied, inside = shares(target.max_streams, room, bool(target.launch.inside))
        watch = Watch(target.pid)
        slow = ("-d", 2000, "-r", 7000, "-1")
        with ThreadPoolExecutor(1) as pool, watch:
            beside = pool.submit(self._inside, target, inside)
            found = self._drive(target, 60, "-c", proxied, "-t", proxied, "-n", 8, *slow)
            others = beside.result()
        for name in ("finished", "failures", "max_busy"):
            found[name] += others[name]
        found["streams"] = proxied + inside
        found["answered_inside"] = inside
        found["all_complete"] = found["finished"] == found["streams"] and not found["failures"]
        found["before_kib"], found["peak_kib"] = watch.before_kib, watch.peak_kib
        found["peak_files"] = watch.peak_files
        found["at_once"] = found["max_busy"]
        found["kib_per_stream"] = round(
            (watch.peak_kib - watch.before_kib) / max(1, found["at_once"]), 2
        )
        return found

    def _inside(self, target: Target, count: int) -> Figures:
        """Slow streams that need no upstream; nothing when none are asked for."""
        if not count:
            return {"finished": 0, "failures": 0, "max_busy": 0}
        other = replace(target, launch=replace(target.launch, model=target.launch.inside))
        # The pieces of such a model bear no stamps, so that only the end of a stream is checked.
        return self._drive(other, 60, "-c", count, "-t", count, "-n", 0, "-r", 7000, "-1")

    def abort(self, target: Target) -> Figures:
        """20 clients leave after some pieces of a long stream: when does the upstream see it?"""
        tag = f"leave{time.monotonic_ns()}x"
        after = self._upstream.stats()["serial"]
        left_us: dict[str, int] = {}
        sockets = {f"{tag}{i}": self._open_stream(target, f"{tag}{i}") for i in range(LEAVERS)}
        for name, sock in sockets.items():
            found = b""
            while len(re.findall(rb"@\d{16}@", found)) < 5 and (data := sock.recv(65536)):
                found += data
            left_us[name] = time.monotonic_ns() // 1000
            sock.close()
        deadline = time.monotonic() + 12
        seen: dict[str, int] = {}
        while time.monotonic() < deadline and len(seen) < LEAVERS:
            aborts = self._upstream.aborts(after)
            seen = {e["id"]: e["ended_us"] for e in aborts if e["id"] in left_us}
            time.sleep(0.1)
        delays_ms = sorted((seen[name] - left_us[name]) / 1000 for name in seen)
        result: Figures = {"left": LEAVERS, "closed_upstream": len(seen)}
        if delays_ms:
            result["close_p50_ms"] = round(delays_ms[len(delays_ms) // 2], 2)
            result["close_max_ms"] = round(delays_ms[-1], 2)
        return result

    def _open_stream(self, target: Target, tag: str) -> socket.socket:
        text = f"[[n=300 d=50 id={tag}]] hello"
        message = {"model": target.launch.model, "stream": True}
        body = json.dumps({**message, "messages": [{"role": "user", "content": text}]})
        head = [f"POST {target.launch.path} HTTP/1.1", f"Host: 127.0.0.1:{target.port}"]
        head += [f"Authorization: Bearer {target.launch.key}", "Content-Type: application/json"]
        head += [*target.launch.headers, f"Content-Length: {len(body)}", "", body]
        sock = socket.create_connection(("127.0.0.1", target.port), timeout=15)
        sock.sendall("\r\n".join(head).encode())
        return sock

    def warm(self, target: Target) -> None:
        """Runs every path a little, so that the first section measures no first time."""
        self._json(target, 8, 1.0)
        self._drive(target, 4, "-c", 8, "-t", 40, "-n", 20)
        self.wait_until_quiet(target)

    def wait_until_quiet(self, target: Target) -> None:
        """Returns when the mock answers nobody and the gateway rests, after 20 s at the latest."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while time.monotonic() < deadline:
            before = cpu_s(target.pid)
            time.sleep(0.3)
            if cpu_s(target.pid) - before < 0.05 and not self._upstream.stats()["active"]:
                return


SECTIONS: dict[str, Callable[[Loads, Target], Figures]] = {
    "streams": Loads.streams,
    "json64": Loads.json64,
    "json1": Loads.json1,
    "p500x10": Loads.p500x10,
    "p50x20": Loads.p50x20,
    "burst": Loads.burst,
    "first": Loads.first,
    "translated": Loads.translated,
    "abort": Loads.abort,
}
# The sections whose cost is compared with nginx, and the figure compared.
RATIOS = {
    "json64": "cpu_per_request",
    "json1": "cpu_per_request",
    "p500x10": "cpu_per_piece",
    "p50x20": "cpu_per_piece",
    "burst": "cpu_per_piece",
}
