"""What must be remembered, and what is atomic."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from gateway.model.durable_object import AssignedObject, ObjectKey
from gateway.model.version import VersionId


class ObjectView(NamedTuple):
    """One object as people see it; times in seconds since the epoch."""

    class_name: str
    id: str
    name: str | None
    point: float
    assigned: VersionId
    assigned_by: int
    running: VersionId
    pinned: VersionId | None
    resets: int
    first_used: float
    last_used: float


class ObjectEvent(NamedTuple):
    """One line of an object's history: the version it got, under which deployment, and why."""

    deployment_number: int
    version_id: VersionId
    cause: str
    at: float


class ObjectChange(NamedTuple):
    """An object whose version differs between two deployments; ``None`` where it did not exist yet."""

    id: str
    name: str | None
    before: VersionId | None
    after: VersionId | None


class RunningRow(NamedTuple):
    """An object that runs another version from now on, by the version's number."""

    running: int
    class_key: int
    id: bytes


class Displaced(NamedTuple):
    """An object on workerd that must change the version it runs.

    Args:
        key: Unique key of its namespace.
    """

    key: str
    id: bytes
    from_version: VersionId
    to_version: VersionId


class Waiting(NamedTuple):
    """An object that keeps its version until it leaves memory, at the latest at ``until`` (R60, R61).

    Args:
        until: Seconds since the epoch.
    """

    move: Displaced
    until: float


class Placement(NamedTuple):
    """Where a Worker's objects on workerd shall run.

    Args:
        moves: Objects that run elsewhere now.
        exceptions: Object id -> version, for those that shall not run where their point says.
        waiting: Those of the exceptions that shall move later.
    """

    moves: list[Displaced]
    exceptions: dict[bytes, VersionId]
    waiting: list[Waiting]


class DurableObjects(Protocol):
    """The object table, as the data plane sees it."""

    def use(self, key: ObjectKey, now: float) -> AssignedObject | None:
        """Return the object's version, assigning it at first access.

        ``None`` while a new deployment is being made active and first accesses must wait (``activation_over``).
        """

    async def activation_over(self) -> None:
        """Return when no deployment is being made active."""

    def open_socket(self, key: ObjectKey) -> None:
        """Count a WebSocket of the object: it is active for as long as one is open (R59)."""

    def close_socket(self, key: ObjectKey) -> None:
        """Uncount a WebSocket."""
