"""Which fault a request meets: pure, with the draw passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from gateway.model.durable_object import ObjectKey
from gateway.model.fault import FULL, Fault, FaultKind
from gateway.model.version import Version
from gateway.routing.path_patterns import path_fits

_SHORTEST_PREFIX: Final = 8


class HasTagAndId(Protocol):
    """A version, whether it runs or is only written down."""

    @property
    def tag(self) -> str: ...  # noqa: D102 - what they are, their names tell
    @property
    def id(self) -> str: ...  # noqa: D102


class FaultFacts(NamedTuple):
    """The parts of a request that faults may see.

    Args:
        version: The one that was picked.
        object: The Durable Object it belongs to, if any.
        path: Without the query.
        since_switch_ms: How long the Worker's deployment has been active; None where it was since the start.
        by_binding: Whether another Worker calls through a service binding.
    """

    version: Version
    object: ObjectKey | None
    path: str
    since_switch_ms: float | None
    by_binding: bool = False


def first_met(faults: Iterable[Fault], facts: FaultFacts, draw: Callable[[], float]) -> Fault | None:
    """Return the first fault that a request meets.

    Args:
        draw: Returns the next random point on [0, 100); asked only where a fault with a share matches.
    """
    for fault in faults:
        if matches(fault, facts) and (fault.share >= FULL or draw() < fault.share):
            return fault
    return None


def matches(fault: Fault, facts: FaultFacts) -> bool:
    """Tell whether a request is one of those that a fault is for."""
    return (
        (not fault.worker or fault.worker == facts.version.worker)
        and (not fault.version or is_named(facts.version, fault.version))
        and (not fault.bindings_only or facts.by_binding)
        and (not fault.path or path_fits(fault.path, facts.path))
        and (not fault.object or _is_of(fault, facts.object))
        and (fault.after_switch_ms is None or _within(facts.since_switch_ms, fault.after_switch_ms))
        and (fault.kind is not FaultKind.LATE_PROPAGATION or _within(facts.since_switch_ms, fault.ms))
    )


def is_named(version: HasTagAndId, reference: str) -> bool:
    """Tell whether a tag, an id or a prefix of one (8 characters or more) names a version."""
    if reference in (version.tag, version.id):
        return True
    return len(reference) >= _SHORTEST_PREFIX and version.id.startswith(reference)


def _is_of(fault: Fault, key: ObjectKey | None) -> bool:
    if key is None:
        # The object is the fault's victim then, called by the version and not by this request.
        return fault.kind is FaultKind.OBJECT_RESET and "/" in fault.object
    class_name, slash, name = fault.object.partition("/")
    return key.class_name == class_name and (not slash or key.name == name)


def _within(since_ms: float | None, limit_ms: float) -> bool:
    return since_ms is not None and since_ms < limit_ms
