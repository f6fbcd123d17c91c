"""What the gateway tells of a scenario's requests, each claimed by its ray; and the skew that lies in them.

The gateway's own detector looks at a share of all traffic, when there is time. This one looks at each request of
the scenario, and at the calls that versions make for them, and at no other, in their order and by a clock that
counts them, so that it finds the same each time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from gateway.model.skew_rules import SkewRules
from gateway.observability.event_bus import Told, made
from gateway.observability.events import DeploymentEvent, EventKind, RequestEvent, ResetEvent
from gateway.skew.detector import Detector
from gateway.skew.facts import DeploymentSeen
from gateway.skew.incident import Incident
from gateway.skew.reading import deployment_seen, request_seen

KINDS: Final = frozenset({EventKind.REQUEST, EventKind.RESET, EventKind.DEPLOYMENT})
TELL_SECONDS: Final = 30.0
"""A request is told when its answer has gone out; how long that may take at the very most."""

UNCLAIMED: Final = 4_096
"""Others may call the gateway too; of their requests so many are kept."""

TICK_SECONDS: Final = 0.05


class Witness:
    """A reader of the gateway's events, for one scenario.

    Args:
        rules_of: What the configuration says of a Worker.
        deployments: Those that are active when the scenario begins.
    """

    def __init__(self, rules_of: Callable[[str], SkewRules], deployments: Iterable[DeploymentSeen]) -> None:
        self._rules_of = rules_of
        self._detector = Detector(rules_of)
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._unclaimed: OrderedDict[str, RequestEvent] = OrderedDict()
        self._calls: OrderedDict[str, list[RequestEvent]] = OrderedDict()
        self._ours: set[str] = set()
        self._waiting: dict[str, asyncio.Future[RequestEvent]] = {}
        self._ticks = 0
        self.resets: list[ResetEvent] = []
        for deployment in deployments:
            self._deployed(deployment)

    # What the bus calls.

    def put(self, _sequence: int, event: Told) -> None:
        """Take an event."""
        if isinstance(event, ResetEvent):
            self.resets.append(event)
        elif isinstance(event, DeploymentEvent):
            self._deployed(deployment_seen(event))
        elif isinstance(request := made(event), RequestEvent):
            self._told(request)

    def miss(self, count: int) -> None:
        """It is told of every request."""

    def close(self) -> None:
        """Nothing more comes."""
        for waiting in self._waiting.values():
            waiting.cancel()

    def _told(self, request: RequestEvent) -> None:
        waiting = self._waiting.pop(request.ray, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(request)
        elif request.caller_ray in self._ours:
            self._look(request)  # a version went on with it after its answer
        else:
            self._unclaimed[request.ray] = request
            if request.caller_ray:
                self._calls.setdefault(request.caller_ray, []).append(request)
            for kept in (self._unclaimed, self._calls):
                if len(kept) > UNCLAIMED:
                    kept.popitem(last=False)

    # What the stage asks.

    async def claim(self, ray: str, *, look: bool) -> RequestEvent | None:
        """Return what the gateway tells of a request, once it does; None where it does not.

        Args:
            look: Whether it is looked at for skew.
        """
        event = self._unclaimed.pop(ray, None)
        if event is None:
            waiting = self._waiting[ray] = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(TELL_SECONDS):
                    event = await waiting
            except TimeoutError:
                self._waiting.pop(ray, None)
                return None
        if look:
            self._look(event)
        return event

    def _look(self, event: RequestEvent) -> None:
        """Look at a request for skew, and at the calls that were made for it."""
        self._ours.add(event.ray)
        rules = self._rules_of(event.worker)
        if rules.enabled:
            self._detector.saw(request_seen(event, rules)._replace(at=self._next_moment()))
        for call in self._calls.pop(event.ray, ()):
            self._look(call)

    def incidents(self) -> list[Incident]:
        """Return the skew among the requests that were looked at, in an order that is no chance."""
        return sorted(self._detector.incidents(), key=lambda one: one.key)

    def _deployed(self, deployment: DeploymentSeen) -> None:
        """Note a deployment; they are numbered from the scenario's begin on, for causes name them."""
        self._numbers[deployment.worker] += 1
        number = self._numbers[deployment.worker]
        self._detector.deployed(deployment._replace(at=self._next_moment(), number=number))

    def _next_moment(self) -> float:
        self._ticks += 1
        return self._ticks * TICK_SECONDS
