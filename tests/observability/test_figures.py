"""Tallies -> figures: what counts as an error, as drawn, as a client that left."""

from __future__ import annotations

import pytest

from gateway.observability.figures import ERROR_CAUSES, error_cause, figures_of
from gateway.observability.sketch import DurationSketch
from gateway.observability.windows import Tally

CAUSES = {
    "well": (200, "ok", None),
    "a 404 of the Worker": (404, "ok", None),
    "a 503 of the Worker": (503, "ok", "worker_5xx"),
    "thrown": (500, "worker_threw", "exception"),
    "unreachable": (502, "upstream_failed", "unreachable"),
    "too slow": (504, "upstream_timed_out", "timed_out"),
    "cut": (200, "answer_cut", "cut"),
    "cut, of a 500": (500, "answer_cut", "cut"),
    "the client left": (0, "client_gone", None),
    "the client left a 500": (500, "client_gone", None),
    "refused": (400, "refused", None),
}


@pytest.mark.parametrize(("status", "outcome", "cause"), CAUSES.values(), ids=CAUSES)
def test_causes_of_errors(status: int, outcome: str, cause: str | None) -> None:
    """Issue C, metrics: errors by cause; none counts twice."""
    assert error_cause(status, outcome) == cause
    assert sum(holds(status, outcome) for holds in ERROR_CAUSES.values()) == (cause is not None)


def test_figures_of_a_mix() -> None:
    """Contract, metrics: the figures of a version."""
    tally = Tally()
    tally.requests, tally.request_bytes, tally.response_bytes = 10, 1, 2
    tally.outcomes.update(
        {
            ("percentage", 200, "ok"): 4,
            ("affinity", 500, "ok"): 1,
            ("override", 502, "upstream_failed"): 2,
            ("durable-object", 0, "client_gone"): 3,
        }
    )
    tally.durations, tally.duration_us = DurationSketch.of({1_000: 5, 9_000: 5}), 50_000
    figures = figures_of(tally)

    assert figures.errors == {"worker_5xx": 1, "exception": 0, "unreachable": 2, "timed_out": 0, "cut": 0}
    assert (figures.failed, figures.error_percentage) == (3, 30.0)
    assert (figures.drawn, figures.client_disconnects) == (5, 3)
    assert figures.mean_ms == 5.0
    assert figures.p95_ms == pytest.approx(9.0, rel=0.01)


def test_without_requests_there_is_nothing_to_tell() -> None:
    """Contract: null without requests."""
    figures = figures_of(Tally())

    assert figures.requests == figures.failed == 0
    assert [figures.error_percentage, figures.mean_ms, figures.p50_ms, figures.p95_low_ms] == [None] * 4
