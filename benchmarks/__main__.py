"""``python -m benchmarks``: measure the gateway beside its peers and write ``benchmarks/RESULTS.md``."""

import argparse
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks import object_table
from benchmarks.bodies import DIRECTIONS, measure_bodies
from benchmarks.figures import (
    AIOHTTP,
    DIRECT,
    GATEWAY,
    HAPROXY,
    NGINX,
    NGINX_LARGE_BUFFERS,
    Figures,
)
from benchmarks.jobs import AFFINITY_HEADER, OVERRIDES_HEADER, Job
from benchmarks.load import AFFINITY_KEYS, OBJECT_NAMES, LoadScenario, measure_load
from benchmarks.machine import describe_machine
from benchmarks.peers import missing_program
from benchmarks.processes import ROOT, Bench, DidNotStart, plan_cores
from benchmarks.report import goals, markdown
from benchmarks.startup import measure_startup
from benchmarks.websockets_idle import measure_websockets
from benchmarks.workerd import measure as workerd

RESULTS = Path("benchmarks/RESULTS.md")
_EVERYONE = (DIRECT, NGINX, HAPROXY, AIOHTTP, GATEWAY)
_PROXIES = (NGINX, HAPROXY, AIOHTTP, GATEWAY)
_BODY_PROXIES = (DIRECT, NGINX, NGINX_LARGE_BUFFERS, HAPROXY, AIOHTTP, GATEWAY)

LOAD_SCENARIOS = (
    LoadScenario(
        "get",
        "Small GET, keep-alive, 32 connections",
        "No signal in the request: every one is drawn 90/10.",
        Job.SPLIT,
        32,
        _EVERYONE,
    ),
    LoadScenario(
        "affinity",
        "Small GET with an affinity key, 32 connections",
        f"`{AFFINITY_HEADER}` with {AFFINITY_KEYS:,} keys in turn. Every proxy chooses by the key: nginx"
        " `split_clients` on the header, HAProxy `balance hdr`, the aiohttp proxy a CRC.",
        Job.AFFINITY,
        32,
        _PROXIES,
    ),
    LoadScenario(
        "override",
        "Small GET with an override, 32 connections",
        f"`{OVERRIDES_HEADER}` names v2 in every request. Every proxy obeys it, the peers by looking for the"
        " version's id in the header.",
        Job.OVERRIDE,
        32,
        _PROXIES,
    ),
    LoadScenario(
        "object",
        "Requests of Durable Objects, 32 connections",
        f"`/cart/{{name}}` with {OBJECT_NAMES:,} names in turn. The gateway keeps each object in its table; the"
        " peers hash the path, which is less.",
        Job.OBJECT,
        32,
        _PROXIES,
    ),
    LoadScenario(
        "latency",
        "Latency at one connection",
        "One request at a time. What a proxy adds is its latency less that of the upstream alone. Where wrk and"
        " the upstream share a core, much of that is waking the other core up, for every proxy alike.",
        Job.SPLIT,
        1,
        _EVERYONE,
    ),
)
WORKERD = "workerd"
SCENARIOS = (
    *(scenario.name for scenario in LOAD_SCENARIOS),
    *DIRECTIONS,
    "websockets",
    "object-table",
    "startup",
    *workerd.SCENARIOS,
)
_NEED_WRK = {*(scenario.name for scenario in LOAD_SCENARIOS), workerd.GET, workerd.CALLS}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure.

    Args:
        peers_everywhere: False for the smoke run, where only ``get`` meets all peers.
    """

    wanted: frozenset[str]
    rounds: int
    seconds: int
    body_bytes: int
    websockets: int
    idle_seconds: float
    resident_objects: int
    dormant_objects: int
    peers_everywhere: bool

    def proxies(self, scenario: str, candidates: tuple[str, ...]) -> tuple[str, ...]:
        """Return the proxies that take part in a scenario."""
        if self.peers_everywhere or scenario == "get":
            return candidates
        return tuple(name for name in candidates if name in (DIRECT, NGINX, GATEWAY))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the gateway beside its peers."
    )
    parser.add_argument(
        "--quick", action="store_true", help="smoke run of about 20 s; its figures are not to be quoted"
    )
    parser.add_argument("--rounds", type=_positive, help="rounds for each proxy and scenario (default 7)")
    parser.add_argument("--seconds", type=_positive, help="seconds of one round of wrk (default 3)")
    parser.add_argument(
        "--only",
        action="append",
        choices=(*SCENARIOS, WORKERD),
        metavar="SCENARIO",
        help=f"one of {', '.join(SCENARIOS)}; `{WORKERD}` means all of workerd-*; repeatable",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"where to write the report (default {RESULTS}; with --quick or --only the default is the standard"
        " output, so that no part of a report replaces a whole one)",
    )
    return parser


def _plan(arguments: argparse.Namespace) -> Plan:
    wanted = frozenset(arguments.only or SCENARIOS)
    if WORKERD in wanted:
        wanted = wanted - {WORKERD} | set(workerd.SCENARIOS)
    rounds, seconds = arguments.rounds, arguments.seconds
    if arguments.quick:
        return Plan(wanted, rounds or 1, seconds or 1, 20_000_000, 300, 1.0, 50, 500, peers_everywhere=False)
    return Plan(wanted, rounds or 7, seconds or 3, 100_000_000, 5_000, 10.0, 1_000, 100_000, peers_everywhere=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(plan: Plan, figures: Figures, bench: Bench) -> Figures:
    """Run the scenarios of a plan one after the other.

    Raises:
        DidNotStart: An upstream does not start.
    """

    def part(name: str) -> Bench:
        folder = bench.folder / name
        folder.mkdir()
        return replace(bench, folder=folder)

    for scenario in LOAD_SCENARIOS:
        if scenario.name in plan.wanted:
            chosen = replace(scenario, proxies=plan.proxies(scenario.name, scenario.proxies))
            result = measure_load(chosen, part(scenario.name), plan.rounds, plan.seconds)
            figures = replace(figures, load=(*figures.load, result))
    for name in DIRECTIONS:
        if name in plan.wanted:
            body = measure_bodies(
                name, plan.proxies(name, _BODY_PROXIES), part(name), plan.rounds, plan.body_bytes
            )
            figures = replace(figures, bodies=(*figures.bodies, body))
    if "websockets" in plan.wanted:
        proxies = (NGINX, HAPROXY, GATEWAY)
        sockets = measure_websockets(proxies, part("websockets"), plan.websockets, plan.idle_seconds)
        figures = replace(figures, websockets=sockets)
    # What follows measures the gateway alone, on all the cores that its user has.
    os.sched_setaffinity(0, bench.cores.usable)
    if "object-table" in plan.wanted:
        bench.say("object-table: a million objects")
        figures = replace(figures, object_table=object_table.measure())
    if "startup" in plan.wanted:
        figures = replace(figures, startup=measure_startup(part("startup"), plan.rounds))
    on_workerd = workerd.WorkerdPlan(
        plan.wanted, part, plan.rounds, plan.seconds, plan.resident_objects, plan.dormant_objects
    )
    return replace(figures, workerd=workerd.measure_workerd(on_workerd))


def _end_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    # Leaves the `with` blocks on the way, which end the children; the default action would let them run on.
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Measure, write the report and return the exit code: 0 when written, 1 when nothing could be measured."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.output is not None and not options.output.parent.is_dir():
        # Said now rather than after ten minutes of measuring.
        parser.error(f"--output: the folder {options.output.parent} does not exist")
    plan = _plan(options)
    if plan.wanted & _NEED_WRK and (missing := missing_program("wrk")) is not None:
        _say(f"error: {missing}; without it no requests can be measured")
        return 1
    signal.signal(signal.SIGTERM, _end_on_signal)
    signal.signal(signal.SIGHUP, _end_on_signal)
    cores = plan_cores()
    _say(cores.explanation)
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    machine = describe_machine(command, cores.explanation, plan.rounds, plan.seconds, quick=options.quick)
    if cores.load is not None:
        # The clients for bodies and WebSockets run in this process and must not disturb the proxy's core.
        os.sched_setaffinity(0, {cores.load})
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, contextlib.chdir(ROOT):
        try:
            figures = measure(plan, Figures(machine), Bench(Path(folder), cores, _say))
        except DidNotStart as error:
            _say("\n".join([f"error: {error}", *error.tail]))
            return 1
    report = markdown(figures)
    partial = options.quick or options.only
    if options.output is None and partial:
        print(report, end="")
    else:
        output = options.output or ROOT / RESULTS
        output.write_text(report, encoding="utf-8")
        _say(f"written: {options.output or RESULTS}")
    missed = [goal.what for goal in goals(figures) if goal.met is False]
    if missed and not options.quick:
        _say(f"goals missed: {'; '.join(missed)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
