"""A tally -> the figures people read: errors by cause, shares, times; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.model.decision import Reason
from gateway.observability.proportions import quantile_ranks
from gateway.observability.windows import Cause, Tally

P50: Final = 0.5
P95: Final = 0.95
P99: Final = 0.99
CLIENT_GONE: Final = "client_gone"
FULL: Final = 100.0
_SERVER_ERROR: Final = 500

ERROR_CAUSES: Final[Mapping[str, Callable[[int, str], bool]]] = {
    "worker_5xx": lambda status, outcome: outcome == "ok" and status >= _SERVER_ERROR,
    "exception": lambda _, outcome: outcome == "worker_threw",
    "unreachable": lambda _, outcome: outcome == "upstream_failed",
    "timed_out": lambda _, outcome: outcome == "upstream_timed_out",
    "cut": lambda _, outcome: outcome == "answer_cut",
}
"""Cause -> whether a request with a status and an outcome failed by it; no request fails by two."""

_DRAWN: Final = frozenset({Reason.PERCENTAGE, Reason.AFFINITY})


def error_cause(status: int, outcome: str) -> str | None:
    """Return why a request failed, or None where it did not: a client that left early is no failure."""
    return next((cause for cause, holds in ERROR_CAUSES.items() if holds(status, outcome)), None)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one version did in some time.

    Args:
        errors: Failed requests by cause; every cause of ``ERROR_CAUSES`` is there.
        drawn: Requests whose version the percentages picked, by a draw or a key: those the asked share speaks of.
        p95_low_ms, p95_high_ms: Where the true P95 lies, in 95 of 100 cases.
    """

    requests: int
    errors: Mapping[str, int]
    drawn: int = 0
    client_disconnects: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p95_low_ms: float | None = None
    p95_high_ms: float | None = None

    @property
    def failed(self) -> int:
        """All failed requests; a Worker's own 5xx too, which Cloudflare counts as success (R116)."""
        return sum(self.errors.values())

    @property
    def error_percentage(self) -> float | None:
        """Share of the requests that failed; None without requests."""
        return FULL * self.failed / self.requests if self.requests else None


def figures_of(tally: Tally) -> Figures:
    """Return the figures of a tally."""
    ranks = quantile_ranks(P95, tally.requests)
    return Figures(
        requests=tally.requests,
        errors=errors_of(tally.outcomes),
        drawn=drawn_of(tally.outcomes),
        client_disconnects=disconnects_of(tally.outcomes),
        request_bytes=tally.request_bytes,
        response_bytes=tally.response_bytes,
        mean_ms=tally.duration_us / tally.requests / 1000 if tally.requests else None,
        p50_ms=tally.quantile_ms(P50),
        p95_ms=tally.quantile_ms(P95),
        p99_ms=tally.quantile_ms(P99),
        p95_low_ms=tally.quantile_ms(ranks.low),
        p95_high_ms=tally.quantile_ms(ranks.high),
    )


def errors_of(outcomes: Mapping[Cause, int]) -> dict[str, int]:
    """Return failed requests by cause."""
    errors = dict.fromkeys(ERROR_CAUSES, 0)
    for (_, status, outcome), count in outcomes.items():
        cause = error_cause(status, outcome)
        if cause is not None:
            errors[cause] += count
    return errors


def drawn_of(outcomes: Mapping[Cause, int]) -> int:
    """Return how many requests' version the percentages picked."""
    return sum(count for (reason, _, _), count in outcomes.items() if reason in _DRAWN)


def disconnects_of(outcomes: Mapping[Cause, int]) -> int:
    """Return from how many requests the client went away before the answer was over."""
    return sum(count for (_, _, outcome), count in outcomes.items() if outcome == CLIENT_GONE)
