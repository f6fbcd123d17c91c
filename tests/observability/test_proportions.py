"""Intervals of shares: against published values, and in the cases where the plain formula fails."""

from __future__ import annotations

import pytest

from gateway.observability.proportions import difference, quantile_ranks, wilson

WILSON = {
    "81 of 263, Newcombe 1998 I, table I": (81, 263, 0.2553, 0.3662),
    "15 of 148, as above": (15, 148, 0.0624, 0.1605),
    "0 of 20, as above": (0, 20, 0.0, 0.1611),
    "1 of 29, as above": (1, 29, 0.0061, 0.1718),
    "all of 20": (20, 20, 0.8389, 1.0),
    "nothing seen": (0, 0, 0.0, 1.0),
}


@pytest.mark.parametrize(("hits", "total", "low", "high"), WILSON.values(), ids=WILSON)
def test_wilson(hits: int, total: int, low: float, high: float) -> None:
    """R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, method 3."""
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


DIFFERENCES = {
    "56/70 - 48/80, Newcombe 1998 II, table II (a)": (56, 70, 48, 80, 0.0524, 0.3339),
    "9/10 - 3/10, as above (b)": (9, 10, 3, 10, 0.1705, 0.8090),
    "0/10 - 0/20, as above (f)": (0, 10, 0, 20, -0.1611, 0.2775),
    "nothing seen": (0, 0, 1, 10, -1.0, 1.0),
}


@pytest.mark.parametrize(
    ("hits", "total", "base", "base_total", "low", "high"), DIFFERENCES.values(), ids=DIFFERENCES
)
def test_difference(hits: int, total: int, base: int, base_total: int, low: float, high: float) -> None:
    """R. G. Newcombe, "Interval estimation for the difference ...", 1998, method 10."""
    assert difference(hits, total, base, base_total) == pytest.approx((low, high), abs=6e-5)


def test_ranks_narrow_as_the_sample_grows() -> None:
    """P95 of 100 requests rests on five of them."""
    few, many = quantile_ranks(0.95, 100), quantile_ranks(0.95, 10_000)

    assert few == pytest.approx((0.907, 0.993), abs=1e-3)
    assert few.low < many.low < 0.95 < many.high < few.high
    assert quantile_ranks(0.95, 5).high == 1.0
    assert quantile_ranks(0.95, 0) == (0.0, 1.0)
