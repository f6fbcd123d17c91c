"""What the edge of a test has seen: every request and every reset, from its start on."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import cast

from gateway.observability.event_bus import EventBus, Told
from gateway.observability.events import DeploymentEvent, EndedRequest, EventKind, RequestEvent, ResetEvent

KINDS = frozenset({EventKind.REQUEST, EventKind.RESET, EventKind.DEPLOYMENT})


class Record:
    """A reader of the gateway's events that forgets none: a test ends before they are too many."""

    def __init__(self) -> None:
        self._requests: list[EndedRequest] = []
        self._resets: list[ResetEvent] = []
        self._not_looked_at: deque[EndedRequest | DeploymentEvent] = deque()
        self._deployed_at: defaultdict[str, int] = defaultdict(int)

    def listen(self, bus: EventBus) -> None:
        """Note all that is told from now on."""
        bus.subscribe(self, KINDS, asks=False)

    # What the bus calls.

    def put(self, _sequence: int, event: Told) -> None:
        """Note a request, a reset or a deployment."""
        if isinstance(event, ResetEvent):
            self._resets.append(event)
            return
        told = cast("EndedRequest | DeploymentEvent", event)  # no other kind was asked for
        self._not_looked_at.append(told)
        if not isinstance(told, DeploymentEvent):
            self._requests.append(told)

    def miss(self, count: int) -> None:
        """It is told of every request."""

    def close(self) -> None:
        """Nothing more comes; what came stays."""

    # What tests read.

    @property
    def requests(self) -> list[RequestEvent]:
        """All requests, in the order in which they ended."""
        return [request.event() for request in self._requests]

    @property
    def resets(self) -> list[ResetEvent]:
        """All resets of Durable Objects, in their order."""
        return list(self._resets)

    def not_looked_at(self) -> Iterator[RequestEvent | DeploymentEvent]:
        """Yield the requests and deployments that came since it was called last, in their order."""
        while self._not_looked_at:
            event = self._not_looked_at.popleft()
            yield event if isinstance(event, DeploymentEvent) else event.event()

    def deployed(self, worker: str) -> None:
        """Note that a Worker's requests follow another deployment from here on."""
        self._deployed_at[worker] = len(self._requests)

    def since_deployment(self, worker: str) -> list[RequestEvent]:
        """Return a Worker's requests since it was deployed last."""
        later = self._requests[self._deployed_at[worker] :]
        return [request.event() for request in later if request.worker == worker]
