"""What is sent, what comes back, and how one differs from another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from gateway.errors import Fault, GatewayError

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 section 9.2.1, but for TRACE, which the edge answers itself."""


class InvalidComparison(GatewayError):
    """A comparison that cannot be made: says what is wrong with which field, and what would do."""

    status: ClassVar[int] = 400
    code: ClassVar[int] = 90_320
    fault: ClassVar[Fault] = "client"


class Request(NamedTuple):
    """A request to be sent to both versions.

    Args:
        host: With the port, as a client would write it.
        target: Path and query.
    """

    method: str
    host: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Answer(NamedTuple):
    """What a version answered; the body without its content coding."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Return the values of a header, whatever its case."""
        return [value for one, value in self.headers if one.lower() == name]

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters; empty where there is none."""
        return next(iter(self.values("content-type")), "").partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON (RFC 8259, RFC 6839)."""
        return self.media_type == "application/json" or self.media_type.endswith("+json")

    @property
    def is_html(self) -> bool:
        """Whether the body is a page."""
        return self.media_type in {"text/html", "application/xhtml+xml"}


class Kind(StrEnum):
    """How a field differs."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    RETYPED = "retyped"
    LACKING = "lacking"


class Difference(NamedTuple):
    """One field in which two answers differ.

    Args:
        field: ``status``, ``header:content-type``, ``json:/items/*/price``, ``subresource:/bundle.js``.
        before, after: What the first and the second version have there; empty for nothing.
    """

    field: str
    kind: Kind
    before: str
    after: str

    def view(self) -> Mapping[str, str]:
        """Return it as JSON."""
        return {"field": self.field, "kind": self.kind, "before": self.before, "after": self.after}
