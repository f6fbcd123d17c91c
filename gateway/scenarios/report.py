"""What came of a scenario, as JSON: the same for the same decisions, for it holds no time, port or version id."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.scenarios.exchange import Exchange, ObjectMoved, SkewFound
from gateway.scenarios.model import Scenario

Json = dict[str, Any]

SHOWN_REQUESTS: Final = 10
"""Of each step so many are shown by themselves."""


@dataclass
class StepResult:
    """What came of a step.

    Args:
        number: ``3``, or ``3.2`` in a flow.
        title: What it does.
        ran: False where a step before it ended the scenario.
        duration_seconds: How long it took.
    """

    number: str
    title: str
    ran: bool = False
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    duration_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario.

    Args:
        worker: The one it was played on.
        notes: What the user should know beside, such as that the old deployment could not be made again.
    """

    scenario: Scenario
    worker: str
    seed: int
    steps: Sequence[StepResult]
    skew: Sequence[SkewFound] = ()
    moved: Sequence[ObjectMoved] = ()
    notes: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether all steps were taken and nothing failed."""
        return all(step.ran and not step.failures for step in self.steps)


def report_of(outcome: Outcome, *, timings: bool = False) -> Json:
    """Return the report.

    Args:
        timings: Whether it tells how long steps took; then no two are the same.
    """
    exchanges = [one for step in outcome.steps for one in step.exchanges]
    return {
        "scenario": outcome.scenario.name,
        "worker": outcome.worker,
        "seed": outcome.seed,
        "passed": outcome.passed,
        "requests": len(exchanges),
        "errors": sum(one.is_error for one in exchanges),
        "decisions": _digest(exchanges),
        "failures": [f"step {step.number}: {line}" for step in outcome.steps for line in step.failures],
        "notes": list(outcome.notes),
        "steps": [_step_view(step, timings=timings) for step in outcome.steps],
        "skew": [_skew_view(one) for one in outcome.skew],
        "resets": [{"object": one.name, "count": len(one.path), "path": list(one.path)} for one in outcome.moved],
    }


def _step_view(step: StepResult, *, timings: bool) -> Json:
    view: Json = {
        "number": step.number,
        "step": step.title,
        "outcome": "not_run" if not step.ran else "failed" if step.failures else "passed",
        "requests": len(step.exchanges),
        "failures": list(step.failures),
        "notes": list(step.notes),
        "answers": _answers(step.exchanges),
        "first_requests": [exchange_view(one) for one in step.exchanges[:SHOWN_REQUESTS]],
    }
    return view | {"duration_ms": round(step.duration_seconds * 1000, 3)} if timings else view


def _answers(exchanges: Iterable[Exchange]) -> list[Json]:
    """Return how many answers each version gave, by reason and status; of a race only the status is told."""
    counts = Counter(
        ("", "", one.status) if one.racing else (one.version, one.reason, one.status) for one in exchanges
    )
    return [
        {"version": version, "reason": reason, "status": status, "count": count}
        for (version, reason, status), count in sorted(counts.items())
    ]


def exchange_view(exchange: Exchange) -> Json:
    """Return a request and what decided its version, as JSON; of a race what is no chance."""
    racing = exchange.racing
    return {
        "method": exchange.method,
        "path": exchange.path.partition("?")[0],
        "status": exchange.status,
        "version": "" if racing else exchange.version,
        "reason": "" if racing else exchange.reason,
        "point": exchange.point,
        "ray": exchange.ray,
        "racing": racing,
    }


def _skew_view(found: SkewFound) -> Json:
    return {
        "kind": found.kind,
        "what": found.what,
        "cause": found.cause,
        "sentence": found.sentence,
        "remedy": found.remedy,
        "count": found.count,
        "inferred": list(found.inferred),
        "before": exchange_view(found.before),
        "after": exchange_view(found.after),
    }


def _digest(exchanges: Iterable[Exchange]) -> str:
    """Return what is the same for two runs exactly where each request had the same fate."""
    told = hashlib.sha256()
    for one in exchanges:
        fate = (one.ray, one.point) if one.racing else (one.ray, one.point, one.version, one.reason)
        told.update(repr((one.title, one.status, *fate)).encode("utf-8", "surrogatepass"))
    return f"sha256:{told.hexdigest()}"
