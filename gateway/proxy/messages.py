"""Heads of requests and answers as the data plane holds them, and what can be wrong with a message."""

from __future__ import annotations

from collections.abc import Sequence


class MalformedRequest(Exception):
    """A client's message that cannot be read without doubt: answered with ``status``, and the connection ends."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class MalformedAnswer(Exception):
    """A version's message that cannot be read without doubt: 502, or a cut answer where it has begun."""


class RequestHead:
    """One request's head, checked. Once told to the sink nothing in it changes but what it remembers at its end.

    Attributes:
        target: What is forwarded, byte for byte: path and query, or ``*``.
        host: Host of the target URI, lower case, without port; empty for HTTP/1.0 without ``Host``.
        authority: What ``Host`` says to the version, byte for byte.
        lines: All other fields that pass on, in order.
        content_length: Length of the body in bytes, or ``None`` when chunked or absent.
        protocols: Protocols of an upgrade that may be tunnelled; empty for an ordinary request.
        found, found_in: The Worker this head leads to, and the routing table that says so.
        caller_ray: The ray id it came with: a version that calls on passes that of its own request along.
        outbound, outbound_ip: The head as it goes to a version, up to the ray id, for a client's address.
    """

    # Defaults stand on the class: a head is built for each request that was not seen before.
    method = ""
    target = b""
    host = ""
    authority = b""
    is_http_10 = False
    keep_alive = True
    chunked = False
    content_length: int | None = None
    has_body = False
    expects_continue = False
    te_trailers = False
    protocols: Sequence[bytes] = ()
    overrides: bytes | None = None
    version_key: bytes | None = None
    cohort: bytes | None = None
    forwarded_for: bytes | None = None
    cdn_loop: bytes | None = None
    max_forwards: bytes | None = None
    caller_ray = b""
    found: object = None
    found_in: object = None
    outbound = b""
    outbound_ip = ""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    @property
    def is_repeatable(self) -> bool:
        """Whether the same bytes again would be the same request, with nothing before or behind it."""
        return self.keep_alive and not self.has_body and not self.protocols

    @property
    def path(self) -> str:
        """The target without its query, as sent."""
        return self.target.partition(b"?")[0].decode("latin-1")

    def header(self, name: str) -> str | None:
        """Return a field's value, several lines joined as HTTP does; ``name`` in lower case."""
        wanted = name.encode("latin-1") + b":"
        values = [
            line[len(wanted) :].strip(b" \t").decode("latin-1")
            for line in self.lines
            if line[: len(wanted)].lower() == wanted
        ]
        return ", ".join(values) if values else None


class ResponseHead:
    """One answer's head, checked.

    Attributes:
        lines: All fields that pass on, in order.
        content_length: As sent, or ``None``.
        has_date: Whether the version dated its answer.
        protocol: What ``Upgrade`` says, in a 101.
        outbound: The head as it goes to clients, up to the gateway's own fields, where that is the same for all.
    """

    status = 0
    reason = b""
    is_http_10 = False
    keep_alive = True
    chunked = False
    content_length: int | None = None
    has_date = False
    protocol = b""
    outbound = b""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    @property
    def is_repeatable(self) -> bool:
        """Whether the same bytes again would be the same head of a whole answer with a known length."""
        return (
            self.keep_alive
            and self.content_length is not None
            and self.status >= 200  # noqa: PLR2004 - no interim answer
            and self.status not in (204, 304)
        )
