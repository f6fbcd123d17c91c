"""The data plane's two clocks: the difference is right though the process rests while it reads them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gateway.proxy.clocks import READINGS, epoch_of

APART = 1_000.0


class Machine:
    """Two clocks, and how long the process rests before it reads one."""

    def __init__(self, rests: Iterable[float]) -> None:
        self._rests = iter(rests)
        self.now = 5.0

    def monotonic(self) -> float:
        """Return the time since its start."""
        self.now += next(self._rests)
        return self.now

    def wall(self) -> float:
        """Return the time of day."""
        return APART + self.monotonic()


@pytest.mark.parametrize(
    ("rests", "error"),
    [
        ([0, 0, 0], 0.0),
        ([3.0, 0, 0], 0.0),
        ([0, 0.25, 0, 0, 0.0001, 0], 0.0001),
        ([0, 0, 0.25, 0, 0, 0], 0.0),
        ([0, 0.25, 0] * (READINGS - 2) + [0, 0.01, 0, 0, 0.25, 0], 0.01),
    ],
)
def test_the_reading_with_the_shortest_rest_counts(rests: list[float], error: float) -> None:
    """Else requests before a deployment seem to have come after it, and skew has another cause than it had."""
    machine = Machine(rests)

    assert epoch_of(machine.monotonic, machine.wall) == pytest.approx(APART + error, abs=1e-9)
    assert next(machine._rests, None) is None
