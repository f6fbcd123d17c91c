"""A small GET: through the gateway to a version on workerd, to bare workerd, and to ``wrangler dev``."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.figures import LoadRound, NotMeasured, WorkerdGetRow
from benchmarks.load import REPORT_LUA, LoadFailed, run_round
from benchmarks.peers import Proxy
from benchmarks.processes import Bench, Children, DidNotStart
from benchmarks.workerd.peers import WORKERD, Running, start_each

CONNECTIONS = 32
STARTS = 3


class _Row:
    """One way to run the Worker, and what has been counted of it."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.rounds: list[LoadRound] = []
        self.workerd_cpu_us: list[float] = []

    def run_round(self, script: Path, seconds: int, *, counted: bool) -> LoadRound:
        child = self.running.child
        before = child.cpu_seconds(WORKERD)
        done = run_round(script, Proxy(child, self.running.port), CONNECTIONS, seconds, None)
        workerd_share = (child.cpu_seconds(WORKERD) - before) / seconds
        if counted:
            self.rounds.append(done)
            self.workerd_cpu_us.append(workerd_share * 1e6 / done.requests_per_second)
        return done

    def figures(self) -> WorkerdGetRow:
        child = self.running.child
        return WorkerdGetRow(
            startup_seconds=self.running.startup_seconds,
            rounds=tuple(self.rounds),
            workerd_cpu_us=tuple(self.workerd_cpu_us),
            memory_bytes=child.memory_bytes(),
            workerd_memory_bytes=child.memory_bytes(WORKERD),
            processes=len(child.processes()),
            workerd_processes=len(child.processes(WORKERD)),
        )


def measure_get(bench: Bench, rounds: int, seconds: int) -> Mapping[str, WorkerdGetRow | NotMeasured]:
    """Return what became of each way to run the Worker; the rounds alternate."""
    script = bench.folder / "get.lua"
    script.write_text(REPORT_LUA, encoding="utf-8")
    rows: dict[str, _Row | NotMeasured] = {}
    with Children(bench) as children:
        for name, start in start_each(children, min(rounds, STARTS)).items():
            try:
                rows[name] = _Row(start())
            except DidNotStart as error:
                rows[name] = NotMeasured(f"does not start: {error}", detail=error.tail)
        for number in range(rounds + 1):
            for name, row in rows.items():
                if isinstance(row, NotMeasured):
                    continue
                try:
                    # The first round is not counted: connections and compiled code settle.
                    done = row.run_round(script, seconds if number else 1, counted=number > 0)
                except LoadFailed as error:
                    rows[name] = NotMeasured(str(error), missing=False, detail=row.running.child.tail())
                    continue
                rate = f"{done.requests_per_second:,.0f} requests/s{'' if number else ' (not counted)'}"
                bench.say(f"workerd-get {number}/{rounds}: {name} {rate}")
        return {name: row if isinstance(row, NotMeasured) else row.figures() for name, row in rows.items()}
