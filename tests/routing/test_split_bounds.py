"""The bound of ``assert_split`` is a bound: exact tails, and no false alarm more often than it says."""

from __future__ import annotations

import math

import pytest

from gateway.routing.split_bounds import (
    FALSE_ALARM,
    Range,
    allowed_by_chance,
    allowed_within,
    at_least,
    at_most,
    chance_of_false_alarm,
    requests_needed,
)

SPLITS = [{"v1": 90.0, "v2": 10.0}, {"v1": 50.0, "v2": 50.0}, {"v1": 99.9, "v2": 0.1}, {"v1": 1.0, "v2": 99.0}]


def exact(count: int, total: int, share: float) -> float:
    """Return P(X >= count), term by term."""
    return math.fsum(
        math.comb(total, one) * share**one * (1 - share) ** (total - one) for one in range(count, total + 1)
    )


@pytest.mark.parametrize("total", [1, 7, 60, 300])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.93])
def test_tails_are_those_of_the_binomial_distribution(total: int, share: float) -> None:
    """Summed from the count outwards, where the terms only fall; compared with the sum over all."""
    for count in range(math.ceil(total * share), total + 2):
        assert at_least(count, total, share) == pytest.approx(exact(count, total, share), rel=1e-9)
        assert at_most(total - count, total, 1 - share) == pytest.approx(exact(count, total, share), rel=1e-9)


@pytest.mark.parametrize(
    ("share", "count", "chance"), [(0.0, 1, 0.0), (1.0, 5, 1.0), (0.3, 0, 1.0), (0.3, 6, 0.0)]
)
def test_what_is_certain_is_certain(share: float, count: int, chance: float) -> None:
    """Shares of 0 and 100% have no logarithm."""
    assert at_least(count, 5, share) == chance


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("total", [1, 10, 200, 5000, 1_000_000])
def test_a_right_split_fails_less_than_once_in_a_million_runs(split: dict[str, float], total: int) -> None:
    """For all versions together, and not much less often: one count narrower on each side it would."""
    allowed = allowed_by_chance(total, split)

    assert chance_of_false_alarm(total, split, allowed) <= FALSE_ALARM
    for tag, (low, high) in allowed.items():
        assert 0 <= low <= total * split[tag] / 100 <= high <= total
        assert high == total or at_least(high, total, split[tag] / 100) > FALSE_ALARM / 4
        assert low == 0 or at_most(low, total, split[tag] / 100) > FALSE_ALARM / 4


def test_versions_without_traffic_or_with_all_of_it_leave_nothing_to_chance() -> None:
    """0 and 100% are promises."""
    assert allowed_by_chance(50, {"v1": 100.0, "v2": 0.0}) == {"v1": Range(50, 50), "v2": Range(0, 0)}


def test_within_counts_points_and_takes_its_ends_in() -> None:
    """15% within 5 points: 10 to 20 of 100, whatever floats make of it."""
    assert allowed_within(100, {"v1": 85.0, "v2": 15.0}, 5.0) == {"v1": Range(80, 90), "v2": Range(10, 20)}


@pytest.mark.parametrize("points", [1.0, 5.0, 20.0])
@pytest.mark.parametrize("split", SPLITS)
def test_so_many_requests_as_it_asks_for_do(split: dict[str, float], points: float) -> None:
    """The number in the remedy is enough."""
    total = requests_needed(split, points)

    assert chance_of_false_alarm(total, split, allowed_within(total, split, points)) <= FALSE_ALARM
