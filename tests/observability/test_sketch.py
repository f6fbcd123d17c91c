"""The sketch holds the error that it states, alone and merged."""

from __future__ import annotations

from collections import Counter

import pytest
from ddsketch import DDSketch
from hypothesis import given
from hypothesis import strategies as st

from gateway.observability.sketch import BOUNDS_US, RELATIVE_ERROR, DurationSketch, merged

DURATIONS = st.lists(st.integers(0, 3_600_000_000), min_size=1, max_size=200)
QUANTILES = (0.0, 0.5, 0.95, 0.99, 1.0)


@given(DURATIONS, DURATIONS)
def test_quantiles_lie_within_the_stated_error(some: list[int], others: list[int]) -> None:
    """Issue C, metrics: a bounded-memory, mergeable histogram with stated error."""
    whole = merged([DurationSketch.of(Counter(some)), DurationSketch.of(Counter(others))])
    measured = sorted([*some, *others])

    for quantile in QUANTILES:
        exact = measured[int(quantile * (len(measured) - 1))] / 1000
        assert whole.quantile_ms(quantile) == pytest.approx(exact, rel=RELATIVE_ERROR * 1.000001)


def test_nothing_measured_is_nothing_told() -> None:
    """Contract: null without requests."""
    assert DurationSketch().quantile_ms(0.5) is None
    assert merged([]).quantile_ms(0.5) is None


def test_it_stays_small_whatever_it_is_given() -> None:
    """From a microsecond to a year: bounded by the range, not by the number of requests."""
    sketch = DurationSketch.of({int(1.01**power): 5 for power in range(3_123)})

    assert len(sketch._counts) <= len(BOUNDS_US)
    assert sketch.quantile_ms(1.0) == pytest.approx(1.01**3_122 / 1_000, rel=RELATIVE_ERROR)


def test_the_buckets_are_the_librarys() -> None:
    """What is counted here is what the library would count: a sketch built of the buckets has the same ones."""
    for duration_us in (1, 2, 3, 99, 100, 101, 12_345, 3_600_000_000):
        direct = DDSketch(RELATIVE_ERROR)
        direct.add(duration_us)

        found = direct.get_quantile_value(0.5)
        assert found is not None
        assert DurationSketch.of({duration_us: 1}).quantile_ms(0.5) == found / 1_000
