"""Deployments that move every object but one: a thousand in memory, and a hundred thousand at rest."""

import http.client
import itertools
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks.figures import MoveResult, MoveRound, MoveRow
from benchmarks.processes import Bench, Children
from benchmarks.workerd.edge import CLASS, Edge, Refused, ask, wait_for_answer

WORKER = "counter"
STAYING = "staying"
ROUNDS = 3
USUAL_SECONDS = 0.5
_CALLERS = 8
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Call:
    """One call to the object that stays, in seconds of the clock ``perf_counter``."""

    began: float
    ended: float


class _Caller:
    """Calls the object that stays, again and again, from a thread of its own."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._call_for_ever)
        self._failure: Exception | None = None
        self.calls: list[_Call] = []

    def _call_for_ever(self) -> None:
        connection = self._edge.connection()
        try:
            while not self._stop.is_set():
                began = time.perf_counter()
                ask(connection, f"/ask/{STAYING}", _HOST)
                self.calls.append(_Call(began, time.perf_counter()))
        except (OSError, http.client.HTTPException, Refused) as error:
            self._failure = error
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        if self._failure is not None:
            raise Refused(f"a call to an object that stays failed: {self._failure!r}")


_HOST = f"{WORKER}.localhost"


class _Bed:
    """A Worker with two versions, and one object that is pinned to the first."""

    def __init__(self, bench: Bench, children: Children, name: str) -> None:
        entry = {"name": WORKER, "durable_objects": {"assignment": "hash"}}
        self.edge = Edge(children, bench.folder / name, [entry])
        self.edge.start()
        self.versions = self.edge.deploy_two(WORKER)
        self.deploy(0)
        self.wait()
        self.edge.wait_for_object(WORKER, STAYING)
        self.edge.api.pin(WORKER, CLASS, STAYING, self.versions[0])

    def wait(self) -> None:
        wait_for_answer(self.edge.child, self.edge.port, _HOST, f"/count/{STAYING}")

    def deploy(self, target: int) -> None:
        """Give all objects but the pinned one to the first version (0) or to the second (1)."""
        first, second = self.versions
        self.edge.deploy(WORKER, {first: 100 - target * 100, second: target * 100})

    def files(self, target: int) -> int:
        """Return how many objects have their files at a version."""
        folder = self.edge.object_folder(WORKER, self.versions[target])
        return sum(path.suffix == ".sqlite" and path.stem != "metadata" for path in folder.iterdir())

    def move(self, target: int, objects: int) -> MoveRound:
        """Deploy, and return what it took.

        Raises:
            Refused: Objects are elsewhere afterwards than they should be, or a call failed.
        """
        with _Caller(self.edge) as caller:
            time.sleep(USUAL_SECONDS)
            began = time.perf_counter()
            self.deploy(target)
            ended = time.perf_counter()
            time.sleep(USUAL_SECONDS)
        caller.check()
        if (found := self.files(target)) < objects:
            raise Refused(f"{found:,} of {objects:,} objects are where they should be")
        took = [call.ended - call.began for call in caller.calls if call.ended > began and call.began < ended]
        usual = [call.ended - call.began for call in caller.calls if call.ended < began]
        return MoveRound(ended - began, max(took) * 1e3, len(took), median(usual) * 1e3)


def _call_all(edge: Edge, method: str, objects: int) -> None:
    """Call each object once."""
    numbers = itertools.count()

    def call_some() -> None:
        connection = edge.connection()
        while (number := next(numbers)) < objects:
            ask(connection, f"/{method}/object-{number}", _HOST)
        connection.close()

    with ThreadPoolExecutor(_CALLERS) as pool:
        for future in [pool.submit(call_some) for _ in range(_CALLERS)]:
            future.result()


def _bring_to_memory(edge: Edge, objects: int) -> None:
    """Let each object write to its storage; then call all once more, as one leaves memory 10 s after a call.

    Raises:
        Refused: They do not stay.
    """
    found = 0
    _call_all(edge, "count", objects)
    for _ in range(_ATTEMPTS):
        _call_all(edge, "ask", objects)
        if (found := _open_objects(edge)) >= objects:
            return
    raise Refused(f"{found:,} of {objects:,} objects are in memory")


def _open_objects(edge: Edge) -> int:
    """Return how many objects are in memory of the gateway's workerds, by their open files."""
    found = 0
    for pid in edge.child.processes("workerd"):
        links = (link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir())
        found += sum(len(name) == len(".sqlite") + 64 and name.endswith(".sqlite") for name in links)
    return found


def _make_dormant(folder: Path, objects: int) -> None:
    """Write the files of objects that were never in memory since the gateway started.

    They are empty, which is a database without tables: what a file holds makes no difference to its move, but to
    the time until a hundred thousand of them are written and deleted.
    """
    for _ in range(objects):
        (folder / f"{secrets.token_hex(32)}.sqlite").touch()


def _rounds(bench: Bench, bed: _Bed, name: str, objects: int, rounds: int, before: Callable[[], None]) -> MoveRow:
    done = []
    for number in range(1, rounds + 1):
        before()
        done.append(bed.move(number % 2, objects))
        told = f"{done[-1].seconds:.2f} s, the longest call {done[-1].longest_call_ms:.0f} ms"
        bench.say(f"workerd-moves {number}/{rounds}: {objects:,} {name} objects in {told}")
    return MoveRow(objects, tuple(done))


def measure_moves(bench: Bench, rounds: int, resident: int, dormant: int) -> MoveResult:
    """Move objects forth and back.

    Raises:
        DidNotStart, Refused: It cannot be measured.
    """
    rounds = min(ROUNDS, rounds)
    with Children(bench) as children:
        bed = _Bed(bench, children, "resident")

        in_memory = _rounds(bench, bed, "resident", resident, rounds, lambda: _bring_to_memory(bed.edge, resident))
        bed.edge.stop()
        bed = _Bed(bench, children, "dormant")
        bed.edge.stop()
        _make_dormant(bed.edge.object_folder(WORKER, bed.versions[0]), dormant)
        began = time.perf_counter()
        bed.edge.start()
        bed.wait()
        start_seconds = time.perf_counter() - began
        bench.say(f"workerd-moves: {dormant:,} objects on the disk, start in {start_seconds:.1f} s")
        at_rest = _rounds(bench, bed, "dormant", dormant, rounds, lambda: None)
    return MoveResult(in_memory, at_rest, start_seconds)
