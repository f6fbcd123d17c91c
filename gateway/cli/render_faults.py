"""Faults -> text for people (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from gateway.cli.text import Style, number, printable, table
from gateway.control.client import KnownFault

_WHERE: Final = ("worker", "version", "object", "path", "share", "after_switch_ms", "times", "bindings_only")
_OWN: Final = ("ms", "jitter_ms", "status", "first_byte", "bytes_per_second")


def faults(known: Sequence[KnownFault], style: Style) -> str:
    """Return all faults as a table."""
    if not known:
        return "Nothing goes wrong on purpose. `gateway fault add --help` tells what could."
    rows = [(one["name"], _what(one), _where(one), number(one["met"])) for one in known]
    return table(("fault", "what", "where and when", "met"), rows, style, right="met")


def added(known: KnownFault, style: Style) -> str:
    """Return what was added."""
    name = style.paint(printable(known["name"]), bold=True)
    return f"{name}: {_what(known)} for {_where(known)}. `gateway fault clear {printable(known['name'])}` ends it."


def cleared(count: int) -> str:
    """Return how many were taken away."""
    return f"Took {count} fault{'' if count == 1 else 's'} away."


def _what(known: KnownFault) -> str:
    fields = cast("Mapping[str, Any]", known)
    own = [f"{name}={_shown(fields[name])}" for name in _OWN if fields.get(name)]
    return printable(" ".join([known["kind"], *own]))


def _where(known: KnownFault) -> str:
    fields = cast("Mapping[str, Any]", known)
    said = [f"{name}={_shown(fields[name])}" for name in _WHERE if fields.get(name)]
    return printable(" ".join(said)) or "all requests"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
