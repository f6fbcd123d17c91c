"""A point on [0, 100) -> the version whose range holds it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from gateway.model.deployment import VersionShare
from gateway.model.version import VersionId

FULL = 100.0


class Placed(NamedTuple):
    """The version at a point, and its range [low, high)."""

    version_id: VersionId
    low: float
    high: float


class Split(NamedTuple):
    """The ranges of a deployment, end to end on [0, 100) in listed order (R39).

    The order of the list is what keeps a key on a growing version (R38), and what flips it back when two
    versions change places (R49).
    """

    placed: tuple[Placed, ...]

    def at(self, point: float) -> Placed:
        """Return the version at ``point``, 0 <= point < 100."""
        for placed in self.placed:
            if point < placed.high:
                return placed
        return self.placed[-1]


def split_of(shares: Sequence[VersionShare]) -> Split:
    """Lay the shares end to end; versions at 0% have no range and are left out (R14).

    The ranges always end at 100: percentages may miss it by 0.001 (R13), and no point may fall outside.
    """
    with_traffic = [share for share in shares if share.percentage > 0]
    highs = [min(high, FULL) for high in accumulate(share.percentage for share in with_traffic)]
    highs[-1] = FULL
    lows = [0.0, *highs[:-1]]
    return Split(
        tuple(
            Placed(share.version_id, low, high) for share, low, high in zip(with_traffic, lows, highs, strict=True)
        )
    )
