"""Counters by version: plain numbers on the request path, brought into order a few times a second.

The path only notes a duration in an array of its cause. ``fold`` counts that (in C) and finds the bucket of each
duration that differs: 0.15 µs for each request in all, where adding it to a sketch at once would cost 0.8 µs.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from gateway.model.version import VersionId
from gateway.observability.sketch import DurationSketch
from gateway.observability.statuses import InvocationStatus, status_of_outcome
from gateway.observability.windows import Cause, Tally, Windows, total_of

BUCKETS_US: Final = tuple(int(base * 10**power) for power in range(2, 8) for base in (1, 2.5, 5))  # 100 µs to 50 s
"""Upper bounds of the duration buckets of ``/metrics``, in microseconds."""


class _Noted:
    """Requests of one cause since the last ``fold``."""

    __slots__ = ("durations_us", "request_bytes", "response_bytes")

    def __init__(self) -> None:
        # Plain numbers, no objects: a list would keep each duration's own memory from being used again at once.
        self.durations_us = array("q")
        self.request_bytes = 0
        self.response_bytes = 0


class VersionMetrics:
    """What one version did since the gateway started, and in windows of time.

    Attributes:
        outcomes: (reason, status, outcome) -> requests, since the gateway started.
        durations: Requests by bucket of ``BUCKETS_US``, the last one for all that took longer.
        windows: The same by time.
    """

    __slots__ = (
        "_noted",
        "duration_us",
        "durations",
        "outcomes",
        "request_bytes",
        "response_bytes",
        "windows",
    )

    def __init__(self) -> None:
        self._noted: dict[Cause, _Noted] = {}
        self.outcomes: Counter[Cause] = Counter()
        self.durations = [0] * (len(BUCKETS_US) + 1)
        self.duration_us = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.windows = Windows()

    def add(
        self, reason: str, status: int, outcome: str, duration_us: int, request_bytes: int, response_bytes: int
    ) -> None:
        """Count one request; on its path. What is told of it is told from the next ``fold`` on."""
        cause = (reason, status, outcome)
        noted = self._noted.get(cause)
        if noted is None:
            noted = self._noted[cause] = _Noted()
        noted.durations_us.append(duration_us)
        noted.request_bytes += request_bytes
        noted.response_bytes += response_bytes

    def fold(self, now: float) -> None:
        """Bring into order what was counted since the last time.

        Args:
            now: Seconds since the epoch.
        """
        if not self._noted:
            return
        by_status = self._taken()
        counted = total_of(by_status.values())
        self.windows.add(counted, now, by_status)
        self.outcomes.update(counted.outcomes)
        self.duration_us += counted.duration_us
        self.request_bytes += counted.request_bytes
        self.response_bytes += counted.response_bytes

    def _taken(self) -> dict[InvocationStatus, Tally]:
        taken, self._noted = self._noted, {}
        counts: dict[InvocationStatus, Counter[int]] = {}
        tallies: dict[InvocationStatus, Tally] = {}
        for cause, noted in taken.items():
            status = status_of_outcome(cause[-1])
            counts.setdefault(status, Counter()).update(noted.durations_us)
            tally = tallies.setdefault(status, Tally())
            tally.requests += len(noted.durations_us)
            tally.outcomes[cause] = len(noted.durations_us)
            tally.duration_us += sum(noted.durations_us)
            tally.request_bytes += noted.request_bytes
            tally.response_bytes += noted.response_bytes
        for status, counted in counts.items():
            tallies[status].durations = DurationSketch.of(counted)
            for duration_us, count in counted.items():
                self.durations[bisect_left(BUCKETS_US, duration_us)] += count
        return tallies

    @property
    def requests(self) -> int:
        """All requests that this version was picked for."""
        return self.outcomes.total()


class Recorder:
    """Counts every request.

    Args:
        clock: Seconds since the epoch.

    Attributes:
        own: The gateway's own answers, without any version.
        started_at: Since when it counts.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.started_at = clock()
        self.versions: dict[VersionId, VersionMetrics] = {}
        self.own = VersionMetrics()

    def metrics_of(self, version_id: VersionId) -> VersionMetrics:
        """Return the counters of a version, made at first use."""
        metrics = self.versions.get(version_id)
        if metrics is None:
            metrics = self.versions[version_id] = VersionMetrics()
        return metrics

    def fold(self) -> None:
        """Bring all counters into order; whoever reads them calls this first."""
        now = self.clock()
        for metrics in self.versions.values():
            metrics.fold(now)
        self.own.fold(now)

    def deployed(self, version_ids: Iterable[VersionId]) -> None:
        """Begin to count anew, for a Worker's versions, what is counted since the deployment."""
        self.fold()
        for version_id in version_ids:
            if version_id in self.versions:
                self.versions[version_id].windows.deployed()

    @property
    def own_answers(self) -> Counter[int]:
        """The gateway's own answers by status, since it started."""
        return by_status(self.own.outcomes)


def by_status(outcomes: Counter[Cause]) -> Counter[int]:
    """Return requests by status."""
    found: Counter[int] = Counter()
    for (_, status, _), count in outcomes.items():
        found[status] += count
    return found
