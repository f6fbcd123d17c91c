"""Counters -> the JSON of the API (pure); the shapes stand in ``openapi.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.control.api.views import moment
from gateway.control.catalog import WorkerRecord
from gateway.model.deployment import Deployment
from gateway.model.version import Version, VersionId
from gateway.observability.exposition import Gauges
from gateway.observability.figures import FULL, P50, P95, P99, Figures, drawn_of, errors_of, figures_of
from gateway.observability.health import Health, Subject
from gateway.observability.metrics import Recorder, by_status
from gateway.observability.proportions import wilson
from gateway.observability.windows import SLOTS, Tally, closed_slots, total_of, window_start

Json = dict[str, Any]
_EMPTY: Final = Tally()
_LONGEST: Final = 3600
_DECIMALS: Final = 3


@dataclass(frozen=True, slots=True)
class Window:
    """Some time until now.

    Args:
        seconds: Its length; None for all since the active deployment.
        now: Seconds since the epoch.
    """

    recorder: Recorder
    seconds: int | None
    now: float
    active: Deployment | None

    @property
    def name(self) -> str:
        """What the API calls it."""
        return "deployment" if self.seconds is None else str(self.seconds)

    @property
    def begin(self) -> float:
        """Since when is counted; never before the gateway began to."""
        if self.seconds is not None:
            begin = float(window_start(self.seconds, self.now))
        else:
            begin = self.active.created_on.timestamp() if self.active else 0.0
        return max(begin, self.recorder.started_at)

    def tally(self, version_id: VersionId) -> Tally:
        """Return what a version did in it."""
        metrics = self.recorder.versions.get(version_id)
        if metrics is None:
            return _EMPTY
        if self.seconds is None:
            return metrics.windows.since_deployment
        return metrics.windows.last(self.seconds, self.now)

    def own_answers(self) -> Mapping[int, int]:
        """Return the gateway's own answers by status; since an older deployment those of the last hour."""
        windows = self.recorder.own.windows
        if self.seconds is not None:
            return by_status(windows.last(self.seconds, self.now).outcomes)
        return by_status(total_of(windows.rings[_LONGEST].since(self.begin)).outcomes)

    def drawn(self, record: WorkerRecord) -> int:
        """Return how many requests of a Worker the percentages drew."""
        return sum(drawn_of(self.tally(version_id).outcomes) for version_id in record.versions)

    def subject(self, record: WorkerRecord, version: Version) -> Subject:
        """Return a version as the health check takes it."""
        figures = figures_of(self.tally(version.id))
        return Subject(version.label, figures, _asked(record, version.id), self.drawn(record))


def metrics_view(
    record: WorkerRecord, window: Window, gauges: Gauges, version_ids: Sequence[VersionId] | None = None
) -> Json:
    """Return the figures of a Worker's versions.

    Args:
        version_ids: Those to show; by default those that are deployed, that run, or that had a request.
    """
    figures = {version_id: figures_of(window.tally(version_id)) for version_id in record.versions}
    drawn = sum(one.drawn for one in figures.values())
    shown = version_ids if version_ids is not None else _shown(record, figures, gauges)
    return {
        "worker": record.name,
        "window": window.name,
        "window_seconds": round(window.now - window.begin, _DECIMALS),
        "from": moment(window.begin),
        "to": moment(window.now),
        "deployment": record.active.number if record.active else None,
        "versions": [
            _version_view(record, record.versions[version_id], figures[version_id], drawn, gauges)
            for version_id in shown
        ],
        "own_answers": {str(status): count for status, count in sorted(window.own_answers().items())},
    }


def _shown(record: WorkerRecord, figures: Mapping[VersionId, Figures], gauges: Gauges) -> list[VersionId]:
    deployed = [share.version_id for share in record.active.all_shares()] if record.active else []
    others = [
        version_id
        for version_id in record.versions
        if figures[version_id].requests or gauges.states.get(version_id) not in (None, "asleep", "stopped")
    ]
    return list(dict.fromkeys([*deployed, *others]))


def _version_view(record: WorkerRecord, version: Version, figures: Figures, drawn: int, gauges: Gauges) -> Json:
    observed = wilson(figures.drawn, drawn) if drawn else None
    process = gauges.processes.get(version.id)
    return {
        "version_id": version.id,
        "tag": version.tag,
        "label": version.label,
        "asked_percentage": _asked(record, version.id),
        "requests": figures.requests,
        "observed_percentage": _rounded(FULL * figures.drawn / drawn) if drawn else None,
        "observed_low": _rounded(FULL * observed.low) if observed else None,
        "observed_high": _rounded(FULL * observed.high) if observed else None,
        "errors": dict(figures.errors),
        "error_percentage": _rounded(figures.error_percentage),
        "client_disconnects": figures.client_disconnects,
        "request_bytes": figures.request_bytes,
        "response_bytes": figures.response_bytes,
        "mean_ms": _rounded(figures.mean_ms),
        "p50_ms": _rounded(figures.p50_ms),
        "p95_ms": _rounded(figures.p95_ms),
        "p99_ms": _rounded(figures.p99_ms),
        "in_flight": gauges.in_flight.get(version.id, 0),
        "websockets": gauges.websockets.get(version.id, 0),
        "cpu_seconds": _rounded(process.cpu_seconds) if process else None,
        "memory_bytes": process.memory_bytes if process else None,
        "state": gauges.states.get(version.id, "stopped"),
    }


def series_view(record: WorkerRecord, window: Window) -> Json:
    """Return a window slot by slot, the one that goes on left out."""
    seconds = window.seconds or _LONGEST
    times = closed_slots(seconds, window.now)
    slots = {version_id: _slots(window, version_id, seconds, times) for version_id in record.versions}
    deployed = {share.version_id for share in record.active.all_shares()} if record.active else set()
    shown = [one for one in record.versions if one in deployed or any(slots[one])]
    drawn = [sum(_drawn(slots[one][position]) for one in shown) for position in range(SLOTS)]
    step = seconds // SLOTS
    return {
        "worker": record.name,
        "step_seconds": step,
        "times": times,
        "versions": {one: _line(record.versions[one], slots[one], drawn, step) for one in shown},
        "deployments": [
            _marked(record, deployment)
            for deployment in record.deployments
            if deployment.created_on.timestamp() >= times[0]
        ],
    }


def _drawn(slot: Tally | None) -> int:
    return drawn_of(slot.outcomes) if slot else 0


def _slots(window: Window, version_id: VersionId, seconds: int, times: Sequence[int]) -> list[Tally | None]:
    metrics = window.recorder.versions.get(version_id)
    if metrics is None:
        return [None] * len(times)
    ring = metrics.windows.rings[seconds]
    return [ring.slot(begin) for begin in times]


def _line(version: Version, slots: Sequence[Tally | None], drawn: Sequence[int], step: int) -> Json:
    return {
        "label": version.label,
        "requests_per_second": [_rounded(slot.requests / step) if slot else 0.0 for slot in slots],
        "errors_per_second": [
            _rounded(sum(errors_of(slot.outcomes).values()) / step) if slot else 0.0 for slot in slots
        ],
        "observed_percentage": [
            _rounded(FULL * _drawn(slot) / total) if total else None
            for slot, total in zip(slots, drawn, strict=True)
        ],
        **{
            f"{name}_ms": [_rounded(slot.quantile_ms(quantile)) if slot else None for slot in slots]
            for name, quantile in (("p50", P50), ("p95", P95), ("p99", P99))
        },
    }


def _marked(record: WorkerRecord, deployment: Deployment) -> Json:
    return {
        "number": deployment.number,
        "at": deployment.created_on.timestamp(),
        "versions": [
            {
                "version_id": share.version_id,
                "label": record.versions[share.version_id].label,
                "percentage": share.percentage,
            }
            for share in deployment.versions
        ],
        "message": deployment.message,
        "triggered_by": deployment.triggered_by,
    }


def health_view(found: Health, metrics: Json, baseline: VersionId, candidate: VersionId) -> Json:
    """Return a verdict with the figures it rests on."""
    figures = {one["version_id"]: one for one in metrics["versions"]}
    return {
        "verdict": found.verdict,
        "reason": found.reason,
        "worker": metrics["worker"],
        "window": metrics["window"],
        "window_seconds": metrics["window_seconds"],
        "baseline": figures[baseline],
        "candidate": figures[candidate],
        "checks": [
            {"name": check.name, "verdict": check.verdict, "detail": check.detail} for check in found.checks
        ],
    }


def _asked(record: WorkerRecord, version_id: VersionId) -> float | None:
    shares = record.active.versions if record.active else ()
    return next((share.percentage for share in shares if share.version_id == version_id), None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
