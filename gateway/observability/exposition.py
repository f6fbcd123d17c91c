"""Counters -> OpenMetrics, labelled ``worker``, ``version``, ``tag``.

Source: OpenMetrics 1.0, https://prometheus.io/docs/specs/om/open_metrics_spec/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from gateway.model.version import Version, VersionId
from gateway.observability.figures import disconnects_of, errors_of
from gateway.observability.metrics import BUCKETS_US, Recorder
from gateway.observability.process_meter import ProcessFigures

LABELS: Final = ("worker", "version", "tag")
_FULL: Final = 100.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is so at this moment, by version.

    Args:
        in_flight: Requests under way, WebSockets left out.
        asked_percentages: Of the active deployments.
        processes: What the versions' processes use.
        states: ``running``, ``crashed``, ...
    """

    in_flight: Mapping[VersionId, int] = field(default_factory=dict)
    websockets: Mapping[VersionId, int] = field(default_factory=dict)
    asked_percentages: Mapping[VersionId, float] = field(default_factory=dict)
    processes: Mapping[VersionId, ProcessFigures] = field(default_factory=dict)
    states: Mapping[VersionId, str] = field(default_factory=dict)


NO_GAUGES: Final = Gauges()


def collect(recorder: Recorder, versions: Iterable[Version], gauges: Gauges = NO_GAUGES) -> Iterator[Metric]:
    """Yield the metrics of all versions."""
    recorder.fold()
    labels = _Labels(versions)
    yield from _counters(recorder, labels)
    yield from _gauges(gauges, labels)
    own = CounterMetricFamily("gateway_own_answers", "Answers without any version", labels=["status"])
    for status, count in sorted(recorder.own_answers.items()):
        own.add_metric([str(status)], count)
    yield own


class _Labels:
    """Values of ``LABELS``; of a version that is gone only the id is known."""

    def __init__(self, versions: Iterable[Version]) -> None:
        self._known = {version.id: version for version in versions}

    def __call__(self, version_id: VersionId) -> list[str]:
        version = self._known.get(version_id)
        return [version.worker if version else "", version_id, version.tag if version else ""]


def _counters(recorder: Recorder, labels: _Labels) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "gateway_requests", "Requests by version", labels=[*LABELS, "reason", "status", "outcome"]
    )
    errors = CounterMetricFamily(
        "gateway_errors", "Requests that failed, by what they failed of", labels=[*LABELS, "cause"]
    )
    left = CounterMetricFamily(
        "gateway_client_disconnects", "Clients that left before their answer", labels=LABELS
    )
    sent = CounterMetricFamily("gateway_response_bytes", "Bytes of answers' bodies", labels=LABELS)
    received = CounterMetricFamily("gateway_request_bytes", "Bytes of requests' bodies", labels=LABELS)
    durations = HistogramMetricFamily(
        "gateway_request_duration_seconds", "From complete head to the end of the answer", labels=LABELS
    )
    for version_id, metrics in recorder.versions.items():
        values = labels(version_id)
        for (reason, status, outcome), count in metrics.outcomes.items():
            requests.add_metric([*values, reason, str(status), outcome], count)
        for cause, count in errors_of(metrics.outcomes).items():
            errors.add_metric([*values, cause], count)
        left.add_metric(values, disconnects_of(metrics.outcomes))
        sent.add_metric(values, metrics.response_bytes)
        received.add_metric(values, metrics.request_bytes)
        durations.add_metric(values, _cumulative(metrics.durations), metrics.duration_us / 1e6)
    return iter((requests, errors, left, sent, received, durations))


def _gauges(gauges: Gauges, labels: _Labels) -> Iterator[Metric]:
    shown: tuple[tuple[str, str, Mapping[VersionId, float]], ...] = (
        ("gateway_in_flight_requests", "Requests under way", gauges.in_flight),
        ("gateway_websockets", "Open WebSockets", gauges.websockets),
        (
            "gateway_asked_share_ratio",
            "Share of the requests that the active deployment asks for",
            {version_id: asked / _FULL for version_id, asked in gauges.asked_percentages.items()},
        ),
        (
            "gateway_version_memory_bytes",
            "Resident memory of the version's process",
            {version_id: process.memory_bytes for version_id, process in gauges.processes.items()},
        ),
        (
            "gateway_version_up",
            "Whether the version runs",
            {version_id: int(state == "running") for version_id, state in gauges.states.items()},
        ),
    )
    for name, told, values in shown:
        family = GaugeMetricFamily(name, told, labels=LABELS)
        for version_id, value in values.items():
            family.add_metric(labels(version_id), value)
        yield family
    cpu = CounterMetricFamily(
        "gateway_version_cpu_seconds", "CPU time of the version's process since it started", labels=LABELS
    )
    for version_id, process in gauges.processes.items():
        cpu.add_metric(labels(version_id), process.cpu_seconds)
    yield cpu


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip([*(str(us / 1e6) for us in BUCKETS_US), "+Inf"], counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
