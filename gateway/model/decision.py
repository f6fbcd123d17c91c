"""The outcome of routing: a version, and why it is that one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from gateway.model.version import VersionId


class Reason(StrEnum):
    """Which rule picked the version; the value is the token in ``Gateway-Decision``."""

    VERSION_URL = "version-url"
    OVERRIDE = "override"
    AFFINITY = "affinity"
    PERCENTAGE = "percentage"
    DURABLE_OBJECT = "durable-object"


class Signal(StrEnum):
    """A part of the request that can steer routing."""

    OVERRIDE = "override"
    COHORT = "cohort"
    AFFINITY = "affinity"


class IgnoredSignal(NamedTuple):
    """A signal the client sent that did not count, and the documented cause (R25: never an error).

    Args:
        cause: A short token for headers and filters, such as ``not-deployed``.
        detail: One sentence for people.
        rule: The rule it follows from, such as ``R29``.
    """

    signal: Signal
    cause: str
    detail: str
    rule: str


class RoutingDecision(NamedTuple):
    """The version that answers, and why.

    A named tuple for the same reason as ``RequestFacts``: one is built for each request.

    Args:
        point: Where the key, object or draw fell on [0, 100), or ``None`` where none was needed.
        low, high: The range [low, high) of the version that the point fell into.
        cohort: Name of the cohort whose list was used, or empty (R22).
        ignored: Signals that were sent but did not count.
    """

    version_id: VersionId
    reason: Reason
    point: float | None = None
    low: float = 0.0
    high: float = 100.0
    cohort: str = ""
    ignored: tuple[IgnoredSignal, ...] = ()
