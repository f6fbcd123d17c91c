"""Counters -> rows of ``workersInvocationsAdaptive``: one for each version, status and minute (R115); pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.observability.metrics import Recorder
from gateway.observability.statuses import InvocationStatus
from gateway.observability.windows import MINUTE, SLOTS, Tally, window_start

_BUCKETS: Final[Mapping[str, int]] = {
    "datetime": 60,
    "datetimeMinute": 60,
    "datetimeFiveMinutes": 300,
    "datetimeFifteenMinutes": 900,
    "datetimeHour": 3600,
    "datetimeSixHours": 21_600,
}
"""Dimension -> seconds; ``datetime`` is the row's own begin: a minute is the finest that is kept so long."""

TIME_DIMENSIONS: Final = frozenset(_BUCKETS)

Value = str | int
"""Of a dimension."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one version did in one minute, of what ended in one way.

    Args:
        begin: Of the minute, in seconds since the epoch.
        script_tag: The Worker's id.
        colo: Name of the data centre that this edge stands for.
    """

    begin: int
    script: str
    script_tag: str
    version_id: str
    status: InvocationStatus
    colo: str
    tally: Tally

    def dimension(self, name: str) -> Value:
        """Return the value of a dimension, one of ``DIMENSIONS``."""
        return DIMENSIONS[name](self)


DIMENSIONS: Final[Mapping[str, Callable[[Row], Value]]] = {
    **{
        name: (lambda row, seconds=seconds: moment_text(row.begin // seconds * seconds))  # type: ignore[misc]
        for name, seconds in _BUCKETS.items()
    },
    "date": lambda row: moment_text(row.begin)[:10],
    "scriptName": lambda row: row.script,
    "scriptTag": lambda row: row.script_tag,
    "scriptVersion": lambda row: row.version_id,
    "status": lambda row: row.status.value,
    "coloCode": lambda row: row.colo,
    "environmentName": lambda _: "production",
    "usageModel": lambda _: "standard",
    # What the gateway does not have: no cache before a Worker, no dispatch namespaces, no previews.
    "cacheStatus": lambda _: "",
    "dispatchNamespaceName": lambda _: "",
    "isDispatcher": lambda _: 0,
    "isPreview": lambda _: 0,
    "previewSlug": lambda _: "",
}
"""Every dimension of R115, with what it is of a row."""


def rows_of(
    recorder: Recorder, catalog: Catalog, tag_of: Callable[[WorkerRecord], str], colo: str, now: float
) -> Iterator[Row]:
    """Yield the rows of the last hour.

    Args:
        tag_of: A Worker's id.
        now: Seconds since the epoch.
    """
    begin = window_start(MINUTE * SLOTS, now)
    for record in catalog.workers.values():
        for version_id in record.versions:
            metrics = recorder.versions.get(version_id)
            for status, ring in metrics.windows.by_status.items() if metrics is not None else ():
                for minute, tally in ring.begun_since(begin):
                    yield Row(minute, record.name, tag_of(record), version_id, status, colo, tally)


def moment_text(seconds: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
