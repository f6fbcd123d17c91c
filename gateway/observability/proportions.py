"""What a share of a sample says of the share behind it; pure.

Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927; R. G. Newcombe,
"Interval estimation for the difference between independent proportions", 1998, method 10.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

Z_95: Final = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""


class Interval(NamedTuple):
    """Where the true value lies, in 95 of 100 cases."""

    low: float
    high: float


def wilson(hits: int, total: int) -> Interval:
    """Return the 95 % Wilson score interval of a proportion, on [0, 1]; all of it where nothing was seen.

    Unlike hits/total plus or minus a standard error it holds for few requests and for shares near 0 and 1.
    """
    if total <= 0:
        return Interval(0.0, 1.0)
    share, square = hits / total, Z_95 * Z_95
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z_95 * math.sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    return Interval(
        0.0 if hits <= 0 else max(0.0, middle - half), 1.0 if hits >= total else min(1.0, middle + half)
    )


def difference(hits: int, total: int, base_hits: int, base_total: int) -> Interval:
    """Return Newcombe's 95 % interval of how much larger the first proportion is than the second, on [-1, 1]."""
    if total <= 0 or base_total <= 0:
        return Interval(-1.0, 1.0)
    share, base_share = hits / total, base_hits / base_total
    own, base = wilson(hits, total), wilson(base_hits, base_total)
    gap = share - base_share
    return Interval(
        gap - math.hypot(share - own.low, base.high - base_share),
        gap + math.hypot(own.high - share, base_share - base.low),
    )


def quantile_ranks(quantile: float, total: int) -> Interval:
    """Return between which quantiles of a sample the true quantile lies, in 95 of 100 cases (binomial ranks)."""
    if total <= 0:
        return Interval(0.0, 1.0)
    half = Z_95 * math.sqrt(quantile * (1 - quantile) / total)
    return Interval(max(0.0, quantile - half), min(1.0, quantile + half))
