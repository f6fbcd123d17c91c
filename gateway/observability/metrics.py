"""Counters by version, kept as plain numbers on the request path and shown as OpenMetrics when asked."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.model.version import Version, VersionId
from gateway.observability.events import RequestEvent

BUCKETS_US: Final = tuple(int(base * 10**power) for power in range(2, 8) for base in (1, 2.5, 5))  # 100 µs to 50 s
"""Upper bounds of the duration buckets, in microseconds."""


class VersionMetrics:
    """What one version did since the gateway started.

    Attributes:
        outcomes: (reason, status class such as ``2xx``, outcome) -> requests.
        durations: Requests by bucket of ``BUCKETS_US``, the last one for all that took longer.
    """

    __slots__ = ("duration_us", "durations", "outcomes", "request_bytes", "response_bytes")

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, int, str]] = Counter()
        self.durations = [0] * (len(BUCKETS_US) + 1)
        self.duration_us = 0
        self.request_bytes = 0
        self.response_bytes = 0

    def add(
        self, reason: str, status: int, outcome: str, duration_us: int, request_bytes: int, response_bytes: int
    ) -> None:
        """Count one request."""
        self.outcomes[reason, status, outcome] += 1
        self.durations[bisect_left(BUCKETS_US, duration_us)] += 1
        self.duration_us += duration_us
        self.request_bytes += request_bytes
        self.response_bytes += response_bytes

    @property
    def requests(self) -> int:
        """All requests that this version was picked for."""
        return self.outcomes.total()


class Subscription:
    """A bounded queue of events; a slow reader loses the oldest and is told how many (design 3.7)."""

    def __init__(self, wake: Callable[[], None], size: int = 1000) -> None:
        self._events: deque[RequestEvent] = deque(maxlen=size)
        self._wake = wake
        self.missed = 0

    def put(self, event: RequestEvent) -> None:
        """Add an event, pushing the oldest out when full."""
        if len(self._events) == self._events.maxlen:
            self.missed += 1
        self._events.append(event)
        self._wake()

    def take_all(self) -> list[RequestEvent]:
        """Return and forget what has come since the last call."""
        events = list(self._events)
        self._events.clear()
        return events


class Recorder:
    """Counts every request, and tells those who subscribed; without a subscriber no event is built."""

    def __init__(self) -> None:
        self.versions: dict[VersionId, VersionMetrics] = {}
        self.own_answers: Counter[int] = Counter()
        self.subscriptions: set[Subscription] = set()

    def metrics_of(self, version_id: VersionId) -> VersionMetrics:
        """Return the counters of a version, made at first use."""
        metrics = self.versions.get(version_id)
        if metrics is None:
            metrics = self.versions[version_id] = VersionMetrics()
        return metrics

    def publish(self, event: RequestEvent) -> None:
        """Hand an event to every subscription."""
        for subscription in self.subscriptions:
            subscription.put(event)


def collect(recorder: Recorder, versions: Iterable[Version]) -> Iterator[Metric]:
    """Yield the metrics of all versions, labelled ``worker``, ``version``, ``tag``."""
    known = {version.id: version for version in versions}
    labels = ["worker", "version", "tag"]
    requests = CounterMetricFamily(
        "gateway_requests", "Requests by version", labels=[*labels, "reason", "status", "outcome"]
    )
    sent = CounterMetricFamily("gateway_response_bytes", "Bytes of answers' bodies", labels=labels)
    received = CounterMetricFamily("gateway_request_bytes", "Bytes of requests' bodies", labels=labels)
    durations = HistogramMetricFamily(
        "gateway_request_duration_seconds", "From complete head to the end of the answer", labels=labels
    )
    for version_id, metrics in recorder.versions.items():
        version = known.get(version_id)
        values = [version.worker if version else "", version_id, version.tag if version else ""]
        for (reason, status, outcome), count in metrics.outcomes.items():
            requests.add_metric([*values, reason, str(status), outcome], count)
        sent.add_metric(values, metrics.response_bytes)
        received.add_metric(values, metrics.request_bytes)
        durations.add_metric(values, _cumulative(metrics.durations), metrics.duration_us / 1e6)
    own = CounterMetricFamily("gateway_own_answers", "Answers without any version", labels=["status"])
    for code, count in recorder.own_answers.items():
        own.add_metric([str(code)], count)
    yield from (requests, sent, received, durations, own)


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip([*(str(us / 1e6) for us in BUCKETS_US), "+Inf"], counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
