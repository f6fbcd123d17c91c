"""Incidents of version skew -> what a failed test says of them (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.skew.facts import Witness
from gateway.skew.incident import Incident, Inferred, Kind

_INFERRED: Final[Mapping[Inferred, str]] = {
    Inferred.SESSION: "that one client sent both, by address and user agent",
    Inferred.PAGE: "which page asked",
    Inferred.FILE: "that the page's version has the file",
    Inferred.CALLER: "that the page itself called the object",
}


def incident_lines(incident: Incident) -> Iterator[str]:
    """Yield what was seen, its two requests, cause and remedy; no times: each run with a seed says the same."""
    yield f"{incident.kind} in {incident.worker}{_times(incident)}"
    yield f"  {what_happened(incident)}"
    yield f"  before    {_request(incident.before)}"
    yield f"  after     {_request(incident.after)}"
    yield f"  cause     {incident.cause.sentence}"
    yield f"  remedy    {incident.cause.remedy}"
    if incident.inferred:
        yield f"  inferred  {'; '.join(_INFERRED[one] for one in sorted(incident.inferred))}"


def incident_line(incident: Incident) -> str:
    """Return an incident in one line."""
    kind = f"{incident.kind} in {incident.worker}{_times(incident)}"
    return f"{kind}: {what_happened(incident)} ({incident.cause.name})"


def what_happened(incident: Incident) -> str:
    """Return which request of which version met which other version, in words."""
    before, after = incident.before, incident.after
    match incident.kind:
        case Kind.ASSET_SKEW:
            lack = "an HTML page in its place" if after.status < 400 else str(after.status)  # noqa: PLR2004 - R83
            return f"{before.path} of {before.label} asked for {incident.what}: {after.label} answered {lack}"
        case Kind.SESSION_SKEW:
            return f"one session met {before.label} at {_short(before)}, {after.label} at {_short(after)}"
        case Kind.FLOW_SKEW:
            return f"the flow {incident.what} began on {before.label} and went on on {after.label}"
        case Kind.OBJECT_SKEW:
            called = f"{_short(before)} of {before.label} called {incident.what} of {after.object}"
            return f"{called}: it runs on {after.label}, and failed ({after.status})"
        case Kind.STALE_TAB:
            return f"{before.path} of {before.label}, deployed no longer, called {_short(after)} of {after.label}"


def _times(incident: Incident) -> str:
    return f", {incident.count} times" if incident.count > 1 else ""


def _request(witness: Witness) -> str:
    point = "" if witness.point is None else f" at {witness.point:.3f}"
    about = f" {witness.object}" if witness.object else ""
    return f"{_short(witness)} {witness.status} {witness.label} {witness.reason}{point}{about}"


def _short(witness: Witness) -> str:
    return f"{witness.method} {witness.path}"
