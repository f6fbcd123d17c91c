"""An answer that came through the edge, and the decision that its headers tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import http_sf
from multidict import CIMultiDictProxy


class _Headers(Protocol):
    def get(self, name: str, /) -> str | None: ...


class HasHeaders(Protocol):
    """Any answer of any client: aiohttp's, httpx's, those of requests and urllib, ours."""

    @property
    def headers(self) -> Any: ...  # noqa: D102 - `get` finds a field by its name, whatever its case


@dataclass(frozen=True, slots=True)
class Decision:
    """What the edge says of the version that answered.

    Args:
        version: Its id.
        tag: Its tag, or empty.
        reason: Which rule picked it: ``percentage``, ``affinity``, ``override``, ``version-url``,
            ``durable-object``.
        point: Where key, object or draw fell on [0, 100), or None where none was needed.
        ignored: Signals that did not count, each as ``signal:cause``.
    """

    version: str
    worker: str
    tag: str
    reason: str
    point: float | None
    deployment: str = ""
    cohort: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The tag and the first 8 characters of the id."""
        return f"{self.tag} ({self.version[:8]})" if self.tag else self.version[:8]


def decision_of(response: HasHeaders) -> Decision | None:
    """Return the decision behind an answer; None where no version gave it."""
    headers: _Headers = response.headers
    version, told = headers.get("Gateway-Version"), headers.get("Gateway-Decision")
    if version is None or told is None:
        return None
    members = http_sf.parse(told.encode("ascii"), tltype="dictionary")
    assert isinstance(members, dict)  # noqa: S101 - what the library returns for a dictionary
    said = {name: str(member[0]) for name, member in members.items() if isinstance(member, tuple)}
    return Decision(
        version=version,
        worker=unquote(said.get("worker", "")),
        tag=unquote(said.get("tag", "")),
        reason=said.get("reason", ""),
        point=float(said["point"]) if "point" in said else None,
        deployment=said.get("deployment", ""),
        cohort=unquote(said.get("cohort", "")),
        ignored=tuple(said.get("ignored", "").split()),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end.

    Args:
        url: Of the request that was answered, after redirects.
    """

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: str
    charset: str = "utf-8"

    def __repr__(self) -> str:
        """Show what each run with one seed says alike: the address has a port of its own, the fields a date."""
        decision = self.decision
        by = "no version" if decision is None else f"{decision.worker}={decision.label} {decision.reason}"
        at = "" if decision is None or decision.point is None else f" at {decision.point:g}"
        return f"<Answer {self.status} {urlsplit(self.url).path} by {by}{at}>"

    @property
    def decision(self) -> Decision | None:
        """All that the edge says of it; None where no version gave it."""
        return decision_of(self)

    @property
    def version(self) -> str:
        """Id of the version that answered; empty where none did."""
        return decision.version if (decision := self.decision) else ""

    @property
    def tag(self) -> str:
        """Tag of the version that answered."""
        return decision.tag if (decision := self.decision) else ""

    @property
    def reason(self) -> str:
        """Which rule picked the version; see ``Decision``."""
        return decision.reason if (decision := self.decision) else ""

    @property
    def point(self) -> float | None:
        """Where key, object or draw fell on [0, 100)."""
        return decision.point if (decision := self.decision) else None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(self.charset, "replace")

    def json(self) -> Any:
        """Return what the body says as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)
