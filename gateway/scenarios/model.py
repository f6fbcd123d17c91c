"""What a scenario says, as values: steps in their order, and what is expected of them.

A scenario is for one Worker. ``docs/scenarios.md`` tells the language to users; ``parse`` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.model.fault import Fault

MAX_REQUESTS: Final = 20_000
"""Of one scenario, files of pages not counted: they are sent one after the other."""

MIN_MEANWHILE: Final = 3
"""One request before the deployment, one meanwhile, one after it."""

BodyKind = Literal["body", "json", "form"]


@dataclass(frozen=True, slots=True)
class Body:
    """What a request sends.

    Args:
        kind: As it stands, as JSON, or as the fields of a form.
        content: A text; any JSON value; or pairs of texts. Texts may hold ``${name}`` of saved values.
    """

    kind: BodyKind
    content: Any


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of an answer; what is left empty is not looked at.

    Args:
        versions: Tags or ids, one of which must have answered.
        same_version: Whether it must be the version that answered the session's request before.
        contains: Texts of the body.
        headers: Name and value; ``*`` in a value stands for anything.
        members: JSON pointer (RFC 6901) and the value that must stand there.
    """

    statuses: tuple[int, ...] = ()
    versions: tuple[str, ...] = ()
    same_version: bool = False
    reason: str = ""
    contains: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    members: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """A value of an answer for later steps.

    Args:
        name: By which ``${name}`` finds it.
        place: ``header``, ``json`` or ``field`` (of a form in the page).
        what: Name of the header, JSON pointer, or name of the field.
    """

    name: str
    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Args:
        path: Path and query; may hold ``${name}``.
        host: Empty for the Worker's own, ``<worker>.localhost``.
        key: Affinity key; ``override``: tag or id; ``cohort``: see docs/routing.md.
        session: Who asks; a session keeps its cookies. Empty for somebody new.
        files: Whether the files that the page's HTML asks for are fetched too, as a browser does.
    """

    path: str
    method: str = "GET"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    key: str = ""
    override: str = ""
    cohort: str = ""
    session: str = ""
    files: bool = False
    expected: Expected = Expected()
    saved: tuple[Saved, ...] = ()


@dataclass(frozen=True, slots=True)
class Deploy:
    """Makes a deployment; the order of the versions is that of their ranges (R37)."""

    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Sends one request."""

    request: Request


@dataclass(frozen=True, slots=True)
class SendMany:
    """Sends a request many times, one after the other.

    Args:
        keys, sessions: So many different affinity keys and sessions take turns; 0 for none.
    """

    request: Request
    count: int
    keys: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class AddFault:
    """Makes something go wrong from here on; docs/faults.md tells what can."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class ClearFaults:
    """Takes all faults away, until the scenario ends."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What one session does, in order; deployments and faults may come between its requests.

    Args:
        session: Its requests have it, and the flow's key, already.
    """

    session: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Makes a deployment while requests go on.

    The first request is answered before the deployment begins and the last is sent once it is active; which
    version answers those between is a race, and no expectation may name it.
    """

    deploy: Deploy
    request: Request
    count: int


@dataclass(frozen=True, slots=True)
class ExpectAll:
    """What is expected of all that was sent so far.

    Args:
        split: Percentages by tag of what was drawn since the scenario's last deployment, or empty.
        within: Instead of what chance allows, by how many percentage points a share may miss.
        skew: Kinds of skew that must have been found, and no others; ``None`` where nobody asks.
        resets_at_most: Of each Durable Object. ``errors_at_most``: answers of 500 or above, or none at all.
        broken_files_at_most: Files of pages that were not there.
    """

    split: tuple[tuple[str, float], ...] = ()
    within: float | None = None
    skew: frozenset[str] | None = None
    resets_at_most: int | None = None
    errors_at_most: int | None = None
    broken_files_at_most: int | None = None


Step = Deploy | Send | SendMany | AddFault | ClearFaults | Flow | Meanwhile | ExpectAll


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario.

    Args:
        worker: Empty for the gateway's only one.
        seed: Of all that is drawn; ``None`` lets chance pick one, which the report tells.
        restore: Whether the deployment and the faults from before come back.
    """

    name: str
    steps: tuple[Step, ...]
    worker: str = ""
    seed: int | None = None
    restore: bool = True
