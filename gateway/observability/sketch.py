"""How long requests took: quantiles with a known error from counts of bounded size that can be merged.

DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019) puts durations into buckets whose bounds grow by a constant factor. Whatever the quantile, what it says
lies within ``RELATIVE_ERROR`` of a duration that was measured.

The library takes 0.8 µs to add a duration and 20 to 100 µs to merge two sketches, which is done several times a
second for each version. So durations are counted in just its buckets, and its sketch is built of these when asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from ddsketch import DDSketch
from ddsketch.mapping import LogarithmicMapping

RELATIVE_ERROR: Final = 0.01
"""A quantile is told within one per cent."""

_MAPPING: Final = LogarithmicMapping(RELATIVE_ERROR)
_BUCKETS: Final = 1_600
"""The last one ends after two years."""

BOUNDS_US: Final = (0, *(int(_MAPPING.gamma**key) for key in range(_BUCKETS)))
"""Upper bounds of the library's buckets for whole microseconds, after one for 0."""

_VALUES_US: Final = (0.0, *(_MAPPING.value(key) for key in range(_BUCKETS + 1)))
"""What the library tells of a duration in each bucket."""


class DurationSketch:
    """A distribution of durations in microseconds."""

    __slots__ = ("_counts", "_sketch")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sketch: DDSketch | None = None

    @classmethod
    def of(cls, durations: Mapping[int, int]) -> DurationSketch:
        """Return the distribution of durations that were counted."""
        sketch = cls()
        counts = sketch._counts
        for duration_us, count in durations.items():
            bucket = bisect_left(BOUNDS_US, duration_us)
            counts[bucket] = counts.get(bucket, 0) + count
        return sketch

    def merge(self, other: DurationSketch) -> None:
        """Add what another one holds."""
        self._sketch = None
        counts = self._counts
        for bucket, count in other._counts.items():
            counts[bucket] = counts.get(bucket, 0) + count

    def quantile_ms(self, quantile: float) -> float | None:
        """Return a quantile in milliseconds, or None where nothing was measured.

        Args:
            quantile: On [0, 1]; 0.95 for P95.
        """
        if self._sketch is None:
            self._sketch = DDSketch(RELATIVE_ERROR)
            for bucket, count in self._counts.items():
                self._sketch.add(_VALUES_US[bucket], count)
        found = self._sketch.get_quantile_value(min(max(quantile, 0.0), 1.0))
        return None if found is None else found / 1000


def merged(sketches: Iterable[DurationSketch]) -> DurationSketch:
    """Return all of them as one."""
    total = DurationSketch()
    for sketch in sketches:
        total.merge(sketch)
    return total
