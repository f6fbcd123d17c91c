"""Overrides header -> the version wanted for a Worker (R28-R36)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

import http_sf
from http_sf import StructuredFieldError

from gateway.errors import InvalidOverrides
from gateway.model.decision import IgnoredSignal, Signal
from gateway.model.version import VersionId, WorkerName

_REACHABLE_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")


def can_be_overridden(worker: WorkerName) -> bool:
    """Tell whether any overrides header can name this Worker: its name must be a Dictionary key (R33)."""
    return _REACHABLE_KEY.fullmatch(worker) is not None


def overridden_version(
    header: str, worker: WorkerName, deployed: frozenset[VersionId], uploaded: frozenset[VersionId]
) -> VersionId | IgnoredSignal:
    """Return the version the client asked for, or why the header does not count for this Worker.

    Args:
        header: Value of ``Cloudflare-Workers-Version-Overrides``, several lines joined with a comma (R31).
        deployed: The versions of the active deployment; only those can be asked for (R29), at 0% too (R14).
        uploaded: All versions of the Worker, to tell a version that is not deployed from one that is unknown.

    Source: Cloudflare docs, Version overrides; RFC 9651 section 4.2.2.
    """
    try:
        wanted = _wanted_value(header, worker)
    except InvalidOverrides as error:
        return IgnoredSignal(Signal.OVERRIDE, "not-a-dictionary", error.message, "R30, R31")
    if wanted is None:
        return IgnoredSignal(
            Signal.OVERRIDE, "worker-not-named", f"the header says nothing of Worker {worker!r}", "R21"
        )
    if not isinstance(wanted, str):
        return IgnoredSignal(
            Signal.OVERRIDE,
            "not-a-string",
            f'the value for {worker!r} must be in double quotes: {worker}="<version id>"',
            "R34",
        )
    if wanted in deployed:
        return VersionId(wanted)
    if wanted in uploaded:
        return IgnoredSignal(
            Signal.OVERRIDE,
            "not-deployed",
            f"version {wanted} is uploaded but not in the active deployment; add it, at 0% if need be",
            "R29",
        )
    return IgnoredSignal(
        Signal.OVERRIDE, "unknown-version", f"Worker {worker!r} has no version {wanted!r}", "R29, R36"
    )


def _wanted_value(header: str, worker: WorkerName) -> object:
    """Return the member for ``worker``: a str for a String, ``None`` for no member, else what it is.

    Raises:
        InvalidOverrides: One mistake anywhere discards the whole header (R31); the caller routes on.
    """
    try:
        members = http_sf.parse(header.encode("latin-1", "replace"), tltype="dictionary")
    except StructuredFieldError as error:
        raise InvalidOverrides(f"not a Dictionary of RFC 8941: {error}") from error
    assert isinstance(members, dict)  # noqa: S101 - what the library returns for a dictionary
    if any(isinstance(item, datetime | http_sf.DisplayString) for item in _bare_items(members)):
        raise InvalidOverrides("not a Dictionary of RFC 8941: Dates and Display Strings came with RFC 9651")
    if worker not in members:
        return None
    member = members[worker]
    # A member is (value, parameters); parameters are legal and carry no meaning here (R35). An Inner List's
    # value is a list. A Token is a class of its own, and a Display String did not exist in RFC 8941.
    value = member[0] if isinstance(member, tuple) else member
    return value if type(value) is str else _NotAString()


def _bare_items(structure: object) -> Iterator[object]:
    """Yield every value of a parsed structure: of members, of Inner Lists and of parameters."""
    if isinstance(structure, Mapping):
        for value in structure.values():
            yield from _bare_items(value)
    elif isinstance(structure, tuple | list):
        for value in structure:
            yield from _bare_items(value)
    else:
        yield structure


class _NotAString:
    """Stands for a Token, number, Boolean, byte sequence, date or Inner List (R34)."""
