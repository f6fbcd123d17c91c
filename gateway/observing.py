"""What happens in the running gateway -> counters, events and tails: who knows of something tells it here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

from gateway.control.catalog import Catalog
from gateway.model.deployment import Deployment
from gateway.model.version import Version, WorkerName
from gateway.model.worker_code import WorkerdRuntime
from gateway.observability.event_bus import EventBus
from gateway.observability.events import (
    MESSAGE_CHARACTERS,
    ConsoleEvent,
    DeployedShare,
    DeploymentEvent,
    EventKind,
    ResetEvent,
)
from gateway.observability.invocations import Invocations
from gateway.observability.lives import VersionLives
from gateway.observability.metrics import Recorder
from gateway.observability.process_meter import ProcessMeter
from gateway.observability.tail import TailHub
from gateway.runtime.runner import VersionState
from gateway.store.store import Displaced

log = structlog.get_logger("gateway")

MOVES_AT_ONCE: Final = 500
_FIRST_PER_SECOND: Final = 1_000_000
_STARTED: Final = "started"


class Observing:
    """All that watches, and the ways in which it is told.

    Args:
        draw: Random numbers on [0, 1), for who wants a sample.
        spawn: Runs a coroutine in the background.
        listen: Called with the Workers whose processes shall tell of every invocation, whenever that changes.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        draw: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        listen: Callable[[frozenset[WorkerName]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalog = catalog
        self._spawn = spawn
        self._listen = listen
        self._clock = clock
        self.draw = draw
        self.recorder = Recorder(clock)
        # Numbers that rise over a restart too: a reader that comes back says which it saw last.
        self.bus = EventBus(later=_later, first=int(clock()) * _FIRST_PER_SECOND)
        self.lives = VersionLives(self.bus, clock)
        self.processes = ProcessMeter(lambda: self.lives.pids, time.monotonic)
        self.tails = TailHub(self.bus, draw=draw, clock=clock, later=_later, on_change=self._tails_changed)
        self._invocations = Invocations(
            self.tails, self.bus, version_of=catalog.version, tags_of=self.tags_of, later=_later
        )
        self.bus.on_change = self.listen
        self._listened: frozenset[WorkerName] = frozenset()
        self._telling = 0

    def listen(self) -> None:
        """Let processes tell of every invocation where somebody wants to hear of it, and only there."""
        wanted = frozenset(
            worker
            for worker in self._catalog.workers
            if self.tails.listening(worker) or self.bus.wants(EventKind.CONSOLE, worker)
        )
        if wanted != self._listened:
            self._listened = wanted
            self._listen(wanted)

    def tags_of(self, worker: WorkerName) -> Sequence[str]:
        """Return a Worker's script tags."""
        state = self._catalog.record(worker).state
        return tuple(state.settings.get("tags") or ()) if state else ()

    def _tails_changed(self, _worker: WorkerName, _listening: bool) -> None:
        self._invocations.follow()
        self.listen()

    def line_printed(self, version: Version, line: str) -> None:
        """A version's process printed a line."""
        log.info("version.output", worker=version.worker, version=version.label, line=line)
        # What workerd prints while it runs comes again, with its level and its request, as part of an invocation.
        if (
            isinstance(version.runtime, WorkerdRuntime)
            and version.worker in self._listened
            and version.id in self.lives.pids
        ):
            return
        self.bus.publish(
            ConsoleEvent(
                self._clock(),
                version.worker,
                version.id,
                version.label,
                "log",
                line[:MESSAGE_CHARACTERS],
                "stdout",
            )
        )

    def state_changed(self, version: Version, state: VersionState, trouble: str, pid: int) -> None:
        """A version's process began or ceased to run."""
        self.listen()  # of a Worker that is new nobody could be asked before
        told = _STARTED if state is VersionState.RUNNING else state.value
        self.lives.changed(version, told, trouble, pid)

    def deployed(self, deployment: Deployment) -> None:
        """A deployment became active."""
        record = self._catalog.record(deployment.worker)
        self.recorder.deployed(record.versions)
        shares = tuple(
            DeployedShare(version_id, record.versions[version_id].label, percentage)
            for version_id, percentage in deployment.percentages.items()
        )
        self.bus.publish(
            DeploymentEvent(
                self._clock(),
                deployment.worker,
                deployment.number,
                deployment.id,
                shares,
                deployment.triggered_by,
                deployment.message,
            )
        )

    def moved(self, worker: WorkerName, moves: Sequence[Displaced]) -> None:
        """Objects on workerd went over to other versions."""
        record = self._catalog.record(worker)
        classes = {one.unique_key: one.class_name for one in (record.state.namespaces if record.state else ())}
        number = record.active.number if record.active else 0
        self._telling += 1
        self._spawn(self._tell_moves(worker, classes, moves, number))

    async def moves_told(self) -> None:
        """Wait until all moves of objects that happened were told."""
        while self._telling:
            await asyncio.sleep(0)

    async def _tell_moves(
        self, worker: WorkerName, classes: Mapping[str, str], moves: Sequence[Displaced], number: int
    ) -> None:
        """A deployment can move a million objects: requests go on between."""
        try:
            await self._publish_moves(worker, classes, moves, number)
        finally:
            self._telling -= 1

    async def _publish_moves(
        self, worker: WorkerName, classes: Mapping[str, str], moves: Sequence[Displaced], number: int
    ) -> None:
        for position, move in enumerate(moves):
            if position % MOVES_AT_ONCE == MOVES_AT_ONCE - 1:
                await asyncio.sleep(0)
            self.bus.publish(
                ResetEvent(
                    self._clock(),
                    worker,
                    classes.get(move.key, ""),
                    move.id.hex(),
                    "",
                    move.from_version,
                    move.to_version,
                    number,
                )
            )

    def close(self) -> None:
        """End all who listen: the gateway stops."""
        self.tails.close()
        self.bus.close()


def _later(seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, call)
