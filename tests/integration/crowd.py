"""Clients that never stop asking: while something is changed, none of their requests may fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from tests.integration.edge_process import EdgeProcess
from tests.integration.http_client import Answer, Connection
from tests.integration.waiting import eventually

CLIENTS = 20


class Seen(NamedTuple):
    """One request and what came of it."""

    began_at: float
    answer: Answer

    @property
    def tag(self) -> str:
        """The version that answered, in its own words."""
        return self.answer.text

    @property
    def deployment(self) -> str:
        """Id of the deployment by which it was decided."""
        return str(self.answer.decision["deployment"])


class Crowd:
    """What the clients saw.

    Attributes:
        failures: What went wrong, of any kind; each client that fails connects anew.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.failures: list[str] = []
        self.connections = 0

    async def ask(self, edge: EdgeProcess, headers: Mapping[str, str]) -> None:
        """Ask for the version over one kept connection, for ever."""
        while True:
            async with await Connection.open(edge) as connection:
                self.connections += 1
                try:
                    while True:
                        began_at = time.monotonic()
                        answer = await connection.call("/version", headers)
                        self.seen.append(Seen(began_at, answer))
                        if answer.status != 200:
                            self.failures.append(f"{answer.status} {answer.text}")
                except (OSError, asyncio.IncompleteReadError) as error:
                    self.failures.append(repr(error))

    async def go_on(self, requests: int = 200) -> list[Seen]:
        """Return what follows from now on, once so many more requests that begin now or later are answered."""
        now = time.monotonic()
        await eventually(lambda: len(self.since(now)) >= requests, f"{requests} more requests")
        return self.since(now)

    def since(self, moment: float) -> list[Seen]:
        """Return the requests that began after a moment."""
        return [seen for seen in self.seen[-5000:] if seen.began_at > moment]


@asynccontextmanager
async def asking_crowd(edge: EdgeProcess, headers: Mapping[str, str] | None = None) -> AsyncIterator[Crowd]:
    """Let the clients ask as long as the context lasts, which must bring no failure and end no connection."""
    crowd = Crowd()
    loop = asyncio.get_running_loop()
    clients = [loop.create_task(crowd.ask(edge, headers or {})) for _ in range(CLIENTS)]
    try:
        await crowd.go_on()
        yield crowd
        await crowd.go_on()
    finally:
        for client in clients:
            client.cancel()
        ends = await asyncio.gather(*clients, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
    assert not crowd.failures
    assert crowd.connections == CLIENTS
