"""Measures gateways side by side: `python -m benchmarks.load.run [--all] [--only a,b] ...`.

One mock upstream and the load share one CPU, the gateway has another. nginx is started once and
measured just before each section of each gateway, so that every ratio compares two loads of the
same minute. Writes results/latest.json and .md, and the same under the time of the run. A gateway
that cannot be measured is one line, not an error.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.load.build import BuildError
from benchmarks.load.contenders import LOCAL, NGINX, Recipe, Running, Unavailable
from benchmarks.load.machine import describe, first_line
from benchmarks.load.peers import PEER_RECIPES
from benchmarks.load.report import ratio_to_nginx, render
from benchmarks.load.sections import RATIOS, SECTIONS, Figures, Loads, Target
from benchmarks.load.upstream import Upstream

RESULTS = Path(__file__).resolve().parent.parent / "results"
QUICK = ("nginx", "naive", "tallygate")
# In the quick set only these two hold thousands of streams: it is the longest section.
QUICK_STREAMS = ("nginx", "tallygate")
RECIPES = {recipe.name: recipe for recipe in (*LOCAL, *PEER_RECIPES)}
DIRECT = "direct"
# What a line of progress shows, where a section has it.
SHOWN = (
    *("cpu_per_request", "cpu_per_piece", "requests_per_s", "pieces_per_s", "failures", "error"),
    *("added_p50_ms", "added_p99_ms", "closed_upstream", "close_p50_ms", "all_complete"),
    *("translation_ratio", "cpu_passed", "cpu_translated"),
    *("kib_per_stream", "at_once", "answered_inside", "foreign_cpus"),
)


class Run:
    """One run: the mock, nginx as reference if there is one, and the gateways asked for."""

    def __init__(self, options: argparse.Namespace, upstream: Upstream) -> None:
        self._options = options
        self._upstream = upstream
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self._loads = Loads(upstream, options.seconds, hard)
        self._reference: Target | None = None
        self.contenders: dict[str, dict[str, Any]] = {}

    def measure_all(self, names: list[str]) -> None:
        """Measures the named gateways in order; fills `contenders`."""
        with ExitStack() as stack:
            try:
                nginx = stack.enter_context(self._start(NGINX))
                self._reference = Target(nginx.pid, nginx.port, nginx.launch)
                self._loads.warm(self._reference)
            except Unavailable as error:
                self._skip("nginx", f"{error}; there will be no ratios")
            for name in names:
                if name == DIRECT:
                    target = Target.direct(self._upstream)
                    self._measure(name, target, "", "the mock itself", compare=False)
                elif name == "nginx" and self._reference is not None:
                    version, note = NGINX.version(), NGINX.note
                    self._measure(name, self._reference, version, note, compare=False)
                elif name != "nginx":
                    self._measure_recipe(RECIPES[name])

    def _start(self, recipe: Recipe) -> Running:
        return Running(recipe, self._upstream.port, self._options.gateway_cpu)

    def _skip(self, name: str, reason: str) -> None:
        print(f"{name}: skipped: {reason}", flush=True)
        self.contenders[name] = {"skipped": reason}

    def _measure_recipe(self, recipe: Recipe) -> None:
        try:
            running = self._start(recipe)
        except Unavailable as error:
            self._skip(recipe.name, str(error))
            return
        with running:
            target = Target(running.pid, running.port, running.launch, recipe.max_streams)
            self._measure(recipe.name, target, recipe.version(), recipe.note, compare=True)

    def _wanted(self, name: str, target: Target) -> list[str]:
        skipped = set() if target.launch.translated else {"translated"}
        if self._options.sections:
            return [s for s in SECTIONS if s in self._options.sections and s not in skipped]
        if not self._options.all and name not in QUICK_STREAMS:
            skipped.add("streams")
        if name == DIRECT:
            skipped.add("first")
        return [s for s in SECTIONS if s not in skipped]

    def _measure(self, name: str, target: Target, version: str, note: str, compare: bool) -> None:
        print(f"{name} {version}", flush=True)
        sections: dict[str, dict[str, Any]] = {}
        self.contenders[name] = {"version": version, "note": note, "sections": sections}
        if self._reference is not target:
            self._loads.warm(target)
        for section in self._wanted(name, target):
            found: dict[str, Any] = {"runs": [], "nginx": []}
            sections[section] = found
            rounds = self._options.rounds if section in RATIOS else 1
            for _ in range(rounds):
                if compare and self._reference is not None and section in RATIOS:
                    found["nginx"].append(self._one(section, self._reference))
                found["runs"].append(self._one(section, target))
            if section in RATIOS and found["nginx"]:
                found["ratio"] = ratio_to_nginx(found, RATIOS[section])
            self._say(section, found)

    def _one(self, section: str, target: Target) -> Figures:
        try:
            figures = SECTIONS[section](self._loads, target)
        except Exception as error:  # noqa: BLE001
            # One section that fails must not cost the others; the report names it.
            return {"error": f"{type(error).__name__}: {error}"[:300]}
        self._loads.wait_until_quiet(target)
        return figures

    def _say(self, section: str, found: dict[str, Any]) -> None:
        last = found["runs"][-1]
        words = [f"{key}={last[key]}" for key in SHOWN if key in last]
        if found.get("ratio"):
            words.insert(0, f"x{found['ratio']} of nginx")
        print(f"  {section:8} {' '.join(words)}", flush=True)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line; `--only` and `--sections` become lists of known names."""
    parser = argparse.ArgumentParser(prog="benchmarks.load.run", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every gateway and every section")
    parser.add_argument("--only", default="", help=f"of: {DIRECT}, {', '.join(RECIPES)}")
    parser.add_argument("--sections", default="", help=f"of: {', '.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, default=1, help="of each compared section")
    parser.add_argument("--seconds", type=float, default=3.0, help="about, of each load")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    options.only = [name for name in options.only.split(",") if name]
    options.sections = [name for name in options.sections.split(",") if name]
    for name in options.only:
        if name != DIRECT and name not in RECIPES:
            parser.error(f"there is no gateway named {name}; known: {DIRECT}, {', '.join(RECIPES)}")
    for name in options.sections:
        if name not in SECTIONS:
            parser.error(f"there is no section named {name}; known: {', '.join(SECTIONS)}")
    cpus = sorted(os.sched_getaffinity(0))
    options.gateway_cpu, options.load_cpu = (cpus[0], cpus[1]) if len(cpus) > 1 else (None, None)
    return options


def save(result: dict[str, Any], folder: Path) -> None:
    """Writes the result as JSON and Markdown, as latest and under its time."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = result["when"].replace(" ", "T").replace(":", "")
    for name in (stamp, "latest"):
        (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        (folder / f"{name}.md").write_text(render(result), "utf-8")


def main(arguments: list[str]) -> int:
    """Runs what the command line asks; 0 when at least one gateway was measured."""
    options = parse_options(arguments)
    names = options.only or ([DIRECT, *RECIPES] if options.all else list(QUICK))
    if options.load_cpu is not None:
        # The mock, the client and this process inherit it; the gateways are moved away.
        os.sched_setaffinity(0, {options.load_cpu})
    try:
        upstream = Upstream()
    except BuildError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    with upstream:
        run = Run(options, upstream)
        run.measure_all(names)
    result = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S"),
        "machine": describe(),
        "settings": {
            "rounds": options.rounds,
            "seconds": options.seconds,
            "gateway_cpu": options.gateway_cpu,
            "load_cpu": options.load_cpu,
            "json_load": first_line("wrk", "-v") or "client.c",
        },
        "contenders": run.contenders,
    }
    save(result, options.output)
    print(f"\n{render(result)}\nwritten to {options.output}/latest.json and latest.md")
    return 0 if any("sections" in c for c in run.contenders.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
