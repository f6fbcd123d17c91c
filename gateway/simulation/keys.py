"""The affinity keys met so far, and what each deployment does to them (R37-R39, R49)."""

from __future__ import annotations

from typing import NamedTuple

from gateway.model.request import RequestFacts
from gateway.model.version import VersionId
from gateway.routing.changes import Change, change_between
from gateway.routing.decide import decide
from gateway.routing.plan import RoutingPlan


class KeyMoves(NamedTuple):
    """What a deployment did to the keys known before it.

    Args:
        flipped: Of those moved, keys taken off a version although it did not shrink (R49).
        expected: Shares of all keys there could be, 0-100, as the deployment's own warning tells them.
    """

    known: int
    moved: int
    flipped: int
    expected: Change


class KeyTable:
    """The version of every key under the deployment in force; within one it never changes (R37)."""

    def __init__(self, plan: RoutingPlan) -> None:
        self._plan = plan
        self._version_of: dict[RequestFacts, VersionId] = {}

    def version_of(self, facts: RequestFacts) -> VersionId:
        """Return the version that answers requests with these facts, and remember the key."""
        version = self._version_of.get(facts)
        if version is None:
            version = self._version_of[facts] = decide(facts, self._plan, _no_draw).version_id
        return version

    def deploy(self, plan: RoutingPlan) -> KeyMoves:
        """Go over to a deployment, and return which keys moved."""
        before, after = self._plan, plan
        shares = {share.version_id: share.percentage for share in after.deployment.versions}
        kept = {
            share.version_id
            for share in before.deployment.versions
            if shares.get(share.version_id, 0.0) >= share.percentage
        }
        moved = flipped = 0
        self._plan = after
        for facts, held in self._version_of.items():
            version = decide(facts, after, _no_draw).version_id
            if version != held:
                self._version_of[facts] = version
                moved += 1
                flipped += held in kept
        return KeyMoves(len(self._version_of), moved, flipped, change_between(before.split, after.split))


def _no_draw() -> float:
    raise AssertionError("a key decides without a draw (R23)")
