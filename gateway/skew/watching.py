"""The detector in the running gateway: off the path of requests, and never busy for long.

A request costs one append to a list here; what is in it is read later, a few requests at a time, so that all
requests of a person who browses are looked at and of a flood a share. How many were not is told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from gateway.model.skew_rules import SkewRules
from gateway.observability.event_bus import EventBus, Told, made
from gateway.observability.events import DeploymentEvent, EventKind, RequestEvent
from gateway.skew.detector import Detector
from gateway.skew.facts import DeploymentSeen
from gateway.skew.incident import Incident
from gateway.skew.reading import deployment_seen, request_seen

WAITING_REQUESTS: Final = 2_000
"""So many wait to be looked at: pages with all their files, of some who browse at once."""

AT_ONCE: Final = 10
REST_SECONDS: Final = 0.05
"""At most ``AT_ONCE`` requests in this time: at some 50 µs each, one hundredth of the gateway's time."""


class SkewReport(NamedTuple):
    """What was found.

    Args:
        since: Seconds since the epoch from which on traffic was looked at.
        seen, unseen: Requests that were looked at, and that were not for there were too many.
    """

    incidents: list[Incident]
    since: float
    seen: int
    unseen: int


class SkewWatch:
    """A reader of events that tells the detector of them.

    Args:
        rules_of: What the configuration says of a Worker, now.
        later: Calls a function after some seconds: ``loop.call_later``.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        bus: EventBus,
        rules_of: Callable[[str], SkewRules],
        *,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float],
    ) -> None:
        self._bus = bus
        self._rules_of = rules_of
        self._later = later
        self._clock = clock
        self._detector = Detector(rules_of)
        self._waiting: deque[Told] = deque()
        self._since = clock()
        self._seen = self._unseen = 0
        self._due = False

    def watch(self, deployments: Iterable[DeploymentSeen], *, enabled: bool) -> None:
        """Begin to look, or go on, or cease, as the configuration wants it.

        Args:
            deployments: Those that were made before now.
            enabled: Whether any Worker is to be looked at.
        """
        for deployment in deployments:
            self._detector.deployed(deployment)
        if enabled:
            self._bus.subscribe(self, {EventKind.REQUEST, EventKind.DEPLOYMENT}, asks=False, every=False)
        else:
            self._bus.unsubscribe(self)

    async def report(self) -> SkewReport:
        """Return what was found, once all that is known by now was looked at; others get their turn meanwhile."""
        for _ in range(-(-len(self._waiting) // AT_ONCE)):
            self._look()
            await asyncio.sleep(0)
        return SkewReport(self._detector.incidents(), self._since, self._seen, self._unseen)

    def forget(self) -> None:
        """Forget traffic and findings."""
        self._waiting.clear()
        self._detector.forget()
        self._since = self._clock()
        self._seen = self._unseen = 0

    # What the bus calls.

    def put(self, _sequence: int, event: Told) -> None:
        """Take an event."""
        if isinstance(event, DeploymentEvent):
            self._detector.deployed(deployment_seen(event))
        elif len(self._waiting) >= WAITING_REQUESTS:
            self._unseen += 1
        else:
            self._waiting.append(event)
            if not self._due:
                self._due = True
                self._later(REST_SECONDS, self._work)

    def miss(self, count: int) -> None:
        """Know that so many requests were not told."""
        self._unseen += count

    def close(self) -> None:
        """Nothing more comes."""
        self._waiting.clear()

    def _work(self) -> None:
        self._look()
        self._due = bool(self._waiting)
        if self._due:
            self._later(REST_SECONDS, self._work)

    def _look(self) -> None:
        for _ in range(min(AT_ONCE, len(self._waiting))):
            event = made(self._waiting.popleft())
            if isinstance(event, RequestEvent):
                rules = self._rules_of(event.worker)
                if rules.enabled:
                    self._seen += 1
                    self._detector.saw(request_seen(event, rules))
