"""What the console costs a stream: python -m benchmarks.bench_console [--rounds N]

50 paced streams (p50x20) alone, and beside 50 people who open pages of the console, one each five
seconds or so, and 20 sign-ins offered a second, each from another address for another account with
a password that is wrong: the most that hashing can be asked for. The two alternate on one gateway;
compared are the medians of the 99th percentile of a piece's lateness. Those who browse are one
process (`--browse`) on the load's CPU, of the idle class: one that is merely nice would hold up
those who measure by up to a tick of the kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.load.contenders import Launch, Recipe, Running, Site, Unavailable, tallygate
from benchmarks.load.sections import SECTIONS, Loads, Target
from benchmarks.load.upstream import Upstream

SECTION = "p50x20"
GOAL = 0.10  # how much worse the 99th percentile may be
PEOPLE = 50
THINK_S = 5.0
SIGN_INS_A_SECOND = 20
PAGES = (
    *("/console", "/console/usage", "/console/logs", "/console/keys", "/console/billing"),
    *("/models", "/docs", "/settings/security"),
)
OWN = {"Sec-Fetch-Site": "same-origin"}


def prepare(site: Site) -> Launch:
    """Tallygate behind a proxy that says each visitor's address."""
    launch = tallygate(site)
    proxies = {"TALLYGATE_SERVER_TRUSTED_PROXIES": "127.0.0.1/32"}
    return dataclasses.replace(launch, environment={**launch.environment, **proxies})


def address() -> dict[str, str]:
    """Somebody else's address each time, as a proxy in front would say it."""
    return {"X-Forwarded-For": ".".join(str(random.randint(1, 254)) for _ in range(4))}


class Crowd:
    """Browses and signs in until it is told to stop; counts what it got."""

    def __init__(self, url: str, token: str, people: int, sign_ins: float) -> None:
        self._url = url
        self._people = people
        self._sign_ins_a_second = sign_ins
        self._cookie = {"Cookie": f"token={token}"}
        self.pages_ms: list[float] = []
        self.answers_ms: dict[int, list[float]] = {}

    async def run(self) -> None:
        """Everybody at once; ends with SIGTERM."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            people = [asyncio.create_task(self._person(session)) for _ in range(self._people)]
            if self._sign_ins_a_second:
                people.append(asyncio.create_task(self._sign_ins(session)))
            await stop.wait()
            for person in people:
                person.cancel()
            await asyncio.gather(*people, return_exceptions=True)

    async def _person(self, session: aiohttp.ClientSession) -> None:
        await asyncio.sleep(random.uniform(0, THINK_S))
        while True:
            started = time.perf_counter()
            page = self._url + random.choice(PAGES)
            async with session.get(page, headers=self._cookie, allow_redirects=False) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{page}: {answer.status}")
            self.pages_ms.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(random.uniform(0.5, 1.5) * THINK_S)

    async def _sign_ins(self, session: aiohttp.ClientSession) -> None:
        running: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while True:
            due += random.expovariate(self._sign_ins_a_second)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._sign_in(session))
            running.add(task)
            task.add_done_callback(running.discard)

    async def _sign_in(self, session: aiohttp.ClientSession) -> None:
        started = time.perf_counter()
        form = {"email": f"p{random.getrandbits(48):x}@example.com", "password": "not this one"}
        headers = OWN | address()
        with contextlib.suppress(aiohttp.ClientError):
            async with session.post(self._url + "/sign-in", data=form, headers=headers) as answer:
                await answer.read()
            took_ms = (time.perf_counter() - started) * 1000
            self.answers_ms.setdefault(answer.status, []).append(took_ms)

    def figures(self) -> dict[str, Any]:
        """What they met, in milliseconds."""
        return {
            "pages": len(self.pages_ms),
            "page_p50_ms": _quantile(self.pages_ms, 0.5),
            "page_p99_ms": _quantile(self.pages_ms, 0.99),
            "sign_ins": {
                status: {"number": len(ms), "p50_ms": _quantile(ms, 0.5)}
                for status, ms in sorted(self.answers_ms.items())
            },
        }


def _quantile(values: list[float], share: float) -> float | None:
    ordered = sorted(values)
    return round(ordered[int(share * (len(ordered) - 1))], 1) if ordered else None


def browse(url: str, token: str, people: str, sign_ins: str) -> None:
    """The process of those who browse."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    crowd = Crowd(url, token, int(people), float(sign_ins))
    asyncio.run(crowd.run())
    sys.stdout.write(json.dumps(crowd.figures()) + "\n")


class Browsing:
    """`with Browsing(url, token) as b`: they browse meanwhile; `b.figures` afterwards."""

    def __init__(self, url: str, token: str, options: argparse.Namespace) -> None:
        self._command = [sys.executable, "-m", "benchmarks.bench_console", "--browse", url, token]
        self._command += [str(options.people), str(options.sign_ins)]
        self.figures: dict[str, Any] = {}

    def __enter__(self) -> Browsing:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        time.sleep(2.0)  # it has started and everybody has come
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        said, _ = self._process.communicate(timeout=30)
        self.figures = json.loads(said or b"{}")


async def sign_in(url: str, link: str) -> str:
    """A session's token by a one-time link."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/sign-in/{link}", headers=OWN, allow_redirects=False) as answer,
    ):
        return str(answer.cookies["token"].value)


def session_of(running: Running) -> str:
    """A session of the account whose streams run."""
    command = [running.launch.command[0], "accounts", "link", "bench@example.com", "--json"]
    data = running.launch.command[running.launch.command.index("--data") + 1]
    done = subprocess.run([*command, "--data", data], capture_output=True, text=True, check=True)
    url = f"http://127.0.0.1:{running.port}"
    return asyncio.run(sign_in(url, json.loads(done.stdout)["token"]))


def main() -> None:
    """Run the pairs and print both medians; --json FILE keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="about, of each load")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--sign-ins", type=float, default=SIGN_INS_A_SECOND, help="a second")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(0, {cpus[1]})
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    late: dict[bool, list[float]] = {False: [], True: []}
    met: list[dict[str, Any]] = []
    with Upstream() as upstream:
        loads = Loads(upstream, options.seconds, files)
        gateway_cpu = cpus[0] if len(cpus) > 1 else None
        with Running(Recipe("console", prepare, str), upstream.port, gateway_cpu) as running:
            target = Target(running.pid, running.port, running.launch)
            url, token = f"http://127.0.0.1:{running.port}", session_of(running)
            loads.warm(target)
            with Browsing(url, token, options):  # templates are compiled at their first use
                time.sleep(THINK_S)
            for number in range(options.rounds):
                for crowded in (False, True) if number % 2 else (True, False):
                    with contextlib.ExitStack() as stack:
                        crowd = None
                        if crowded:
                            crowd = stack.enter_context(Browsing(url, token, options))
                        figures = SECTIONS[SECTION](loads, target)
                    if crowd is not None:
                        met.append(crowd.figures)
                    loads.wait_until_quiet(target)
                    if figures["failures"]:
                        raise Unavailable(f"streams failed: {figures}")
                    late[crowded].append(figures["lateness_us"]["p99"])
                print(f"  p99 alone {late[False][-1]} us, beside {late[True][-1]} us", flush=True)
    alone, beside = statistics.median(late[False]), statistics.median(late[True])
    print(f"met by the last crowd: {json.dumps(met[-1])}")
    print(
        f"p99 of lateness {alone:.0f} us alone, {beside:.0f} us beside them: "
        f"{beside / alone - 1:+.1%} (<= {GOAL:+.0%})"
    )
    if options.json:
        options.json.write_text(
            json.dumps({"alone": late[False], "beside": late[True], "met": met})
        )


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["--browse"]:
            browse(*sys.argv[2:])
        else:
            main()
    except Unavailable as problem:
        print(f"benchmarks: {problem}", file=sys.stderr)
        sys.exit(2)
