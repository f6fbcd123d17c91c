"""The only parts of a request that routing may see."""

from __future__ import annotations

from typing import NamedTuple

from gateway.model.durable_object import AssignedObject
from gateway.model.version import VersionId


class RequestFacts(NamedTuple):
    """What a decision depends on; header values as the client sent them, several lines joined (R31, R43).

    A named tuple rather than a dataclass: one is built for each request, and a frozen dataclass costs four
    times as much to build.

    Args:
        overrides: ``Cloudflare-Workers-Version-Overrides``, or ``None``.
        version_key: ``Cloudflare-Workers-Version-Key``, or ``None``.
        cohort: ``Cloudflare-Workers-Cohort`` where the sender may set it (R75), or ``None``.
        addressed_version: The version whose version URL the request used, or ``None`` (R20).
        durable_object: The object the request belongs to, with the version it has now, or ``None`` (R50).
    """

    overrides: str | None = None
    version_key: str | None = None
    cohort: str | None = None
    addressed_version: VersionId | None = None
    durable_object: AssignedObject | None = None


NO_SIGNALS = RequestFacts()
"""The facts of most requests: nothing that decides but the draw."""
