"""What happens at the edge, as values: a contract, since tail, dashboard, Logpush and scripts read them.

Version 2. A field is never renamed or given another meaning; new ones come behind, and new kinds may come: a
reader passes over what it does not know. ``docs/observability.md`` tells every kind and field to users.

An event of a request is made only once somebody reads it: until then the request that ended stands for it
(``EndedRequest``), so that what is told to nobody, or pushed out of a full queue, costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from gateway.model.decision import IgnoredSignal

EVENTS_VERSION: Final = 2

MESSAGE_CHARACTERS: Final = 16_384
"""A longer message of ``console`` is cut: events are kept in memory for who comes later."""


class EventKind(StrEnum):
    """What an event is of; the name it has in ``/api/events``."""

    REQUEST = "request"
    WEBSOCKET = "websocket"
    CONSOLE = "console"
    EXCEPTION = "exception"
    RESET = "reset"
    DEPLOYMENT = "deployment"
    VERSION = "version"


class RequestEvent(NamedTuple):
    """One request, told when its answer has gone out (or was cut); of a WebSocket, when it was opened.

    Args:
        at: Seconds since the epoch at which its head was complete.
        version_id: Empty where the gateway answered by itself before a version was picked.
        reason: Which rule picked the version (``Reason``), or empty.
        status: Status the client got; 0 where it got none.
        outcome: ``ok``, ``upstream_failed``, ``upstream_timed_out``, ``answer_cut``, ``client_gone``, ``refused``,
            ``worker_threw``.
        duration_us: From the complete head to the last byte handed to the network, in microseconds.
        request_bytes, response_bytes: Of the bodies.
        point: Where key, object or draw fell on [0, 100), or None where none was needed.
        object: ``<class>/<name>`` of the Durable Object it belongs to, or empty.
        label: The version's tag, or the first 8 characters of its id.
        ignored: Signals that were sent but did not count.
        header_lines: The request's fields as they came, each ``name: value``; secrets too.
        content_type: Of the answer, as the version sent it; empty where none answered.
        address: The client's, behind those that ``X-Forwarded-For`` names.
        caller_ray: The ray id that the request itself came with: of the one during which a version made it.
        fault: Names of the faults that it met, or empty.
    """

    at: float
    ray: str
    worker: str
    version_id: str
    reason: str
    method: str
    host: str
    target: str
    status: int
    outcome: str
    duration_us: int
    request_bytes: int
    response_bytes: int
    point: float | None
    object: str
    label: str = ""
    ignored: tuple[IgnoredSignal, ...] = ()
    header_lines: Sequence[bytes] = ()
    content_type: str = ""
    address: str = ""
    caller_ray: str = ""
    fault: str = ""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names and values of the request's fields; decoded only here, for few readers want them."""
        pairs = (line.decode("latin-1").partition(":") for line in self.header_lines)
        return [(name, value.strip(" \t")) for name, _, value in pairs]

    def event(self) -> RequestEvent:
        """Return itself: an event may stand where an ``EndedRequest`` does."""
        return self


class WebSocketEvent(NamedTuple):
    """A WebSocket (or another upgraded connection) that has ended.

    Args:
        at: When it ended, in seconds since the epoch.
        ray, target, host: Of the request that opened it.
        object: ``<class>/<name>`` of the Durable Object it belonged to, or empty.
        duration_us: For how long it was open.
    """

    at: float
    ray: str
    worker: str
    version_id: str
    label: str
    host: str
    target: str
    object: str
    duration_us: int


class ConsoleEvent(NamedTuple):
    """Something a version printed: a line of its process, or what its code gave ``console``.

    Args:
        level: ``log``, ``debug``, ``info``, ``warn``, ``error``; of a process's lines always ``log``, for both its
            streams are one.
        source: ``stdout`` for a line of its process, ``console`` for what workerd tells of an invocation.
        ray: Of the request during which it was said; empty where that is not known.
        object: Id in hex of the Durable Object that said it, or empty.
    """

    at: float
    worker: str
    version_id: str
    label: str
    level: str
    message: str
    source: str
    ray: str = ""
    object: str = ""


class ExceptionEvent(NamedTuple):
    """An exception that a version's code did not catch.

    Args:
        stack: Frames of the user's own code, mapped to the sources that were written.
        entrypoint: The exported name that was called.
        object: Id in hex of the Durable Object that threw, or empty.
    """

    at: float
    worker: str
    version_id: str
    label: str
    name: str
    message: str
    stack: str = ""
    ray: str = ""
    entrypoint: str = "default"
    object: str = ""


class ResetEvent(NamedTuple):
    """A Durable Object went over to another version: memory gone, storage kept (R56).

    Args:
        class_name, id, name: The object; the id in hex, the name empty where it is not known.
        deployment: Number of the deployment that wants it so.
    """

    at: float
    worker: str
    class_name: str
    id: str
    name: str
    from_version: str
    to_version: str
    deployment: int


class DeployedShare(NamedTuple):
    """One version of a deployment."""

    version_id: str
    label: str
    percentage: float


class DeploymentEvent(NamedTuple):
    """A deployment became active; every later request follows it."""

    at: float
    worker: str
    number: int
    deployment_id: str
    versions: tuple[DeployedShare, ...]
    triggered_by: str
    message: str


class VersionEvent(NamedTuple):
    """A version's process began or ceased to run.

    Args:
        state: ``starting``, ``started``, ``crashed``, ``stopped``, ``asleep``.
        trouble: Why it does not run, or empty.
        pid: Of its process; 0 where it has none.
    """

    at: float
    worker: str
    version_id: str
    label: str
    state: str
    trouble: str
    pid: int


Event = RequestEvent | WebSocketEvent | ConsoleEvent | ExceptionEvent | ResetEvent | DeploymentEvent | VersionEvent

KIND_OF: Final = {
    RequestEvent: EventKind.REQUEST,
    WebSocketEvent: EventKind.WEBSOCKET,
    ConsoleEvent: EventKind.CONSOLE,
    ExceptionEvent: EventKind.EXCEPTION,
    ResetEvent: EventKind.RESET,
    DeploymentEvent: EventKind.DEPLOYMENT,
    VersionEvent: EventKind.VERSION,
}


class EndedRequest(Protocol):
    """A request that is over, in the place of its event: what can be told of it without making one.

    Attributes:
        ray: See ``RequestEvent``, as the others.
    """

    @property
    def ray(self) -> str: ...  # noqa: D102 - as above
    @property
    def worker(self) -> str: ...  # noqa: D102
    @property
    def version_id(self) -> str: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def duration_us(self) -> int: ...  # noqa: D102

    def event(self) -> RequestEvent:
        """Return the event, the same one however often it is asked for."""
