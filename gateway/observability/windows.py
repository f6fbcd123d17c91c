"""What happened in the last minute, five minutes, hour, and since the deployment: slots of time.

Memory is bounded: for each version three rings of at most 61 tallies, one ring more for each of the at most five
statuses that its requests ended with, and one tally since the deployment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from gateway.observability.sketch import DurationSketch
from gateway.observability.statuses import InvocationStatus

SLOTS: Final = 60
STEPS: Final = (1, 5, 60)
"""Seconds of a slot, by ring; each ring reaches back 60 slots: a minute, five minutes, an hour."""

Cause = tuple[str, int, str]
"""Reason, status and outcome of a request."""

MINUTE: Final = 60
"""Seconds of the slots in which each status is counted by itself."""


class Tally:
    """Counts of some time.

    Attributes:
        outcomes: (reason, status, outcome) -> requests.
        duration_us: Sum of all durations.
    """

    __slots__ = (
        "_known",
        "_known_at",
        "duration_us",
        "durations",
        "outcomes",
        "request_bytes",
        "requests",
        "response_bytes",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.outcomes: Counter[Cause] = Counter()
        self.durations = DurationSketch()
        self.duration_us = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self._known: dict[float, float | None] = {}
        self._known_at = 0

    def add(self, other: Tally) -> None:
        """Count what another one counted."""
        self.requests += other.requests
        for cause, count in other.outcomes.items():
            self.outcomes[cause] += count
        self.durations.merge(other.durations)
        self.duration_us += other.duration_us
        self.request_bytes += other.request_bytes
        self.response_bytes += other.response_bytes

    def quantile_ms(self, quantile: float) -> float | None:
        """Return a quantile of the durations in milliseconds, worked out once as long as nothing is added."""
        if self._known_at != self.requests:
            self._known, self._known_at = {}, self.requests
        if quantile not in self._known:
            self._known[quantile] = self.durations.quantile_ms(quantile)
        return self._known[quantile]


def total_of(tallies: Iterable[Tally]) -> Tally:
    """Return all of them as one."""
    total = Tally()
    for tally in tallies:
        total.add(tally)
    return total


class Ring:
    """Tallies of the last ``SLOTS`` steps of time, and of the one that goes on.

    Args:
        step: Seconds of one slot; slots begin at whole multiples of it since the epoch.
    """

    __slots__ = ("_slots", "step")

    def __init__(self, step: int) -> None:
        self.step = step
        self._slots: dict[int, Tally] = {}

    def add(self, counted: Tally, now: float) -> None:
        """Count what happened just now."""
        begin = int(now) // self.step * self.step
        slot = self._slots.get(begin)
        if slot is None:
            self._forget(begin)
            slot = self._slots[begin] = Tally()
        slot.add(counted)

    def slot(self, begin: int) -> Tally | None:
        """Return the tally of the slot that began then; None where nothing happened in it."""
        return self._slots.get(begin)

    def since(self, begin: float) -> Iterator[Tally]:
        """Yield the tallies of the slots that began then or later."""
        return (tally for began, tally in self._slots.items() if began >= begin)

    def begun_since(self, begin: float) -> Iterator[tuple[int, Tally]]:
        """Yield when each slot began, and its tally, of those that began then or later."""
        return (slot for slot in self._slots.items() if slot[0] >= begin)

    def _forget(self, begin: int) -> None:
        """Keep what is within reach, and nothing of a future that a clock set back has left behind."""
        reach = range(begin - SLOTS * self.step, begin)
        self._slots = {began: tally for began, tally in self._slots.items() if began in reach}


class Windows:
    """One version's rings.

    Attributes:
        rings: By the seconds that they reach back.
        by_status: Minutes of the last hour, by how the requests ended (R116); only statuses that there were.
    """

    __slots__ = ("by_status", "rings", "since_deployment")

    def __init__(self) -> None:
        self.rings = {step * SLOTS: Ring(step) for step in STEPS}
        self.by_status: dict[InvocationStatus, Ring] = {}
        self.since_deployment = Tally()

    def add(
        self, counted: Tally, now: float, by_status: Mapping[InvocationStatus, Tally] = MappingProxyType({})
    ) -> None:
        """Count what happened just now.

        Args:
            by_status: The same, by how it ended.
        """
        for ring in self.rings.values():
            ring.add(counted, now)
        for status, part in by_status.items():
            self.by_status.setdefault(status, Ring(MINUTE)).add(part, now)
        self.since_deployment.add(counted)

    def deployed(self) -> None:
        """Begin to count anew what is counted since the deployment."""
        self.since_deployment = Tally()

    def last(self, seconds: int, now: float) -> Tally:
        """Return what happened in a window, one of ``WINDOWS``."""
        return total_of(self.rings[seconds].since(window_start(seconds, now)))


WINDOWS: Final = tuple(step * SLOTS for step in STEPS)
"""Seconds of the windows that are kept."""


def window_start(seconds: int, now: float) -> int:
    """Return where a window of so many seconds begins: at a whole slot, the one that goes on being the last."""
    step = seconds // SLOTS
    return int(now) // step * step - (SLOTS - 1) * step


def closed_slots(seconds: int, now: float) -> list[int]:
    """Return when each slot of a window began; the one that goes on is left out, for it would look like a fall."""
    step = seconds // SLOTS
    running = int(now) // step * step
    return [running - count * step for count in range(SLOTS, 0, -1)]
