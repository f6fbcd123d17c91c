"""The data plane as a whole: listens, keeps time, drains."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections import Counter
from collections.abc import Iterable
from typing import Final

import structlog

from gateway.model.version import VersionId
from gateway.proxy.downstream import ClientConnection
from gateway.proxy.edge import Edge
from gateway.proxy.pool import Pool
from gateway.proxy.routing_table import RoutingTable
from gateway.runtime.runner import Upstream
from gateway.settings import Address

log = structlog.get_logger("gateway.proxy")

SWEEP_SECONDS: Final = 0.25
HALF_CLOSED_TUNNEL_SECONDS: Final = 60.0
BACKLOG: Final = 1024


class DataPlane:
    """Accepts clients and serves them by the table in force."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._pools: dict[tuple[VersionId, str], Pool] = {}
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def serving(self) -> bool:
        """Whether clients are accepted."""
        return any(server.is_serving() for server in self._servers)

    async def bind(self, address: Address) -> Address:
        """Take an address without accepting anybody yet, and return it (port 0 takes a free one).

        Raises:
            OSError: The address cannot be had.
        """
        raise_file_limit()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: ClientConnection(self._edge), address.host, address.port, backlog=BACKLOG, start_serving=False
        )
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return Address(host, port)

    async def serve(self) -> None:
        """Accept clients."""
        for server in self._servers:
            await server.start_serving()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def pool_for(self, upstream: Upstream, side: str = "") -> Pool:
        """Return the pool of a version, or of another ``side`` of it; it outlives the tables it stands in."""
        key = (upstream.version.id, side)
        pool = self._pools.get(key)
        if pool is None or pool.upstream is not upstream:
            pool = self._pools[key] = Pool(upstream, self._edge.settings, self._edge)
        return pool

    def _pools_of(self, version_ids: Iterable[VersionId]) -> list[Pool]:
        wanted = set(version_ids)
        return [pool for (version_id, _), pool in self._pools.items() if version_id in wanted]

    def is_used(self, version_id: VersionId, since: float) -> bool:
        """Tell whether a version has a request under way, or had one since a time on the edge's clock."""
        return any(pool.exchanges or pool.used_at >= since for pool in self._pools_of([version_id]))

    def websockets(self) -> Counter[VersionId]:
        """Return how many WebSockets are open, by version."""
        return Counter(tunnel.version_id for tunnel in self._edge.tunnels)

    def in_flight(self) -> Counter[VersionId]:
        """Return how many requests are under way, by version; WebSockets are told apart."""
        busy: Counter[VersionId] = Counter()
        for (version_id, _), pool in self._pools.items():
            busy[version_id] += pool.exchanges
        return +(busy - self.websockets())

    def use(self, table: RoutingTable) -> None:
        """Route by ``table`` from the next request on; requests under way go on as they were decided."""
        self._edge.use(table)

    async def idle(self, version_ids: Iterable[VersionId], grace_seconds: float) -> None:
        """Return once no exchange with these versions is under way, or the time is up."""
        pools = self._pools_of(version_ids)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                while any(pool.exchanges for pool in pools):
                    await asyncio.sleep(0.02)

    def forget(self, version_ids: Iterable[VersionId]) -> None:
        """Close the idle connections to versions that are gone."""
        gone = set(version_ids)
        for key in [key for key in self._pools if key[0] in gone]:
            self._pools.pop(key).close()

    async def drain(self) -> None:
        """Accept nobody more, let requests finish, then end all that is left."""
        edge = self._edge
        edge.draining = True
        for server in self._servers:
            server.close()
        for tunnel in list(edge.tunnels):
            tunnel.abort()
        for connection in list(edge.connections):
            connection.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(edge.settings.drain_seconds):
                while edge.connections:
                    await asyncio.sleep(0.02)
        for connection in list(edge.connections):
            connection.abort()
        for pool in self._pools.values():
            pool.close()
        edge.cancel_tasks()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _sweep(self) -> None:
        edge = self._edge
        edge.tick()
        edge.recorder.fold()
        now = edge.now
        for connection in list(edge.connections):
            connection.check(now)
        for pool in self._pools.values():
            pool.sweep(now)
        for tunnel in list(edge.tunnels):
            if tunnel.half_closed_at is not None and now - tunnel.half_closed_at > HALF_CLOSED_TUNNEL_SECONDS:
                tunnel.abort()
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each client and each upstream connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError) as error:
        log.warning("file_limit.not_raised", soft=soft, hard=hard, error=str(error))
