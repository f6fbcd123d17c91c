"""Is a new version healthy enough for more traffic? A rule over figures, pure; docs/observability.md tells it.

Three checks, of which the gravest verdict counts:

- **errors**: how much larger the candidate's share of failed requests is than the baseline's, with Newcombe's
  95 % interval. Larger by more than ``EXCESS_PERCENTAGE`` and not by chance (the interval lies above 0, and at
  least ``FEWEST_ERRORS`` requests failed): roll back. Larger, but perhaps by chance: wait. No larger, but surely
  above ``BAD_PERCENTAGE``: wait, for neither is fit for more.
- **latency**: P95 above ``SLOWER_RATIO`` times the baseline's and by more than ``SLOWER_MS``, each with the 95 %
  interval of its rank. The intervals do not touch: roll back. They do: wait.
- **requests**: fewer than ``FEWEST_REQUESTS`` on either side: wait, unless one of the others is sure already.

The share is told beside them but decides nothing: clients with a key come again and again, so that a share off the
asked one says little of a version's health.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.observability.figures import FULL, Figures
from gateway.observability.proportions import difference, wilson

FEWEST_REQUESTS: Final = 100
"""P95 of fewer rests on less than five requests."""

FEWEST_ERRORS: Final = 5
"""Fewer failures are an accident, whatever the interval says."""

EXCESS_PERCENTAGE: Final = 0.5
BAD_PERCENTAGE: Final = 5.0
SLOWER_RATIO: Final = 1.5
SLOWER_MS: Final = 20.0


class Verdict(StrEnum):
    """What to do with the candidate, from good to bad."""

    SAFE = "safe"
    WAIT = "wait"
    ROLL_BACK = "roll_back"


_GRAVITY: Final = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Subject:
    """A version under comparison.

    Args:
        label: What people call it.
        asked_percentage: In the active deployment; None where it is not deployed.
        all_drawn: Requests that the percentages drew, of all versions.
    """

    label: str
    figures: Figures
    asked_percentage: float | None = None
    all_drawn: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """What one part of the rule found, with its numbers."""

    name: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict on a candidate.

    Args:
        reason: One sentence with the numbers that decided.
    """

    verdict: Verdict
    reason: str
    checks: tuple[Check, ...]


def compare(baseline: Subject, candidate: Subject) -> Health:
    """Return whether the candidate may get more traffic."""
    enough = _requests_check(baseline, candidate)
    checks = (
        enough,
        _errors_check(baseline, candidate),
        _latency_check(baseline, candidate),
        _share_check(candidate),
    )
    verdict = max((check.verdict for check in checks), key=_GRAVITY.index)
    return Health(verdict, _reason(verdict, checks), checks)


def _reason(verdict: Verdict, checks: Iterable[Check]) -> str:
    decisive = [check for check in checks if check.verdict is verdict]
    if verdict is Verdict.SAFE:
        decisive = [check for check in decisive if check.name in ("errors", "latency")]
    said = "; ".join(check.detail for check in decisive)
    match verdict:
        case Verdict.SAFE:
            return f"Safe to increase: {said}."
        case Verdict.WAIT:
            return f"Wait: {said}."
        case Verdict.ROLL_BACK:
            return f"Roll back: {said}."


def _requests_check(baseline: Subject, candidate: Subject) -> Check:
    few = [one for one in (candidate, baseline) if one.figures.requests < FEWEST_REQUESTS]
    counts = " and ".join(
        f"{one.label} has {_requests(one.figures.requests)}" for one in few or (candidate, baseline)
    )
    if few:
        return Check(
            "requests", Verdict.WAIT, f"{counts}, fewer than the {FEWEST_REQUESTS} that a comparison needs"
        )
    return Check("requests", Verdict.SAFE, counts)


def _errors_check(baseline: Subject, candidate: Subject) -> Check:
    own, base = candidate.figures, baseline.figures
    if not own.requests or not base.requests:
        return Check("errors", Verdict.WAIT, "errors cannot be compared without requests")
    numbers = f"{_failed(candidate)} against {_failed(baseline, again=True)}"
    excess = FULL * (own.failed / own.requests - base.failed / base.requests)
    interval = difference(own.failed, own.requests, base.failed, base.requests)
    if excess > EXCESS_PERCENTAGE:
        sure = interval.low > 0 and own.failed >= FEWEST_ERRORS
        if sure:
            return Check("errors", Verdict.ROLL_BACK, numbers)
        return Check("errors", Verdict.WAIT, f"{numbers}, which may be chance")
    if FULL * wilson(own.failed, own.requests).low > BAD_PERCENTAGE:
        return Check("errors", Verdict.WAIT, f"{numbers}: neither is fit for more traffic")
    return Check("errors", Verdict.SAFE, numbers)


def _failed(subject: Subject, *, again: bool = False) -> str:
    figures = subject.figures
    share = f"{figures.error_percentage or 0:.2f}% of {subject.label}"
    if again:
        return f"{share} ({figures.failed:,} of {figures.requests:,})"
    return f"{share} failed ({figures.failed:,} of {_requests(figures.requests)})"


def _latency_check(baseline: Subject, candidate: Subject) -> Check:
    own, base = candidate.figures, baseline.figures
    if own.p95_ms is None or base.p95_ms is None:
        return Check("latency", Verdict.WAIT, "P95 cannot be compared without requests")
    numbers = f"P95 of {candidate.label} is {_ms(own.p95_ms)} against {_ms(base.p95_ms)} of {baseline.label}"
    if own.p95_ms <= base.p95_ms * SLOWER_RATIO or own.p95_ms <= base.p95_ms + SLOWER_MS:
        return Check("latency", Verdict.SAFE, numbers)
    low = own.p95_ms if own.p95_low_ms is None else own.p95_low_ms
    high = base.p95_ms if base.p95_high_ms is None else base.p95_high_ms
    if low > high and min(own.requests, base.requests) >= FEWEST_REQUESTS:
        return Check("latency", Verdict.ROLL_BACK, numbers)
    return Check("latency", Verdict.WAIT, f"{numbers}, which may be chance")


def _share_check(candidate: Subject) -> Check:
    drawn, total, asked = candidate.figures.drawn, candidate.all_drawn, candidate.asked_percentage
    if asked is None:
        return Check("share", Verdict.SAFE, f"{candidate.label} is not in the active deployment")
    if not total:
        return Check("share", Verdict.SAFE, f"{candidate.label} is asked to get {asked:g}%; nothing was drawn yet")
    interval = wilson(drawn, total)
    said = (
        f"{candidate.label} gets {FULL * drawn / total:.2f}% of {_requests(total)} that were drawn"
        f" ({FULL * interval.low:.2f} to {FULL * interval.high:.2f}), asked are {asked:g}%"
    )
    return Check("share", Verdict.SAFE, said)


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count:,} requests"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2f} ms"  # noqa: PLR2004 - three digits
