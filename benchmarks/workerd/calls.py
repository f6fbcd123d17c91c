"""A GET whose handler makes one call to a Durable Object, in its own process or in another version's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import BARE_WORKERD, OTHER_PROCESS, OWN_PROCESS, LoadRound, NotMeasured, ObjectCallRow
from benchmarks.load import REPORT_LUA, LoadFailed, run_round
from benchmarks.peers import Proxy
from benchmarks.processes import Bench, Children
from benchmarks.workerd.edge import Edge, Refused, ask, version_host, wait_for_answer
from benchmarks.workerd.peers import Running, start_bare

WORKER = "counter"
CONNECTIONS = 32
NAMES = 64
ROUND_SECONDS = 1

_LUA = """
local paths = {%(paths)s}
init = function(args)
  prepared, count, at = {}, #paths, 0
  for i = 1, count do
    prepared[i] = wrk.format("GET", paths[i], {["Host"] = "%(host)s"})
  end
end
request = function()
  at = at %% count + 1
  return prepared[at]
end
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """Requests to one set of objects."""

    running: Running
    script: Path
    one: list[LoadRound] = field(default_factory=list)
    many: list[LoadRound] = field(default_factory=list)

    def run(self, connections: int) -> LoadRound:
        return run_round(
            self.script, Proxy(self.running.child, self.running.port), connections, ROUND_SECONDS, None
        )


def _script(folder: Path, name: str, names: Sequence[str], host: str) -> Path:
    paths = ", ".join(json.dumps(f"/ask/{one}") for one in names)
    file = folder / f"{name}.lua"
    file.write_text(REPORT_LUA + _LUA % {"paths": paths, "host": host}, encoding="utf-8")
    return file


def _placed(edge: Edge, first: str, second: str) -> dict[str, list[str]]:
    """Return names of objects by the version that runs them, seen from the first version's handler.

    Raises:
        Refused: An object answers from elsewhere than the object table says.
    """
    edge.deploy(WORKER, {first: 50, second: 50})
    host, connection = version_host(WORKER, first), edge.connection()
    wait_for_answer(edge.child, edge.port, host, "/ask/first")
    placed: dict[str, list[str]] = {first: [], second: []}
    answers = {f"object-{number}": "" for number in range(NAMES)}
    for name in answers:
        answers[name] = ask(connection, f"/ask/{name}", host)
    connection.close()
    for name, answer in answers.items():
        running = edge.wait_for_object(WORKER, name)
        if answer != f"{first} {running}":
            raise Refused(f"{name} runs {running} by the object table, but its answer was {answer!r}")
        placed[running].append(name)
    return placed


def _start(bench: Bench, children: Children) -> dict[str, _Row]:
    edge = Edge(children, bench.folder / "edge", [{"name": WORKER, "durable_objects": {"assignment": "hash"}}])
    edge.start()
    first, second = edge.deploy_two(WORKER)
    placed = _placed(edge, first, second)
    gateway = Running(edge.child, edge.port)
    bare = start_bare(children, "bare", "counter.js", "/ask/first", objects=True)
    host = version_host(WORKER, first)
    return {
        BARE_WORKERD: _Row(bare, _script(bench.folder, BARE_WORKERD, placed[first], "localhost")),
        OWN_PROCESS: _Row(gateway, _script(bench.folder, OWN_PROCESS, placed[first], host)),
        OTHER_PROCESS: _Row(gateway, _script(bench.folder, OTHER_PROCESS, placed[second], host)),
    }


def measure_calls(bench: Bench, rounds: int) -> Mapping[str, ObjectCallRow | NotMeasured]:
    """Return what calls cost, by where the object runs; the rounds alternate.

    Raises:
        DidNotStart, Refused, LoadFailed: It cannot be measured.
    """
    with Children(bench) as children:
        rows = _start(bench, children)
        failed: dict[str, NotMeasured] = {}
        for number in range(rounds + 1):
            for name, row in rows.items():
                if name in failed:
                    continue
                try:
                    one, many = row.run(1), row.run(CONNECTIONS)
                except LoadFailed as error:
                    failed[name] = NotMeasured(str(error), missing=False, detail=row.running.child.tail())
                    continue
                told = f"p50 {one.p50_us:,.0f} µs at one connection, {many.requests_per_second:,.0f} requests/s"
                bench.say(f"workerd-calls {number}/{rounds}: {name} {told}{'' if number else ' (not counted)'}")
                if number:
                    row.one.append(one)
                    row.many.append(many)
        return {
            name: failed[name] if name in failed else ObjectCallRow(tuple(row.one), tuple(row.many))
            for name, row in rows.items()
        }
