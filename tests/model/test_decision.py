"""The words of a decision: a contract with headers, logs and filters."""

from __future__ import annotations

from gateway.model.decision import Reason, RoutingDecision, Signal
from gateway.model.request import NO_SIGNALS
from tests.model.examples import A


def test_reasons_are_the_tokens_of_the_decision_header() -> None:
    """Design 3.6: ``reason=affinity`` and the like; users filter by these words."""
    assert {str(reason) for reason in Reason} == {
        "version-url", "override", "affinity", "percentage", "durable-object",
    }  # fmt: skip
    assert {str(signal) for signal in Signal} == {"override", "cohort", "affinity"}


def test_a_decision_without_point_covers_the_whole_range() -> None:
    """Design 3.4: an outcome is version, reason, point, range; without a point no range is narrowed."""
    decision = RoutingDecision(A, Reason.OVERRIDE)

    assert (decision.point, decision.low, decision.high, decision.ignored) == (None, 0.0, 100.0, ())


def test_most_requests_carry_nothing_that_decides() -> None:
    """R24: without any signal only the draw decides."""
    assert set(NO_SIGNALS) == {None}
