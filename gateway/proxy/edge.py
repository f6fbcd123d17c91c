"""What every connection of the data plane shares: the live table, the clock, the draws, the counters."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from gateway.model.durable_object import ObjectKey, ObjectReset
from gateway.model.version import WorkerName
from gateway.observability.event_bus import EventBus
from gateway.observability.events import ResetEvent
from gateway.observability.metrics import Recorder
from gateway.proxy.clocks import epoch_of
from gateway.proxy.dispatch import Dispatched, dispatch
from gateway.proxy.headers import visitor_line
from gateway.proxy.memo import HeadMemo
from gateway.proxy.messages import RequestHead
from gateway.proxy.routing_table import EMPTY_TABLE, LiveWorker, RoutingTable
from gateway.settings import ProxySettings
from gateway.store.store import DurableObjects

if TYPE_CHECKING:
    from gateway.proxy.downstream import ClientConnection
    from gateway.proxy.tunnel import Tunnel

GOODBYE_SECONDS: Final = 1.0

log = structlog.get_logger("gateway.proxy")


class Switch(NamedTuple):
    """The moment at which a Worker's deployment became active.

    Args:
        before: The Worker as it was until then.
        at: On the monotonic clock.
    """

    before: LiveWorker
    at: float


class _Chance(NamedTuple):
    """Two streams: how many rays are made must not change which version a draw picks."""

    draws: random.Random
    rays: random.Random

    @classmethod
    def of(cls, seed: int | None) -> _Chance:
        """Return streams that begin at a seed."""
        draws = random.Random(seed)  # noqa: S311 - traffic shares, no secrets
        return cls(draws, random.Random(None if seed is None else seed + 1))  # noqa: S311 - as above


class Edge:
    """The data plane's shared state, built once by ``assembly``.

    Args:
        seed: Makes draws and ray ids reproducible (design 4); ``None`` for chance.
        notify_reset: Tells the version that lost an object (design 5); awaited before its successor is asked.

    Attributes:
        table: The active routing table; replaced as a whole, by ``use``.
        switches: The last deployment of each Worker that has had one since the start.
        dispatch: Returns what becomes of a request; another one while there are faults (``proxy.faulty``).
        memo: Heads of requests seen before.
        now: Seconds on the monotonic clock, set by ``tick`` a few times a second.
        epoch: What to add to the monotonic clock for seconds since the epoch; renewed with ``now``.
        date_line: ``Date`` for answers that have none, renewed with ``now``.
    """

    def __init__(
        self,
        settings: ProxySettings,
        recorder: Recorder,
        events: EventBus,
        objects: DurableObjects,
        notify_reset: Callable[[ObjectReset], Coroutine[Any, Any, None]],
        *,
        seed: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.tells_decisions = settings.decision_headers
        self.recorder = recorder
        self.events = events
        self.objects = objects
        self._notify_reset = notify_reset
        self.table: RoutingTable = EMPTY_TABLE
        self.switches: dict[WorkerName, Switch] = {}
        self.dispatch: Callable[[RequestHead, Edge], Dispatched] = dispatch
        self.monotonic = monotonic
        self.wall_clock = wall_clock
        self.draining = False
        self.connections: set[ClientConnection] = set()
        self.tunnels: dict[Tunnel, ObjectKey | None] = {}
        self.memo: HeadMemo[RequestHead] = HeadMemo()
        self.now = self.epoch = 0.0
        self.date_line = b""
        self.tick()
        self.forwarded_lines = b"X-Forwarded-Proto: http\r\n%b\r\nCF-IPCountry: %b" % (
            visitor_line("http"),
            settings.country.encode("ascii"),
        )
        self._resets: dict[ObjectKey, asyncio.Event] = {}
        self._ray_suffix = b"-" + settings.colo.encode("ascii")
        self._chance = _Chance.of(seed)
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, table: RoutingTable) -> None:
        """Route by ``table`` from the next request on; requests under way go on as they were decided."""
        for name, worker in table.workers.items():
            before = self.table.workers.get(name)
            if before is None or before.plan is None or worker.plan is None:
                continue
            if before.plan.deployment.id != worker.plan.deployment.id:
                self.switches[name] = Switch(before, self.monotonic())
        self.table = table

    def reseed(self, seed: int | None) -> Callable[[], None]:
        """Begin draws and ray ids anew from a seed; return what goes on with those that were in use before.

        Args:
            seed: ``None`` for chance.
        """
        before, self._chance = self._chance, _Chance.of(seed)

        def go_on() -> None:
            self._chance = before

        return go_on

    def draw(self) -> float:
        """Return an independent point on [0, 100) (R44)."""
        return self._chance.draws.random() * 100.0

    def new_ray(self) -> bytes:
        """Return a ray id: 16 hex digits, and the data centre's name."""
        return b"%016x" % self._chance.rays.getrandbits(64) + self._ray_suffix

    def tick(self) -> None:
        """Set ``now``, ``epoch`` and ``date_line``."""
        self.now = self.monotonic()
        self.epoch = epoch_of(self.monotonic, self.wall_clock)
        self.date_line = b"Date: " + formatdate(self.wall_clock(), usegmt=True).encode("ascii")

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the loop's callbacks; what it raises is logged, since nobody awaits it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.failed", exc_info=error)

    def tell_reset(self, reset: ObjectReset) -> asyncio.Event:
        """Tell the version that lost an object; return what is set once it was told.

        From this very moment requests of the object wait (``reset_under_way``). An object that moves again
        meanwhile has its versions told one after the other.
        """
        self._publish_reset(reset)
        before = self._resets.get(reset.key)
        told = self._resets[reset.key] = asyncio.Event()
        self.spawn(self._tell_reset(reset, before, told))
        return told

    def _publish_reset(self, reset: ObjectReset) -> None:
        key = reset.key
        self.events.publish(
            ResetEvent(
                self.wall_clock(),
                key.worker,
                key.class_name,
                key.id.hex(),
                key.name,
                reset.from_version,
                reset.to_version,
                reset.deployment_number,
            )
        )

    async def _tell_reset(self, reset: ObjectReset, before: asyncio.Event | None, told: asyncio.Event) -> None:
        try:
            if before is not None:
                await before.wait()
            await self._notify_reset(reset)
        finally:
            if self._resets.get(reset.key) is told:
                del self._resets[reset.key]
            told.set()
        self._end_object_sockets(reset)

    def reset_under_way(self, key: ObjectKey) -> asyncio.Event | None:
        """While the object's old version is being told, return what is set afterwards (R46: one at a time)."""
        return self._resets.get(key)

    def _end_object_sockets(self, reset: ObjectReset) -> None:
        """Let the version that lost the object say goodbye first."""
        for tunnel, key in self.tunnels.items():
            if key == reset.key and (tunnel.version_id != reset.to_version or reset.stays):
                asyncio.get_running_loop().call_later(GOODBYE_SECONDS, tunnel.abort)

    def cancel_tasks(self) -> None:
        """Stop what ``spawn`` began."""
        for task in self._tasks:
            task.cancel()
