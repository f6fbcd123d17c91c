"""Who owns which object, as the processes are told: values, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.model.version import VersionId
from gateway.routing.durable_objects import point_of_object
from gateway.routing.percentages import Split


@dataclass(frozen=True, slots=True)
class OwnerTable:
    """Which version runs each object of a Worker.

    An object runs where its point says, but for the exceptions: under ``sticky`` those that keep an older version,
    under both rules the pinned ones and those whose update is deferred. ``ownership.js`` decides the same.

    Args:
        exceptions: Object id -> version.
    """

    split: Split
    exceptions: Mapping[bytes, VersionId] = field(default_factory=dict)

    def owner(self, object_id: bytes) -> VersionId:
        """Return the version that runs an object."""
        held = self.exceptions.get(object_id)
        return held if held is not None else self.split.at(point_of_object(object_id)).version_id

    def to_json(self, addresses: Mapping[VersionId, str]) -> dict[str, Any]:
        """Return the table as ``ownership.js`` reads it, with the debug port's address of each version."""
        exceptions: dict[VersionId, list[str]] = {}
        for object_id, version_id in self.exceptions.items():
            exceptions.setdefault(version_id, []).append(object_id.hex())
        return {**split_to_json(self.split), "exceptions": exceptions, "addresses": dict(addresses)}


def split_to_json(split: Split) -> dict[str, Any]:
    """Return the ranges of a split, in listed order."""
    return {"split": [[placed.version_id, placed.high] for placed in split.placed]}
