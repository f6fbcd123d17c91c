"""Where records come from: one invocation each, whatever runs the version.

workerd tells of its invocations by itself, and the tails' hub joins them with the time that the gateway measured;
of all other versions the gateway tells by its own requests. A request that a workerd version never got, or that it
did not outlive, has no trace: then the request stands for it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker_code import WorkerdRuntime
from gateway.observability.event_bus import EventBus, Told
from gateway.observability.events import DeploymentEvent, EndedRequest, EventKind, VersionEvent
from gateway.observability.logpush.records import Record, record_of, record_of_request
from gateway.observability.tail import TailHub, TailSubscription
from gateway.observability.tail_filters import TailFilter
from gateway.observability.trace_items import TraceItem, ray_of

QUEUE_REQUESTS: Final = 10_000
QUEUE_TRACES: Final = 10_000
"""More than a second of what can be written; what comes then is dropped and counted."""

TRACE_SECONDS: Final = 2.0
"""For so long a request that failed waits for the trace that would tell of it."""

_UNTRACED: Final = frozenset({"upstream_failed", "upstream_timed_out"})
_KINDS: Final = frozenset({EventKind.REQUEST, EventKind.VERSION, EventKind.DEPLOYMENT})

Pushed = Mapping[WorkerName, frozenset[VersionId]]
"""Workers whose records are wanted, each with its versions that run on workerd."""


class Collected(NamedTuple):
    """Some invocations.

    Args:
        records: One each.
        dropped: How many more there were since the last time.
        more: Whether others wait.
    """

    records: list[Record]
    dropped: int
    more: bool


class InvocationSource:
    """See the module's first lines; between ``stop`` and ``start`` it costs nothing.

    Args:
        pushed: Tells whose records are wanted now.
        version_of: Finds a version by its id.
        tags_of: Gives a Worker's script tags.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        bus: EventBus,
        hub: TailHub,
        *,
        pushed: Callable[[], Pushed],
        version_of: Callable[[VersionId], Version | None],
        tags_of: Callable[[WorkerName], Sequence[str]],
        clock: Callable[[], float],
    ) -> None:
        self._bus = bus
        self._hub = hub
        self._pushed = pushed
        self._version_of = version_of
        self._tags_of = tags_of
        self._clock = clock
        self._wanted: Pushed = {}
        self._requests: deque[EndedRequest] = deque()
        self._traces: deque[TraceItem] = deque()
        self._subscriptions: dict[WorkerName, _Traces] = {}
        self._untraced: OrderedDict[str, tuple[float, Record]] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._dropped = 0
        self.is_running = False

    def start(self) -> None:
        """Begin to listen."""
        if not self.is_running:
            self.is_running = True
            self._bus.subscribe(self, _KINDS)
        self.follow()

    def stop(self) -> None:
        """Listen no more, and forget what waits."""
        self.is_running = False
        self._bus.unsubscribe(self)
        self.follow()
        self._requests.clear()
        self._traces.clear()
        self._untraced.clear()

    def follow(self) -> None:
        """Listen to the Workers that are wanted now."""
        self._wanted = self._pushed() if self.is_running else {}
        traced = {worker for worker, on_workerd in self._wanted.items() if on_workerd}
        for worker in self._subscriptions.keys() - traced:
            self._hub.unsubscribe(self._subscriptions.pop(worker))
        for worker in traced - self._subscriptions.keys():
            self._subscriptions[worker] = _Traces(worker, self._clock, self._put_trace)
            self._hub.attach(self._subscriptions[worker])

    def put(self, _sequence: int, event: Told) -> None:
        """Note a request that is wanted; on its path, so its event is made later (``event_bus.Reader``)."""
        if isinstance(event, VersionEvent | DeploymentEvent):
            self.follow()  # other versions, so perhaps others on workerd
        else:
            self._note(cast("EndedRequest", event))  # no other kind was asked for

    def miss(self, count: int) -> None:
        """Count requests that were not told."""
        self._dropped += count

    def _note(self, request: EndedRequest) -> None:
        on_workerd = self._wanted.get(WorkerName(request.worker))
        if on_workerd is None:
            return
        # workerd tells of what it got by itself.
        if request.version_id in on_workerd and request.outcome not in _UNTRACED:
            return
        if len(self._requests) < QUEUE_REQUESTS:
            self._requests.append(request)
        else:
            self._dropped += 1

    def close(self) -> None:
        """The gateway stops; what waits can still be taken."""

    def take(self, most: int) -> Collected:
        """Return and forget up to about so many invocations."""
        records: list[Record] = []
        for _ in range(min(most, len(self._requests))):
            self._take_request(self._requests.popleft(), records)
        for _ in range(min(most, len(self._traces))):
            self._take_trace(self._traces.popleft(), records)
        self._take_untraced(records)
        dropped, self._dropped = self._dropped, 0
        return Collected(records, dropped, bool(self._requests or self._traces))

    def _take_request(self, request: EndedRequest, records: list[Record]) -> None:
        version = self._version_of(VersionId(request.version_id))
        if version is None:
            return  # deleted meanwhile
        record = record_of_request(request.event(), version, self._tags_of(version.worker))
        if isinstance(version.runtime, WorkerdRuntime):
            self._untraced[request.ray] = (self._clock() + TRACE_SECONDS, record)
        else:
            records.append(record)

    def _take_trace(self, item: TraceItem, records: list[Record]) -> None:
        ray = ray_of(item)
        self._untraced.pop(ray, None)
        if ray not in self._told:
            records.append(record_of(item))

    def _take_untraced(self, records: list[Record]) -> None:
        """Take the requests whose trace has not come in time; one that comes yet must not tell of them again."""
        now = self._clock()
        while self._untraced:
            ray, (due, record) = next(iter(self._untraced.items()))
            if now < due and len(self._untraced) < QUEUE_REQUESTS:
                return
            del self._untraced[ray]
            records.append(record)
            self._told[ray] = None
            if len(self._told) > QUEUE_TRACES:
                self._told.popitem(last=False)

    def _put_trace(self, item: TraceItem) -> None:
        """Note a trace; the hub has items of other versions too, made of the requests that are here already."""
        if item["scriptVersion"].get("id") not in self._wanted.get(WorkerName(item["scriptName"]), ()):
            return
        if len(self._traces) < QUEUE_TRACES:
            self._traces.append(item)
        else:
            self._dropped += 1


class _Traces(TailSubscription):
    """All invocations of a Worker, not filtered and not redacted: a record has no headers.

    Args:
        keep: Takes each one.
    """

    def __init__(self, worker: WorkerName, clock: Callable[[], float], keep: Callable[[TraceItem], None]) -> None:
        super().__init__(worker, TailFilter(), clock, redact=False)
        self._keep = keep

    def put(self, item: TraceItem) -> None:
        """Hand on an invocation."""
        self._keep(item)

    def lose(self, count: int) -> None:
        """Pass over what others lost: no trace is among it."""
