"""Clients that call Durable Objects while deployments go through, and a witness that objects themselves tell.

Also run by hand with the issue's own figures; nothing here reads the environment.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.integration.edge_process import EdgeProcess
from tests.integration.http_client import Connection
from tests.integration.waiting import PATIENCE_SECONDS, eventually

CLIENTS: Final = 30
OBJECTS: Final = 24
SECONDS: Final = 15.0
"""How long the deployments are spread over."""

USES_BETWEEN: Final = 4
"""How often each object must be used between two deployments."""

RESET: Final = "Durable Object reset because its code was updated."
"""R56."""

GONE: Final = (
    "Connection closed: this Durable Object instance is no longer active. Reconnect or retry the request."
)
"""R57."""


class Use(NamedTuple):
    """One use of an object, in its own words; ``stored_count`` orders all uses of one object."""

    stored_count: int
    memory_count: int
    version: str
    token: str


class Witness:
    """A server that objects tell when they begin and each time they are used.

    What they send leaves only once what they wrote is safe, so what it hears is what the storage says.
    """

    def __init__(self) -> None:
        self.begun: dict[str, list[Use]] = defaultdict(list)
        self.used: dict[str, list[Use]] = defaultdict(list)
        self.connections: set[asyncio.Transport] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def hear(self, told: dict[str, str]) -> None:
        use = Use(int(told["storedCount"]), int(told["memoryCount"]), told["version"], told["token"])
        {"begin": self.begun, "use": self.used}[told["what"]][told["id"]].append(use)

    def check(self) -> None:
        """Hold each object's story to one life after the other, none overlapping.

        Raises:
            AssertionError: Two lives of one object knew of each other's writes, or did not know what came before.
        """
        for object_id, uses in self.used.items():
            counts = Counter(use.stored_count for use in uses)
            assert max(counts.values()) == 1, ("two lives wrote the same", object_id, counts.most_common(3))
            lives = [use.token for use in sorted(uses)]
            ends = sum(before != after for before, after in pairwise(lives))
            assert ends == len(set(lives)) - 1, ("two lives took turns", object_id, sorted(uses))
            first_of = {use.token: use.stored_count for use in sorted(uses, reverse=True)}
            for life in self.begun[object_id]:
                if life.token in first_of:
                    assert life.stored_count < first_of[life.token], (object_id, life)


class _Hearing(asyncio.Protocol):
    """One connection of an object to the witness."""

    def __init__(self, heard: Witness) -> None:
        self._heard = heard
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._heard.connections.add(self._transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._heard.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for head in heads:
            self._heard.hear(dict(parse_qsl(urlsplit(head.decode("latin-1").split(" ")[1]).query)))
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@asynccontextmanager
async def witness() -> AsyncIterator[Witness]:
    """Run a witness as long as the context lasts."""
    heard = Witness()
    server = await asyncio.get_running_loop().create_server(lambda: _Hearing(heard), "127.0.0.1", 0)
    heard.port = server.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        server.close()
        for transport in list(heard.connections):
            transport.abort()
        await eventually(lambda: not heard.connections, "the end of the witness's connections")


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        uses: By object.
        resets: Calls that ended with Cloudflare's message for a moved object, by message.
        failures: Anything else that was no answer.
        handlers: How many calls came through each version's handler.
    """

    uses: dict[str, list[Use]] = field(default_factory=lambda: defaultdict(list))
    resets: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    handlers: Counter[str] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """How many were answered in whatever way."""
        return sum(map(len, self.uses.values())) + self.resets.total() + len(self.failures)

    def marks(self) -> dict[str, int]:
        """Return how often each object was used until now."""
        return {name: len(uses) for name, uses in self.uses.items()}

    def every_object_used_since(self, before: Mapping[str, int]) -> bool:
        """Tell whether each object was used a few times since ``marks``, or a call failed.

        A few times, for the first answers may be those of calls that were under way. Without it an object could
        move away and back unseen, and its loss of memory would look like one without a move.
        """
        used = all(self.marks()[name] >= count + USES_BETWEEN for name, count in before.items())
        return used or bool(self.failures)

    def note(self, name: str, status: int, body: bytes, handler: str | None) -> None:
        """Note one answer."""
        if status != 200:
            self.failures.append(f"{name}: {status} {body[:300]!r}")
            return
        self.handlers[str(handler)] += 1
        told: dict[str, Any] = json.loads(body)
        if "error" not in told:
            use = told["result"]
            self.uses[name].append(Use(use["storedCount"], use["memoryCount"], use["version"], use["token"]))
        elif told["error"] in (RESET, GONE):
            self.resets[told["error"]] += 1
        else:
            self.failures.append(f"{name}: {told}")

    def check(self) -> int:
        """Hold what was seen to R46 and R56, and return how many moves were seen.

        Raises:
            AssertionError: A call failed, a count came twice, or memory was lost without a move or kept over one.
        """
        assert not self.failures, (len(self.failures), self.failures[:5])
        return sum(self._check_object(name, sorted(uses)) for name, uses in self.uses.items())

    def _check_object(self, name: str, uses: Sequence[Use]) -> int:
        moves = 0
        for before, after in pairwise(uses):
            assert after.stored_count > before.stored_count, ("a stored count came twice", name, before, after)
            passed = after.stored_count - before.stored_count
            if after.token == before.token:
                assert after.version == before.version, (name, before, after)
                assert after.memory_count - before.memory_count == passed, ("memory", name, before, after)
            else:
                assert after.version != before.version or passed > 1, (
                    "memory lost without a move",
                    name,
                    before,
                    after,
                )
                assert after.memory_count <= passed, ("memory kept over a move", name, before, after)
                moves += 1
        return moves


async def _use_for_ever(edge: EdgeProcess, host: str, names: Sequence[str], seen: Seen) -> None:
    """Call one object after another over one kept connection; where that ends, note it and open another."""
    while True:
        async with await Connection.open(edge, host) as connection:
            try:
                while True:
                    for name in names:
                        answer = await connection.call(_target(name))
                        seen.note(name, answer.status, answer.body, answer.header("handler"))
            except (OSError, asyncio.IncompleteReadError) as error:
                seen.failures.append(repr(error))


def _target(name: str) -> str:
    return f"/rpc?{urlencode({'name': name, 'do': 'countBeforeWitness'})}"


@asynccontextmanager
async def object_crowd(
    edge: EdgeProcess, host: str, *, clients: int = CLIENTS, objects: int = OBJECTS
) -> AsyncIterator[Seen]:
    """Let clients use objects as long as the context lasts; ``host`` is a Worker that runs ``prober.js``."""
    seen = Seen()
    names = [f"crowd-{number}" for number in range(objects)]
    loop = asyncio.get_running_loop()
    tasks = []
    for number in range(clients):
        start = number * objects // clients
        tasks.append(loop.create_task(_use_for_ever(edge, host, names[start:] + names[:start], seen)))
    try:
        await eventually(lambda: len(seen.uses) == objects or seen.failures, "a use of each object")
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*tasks, return_exceptions=True)


async def deploy_all(seen: Seen, deployments: Sequence[Callable[[], object]], *, seconds: float = SECONDS) -> None:
    """Make deployments, spread over a time, and some calls after each; each call blocks in a thread."""
    for deploy in deployments:
        await asyncio.gather(asyncio.to_thread(deploy), asyncio.sleep(seconds / len(deployments)))
        await eventually(partial(seen.every_object_used_since, seen.marks()), "calls of every object")
