"""The object table as it was under any past deployment, worked out from what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.model.durable_object import AssignmentRule
from gateway.model.version import VersionId
from gateway.routing.durable_objects import (
    Assignment,
    DeploymentStep,
    PinInterval,
    follow_pinned,
    point_of_object,
)
from gateway.store.sqlite import MoveRow, ObjectRow, PinRow
from gateway.store.store import ObjectChange


class Past:
    """Works out what an object was assigned under any deployment, from what is stored."""

    def __init__(
        self,
        steps: Iterable[DeploymentStep],
        rule: AssignmentRule,
        version_of: Mapping[int, VersionId],
        moves: Iterable[MoveRow],
        pins: Iterable[PinRow],
    ) -> None:
        self._steps = tuple(steps)
        self._rule = rule
        self._version_of = dict(version_of)
        self._moves: dict[bytes, list[MoveRow]] = {}
        for move in moves:
            self._moves.setdefault(move.id, []).append(move)
        self._pins: dict[bytes, list[PinInterval]] = {}
        for pin in pins:
            interval = PinInterval(self._version_of[pin.version], pin.since_deployment, pin.until_deployment)
            self._pins.setdefault(pin.id, []).append(interval)

    def version_at(self, row: ObjectRow, number: int) -> VersionId | None:
        """Return the version assigned under deployment ``number``; ``None`` before the object's first access."""
        if row.first_deployment > number:
            return None
        held = Assignment(self._version_of[row.first_version], row.first_deployment)
        for move in self._moves.get(row.id, ()):
            if move.deployment <= number:
                held = Assignment(self._version_of[move.to_version], move.deployment)
        later = self._steps[held.deployment_number : number]
        pins = self._pins.get(row.id, ())
        return follow_pinned(point_of_object(row.id), held, later, self._rule, pins).version_id

    def changes(
        self, rows: Iterable[ObjectRow], before: int, after: int, most: int
    ) -> tuple[list[ObjectChange], int]:
        """Return up to ``most`` of the objects whose version differs between two deployments, and how many do."""
        changes: list[ObjectChange] = []
        total = 0
        for row in rows:
            first, second = self.version_at(row, before), self.version_at(row, after)
            if first != second:
                total += 1
                if total <= most:
                    changes.append(ObjectChange(row.id.hex(), row.name, first, second))
        return changes, total
