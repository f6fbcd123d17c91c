"""The health rule, on tables."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from gateway.observability.figures import ERROR_CAUSES, Figures
from gateway.observability.health import Subject, Verdict, compare

SAFE, WAIT, ROLL_BACK = Verdict.SAFE, Verdict.WAIT, Verdict.ROLL_BACK


class Side(NamedTuple):
    """One version's requests, failures and P95."""

    requests: int
    failed: int
    p95_ms: float | None = 50.0
    spread_ms: float = 2.0


def subject(label: str, side: Side, asked: float | None = 50.0) -> Subject:
    p95 = side.p95_ms
    figures = Figures(
        requests=side.requests,
        errors=dict.fromkeys(ERROR_CAUSES, 0) | {"exception": side.failed},
        drawn=side.requests,
        p95_ms=p95,
        p95_low_ms=None if p95 is None else p95 - side.spread_ms,
        p95_high_ms=None if p95 is None else p95 + side.spread_ms,
    )
    return Subject(label, figures, asked, side.requests * 2)


NONE = Side(0, 0, None)
GOOD = Side(9_000, 9)
CASES: dict[str, tuple[Side, Side, Verdict]] = {
    # The seed's example: v2 at 1.5% errors and 150 ms against v1 at 0.1% and 50 ms.
    "the seed's example": (GOOD, Side(1_000, 15, 150.0), ROLL_BACK),
    "the seed's errors alone": (GOOD, Side(1_000, 15), ROLL_BACK),
    "the seed's times alone": (GOOD, Side(1_000, 1, 150.0), ROLL_BACK),
    "equal": (GOOD, Side(1_000, 1), SAFE),
    "better": (Side(9_000, 90, 80.0), Side(1_000, 1, 20.0), SAFE),
    "nobody has requests": (NONE, NONE, WAIT),
    "the candidate has none": (GOOD, NONE, WAIT),
    "the baseline has none": (NONE, Side(1_000, 1), WAIT),
    "99 requests": (GOOD, Side(99, 0), WAIT),
    "100 requests": (GOOD, Side(100, 0), SAFE),
    "a baseline with 99": (Side(99, 0), Side(1_000, 1), WAIT),
    "one failure of three": (GOOD, Side(3, 1), WAIT),
    "four of four, too few to be sure": (GOOD, Side(4, 4), WAIT),
    "five of five: nothing works": (GOOD, Side(5, 5), ROLL_BACK),
    "half of twenty": (GOOD, Side(20, 10), ROLL_BACK),
    "1% of 200, may be chance": (GOOD, Side(200, 2), WAIT),
    "1% of 2,000": (GOOD, Side(2_000, 20), ROLL_BACK),
    "sure, but so small that it does not matter": (Side(1_000_000, 1_000), Side(1_000_000, 1_500), SAFE),
    "both bad": (Side(1_000, 200), Side(1_000, 200), WAIT),
    "both bad, the candidate worse": (Side(1_000, 200), Side(1_000, 300), ROLL_BACK),
    "both bad, the candidate better": (Side(1_000, 300), Side(1_000, 200), WAIT),
    "both dead": (Side(1_000, 1_000), Side(1_000, 1_000), WAIT),
    "the candidate mends what was bad": (Side(1_000, 300), Side(1_000, 0), SAFE),
    "slower by ratio, not by much": (Side(1_000, 0, 2.0, 0.1), Side(1_000, 0, 20.0, 0.1), SAFE),
    "slower by much, not by ratio": (Side(1_000, 0, 500.0), Side(1_000, 0, 700.0), SAFE),
    "slower, but the intervals touch": (Side(200, 0, 50.0, 40.0), Side(200, 0, 100.0, 40.0), WAIT),
    "slower, of few requests": (GOOD, Side(50, 0, 500.0), WAIT),
    "faster": (Side(1_000, 0, 500.0), Side(1_000, 0, 50.0), SAFE),
}


@pytest.mark.parametrize(("baseline", "candidate", "verdict"), CASES.values(), ids=CASES)
def test_the_verdict(baseline: Side, candidate: Side, verdict: Verdict) -> None:
    """Issue C, health: error rate, P95 and share by version, with sample sizes."""
    assert compare(subject("v1", baseline), subject("v2", candidate)).verdict is verdict


def test_the_reason_is_told_in_numbers() -> None:
    """Issue C, health: the reason in numbers; the seed's example."""
    found = compare(subject("v1", Side(10_000, 10), 90.0), subject("v2", Side(1_000, 15, 150.0), 10.0))

    assert found.reason == (
        "Roll back: 1.50% of v2 failed (15 of 1,000 requests) against 0.10% of v1 (10 of 10,000); "
        "P95 of v2 is 150 ms against 50 ms of v1."
    )
    assert [(check.name, check.verdict) for check in found.checks] == [
        ("requests", SAFE), ("errors", ROLL_BACK), ("latency", ROLL_BACK), ("share", SAFE)
    ]  # fmt: skip


REASONS = {
    "safe": (
        GOOD,
        Side(1_000, 1),
        "Safe to increase: 0.10% of v2 failed (1 of 1,000 requests) against 0.10% of v1",
    ),
    "few": (GOOD, Side(1, 0), "Wait: v2 has 1 request, fewer than the 100 that a comparison needs."),
    "chance": (
        GOOD,
        Side(200, 2),
        "Wait: 1.00% of v2 failed (2 of 200 requests) against 0.10% of v1 (9 of 9,000), which may be chance.",
    ),
    "both": (Side(1_000, 200), Side(1_000, 200), "neither is fit for more traffic"),
}


@pytest.mark.parametrize(("baseline", "candidate", "said"), REASONS.values(), ids=REASONS)
def test_every_verdict_says_why(baseline: Side, candidate: Side, said: str) -> None:
    """Issue C, health."""
    assert said in compare(subject("v1", baseline), subject("v2", candidate)).reason


@pytest.mark.parametrize(
    ("asked", "drawn", "total", "said"),
    [
        (10.0, 98, 1_000, "v2 gets 9.80% of 1,000 requests that were drawn (8.11 to 11.80), asked are 10%"),
        (10.0, 0, 0, "v2 is asked to get 10%; nothing was drawn yet"),
        (None, 0, 1_000, "v2 is not in the active deployment"),
    ],
)
def test_the_share_is_told_and_decides_nothing(asked: float | None, drawn: int, total: int, said: str) -> None:
    """Clients with keys come again and again: a share off the asked one is no illness."""
    figures = Figures(1_000, dict.fromkeys(ERROR_CAUSES, 0), drawn, p95_ms=50.0)
    found = compare(subject("v1", GOOD), Subject("v2", figures, asked, total))

    assert (found.verdict, found.checks[-1].detail) == (SAFE, said)
