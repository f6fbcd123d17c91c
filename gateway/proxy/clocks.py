"""How far a monotonic clock is from the time of day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

READINGS: Final = 5
REST_SECONDS: Final = 0.0005
"""So far apart the two clocks may be read: requests and deployments are told apart by less than a millisecond."""


def epoch_of(monotonic: Callable[[], float], wall_clock: Callable[[], float]) -> float:
    """Return what to add to ``monotonic`` for seconds since the epoch.

    The two clocks are read one after the other. A process that rests in between, on a busy machine, would tell of
    its requests as if they had come later, of those before a deployment as if they had come after it: of a few
    readings that with the shortest rest counts.
    """
    readings = []
    for _ in range(READINGS):
        before = monotonic()
        wall = wall_clock()
        rest = monotonic() - before
        readings.append((rest, wall - before))
        if rest < REST_SECONDS:
            break
    return min(readings)[1]
