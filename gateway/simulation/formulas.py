"""What theory expects of a step, in closed form; the drawn counts are held against it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.model.version import VersionId
from gateway.routing.percentages import Split
from gateway.simulation.scenario import FULL, InvalidScenario
from gateway.simulation.traffic import NO_PAGE, Session

Shares = Mapping[VersionId, float]
"""Version -> the probability, 0-1, that a draw picks it."""

VersionOf = Callable[[RequestFacts], VersionId]
"""The version of a key."""

NOTICED_BY_ONE: Final = "n = ln(1 - c) / ln(1 - x)"
NOTICED_ABOVE_BASELINE: Final = "n = (z(c) (sqrt(b (1 - b)) + sqrt(x (1 - x))) / (x - b))^2"


class Expected(NamedTuple):
    """What one session is expected to meet.

    Args:
        mixed: Probability that it meets two versions.
        missing: How many of its assets the version that is asked lacks.
    """

    mixed: float
    missing: float


def shares_of(split: Split) -> dict[VersionId, float]:
    """Return the probability of each version that has traffic."""
    return {placed.version_id: (placed.high - placed.low) / FULL for placed in split.placed}


def expected_without_key(requests: int, assets: int, shares: Shares) -> Expected:
    """Return what a session of independent draws meets (R24).

    All requests meet one version with probability sum(q^n), q being a version's share; an asset and its page
    meet the same with sum(q^2).
    """
    same = math.fsum(share**requests for share in shares.values())
    same_pair = math.fsum(share * share for share in shares.values())
    return Expected(1.0 - same, assets * (1.0 - same_pair))


def expected_of(session: Session, shares: Shares, version_of: VersionOf) -> Expected:
    """Return what a session meets, some of whose requests carry keys; keys are no chance (R37)."""
    fixed = [None if facts is NO_SIGNALS else version_of(facts) for facts in session.facts]
    return Expected(_mixed(fixed, shares), _missing(fixed, session.page_of, shares))


def _mixed(fixed: Sequence[VersionId | None], shares: Shares) -> float:
    by_key = {version for version in fixed if version is not None}
    drawn = fixed.count(None)
    if len(by_key) > 1:
        return 1.0
    if by_key:
        return 1.0 - shares.get(next(iter(by_key)), 0.0) ** drawn
    return expected_without_key(drawn, 0, shares).mixed


def _missing(fixed: Sequence[VersionId | None], page_of: Sequence[int], shares: Shares) -> float:
    missing = 0.0
    for version, page in zip(fixed, page_of, strict=True):
        if page == NO_PAGE:
            continue
        other = fixed[page]
        if version is None and other is None:
            missing += expected_without_key(1, 1, shares).missing
        elif version is None or other is None:
            missing += 1.0 - shares.get(other if version is None else version, 0.0)  # type: ignore[arg-type]
        else:
            missing += version != other
    return missing


class Notice(NamedTuple):
    """When an error rate of the new version is to be noticed.

    Args:
        error_rate: Of the new version's requests, 0-100, above 0.
        baseline_error_rate: Of the old version's, 0-100.
        confidence: 0-100, both excluded.

    Raises:
        InvalidScenario: By ``checked``.
    """

    error_rate: float = 1.0
    baseline_error_rate: float = 0.0
    confidence: float = 95.0

    def checked(self) -> Notice:
        """Return itself, or refuse what cannot be."""
        for name, good in (
            ("error_rate", 0 < self.error_rate <= FULL),
            ("baseline_error_rate", 0 <= self.baseline_error_rate < self.error_rate),
            ("confidence", 0 < self.confidence < FULL),
        ):
            if not good:
                raise InvalidScenario(
                    f"{name}: {getattr(self, name):g} is out of range",
                    remedy="Give an error rate above 0 and up to 100, a baseline below it, and a confidence "
                    "between 0 and 100, all in percent.",
                )
        return self

    @property
    def formula(self) -> str:
        """How many requests n the new version needs, in words for the reader."""
        return NOTICED_ABOVE_BASELINE if self.baseline_error_rate else NOTICED_BY_ONE

    def requests_of_version(self) -> int:
        """Return how many requests the new version must answer.

        With an old version that never fails, one error is notice enough: 1 - (1 - x)^n >= c. Else n must tell x
        from b: one-sided, normal approximation, the same confidence against a false alarm and against a miss.
        """
        rate, base, sure = (value / FULL for value in (self.error_rate, self.baseline_error_rate, self.confidence))
        if rate == 1.0 and not base:
            return 1
        if not base:
            return max(1, math.ceil(math.log1p(-sure) / math.log1p(-rate)))
        z = max(0.0, NormalDist().inv_cdf(sure))
        spread = math.sqrt(base * (1 - base)) + math.sqrt(rate * (1 - rate))
        return max(1, math.ceil((z * spread / (rate - base)) ** 2))

    def requests_at_edge(self, percentage: float) -> int | None:
        """Return how many requests must come in all, when the new version gets this percentage of them."""
        return math.ceil(self.requests_of_version() * FULL / percentage) if percentage else None
