"""Heads of requests and answers as the data plane holds them, and what can be wrong with a message."""

from __future__ import annotations


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
        outbound, outbound_ip: The head as it goes to a version, up to the ray id, for a client's address.
    """

    __slots__ = (
        "authority",
        "cdn_loop",
        "chunked",
        "cohort",
        "content_length",
        "expects_continue",
        "forwarded_for",
        "found",
        "found_in",
        "has_body",
        "host",
        "is_http_10",
        "keep_alive",
        "lines",
        "max_forwards",
        "method",
        "outbound",
        "outbound_ip",
        "overrides",
        "protocols",
        "target",
        "te_trailers",
        "version_key",
    )

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.host = ""
        self.authority = b""
        self.lines: list[bytes] = []
        self.is_http_10 = False
        self.keep_alive = True
        self.chunked = False
        self.content_length: int | None = None
        self.has_body = False
        self.expects_continue = False
        self.te_trailers = False
        self.protocols: list[bytes] = []
        self.overrides: bytes | None = None
        self.version_key: bytes | None = None
        self.cohort: bytes | None = None
        self.forwarded_for: bytes | None = None
        self.cdn_loop: bytes | None = None
        self.max_forwards: bytes | None = None
        self.found: object = None
        self.found_in: object = None
        self.outbound = b""
        self.outbound_ip = ""

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

    __slots__ = (
        "chunked",
        "content_length",
        "has_date",
        "is_http_10",
        "keep_alive",
        "lines",
        "outbound",
        "protocol",
        "reason",
        "status",
    )

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.lines: list[bytes] = []
        self.is_http_10 = False
        self.keep_alive = True
        self.chunked = False
        self.content_length: int | None = None
        self.has_date = False
        self.protocol = b""
        self.outbound = b""

    @property
    def is_repeatable(self) -> bool:
        """Whether the same bytes again would be the same head of a whole answer with a known length."""
        return (
            self.keep_alive
            and self.has_date
            and self.content_length is not None
            and self.status >= 200  # noqa: PLR2004 - no interim answer
            and self.status not in (204, 304)
        )
