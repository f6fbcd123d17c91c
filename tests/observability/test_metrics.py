"""Counters by version: cheap on the path, in order once they are folded."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.model.version import VersionId
from gateway.observability.metrics import BUCKETS_US, Recorder, VersionMetrics
from tests.model.examples import A, B

NOW = 1_800_000_000.5


def test_requests_are_counted_by_reason_status_and_outcome() -> None:
    """Design 3.7: counters and histograms by version; what was counted is told after the next fold."""
    metrics = VersionMetrics()
    for reason, status, outcome in (
        ("affinity", 200, "ok"),
        ("affinity", 200, "ok"),
        ("percentage", 502, "upstream_failed"),
    ):
        metrics.add(reason, status, outcome, 1_500, 10, 20)
    assert metrics.requests == 0
    metrics.fold(NOW)
    metrics.fold(NOW)

    assert metrics.outcomes == {("affinity", 200, "ok"): 2, ("percentage", 502, "upstream_failed"): 1}
    assert (metrics.requests, metrics.duration_us) == (3, 4_500)
    assert (metrics.request_bytes, metrics.response_bytes) == (30, 60)


BUCKETS = {
    "0 us": (0, 100),
    "a bucket's own bound": (100, 100),
    "just above it": (101, 250),
    "1 ms": (1_000, 1_000),
    "2 s": (2_000_000, 2_500_000),
    "50 s": (50_000_000, 50_000_000),
    "beyond all": (50_000_001, None),
}


@pytest.mark.parametrize(("duration_us", "bound"), BUCKETS.values(), ids=BUCKETS)
def test_a_duration_falls_into_the_first_bucket_that_holds_it(duration_us: int, bound: int | None) -> None:
    """OpenMetrics, "Histogram": bounds are inclusive, the last bucket is +Inf."""
    metrics = VersionMetrics()
    metrics.add("affinity", 200, "ok", duration_us, 0, 0)
    metrics.fold(NOW)

    counted = [*BUCKETS_US, None][metrics.durations.index(1)]
    assert (counted, sum(metrics.durations)) == (bound, 1)


def test_bounds_rise() -> None:
    """OpenMetrics, "Histogram": bounds in rising order."""
    assert all(low < high for low, high in pairwise(BUCKETS_US))
    assert (BUCKETS_US[0], BUCKETS_US[-1]) == (100, 50_000_000)


def test_counters_of_a_version_are_made_once() -> None:
    """Design 3.7: whoever holds a version's counters holds the ones that are shown."""
    recorder = Recorder()

    assert recorder.metrics_of(A) is recorder.metrics_of(A)
    assert recorder.metrics_of(A) is not recorder.metrics_of(B)
    assert isinstance(recorder.metrics_of(VersionId("cccccccc-3333-4333-8333-333333333333")), VersionMetrics)


def test_the_gateways_own_answers_are_counted_by_status() -> None:
    """Design 3.6: answers without any version are no version's requests."""
    recorder = Recorder(lambda: NOW)
    for status in (404, 404, 400):
        recorder.own.add("", status, "refused", 10, 0, 5)
    recorder.fold()

    assert recorder.own_answers == {404: 2, 400: 1}


def test_a_deployment_begins_the_count_anew_for_its_worker_alone() -> None:
    """Issue C, metrics: since the deployment began; what was on the way counts for the one before."""
    recorder = Recorder(lambda: NOW)
    for version_id in (A, B):
        recorder.metrics_of(version_id).add("percentage", 200, "ok", 10, 0, 0)
    recorder.deployed([A, VersionId("never seen")])
    recorder.metrics_of(A).add("percentage", 200, "ok", 10, 0, 0)
    recorder.fold()

    assert [recorder.metrics_of(one).windows.since_deployment.requests for one in (A, B)] == [1, 1]
    assert [recorder.metrics_of(one).requests for one in (A, B)] == [2, 1]


def test_minutes_are_counted_by_how_requests_ended() -> None:
    """R116: what each status had, bytes and times too, and all of them together are the whole."""
    metrics = VersionMetrics()
    metrics.add("percentage", 200, "ok", 1_000, 1, 10)
    metrics.add("percentage", 500, "ok", 1_000, 1, 10)
    metrics.add("affinity", 500, "worker_threw", 9_000, 1, 5)
    metrics.fold(NOW)
    found = {
        status.value: [(begin, tally.requests, tally.response_bytes, tally.duration_us)]
        for status, ring in metrics.windows.by_status.items()
        for begin, tally in ring.begun_since(0)
    }

    minute = int(NOW) // 60 * 60
    assert found == {"success": [(minute, 2, 20, 2_000)], "scriptThrewException": [(minute, 1, 5, 9_000)]}
    whole = metrics.windows.last(3600, NOW)
    assert (whole.requests, whole.response_bytes, whole.duration_us) == (3, 25, 11_000)
