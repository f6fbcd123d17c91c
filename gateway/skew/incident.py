"""An incident: what the detector found, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.skew.facts import Witness, digest


class Kind(StrEnum):
    """What an incident is of; the name it has in ``/api/skew``."""

    ASSET_SKEW = "asset_skew"
    SESSION_SKEW = "session_skew"
    FLOW_SKEW = "flow_skew"
    OBJECT_SKEW = "object_skew"
    STALE_TAB = "stale_tab"


class Inferred(StrEnum):
    """What of an incident is concluded rather than known."""

    SESSION = "session"
    """That the requests are of one client: by address and user agent alone."""

    PAGE = "page"
    """Which page asked: several could have, or ``Referer`` names none."""

    FILE = "file"
    """That the page's own version has the file: nobody asked it yet."""

    CALLER = "caller"
    """That the page called the object, and no Worker in between."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why two requests met different versions.

    Args:
        name: A word for programs.
        sentence, remedy: For people.
        rules: Numbers of the rules both follow from.
    """

    name: str
    sentence: str
    remedy: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """Skew that was seen once or more, for one cause.

    Args:
        what: What it is about: the file, the steps of the flow, the object's class, or empty.
        before, after: The two requests that prove it; those of the occurrence with the least inferred in it, of
            several the earliest.
        inferred: What of the evidence is concluded rather than known.
        count: Occurrences.
        first_seen, last_seen: Seconds since the epoch.
    """

    kind: Kind
    worker: str
    what: str
    cause: Cause
    before: Witness
    after: Witness
    inferred: frozenset[Inferred]
    count: int
    first_seen: float
    last_seen: float

    @property
    def key(self) -> tuple[str, ...]:
        """What makes occurrences the same incident."""
        versions = self.before.version_id, self.after.version_id
        # A session goes to and fro between two versions for one cause.
        pair = sorted(versions) if self.kind is Kind.SESSION_SKEW else versions
        return (self.kind, self.worker, self.what, self.cause.name, *pair)

    @property
    def id(self) -> str:
        """A short name that is the same for the same key, in each run."""
        return digest("\0".join(self.key))

    def merged(self, other: Incident) -> Incident:
        """Return both as one; in whichever order they are merged, it comes out the same."""
        best = min(self, other, key=_rank)
        # Whether the page's version has the file is known of all occurrences, or of none.
        proven = Inferred.FILE not in self.inferred & other.inferred
        return replace(
            best,
            inferred=best.inferred - {Inferred.FILE} if proven else best.inferred,
            count=self.count + other.count,
            first_seen=min(self.first_seen, other.first_seen),
            last_seen=max(self.last_seen, other.last_seen),
        )

    def without(self, inferred: Inferred) -> Incident:
        """Return it with one thing known that was inferred."""
        return replace(self, inferred=self.inferred - {inferred})


def _rank(incident: Incident) -> tuple[int, float, str, float, str]:
    before, after = incident.before, incident.after
    return len(incident.inferred - {Inferred.FILE}), after.at, after.ray, before.at, before.ray


def occurrence(
    kind: Kind,
    what: str,
    cause: Cause,
    before: Witness,
    after: Witness,
    inferred: frozenset[Inferred] = frozenset(),
) -> Incident:
    """Return an incident that was seen once."""
    return Incident(kind, after.worker, what, cause, before, after, inferred, 1, after.at, after.at)
