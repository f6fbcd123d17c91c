"""How far chance may carry the counts of a right split: exact binomial tails, no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol, TypeVar

from gateway.model.decision import Reason

FALSE_ALARM: Final = 1e-6
"""A right split fails an assertion less often than this."""

_NEGLIGIBLE: Final = 1e-17
_MORE_EACH_TIME: Final = 1.05


class Drawn(Protocol):
    """A request that a version answered."""

    @property
    def reason(self) -> str: ...  # noqa: D102 - as in ``RoutingDecision``
    @property
    def point(self) -> float | None: ...  # noqa: D102


SomeDrawn = TypeVar("SomeDrawn", bound=Drawn)


class Range(NamedTuple):
    """Counts from ``low`` to ``high``, both allowed."""

    low: int
    high: int


def independent_draws(requests: Iterable[SomeDrawn]) -> Iterator[SomeDrawn]:
    """Yield what says something new of a split: each draw, and each affinity key once (R37, R44)."""
    seen: set[float | None] = set()
    for request in requests:
        if request.reason == Reason.PERCENTAGE:
            yield request
        elif request.reason == Reason.AFFINITY and request.point not in seen:
            seen.add(request.point)
            yield request


def at_least(count: int, total: int, share: float) -> float:
    """Return the chance of ``count`` or more of ``total`` independent draws; meant for counts above the mean.

    Args:
        share: Chance of one draw, 0-1.
    """
    if count <= 0:
        return 1.0
    if count > total or share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    term = math.exp(
        math.lgamma(total + 1)
        - math.lgamma(count + 1)
        - math.lgamma(total - count + 1)
        + count * math.log(share)
        + (total - count) * math.log1p(-share)
    )
    odds, tail = share / (1 - share), 0.0
    while count <= total and term > tail * _NEGLIGIBLE:
        tail += term
        term *= (total - count) / (count + 1) * odds
        count += 1
    return min(tail, 1.0)


def at_most(count: int, total: int, share: float) -> float:
    """Return the chance of ``count`` or fewer; see ``at_least``."""
    return at_least(total - count, total, 1 - share)


def allowed_by_chance(total: int, percentages: Mapping[str, float]) -> dict[str, Range]:
    """Return, by version, the counts that a right split stays within but once in 1 / ``FALSE_ALARM`` times."""
    each_side = FALSE_ALARM / (2 * max(len(percentages), 1))
    return {
        tag: Range(
            total - _highest(total, 1 - percentage / 100, each_side), _highest(total, percentage / 100, each_side)
        )
        for tag, percentage in percentages.items()
    }


def _highest(total: int, share: float, chance: float) -> int:
    """Return the smallest count that is exceeded at most with this chance."""
    low, high = min(math.ceil(total * share), total), total
    while low < high:
        middle = (low + high) // 2
        if at_least(middle + 1, total, share) <= chance:
            high = middle
        else:
            low = middle + 1
    return low


def allowed_within(total: int, percentages: Mapping[str, float], points: float) -> dict[str, Range]:
    """Return, by version, the counts whose share misses the percentage by at most ``points``."""
    slack = 1e-9  # 10 of 100 are within 5 points of 15%, whatever floats make of it
    return {
        tag: Range(
            max(0, math.ceil(total * (percentage - points) / 100 - slack)),
            min(total, math.floor(total * (percentage + points) / 100 + slack)),
        )
        for tag, percentage in percentages.items()
    }


def chance_of_false_alarm(total: int, percentages: Mapping[str, float], allowed: Mapping[str, Range]) -> float:
    """Return how often, at most, a right split leaves these ranges."""
    return min(
        1.0,
        math.fsum(
            at_most(allowed[tag].low - 1, total, percentage / 100)
            + at_least(allowed[tag].high + 1, total, percentage / 100)
            for tag, percentage in percentages.items()
        ),
    )


def requests_needed(percentages: Mapping[str, float], points: float) -> int:
    """Return about how many requests tell a split to within ``points``."""
    total = 10
    while chance_of_false_alarm(total, percentages, allowed_within(total, percentages, points)) > FALSE_ALARM:
        total = math.ceil(total * _MORE_EACH_TIME)
    return total
