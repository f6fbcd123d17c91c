"""What a new deployment does to keys and objects, before it is made (R38, R49)."""

from __future__ import annotations

from typing import NamedTuple

from gateway.model.deployment import Deployment
from gateway.model.version import VersionId
from gateway.routing.overrides import can_be_overridden
from gateway.routing.percentages import Split, split_of

_FLOAT_NOISE = 1e-9


class Change(NamedTuple):
    """Shares of all keys, 0-100.

    Args:
        moved: Keys whose version changes.
        flipped: Of these, keys taken off a version although its percentage did not shrink: what R38 promises not
            to happen, and what happens when the order of two versions is swapped.
    """

    moved: float
    flipped: float


def change_between(before: Split, after: Split) -> Change:
    """Return how many keys change their version between two deployments."""
    borders = sorted({placed.high for placed in (*before.placed, *after.placed)})
    shrunk = {v for v in _versions(before) if _share(after, v) < _share(before, v) - _FLOAT_NOISE}
    moved = flipped = low = 0.0
    for high in borders:
        old, new = before.at(low).version_id, after.at(low).version_id
        if old != new:
            moved += high - low
            if old not in shrunk:
                flipped += high - low
        low = high
    return Change(moved, flipped if flipped > 10 * _FLOAT_NOISE else 0.0)


def deployment_warnings(before: Deployment | None, after: Deployment) -> tuple[str, ...]:
    """Return what the user should know before ``after`` becomes active; empty when all is well."""
    warnings: list[str] = []
    if not can_be_overridden(after.worker):
        warnings.append(
            f"No overrides header can name Worker {after.worker!r}: a Dictionary key starts with a-z or '*' and "
            "holds a-z, 0-9, '_', '-', '.', '*' (R33). Rename it if you mean to use version overrides."
        )
    if before is not None:
        change = change_between(split_of(before.versions), split_of(after.versions))
        if change.flipped > 0:
            warnings.append(
                f"{change.flipped:g}% of all affinity keys leave a version that does not shrink, because the "
                f"order or number of versions changed (R49); in all {change.moved:g}% move. Durable Objects "
                "under 'hash' move likewise. List the versions in the order of the active deployment to avoid it."
            )
    return tuple(warnings)


def _versions(split: Split) -> set[VersionId]:
    return {placed.version_id for placed in split.placed}


def _share(split: Split, version: VersionId) -> float:
    return sum(placed.high - placed.low for placed in split.placed if placed.version_id == version)
