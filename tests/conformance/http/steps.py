"""The vocabulary of the tables: what the client and the origin do, one step after another.

All waits are upper bounds: a step ends as soon as what it waits for has come. Only ``Pause`` takes its time.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes in one piece."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Dribble:
    """Send these bytes in small pieces, with a short pause between."""

    data: bytes
    piece_bytes: int = 1
    pause_seconds: float = 0.0005


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send FIN and keep on reading."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close both directions."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Close with RST."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Let the other side pass its ``AwaitSignal`` of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class AwaitSignal:
    """Wait until the other side has given the signal of that name."""

    name: str
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Wait until the proxy has ended this connection (FIN or RST)."""

    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class AwaitRequest:
    """Origin: wait until the whole request has come, its body included."""

    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Origin: say nothing until the case is over or the proxy ends the connection."""


@dataclass(frozen=True, slots=True)
class AwaitAnswers:
    """Client: wait until so many final answers are complete, or the connection has ended."""

    count: int
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class AwaitInterim:
    """Client: wait until an answer, interim ones included, has begun."""

    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class AwaitBytes:
    """Wait until these bytes have come."""

    data: bytes
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class AwaitOriginEnd:
    """Client: wait until the proxy has ended the origin's connection that serves this case."""

    seconds: float = 2.0


ClientStep = (
    Send
    | Dribble
    | Pause
    | HalfClose
    | Close
    | Reset
    | Signal
    | AwaitSignal
    | AwaitEnd
    | AwaitAnswers
    | AwaitInterim
    | AwaitBytes
    | AwaitOriginEnd
)
OriginStep = (
    Send
    | Dribble
    | Pause
    | HalfClose
    | Close
    | Reset
    | Signal
    | AwaitSignal
    | AwaitEnd
    | AwaitRequest
    | AwaitBytes
    | Silence
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the origin does with one request.

    Args:
        steps: What it does, in order; empty means its usual answer.
        at_head: Begin as soon as the head has come, not only after the body.
        tunnel: Read what comes behind the head as raw bytes, not as requests.
    """

    steps: tuple[OriginStep, ...] = ()
    at_head: bool = False
    tunnel: bool = False
