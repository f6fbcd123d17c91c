"""A fault that is made on purpose: what goes wrong, where, for which share of the requests, and when."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, NoReturn

from gateway.errors import GatewayError

LONGEST_MS: Final = 3_600_000.0
FULL: Final = 100.0
LOWEST_STATUS: Final = 200
HIGHEST_STATUS: Final = 599
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    STATUS = "status"
    RESET = "reset"
    SLOW_BODY = "slow_body"
    HANG = "hang"
    CRASH = "crash"
    LATE_PROPAGATION = "late_propagation"
    IGNORED_OVERRIDE = "ignored_override"
    OBJECT_RESET = "object_reset"


class FirstByte(StrEnum):
    """On which side of an answer's first byte a connection is reset."""

    BEFORE = "before"
    AFTER = "after"


OWN_FIELDS: Final[Mapping[FaultKind, tuple[str, ...]]] = {
    FaultKind.LATENCY: ("ms", "jitter_ms"),
    FaultKind.STATUS: ("status",),
    FaultKind.RESET: ("first_byte",),
    FaultKind.SLOW_BODY: ("bytes_per_second",),
    FaultKind.HANG: (),
    FaultKind.CRASH: ("ms",),
    FaultKind.LATE_PROPAGATION: ("ms",),
    FaultKind.IGNORED_OVERRIDE: ("bindings_only",),
    FaultKind.OBJECT_RESET: ("ms",),
}
"""What each kind takes beside the fields that say where and when."""

NEEDED_FIELDS: Final[Mapping[FaultKind, tuple[str, ...]]] = {
    FaultKind.LATENCY: ("ms",),
    FaultKind.SLOW_BODY: ("bytes_per_second",),
    FaultKind.LATE_PROPAGATION: ("ms",),
}
"""What cannot be left out."""

DECISION_KINDS: Final = frozenset({FaultKind.LATE_PROPAGATION, FaultKind.IGNORED_OVERRIDE})
"""These change which version answers; all others what happens on the way to it and back."""


class InvalidFault(GatewayError):
    """A fault that cannot be; ``field`` is the one that is wrong."""

    status, code, fault = 400, 90_170, "client"

    def __init__(self, field: str, problem: str, *, remedy: str) -> None:
        super().__init__(f"{field!r}: {problem}", remedy=remedy)
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; requests that match all of where and when may meet it.

    Args:
        name: Of its own; empty until it is given one.
        worker, version: Only requests to this Worker, to this version (tag, id, or 8 characters of it or more);
            empty for all.
        object: Only requests of this Durable Object, ``<class>`` or ``<class>/<name>``. Of ``object_reset`` the
            object that is reset, where the request belongs to none.
        path: Only this path; ``*`` stands for anything.
        share: How many of those requests meet it, in percent; each is drawn by itself.
        after_switch_ms: Only so long after a deployment became active; None for always.
        times: How often at most; None for no end.
        ms: Of ``latency`` how long a request waits; of ``late_propagation`` how long after a deployment requests
            may still meet the one before (R17); of ``crash`` and ``object_reset`` how long after the request left.
        jitter_ms: Of ``latency``: up to so much more, drawn for each request.
        status: Of ``status``.
        first_byte: Of ``reset``.
        bytes_per_second: Of ``slow_body``.
        bindings_only: Of ``ignored_override``: only calls through service bindings (R68).

    Raises:
        InvalidFault: A field is out of its range, or does not go with the kind.
    """

    kind: FaultKind
    name: str = ""
    worker: str = ""
    version: str = ""
    object: str = ""
    path: str = ""
    share: float = FULL
    after_switch_ms: float | None = None
    times: int | None = None
    ms: float = 0.0
    jitter_ms: float = 0.0
    status: int = 503
    first_byte: FirstByte = FirstByte.BEFORE
    bytes_per_second: float = 0.0
    bindings_only: bool = False

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            _wrong("name", f"{self.name!r} is no name", "Use up to 64 letters, digits, '.', '_' and '-'.")
        if not 0 < self.share <= FULL:
            _wrong("share", f"{self.share:g} is not above 0 and at most 100", "Give a percentage.")
        if self.times is not None and self.times < 1:
            _wrong("times", f"{self.times} is not above 0", "Give how often, or leave it out.")
        if self.path and not self.path.startswith(("/", "*")):
            _wrong("path", f"{self.path!r} is no path", "Write it as /checkout or /orders/*.")
        for name in ("after_switch_ms", "ms", "jitter_ms"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= LONGEST_MS:
                _wrong(name, f"{value:g} is not between 0 and {LONGEST_MS:g}", "Give milliseconds.")
        if not LOWEST_STATUS <= self.status <= HIGHEST_STATUS:
            _wrong("status", f"{self.status} is no final status", "Give one from 200 to 599.")
        if self.kind is FaultKind.SLOW_BODY and not self.bytes_per_second >= 1:
            _wrong("bytes_per_second", f"{self.bytes_per_second:g} is below 1", "Give how many bytes a second.")

    def to_json(self) -> dict[str, Any]:
        """Return what ``fault_from`` makes the same fault of, without what is at its default."""
        told = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        own = OWN_FIELDS[self.kind]
        return {
            name: value
            for name, (value, default) in told.items()
            if name in own or (name in _WHERE and value != default) or name in ("kind", "name")
        }


_WHERE: Final = ("worker", "version", "object", "path", "share", "after_switch_ms", "times")
ALL_FIELDS: Final = tuple(one.name for one in fields(Fault))
"""Every field that some kind of fault has."""

_TEXTS: Final = ("name", "worker", "version", "object", "path")
_WHOLE: Final = ("times", "status")


def fault_from(content: Mapping[str, object]) -> Fault:
    """Read a fault as the API and the configuration write it: ``{kind: latency, ms: 300, worker: shop}``.

    Raises:
        InvalidFault: A field is not known, of another type, missing, or does not go with the kind.
    """
    kind = _kind(content)
    known = ("kind", "name", *_WHERE, *OWN_FIELDS[kind])
    for name in content:
        if name not in known:
            _wrong(name, f"a fault of kind {kind.value} has no such field", f"Known: {', '.join(known)}.")
    for name in NEEDED_FIELDS.get(kind, ()):
        if name not in content:
            _wrong(name, f"a fault of kind {kind.value} needs it", f"Add {name}.")
    return Fault(kind, **{name: _value(name, given) for name, given in content.items() if name != "kind"})


def _kind(content: Mapping[str, object]) -> FaultKind:
    given = content.get("kind")
    try:
        return FaultKind(str(given))
    except ValueError:
        problem = "it is missing" if given is None else f"{given!r} is no kind of fault"
        _wrong("kind", problem, f"Give one of: {', '.join(FaultKind)}.")


def _value(name: str, given: object) -> Any:
    if name in _TEXTS:
        if not isinstance(given, str) or not given:
            _wrong(name, f"{given!r} is no text, or empty", "Write a text, or leave it out.")
        return given
    if name == "first_byte":
        if given not in [*FirstByte]:
            _wrong(name, f"{given!r} is not known", f"Give one of: {', '.join(FirstByte)}.")
        return FirstByte(str(given))
    if name == "bindings_only":
        if not isinstance(given, bool):
            _wrong(name, f"{given!r} is neither true nor false", "Write true or false.")
        return given
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        _wrong(name, f"{given!r} is no number", "Write a number.")
    if name in _WHOLE and given != int(given):
        _wrong(name, f"{given!r} is no whole number", "Write a whole number.")
    return int(given) if name in _WHOLE else float(given)


def _wrong(field: str, problem: str, remedy: str) -> NoReturn:
    raise InvalidFault(field, problem, remedy=remedy)
