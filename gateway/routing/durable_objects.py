"""Durable Object -> the version it keeps, under both rules (R46-R50, R60-R62; rows S1 and S2).

An assignment is a function of the object's id, the deployment in force at its first access, and the deployments
since. So every gateway and every run agrees without asking, a new deployment costs nothing for objects that nobody
uses, and the table as it was at any past deployment can be worked out from what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.model.deployment import Deployment
from gateway.model.durable_object import AssignmentRule
from gateway.model.version import VersionId
from gateway.routing.percentages import Split, split_of

_POINT_BYTES = 4
_SCALE: float = 100.0 / 2 ** (8 * _POINT_BYTES)


class DeploymentStep(NamedTuple):
    """What of a deployment matters to objects."""

    number: int
    split: Split
    deployed: frozenset[VersionId]


class Assignment(NamedTuple):
    """The version an object has, and the number of the deployment that gave it."""

    version_id: VersionId
    deployment_number: int


def step_of(deployment: Deployment) -> DeploymentStep:
    """Return what of ``deployment`` matters to objects."""
    return DeploymentStep(deployment.number, split_of(deployment.versions), deployment.version_ids)


def point_of_object(object_id: bytes) -> float:
    """Return an object's place on [0, 100): the first 32 bits of its id (R48). Ids are uniform enough."""
    return int.from_bytes(object_id[:_POINT_BYTES]) * _SCALE


def assign(point: float, step: DeploymentStep) -> Assignment:
    """Return the assignment of an object that ``step`` is the first to see, or that it gives anew."""
    return Assignment(step.split.at(point).version_id, step.number)


def follow(point: float, held: Assignment, later: Iterable[DeploymentStep], rule: AssignmentRule) -> Assignment:
    """Return the assignment after the deployments since the one that gave ``held``.

    Under ``sticky`` an object keeps its version for as long as that version is in the deployment, at 0% too;
    when it leaves, the object is assigned anew. Under ``hash`` each deployment assigns every object by its
    point; one that gives the version it has already is no new assignment (R46c).

    Args:
        later: In order; deployments that nobody used the object under count as well.
    """
    for step in later:
        if rule is AssignmentRule.STICKY and held.version_id in step.deployed:
            continue
        anew = assign(point, step)
        if anew.version_id != held.version_id:
            held = anew
    return held


def running_version(
    assigned: VersionId, running: VersionId, *, active: bool, wait_ends_at: float, now: float
) -> VersionId:
    """Return the version that answers for an object whose assigned version may have changed (R60-R62).

    Args:
        active: Whether the object is in memory: used in the last 10 s (R59) or holding a WebSocket.
        wait_ends_at: When the deferral ends at the latest, in the clock of ``now``; in the past for ``immediate``.
    """
    if active and now < wait_ends_at:
        return running
    return assigned


class PinInterval(NamedTuple):
    """A pin and the deployments it held for; ``until`` is ``None`` while it holds."""

    version_id: VersionId
    since: int
    until: int | None

    def holds_at(self, number: int) -> bool:
        """Tell whether the pin was in force under deployment ``number``."""
        return self.since <= number and (self.until is None or number < self.until)


def follow_pinned(
    point: float,
    held: Assignment,
    later: Iterable[DeploymentStep],
    rule: AssignmentRule,
    pins: Iterable[PinInterval],
) -> Assignment:
    """Return the assignment after later deployments, with pins: one counts wherever its version is deployed."""
    pins = tuple(pins)
    if not pins:  # nearly all objects: a listing of a million judges each of them
        return follow(point, held, later, rule)
    for step in later:
        pinned = next((pin for pin in pins if pin.holds_at(step.number) and pin.version_id in step.deployed), None)
        if pinned is None:
            held = follow(point, held, (step,), rule)
        elif pinned.version_id != held.version_id:
            held = Assignment(pinned.version_id, step.number)
    return held
