"""What must be remembered, and what is atomic."""

from __future__ import annotations

from typing import Protocol

from gateway.model.durable_object import AssignedObject, ObjectKey


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
