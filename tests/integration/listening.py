"""Somebody who listens to a gateway's events in a thread of their own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gateway.control.client import ClientError, ServerEvent
from tests.integration.edge_process import EdgeProcess
from tests.integration.waiting import wait_for


class Listener:
    """What was heard so far."""

    def __init__(self) -> None:
        self.heard: list[ServerEvent] = []

    def of(self, kind: str, **wanted: object) -> list[Mapping[str, Any]]:
        """Return the events of a kind whose fields have these values."""
        return [
            event.content
            for event in list(self.heard)
            if event.kind == kind and wanted.items() <= event.content.items()
        ]

    def wait_for(self, kind: str, count: int = 1, **wanted: object) -> list[Mapping[str, Any]]:
        """Return those events once there are so many."""

        def look() -> list[Mapping[str, Any]] | None:
            found = self.of(kind, **wanted)
            return found if len(found) >= count else None

        return wait_for(look, f"{count} events of kind {kind} with {wanted} in {self.heard[-5:]}")


@contextmanager
def listening(
    edge: EdgeProcess, stream: Callable[..., Iterator[ServerEvent]] | None = None, **filters: Any
) -> Iterator[Listener]:
    """Listen until the gateway ends, which the test must see to; begins once the gateway knows of the listener."""
    listener = Listener()
    events = stream(**filters) if stream else edge.api.events(last=500, **filters)

    def listen() -> None:
        with contextlib.suppress(ClientError):
            for event in events:
                listener.heard.append(event)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield listener
