"""Calls the objects of ``projects/tracker``, and holds each answer to what it may be."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from tests.integration.http_client import OVERRIDES, Caller
from tests.wrangler.wrangler import Project

RESIDENT_SECONDS: Final = 8.0
"""workerd forgets an object that was idle for 10 s, of which this is well short."""

_USE_EVERY_SECONDS: Final = 0.1


class Tracked(NamedTuple):
    """An object as it was when it answered last."""

    object_id: str
    version: str
    memory_count: int
    stored_count: int
    at: float


class Trackers:
    """The objects of one Worker, by name."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.last: dict[str, Tracked] = {}
        self._lock = threading.Lock()

    def call(self, names: list[str], *, through: str | None = None) -> dict[str, str]:
        """Call objects and return the version of the handler that each call came through.

        Args:
            through: Version of the handler, chosen by override; else it is drawn.
        """
        headers = {} if through is None else {OVERRIDES: f'{self._project.name}="{through}"'}
        with self._lock, Caller(self._project.edge, self._project.host) as caller:
            return {name: self._call(caller, name, headers) for name in names}

    @contextmanager
    def in_use(self, names: list[str]) -> Iterator[None]:
        """Call objects again and again, so that they never become idle; an answer that is wrong fails the test."""
        stopped = threading.Event()

        def use() -> None:
            while not stopped.wait(_USE_EVERY_SECONDS):
                self.call(names)

        with ThreadPoolExecutor(1) as pool:
            self.call(names)
            using = pool.submit(use)
            try:
                yield
            finally:
                stopped.set()
                using.result()

    def version_after(self, handler: str, name: str) -> str:
        """Call an object once a version of the handler serves, and return the version that answered."""
        assert self.call([name]) == {name: handler}
        return self.versions([name])[name]

    def _call(self, caller: Caller, name: str, headers: Mapping[str, str]) -> str:
        answer = caller.call(f"/o/{name}", headers)
        assert answer.status == 200, answer
        told = answer.json()
        self._note(name, told["object"])
        return str(told["handler"])

    def _note(self, name: str, told: Mapping[str, Any]) -> None:
        before, now = self.last.get(name), time.monotonic()
        after = Tracked(told["id"], told["version"], told["memoryCount"], told["storedCount"], now)
        self.last[name] = after
        if before is None:
            assert (after.memory_count, after.stored_count) == (1, 1), (name, after)
            return
        assert after.object_id == before.object_id
        assert after.stored_count == before.stored_count + 1, (name, before, after)
        if after.version != before.version:
            assert after.memory_count == 1, (name, before, after)
        elif now - before.at < RESIDENT_SECONDS:
            assert after.memory_count == before.memory_count + 1, (name, before, after)

    def versions(self, names: list[str]) -> dict[str, str]:
        """Return the version that each object had when it answered last."""
        return {name: self.last[name].version for name in names}

    def points(self, names: list[str]) -> dict[str, float]:
        """Return each object's place on [0, 100): the first 32 bits of its id (R48)."""
        return {name: int(self.last[name].object_id[:8], 16) * 100 / 2**32 for name in names}
