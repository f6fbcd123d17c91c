"""Requests by wrk: short rounds, one proxy after the other, again and again.

The rounds alternate (A B C D A B C D ...) so that a machine that slows down meanwhile does so for all.
"""

import http.client
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import DIRECT, LoadResult, LoadRound, NotMeasured
from benchmarks.jobs import AFFINITY_HEADER, OVERRIDES_HEADER, OVERRIDES_VALUE, Job
from benchmarks.peers import Proxy, start_proxy
from benchmarks.processes import LOOPBACK, Bench, Children, pinned
from benchmarks.upstreams import SMALL_BODY_BYTES, Upstreams, small_body, start_small_upstreams

AFFINITY_KEYS = 1_000
OBJECT_NAMES = 10_000
_HTTP_OK = 200

# wrk's own text rounds its figures; its Lua side gives them exactly, and counts errors by kind.
REPORT_LUA = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nFIGURES {"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, ' ..
    '"non_2xx": %d, "socket_errors": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""
# The requests are built before the round: wrk's Lua would else be what is measured.
_CYCLE_LUA = """
init = function(args)
  prepared, count, at = {}, %(count)d, 0
  for i = 1, count do
    prepared[i] = wrk.format("GET", %(path)s, %(headers)s)
  end
end
request = function()
  at = at %% count + 1
  return prepared[at]
end
"""


class LoadFailed(Exception):
    """wrk could not run a round."""


class WrongAnswers(Exception):
    """A proxy does not do the job it would be measured for."""


@dataclass(frozen=True, slots=True)
class LoadScenario:
    """What wrk sends, over how many connections, to which proxies."""

    name: str
    title: str
    note: str
    job: Job
    connections: int
    proxies: tuple[str, ...]


def _lua(job: Job) -> str:
    if job is Job.AFFINITY:
        headers = f'{{["{AFFINITY_HEADER}"] = "user-" .. i}}'
        return REPORT_LUA + _CYCLE_LUA % {"count": AFFINITY_KEYS, "path": '"/"', "headers": headers}
    if job is Job.OBJECT:
        path = '"/cart/user-" .. i'
        return REPORT_LUA + _CYCLE_LUA % {"count": OBJECT_NAMES, "path": path, "headers": "nil"}
    if job is Job.OVERRIDE:
        return REPORT_LUA + f'wrk.headers["{OVERRIDES_HEADER}"] = [[{OVERRIDES_VALUE}]]\n'
    return REPORT_LUA


def _run_wrk(script: Path, port: int, connections: int, seconds: int, core: int | None) -> dict[str, int]:
    """Return wrk's figures of one round.

    Raises:
        LoadFailed: wrk ended with an error or without figures.
    """
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "--latency", "-s", str(script)]
    command = pinned(core, [*wrk, f"http://{LOOPBACK}:{port}/"])
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"wrk did not end within {seconds + 30} s") from error
    for line in run.stdout.splitlines():
        if line.startswith("FIGURES "):
            figures: dict[str, int] = json.loads(line.removeprefix("FIGURES "))
            return figures
    last = (run.stderr.strip() or run.stdout.strip() or f"exit code {run.returncode}").splitlines()[-1]
    raise LoadFailed(f"wrk: {last}")


def run_round(script: Path, proxy: Proxy | int, connections: int, seconds: int, core: int | None) -> LoadRound:
    """Run wrk against a proxy, or against a port without one.

    Raises:
        LoadFailed: No request was answered, or the proxy or wrk ended.
    """
    child, port = (None, proxy) if isinstance(proxy, int) else (proxy.child, proxy.port)
    cpu_before = child.cpu_seconds() if child is not None else 0.0
    figures = _run_wrk(script, port, connections, seconds, core)
    cpu_seconds = child.cpu_seconds() - cpu_before if child is not None else None
    requests, duration_seconds = figures["requests"], figures["duration_us"] / 1e6
    if requests == 0 or (child is not None and not child.running):
        raise LoadFailed("no request was answered" if requests == 0 else "the proxy ended during the round")
    return LoadRound(
        requests_per_second=requests / duration_seconds,
        p50_us=figures["p50_us"],
        p99_us=figures["p99_us"],
        non_2xx=figures["non_2xx"],
        socket_errors=figures["socket_errors"],
        cpu_us_per_request=None if cpu_seconds is None else cpu_seconds * 1e6 / requests,
        busy_share=None if cpu_seconds is None else cpu_seconds / duration_seconds,
    )


def _version_of_answer(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> str:
    """Return the tag of the version that answered.

    Raises:
        WrongAnswers: The status or the body is not the upstream's.
    """
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode("latin-1")
    if response.status != _HTTP_OK:
        raise WrongAnswers(f"answers {path} with status {response.status} instead of 200: {body[:200]!r}")
    if body not in (small_body("v1"), small_body("v2")):
        raise WrongAnswers(f"answers with {len(body)} bytes that are not the upstream's: {body[:80]!r}")
    return body[:2]


def check_answers(port: int, job: Job) -> None:
    """Check that a proxy does the job: right answers, both versions in use, signals obeyed.

    A proxy that passed over the signals would be faster and its figures worth nothing.

    Raises:
        WrongAnswers: It does not.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        if job is Job.OVERRIDE:
            got = {_version_of_answer(connection, "/", {OVERRIDES_HEADER: OVERRIDES_VALUE}) for _ in range(50)}
            if got != {"v2"}:
                raise WrongAnswers(f"the override names v2, but the answers come from {sorted(got)}")
            return
        asks: Sequence[tuple[str, dict[str, str]]] = [("/", {})] * 300
        if job is Job.AFFINITY:
            asks = [("/", {AFFINITY_HEADER: f"user-{i}"}) for i in range(1, 301)]
        elif job is Job.OBJECT:
            asks = [(f"/cart/user-{i}", {}) for i in range(1, 301)]
        first = [_version_of_answer(connection, path, headers) for path, headers in asks]
        if set(first) != {"v1", "v2"}:
            raise WrongAnswers(f"300 requests at {job.value} reached {sorted(set(first))} only")
        if job in (Job.AFFINITY, Job.OBJECT):
            second = [_version_of_answer(connection, path, headers) for path, headers in asks]
            moved = sum(before != after for before, after in zip(first, second, strict=True))
            if moved:
                raise WrongAnswers(f"{moved} of 300 keys changed their version between two requests")
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswers(f"does not answer: {error!r}") from error
    finally:
        connection.close()


def _start_targets(
    scenario: LoadScenario, children: Children, upstreams: Upstreams
) -> dict[str, Proxy | int | NotMeasured]:
    """Start every proxy and check its answers; the row without a proxy is the upstream's own port."""
    targets: dict[str, Proxy | int | NotMeasured] = {}
    for name in scenario.proxies:
        if name == DIRECT:
            targets[name] = upstreams.v1_port
            continue
        proxy = start_proxy(name, children, upstreams, scenario.job)
        if isinstance(proxy, Proxy):
            try:
                check_answers(proxy.port, scenario.job)
            except WrongAnswers as error:
                proxy = _unusable(str(error), proxy)
        targets[name] = proxy
    return targets


def _unusable(why: str, proxy: Proxy | int) -> NotMeasured:
    return NotMeasured(why, missing=False, detail=() if isinstance(proxy, int) else proxy.child.tail())


def measure_load(scenario: LoadScenario, bench: Bench, rounds: int, seconds: int) -> LoadResult:
    """Run one scenario over all its proxies and return every round.

    Raises:
        DidNotStart: The upstream does not start; without it nothing can be measured.
    """
    script = bench.folder / "scenario.lua"
    script.write_text(_lua(scenario.job), encoding="utf-8")
    # Connections, caches and the processor's clock settle in a round that nobody counts; a smoke run does without.
    lengths = [seconds] if rounds == 1 else [1, *[seconds] * rounds]
    counted: dict[str, list[LoadRound]] = {name: [] for name in scenario.proxies}
    with Children(bench) as children:
        upstreams = start_small_upstreams(children)
        targets = _start_targets(scenario, children, upstreams)
        for number, length in enumerate(lengths, start=rounds - len(lengths) + 1):
            for name, target in targets.items():
                if isinstance(target, NotMeasured):
                    continue
                try:
                    done = run_round(script, target, scenario.connections, length, bench.cores.load)
                except LoadFailed as error:
                    targets[name] = _unusable(
                        f"{f'round {number} of {rounds}' if number else 'warm-up'}: {error}", target
                    )
                    continue
                rate = f"{done.requests_per_second:,.0f} requests/s{'' if number else ' (not counted)'}"
                bench.say(f"{scenario.name} {number}/{rounds}: {name} {rate}")
                if number > 0:
                    counted[name].append(done)
    for name, target in targets.items():
        if isinstance(target, NotMeasured):
            bench.say(f"{scenario.name}: {name} {target.why}")
    note = f"{scenario.note} Upstream: {upstreams.server}, {SMALL_BODY_BYTES} bytes."
    rows = {
        name: target if isinstance(target, NotMeasured) else tuple(counted[name])
        for name, target in targets.items()
    }
    return LoadResult(scenario.name, scenario.title, note, rows)
