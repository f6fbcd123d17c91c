"""Bytes in, outcome out: both readers as functions, so that two ways of feeding them can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.proxy.memo import HeadMemo
from gateway.proxy.messages import MalformedAnswer, MalformedRequest, RequestHead, ResponseHead
from gateway.proxy.request_reader import ReadLimits, RequestReader
from gateway.proxy.response_reader import ResponseReader

REQUEST_MEANING = (
    "method", "target", "host", "authority", "lines", "is_http_10", "keep_alive", "chunked", "content_length",
    "has_body", "expects_continue", "te_trailers", "protocols", "overrides", "version_key", "cohort",
    "forwarded_for", "cdn_loop", "max_forwards",
)  # fmt: skip
RESPONSE_MEANING = (
    "status", "reason", "lines", "is_http_10", "keep_alive", "chunked", "content_length", "has_date", "protocol",
)  # fmt: skip

LIMITS = ReadLimits()


def meaning_of(head: RequestHead | ResponseHead) -> dict[str, object]:
    """Return all that a head says, as plain values."""
    names = REQUEST_MEANING if isinstance(head, RequestHead) else RESPONSE_MEANING
    values = {name: getattr(head, name) for name in names}
    return {name: list(value) if isinstance(value, list | tuple) else value for name, value in values.items()}


@dataclass
class Requests:
    """What a reader told of a client's bytes.

    Attributes:
        bodies: One for each head that has a body, as far as it came.
        refused: Status of the refusal, or ``None``.
        held: What came behind an upgrade.
    """

    heads: list[RequestHead] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    trailers: list[list[bytes]] = field(default_factory=list)
    refused: int | None = None
    why: str = ""
    held: bytes = b""
    in_head: bool = False
    in_body: bool = False
    at_last: bool = False

    def on_request(self, head: RequestHead) -> None:
        self.heads.append(head)
        if head.has_body:
            self.bodies.append(b"")

    def on_request_body(self, data: bytes) -> None:
        self.bodies[-1] += data

    def on_request_end(self, trailers: list[bytes]) -> None:
        self.trailers.append(trailers)

    @property
    def head(self) -> RequestHead:
        """The only head."""
        (head,) = self.heads
        return head

    @property
    def outcome(self) -> tuple[object, ...]:
        """All of it, to be compared."""
        heads = [meaning_of(head) for head in self.heads]
        return heads, self.bodies, self.trailers, self.refused, self.held, self.in_head, self.in_body, self.at_last


def read_requests(
    *pieces: bytes,
    limits: ReadLimits = LIMITS,
    memo: HeadMemo[RequestHead] | None = None,
) -> Requests:
    """Feed a client's bytes piece by piece, and return what was told; upgrades are neither taken nor refused."""
    told = Requests()
    reader = RequestReader(told, limits, HeadMemo() if memo is None else memo)
    try:
        for piece in pieces:
            reader.feed(piece)
    except MalformedRequest as error:
        told.refused, told.why = error.status, error.why
    else:
        told.in_head, told.in_body, told.at_last = reader.in_head, reader.in_body, reader.at_last_request
        if told.heads and told.heads[-1].protocols:
            told.held = reader.take_held()
    return told


@dataclass
class Answer:
    """What a reader told of a version's bytes.

    Attributes:
        malformed: Why it is no answer, or empty.
    """

    interim: list[ResponseHead] = field(default_factory=list)
    heads: list[ResponseHead] = field(default_factory=list)
    body: bytes = b""
    trailers: list[bytes] = field(default_factory=list)
    malformed: str = ""
    complete: bool = False
    excess: bool = False
    keep_alive: bool = False
    switched: bytes | None = None
    ends_with_the_stream: bool = False

    def on_interim(self, head: ResponseHead) -> None:
        self.interim.append(head)

    def on_response(self, head: ResponseHead) -> None:
        self.heads.append(head)

    def on_response_body(self, data: bytes) -> None:
        self.body += data

    @property
    def head(self) -> ResponseHead:
        """The only head."""
        (head,) = self.heads
        return head

    @property
    def outcome(self) -> tuple[object, ...]:
        """All of it, to be compared."""
        interim, heads = ([meaning_of(head) for head in told] for told in (self.interim, self.heads))
        told = (interim, heads, self.body, self.trailers, bool(self.malformed), self.complete, self.excess)
        return *told, self.keep_alive, self.switched, self.ends_with_the_stream


def read_answer(*pieces: bytes, to_head: bool = False, memo: HeadMemo[ResponseHead] | None = None) -> Answer:
    """Feed the answer to one request piece by piece, and return what was told of it."""
    return Answers(memo).read(*pieces, to_head=to_head)


class Answers:
    """One upstream connection, on which several answers can be read."""

    def __init__(self, memo: HeadMemo[ResponseHead] | None = None) -> None:
        self.reader = ResponseReader(HeadMemo() if memo is None else memo)

    def read(self, *pieces: bytes, to_head: bool = False) -> Answer:
        """Feed the answer to the next request, then the end of the stream as far as that can be asked."""
        told, reader = Answer(), self.reader
        reader.begin(told, to_head_request=to_head)
        try:
            for piece in pieces:
                if reader.switched is not None:  # a tunnel: the rest is no HTTP
                    reader.switched += piece
                else:
                    reader.feed(piece)
        except MalformedAnswer as error:
            told.malformed = str(error) or "malformed"
            return told
        told.complete, told.excess = reader.complete, reader.excess
        told.keep_alive, told.switched, told.trailers = reader.keep_alive, reader.switched, list(reader.trailers)
        if not reader.complete and reader.switched is None:
            told.ends_with_the_stream = reader.feed_eof()
        return told


def cut(data: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """Yield ``data`` in pieces, cut at these places; no piece is empty."""
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    for low, high in pairwise(borders):
        yield data[low:high]
