"""What was found, merged by cause; some of it held back until another answer proves or disproves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.skew.bounded import Bounded
from gateway.skew.incident import Incident, Inferred, Kind

MAX_INCIDENTS: Final = 512

_Key = tuple[str, ...]


class Findings:
    """Incidents that are told, and those that are held: no request has shown yet that the file exists at all."""

    def __init__(self, size: int = MAX_INCIDENTS) -> None:
        self._size = size
        self._told: Bounded[_Key, Incident] = Bounded(size)
        self._held: Bounded[_Key, Incident] = Bounded(size)

    def __len__(self) -> int:
        return len(self._told) + len(self._held)

    def copy(self) -> Findings:
        """Return findings of their own; incidents are values."""
        other = Findings(self._size)
        for mine, theirs in ((self._told, other._told), (self._held, other._held)):
            theirs.entries.update(mine.entries)
        return other

    def add(self, incident: Incident, *, held: bool = False) -> None:
        """Add an occurrence."""
        _merge(self._held if held else self._told, incident)

    def told(self) -> list[Incident]:
        """Return what is told, in the order in which it was seen first."""
        return sorted(self._told.entries.values(), key=lambda one: (one.first_seen, one.key))

    def file_exists(self, worker: str, path: str, version_id: str) -> None:
        """A version was seen to have a file: what its pages missed elsewhere is proven."""
        asked = _asked_by(worker, path, version_id)
        for incident in _those(self._told, asked):
            self._told.entries[incident.key] = incident.without(Inferred.FILE)
        for incident in _those(self._held, asked):
            self._held.drop(incident.key)
            _merge(self._told, incident.without(Inferred.FILE))

    def file_is_missing(self, worker: str, path: str, version_id: str) -> None:
        """A version lacks a file itself: that its pages did not get it elsewhere is no skew."""
        self._drop(_asked_by(worker, path, version_id))

    def call_fails_alike(self, worker: str, what: str, version_id: str) -> None:
        """A call fails within one version too: that it failed between two is no skew."""
        self._drop(
            lambda one: (
                one.kind is Kind.OBJECT_SKEW
                and (one.worker, one.what, one.after.version_id) == (worker, what, version_id)
            )
        )

    def _drop(self, wanted: Callable[[Incident], bool]) -> None:
        for kept in (self._told, self._held):
            for incident in _those(kept, wanted):
                kept.drop(incident.key)


def _asked_by(worker: str, path: str, version_id: str) -> Callable[[Incident], bool]:
    return lambda one: (
        one.kind is Kind.ASSET_SKEW and (one.worker, one.what, one.before.version_id) == (worker, path, version_id)
    )


def _those(kept: Bounded[_Key, Incident], wanted: Callable[[Incident], bool]) -> list[Incident]:
    return [incident for incident in kept.entries.values() if wanted(incident)]


def _merge(kept: Bounded[_Key, Incident], incident: Incident) -> None:
    known = kept.get(incident.key)
    kept.put(incident.key, known.merged(incident) if known is not None else incident)
