"""Durable Objects under a plan: assigned, moved and reset by the edge's own rule (R46-R49, R56)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.model.durable_object import AssignmentRule
from gateway.model.version import VersionId
from gateway.routing.changes import change_between
from gateway.routing.durable_objects import Assignment, DeploymentStep, assign, follow_pinned, point_of_object


class ObjectMoves(NamedTuple):
    """What a deployment did to the objects in use before it.

    Args:
        expected: How many it should move: under ``hash`` those whose point changes its version, under ``sticky``
            those whose version is deployed no more.
    """

    known: int
    moved: int
    expected: float


class _Held:
    """One object: the version it has, the version it ran when it was last used, how often it was reset."""

    __slots__ = ("assigned", "point", "resets", "running")

    def __init__(self, point: float, assigned: Assignment) -> None:
        self.point = point
        self.assigned = assigned
        self.running: VersionId = assigned.version_id
        self.resets = 0


class SimulatedObjects:
    """All objects of a simulation.

    Args:
        in_use: How many of ``ids``, from the first, have been used under ``step`` already.
    """

    def __init__(self, ids: Sequence[bytes], in_use: int, step: DeploymentStep, rule: AssignmentRule) -> None:
        self._points = [point_of_object(one) for one in ids]
        self._held: dict[int, _Held] = {}
        self._step = step
        self._rule = rule
        for position in range(in_use):
            self.use(position)

    def deploy(self, step: DeploymentStep) -> ObjectMoves:
        """Go over to a deployment, and return which objects moved; none is reset before it is used."""
        expected = self._expected(step)
        moved = 0
        for held in self._held.values():
            after = follow_pinned(held.point, held.assigned, (step,), self._rule, ())
            moved += after.version_id != held.assigned.version_id
            held.assigned = after
        self._step = step
        return ObjectMoves(len(self._held), moved, expected)

    def use(self, position: int) -> bool:
        """Use an object, and return whether that resets it: it has moved since its last use (R56)."""
        held = self._held.get(position)
        if held is None:
            point = self._points[position]
            self._held[position] = _Held(point, assign(point, self._step))
            return False
        if held.running == held.assigned.version_id:
            return False
        held.running = held.assigned.version_id
        held.resets += 1
        return True

    @property
    def most_resets(self) -> int:
        """The resets of the object that was reset most often."""
        return max((held.resets for held in self._held.values()), default=0)

    def _expected(self, step: DeploymentStep) -> float:
        if self._rule is AssignmentRule.HASH:
            return len(self._held) * change_between(self._step.split, step.split).moved / 100.0
        return float(sum(held.assigned.version_id not in step.deployed for held in self._held.values()))
