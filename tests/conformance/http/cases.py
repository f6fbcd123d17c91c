"""What a case is: what is done on either side, and every outcome that is legal and safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.conformance.http.origin import Origin
from tests.conformance.http.steps import ClientStep, Reply

REFUSALS = frozenset(range(400, 600))
BAD_GATEWAY = frozenset({500, 502, 503, 504})
FieldLine = tuple[bytes, bytes]


class ProxiedOrigin(Protocol):
    """A proxy with an origin behind it: what the fixture ``proxied_origin`` gives.

    The proxy forwards every request, whatever its Host, to this one origin; its limits are at least 8000
    bytes for a target and 16 KiB for a head. The fixture has session scope and session loop scope, and the
    origin is started.
    """

    @property
    def origin(self) -> Origin:
        """The recording origin."""
        ...

    @property
    def host(self) -> str:
        """Where the proxy listens."""
        ...

    @property
    def port(self) -> int:
        """On which port the proxy listens."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that must reach the origin, whole and exactly once.

    Args:
        method: Exactly this.
        targets: One of these, byte for byte.
        body: Exactly this content; None where the case does not judge it.
        has: All lines of each name given here, in order; lines of one name may come joined by commas.
        lacks: Names that must not come.
        hosts_not: Values the Host line must not have.
        trailers: Trailer lines that may come; any other must not.
        must_trail: Whether those trailer lines must come.
        loose_space: Any run of white space within a value is as good as one space.
        matches: Patterns that the lines of a name, joined by commas, must match whole.
        whole: False where the request may reach the origin cut short and still be answered.
    """

    method: bytes = b"GET"
    targets: tuple[bytes, ...] = (b"/",)
    body: bytes | None = b""
    has: tuple[FieldLine, ...] = ()
    lacks: tuple[bytes, ...] = ()
    hosts_not: tuple[bytes, ...] = ()
    trailers: tuple[FieldLine, ...] = ()
    must_trail: bool = False
    loose_space: bool = False
    matches: tuple[FieldLine, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """One legal outcome of a request case.

    Args:
        seen: Requests that reach the origin, each answered with the origin's answer to it, in order.
        own: Statuses with which the proxy itself then answers; None where it answers nothing more of its own.
        mute: The proxy may also end the connection (or wait, while it may wait for more) in place of that
            answer.
        ends: The connection must end behind the last answer.
        interim: Interim statuses before the last answer must be just these; None where they do not matter.
    """

    seen: tuple[Seen, ...] = ()
    own: frozenset[int] | None = None
    mute: bool = False
    ends: bool = False
    interim: tuple[int, ...] | None = None


def forward(*seen: Seen, ends: bool = False) -> Outcome:
    """All of these reach the origin and are answered."""
    return Outcome(seen, ends=ends)


def refuse(
    *statuses: int,
    after: Sequence[Seen] = (),
    mute: bool = True,
    ends: bool = False,
    own: frozenset[int] = REFUSALS,
) -> Outcome:
    """Behind the requests in ``after`` the proxy refuses, by default with any 4xx or 5xx or by closing."""
    return Outcome(tuple(after), frozenset(statuses) or own, mute, ends)


@dataclass(frozen=True, slots=True)
class RequestCase:
    """Something a client may send.

    Args:
        id: Readable and unique; the part before the slash is its family.
        source: The rule behind it.
        steps: What the client does.
        outcomes: Every outcome that is legal and safe.
        most: How many whole requests the bytes can be read as at most; more at the origin is smuggling, and
            with 0 a cut request passed for a whole one. One, or as many as an outcome has, by default.
        replies: What the origin does; usual answers by default.
        methods: The methods asked with, for reading the answers; derived from the outcomes by default.
        patience_seconds: How long to wait for the answers; short where the proxy may rightly wait for more.
        reusable: Whether the bytes sent end at a message boundary, so that another request may follow.
        promise: Our own promise (design, section 3) rather than a requirement of an RFC.
        only_safety: Whatever the proxy makes of it will do, if nothing about it is unsafe or malformed.
    """

    id: str
    source: str
    steps: tuple[ClientStep, ...]
    outcomes: tuple[Outcome, ...]
    replies: tuple[Reply, ...] = ()
    methods: tuple[bytes, ...] = ()
    most: int | None = None
    patience_seconds: float = 3.0
    reusable: bool = True
    promise: bool = False
    only_safety: bool = False

    @property
    def most_requests(self) -> int:
        """How many whole requests the bytes can be read as at most."""
        return max(1, *(len(outcome.seen) for outcome in self.outcomes), 0) if self.most is None else self.most

    @property
    def answer_count(self) -> int:
        """The most final answers that any outcome has."""
        return max(len(outcome.seen) + (outcome.own is not None) for outcome in self.outcomes)

    @property
    def asked_methods(self) -> tuple[bytes, ...]:
        """The methods asked with, as far as they matter for reading answers."""
        longest = max(self.outcomes, key=lambda outcome: len(outcome.seen))
        return self.methods or tuple(seen.method for seen in longest.seen)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One legal outcome of a response case: one answer as the client sees it.

    Args:
        statuses: One of these.
        body: Exactly this content; None where any will do. A cut one need only be a beginning of it.
        cut: The client must see that the answer is not whole; ending the connection without any will do too.
        own: The answer is the proxy's own: nothing of the origin's may be in it.
        has: All lines of each name given here, in order (``Set-Cookie`` never joined).
        lacks: Names that must not come.
        has_names: Names that must come, with any value.
        interim: Interim statuses that must come before, in order; None where they do not matter.
        trailers: Trailer lines that may come; any other must not.
        must_trail: Whether those trailer lines must come.
        ends: The connection must end behind it.
        chunked: Whether it must be (or must not be) framed by chunks.
    """

    statuses: frozenset[int]
    body: bytes | None = None
    cut: bool = False
    own: bool = False
    has: tuple[FieldLine, ...] = ()
    lacks: tuple[bytes, ...] = ()
    has_names: tuple[bytes, ...] = ()
    interim: tuple[int, ...] | None = None
    trailers: tuple[FieldLine, ...] = ()
    must_trail: bool = False
    ends: bool = False
    chunked: bool | None = None


BAD = Delivery(BAD_GATEWAY, own=True)


@dataclass(frozen=True, slots=True)
class ResponseCase:
    """Something an origin may answer.

    Args:
        id: Readable and unique; the part before the slash is its family.
        source: The rule behind it.
        replies: What the origin does with each request, the last one again for repeats.
        outcomes: For each answer the client waits for, every delivery that is legal and safe.
        steps: What the client does; one plain GET by default.
        methods: The methods asked with.
        most_requests: How often the origin may see requests of the case, together.
        least_requests: How often it must see them.
        patience_seconds: How long to wait for the answers.
        may_end: The connection may also end before any of the answers, or in place of them.
        reusable: Whether the bytes sent end at a message boundary, so that another request may follow.
        promise: Our own promise (design, section 3) rather than a requirement of an RFC.
        only_safety: Whatever the proxy makes of it will do, if nothing about it is unsafe or malformed.
        truncated: The origin's answer ends too early, so that one which looks whole is unsafe and not only
            wrong.
    """

    id: str
    source: str
    replies: tuple[Reply, ...]
    outcomes: tuple[tuple[Delivery, ...], ...]
    steps: tuple[ClientStep, ...] = ()
    methods: tuple[bytes, ...] = (b"GET",)
    most_requests: int = 3
    least_requests: int = 1
    patience_seconds: float = 3.0
    may_end: bool = False
    reusable: bool = True
    promise: bool = False
    truncated: bool = False
    only_safety: bool = False
