"""How long requests took: quantiles with a known error from a sketch of bounded size that can be merged.

The library is DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019). Whatever the quantile, what it says lies within ``RELATIVE_ERROR`` of a
duration that was measured. From a microsecond to a year it needs some 1,550 bins at most, each a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ddsketch import DDSketch

RELATIVE_ERROR: Final = 0.01
"""A quantile is told within one per cent."""


class DurationSketch:
    """A distribution of durations in microseconds."""

    __slots__ = ("_sketch",)

    def __init__(self) -> None:
        self._sketch = DDSketch(RELATIVE_ERROR)

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> DurationSketch:
        """Return the distribution of durations that were counted."""
        sketch = cls()
        for duration_us, count in counts.items():
            sketch._sketch.add(duration_us, count)
        return sketch

    def merge(self, other: DurationSketch) -> None:
        """Add what another one holds."""
        self._sketch.merge(other._sketch)

    def quantile_ms(self, quantile: float) -> float | None:
        """Return a quantile in milliseconds, or None where nothing was measured.

        Args:
            quantile: On [0, 1]; 0.95 for P95.
        """
        found = self._sketch.get_quantile_value(min(max(quantile, 0.0), 1.0))
        return None if found is None else found / 1000


def merged(sketches: Iterable[DurationSketch]) -> DurationSketch:
    """Return all of them as one."""
    total = DurationSketch()
    for sketch in sketches:
        total.merge(sketch)
    return total
