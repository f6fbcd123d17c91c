"""Hands requests and lines of versions that workerd does not run to the tails, while somebody tails their Worker.

workerd tells of its invocations by itself (``traces.py``); of the others only the gateway can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker_code import WorkerdRuntime
from gateway.observability.event_bus import EventBus, Subscription, Told
from gateway.observability.events import ConsoleEvent, Event, EventKind, RequestEvent
from gateway.observability.request_items import item_of_line, item_of_request
from gateway.observability.tail import Later, TailHub
from gateway.observability.trace_items import TraceItem

BATCH_EVENTS: Final = 200
REST_SECONDS: Final = 0.05
"""With the batch, some 4,000 requests a second can be tailed; of more some are lost, and the reader is told."""

_KINDS: Final = frozenset({EventKind.REQUEST, EventKind.CONSOLE})


class Invocations:
    """See the module's first line.

    Args:
        version_of: Finds a version by its id.
        tags_of: Gives a Worker's script tags.
        later: Calls a function after some seconds.
    """

    def __init__(
        self,
        hub: TailHub,
        bus: EventBus,
        *,
        version_of: Callable[[VersionId], Version | None],
        tags_of: Callable[[WorkerName], Sequence[str]],
        later: Later,
    ) -> None:
        self._hub = hub
        self._bus = bus
        self._version_of = version_of
        self._tags_of = tags_of
        self._later = later
        self._reader = Subscription(self._woken, size=BATCH_EVENTS, screen=self._wanted)
        self._listening = False
        self._due = False

    def follow(self) -> None:
        """Listen while anybody tails, and only then; told whenever that may have changed."""
        if self._hub.is_used and not self._listening:
            self._listening = True
            self._bus.subscribe(self._reader, _KINDS, asks=False, every=False)
        elif self._listening and not self._hub.is_used:
            self._listening = False
            self._bus.unsubscribe(self._reader)

    def _wanted(self, event: Told) -> bool:
        if not self._hub.listening(WorkerName(event.worker)):
            return False
        version = self._version_of(VersionId(event.version_id))  # type: ignore[union-attr]  # both kinds have one
        return version is not None and not isinstance(version.runtime, WorkerdRuntime)

    def _woken(self) -> None:
        if not self._due:
            self._due = True
            self._later(REST_SECONDS, self._hand_over)

    def _hand_over(self) -> None:
        self._due = False
        taken = self._reader.take()
        for _, event in taken.events:
            version = self._version_of(VersionId(event.version_id))  # type: ignore[union-attr]  # as above
            if version is not None:
                self._hub.publish(version.worker, self._item(event, version))
        if taken.missed:
            self._hub.lose(taken.missed)

    def _item(self, event: Event, version: Version) -> TraceItem:
        tags = self._tags_of(version.worker)
        if isinstance(event, RequestEvent):
            return item_of_request(event, version, tags)
        assert isinstance(event, ConsoleEvent)  # noqa: S101 - no other kind was asked for
        return item_of_line(event, version, tags)
