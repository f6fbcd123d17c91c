"""A Durable Object: who it is, which version it keeps, which one it runs (R46-R62)."""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote

from gateway.model.version import VersionId, WorkerName

_HALF = 16


class AssignmentRule(StrEnum):
    """How an object gets its version; rows S1 and S2 of the reference."""

    STICKY = "sticky"
    HASH = "hash"


class ObjectKey(NamedTuple):
    """Worker, class and name of an object; ``given_id`` where someone named it by its id."""

    worker: WorkerName
    class_name: str
    name: str
    given_id: bytes = b""

    @property
    def id(self) -> bytes:
        """32 bytes that follow from Worker, class and name alone, as ``idFromName`` does."""
        return self.given_id or object_id(self.worker, self.class_name, self.name)

    @property
    def header_value(self) -> str:
        """Value of ``Gateway-Object``: ``<class>/<name>``, the name percent-encoded so that it fits a header."""
        return f"{self.class_name}/{quote(self.name, safe='', errors='surrogateescape')}"


def object_id(worker: WorkerName, class_name: str, name: str) -> bytes:
    """Return the id of a named object; the length and look are those of Cloudflare's (64 hex digits)."""
    return hashlib.sha256(f"{worker}\n{class_name}\n{name}".encode("utf-8", "surrogateescape")).digest()


def native_object_id(unique_key: str, name: str) -> bytes:
    """Return the id that workerd's ``idFromName`` makes of a name.

    Args:
        unique_key: Of the namespace (``model.worker.Namespace``).

    Source: workerd, ``src/workerd/server/actor-id-impl.c++``; held to the real one by a test.
    """
    key = hashlib.sha256(unique_key.encode()).digest()
    half = hmac.digest(key, name.encode("utf-8", "surrogateescape"), "sha256")[:_HALF]
    return half + hmac.digest(key, half, "sha256")[:_HALF]


class ObjectReset(NamedTuple):
    """An object's version changed: its memory is gone, its storage stays (R56)."""

    key: ObjectKey
    from_version: VersionId
    to_version: VersionId
    deployment_number: int

    @property
    def stays(self) -> bool:
        """Whether it only loses its memory, as a fault wants it."""
        return self.from_version == self.to_version


class AssignedObject(NamedTuple):
    """An object and what the table says of it at this moment.

    Args:
        point: The object's place on [0, 100), from its id alone.
        assigned: The version the active deployment gives it.
        running: The version that answers for it now; another one only while an update is deferred (R62).
        pinned: Whether a pin decided.
        reset: The reset that this very use brought about, to be told to the version that lost the object.
    """

    key: ObjectKey
    point: float
    assigned: VersionId
    running: VersionId
    deployment_number: int
    pinned: bool = False
    reset: ObjectReset | None = None
