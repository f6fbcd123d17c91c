"""Idle connections to one version; what may be used again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gateway.proxy.memo import HeadMemo
from gateway.proxy.messages import ResponseHead
from gateway.proxy.upstream import UpstreamConnection
from gateway.runtime.runner import Upstream, VersionState
from gateway.settings import ProxySettings

if TYPE_CHECKING:
    from gateway.model.version import Version


class CoarseClock(Protocol):
    """A monotonic clock that is set a few times a second: reading it costs nothing.

    Attributes:
        now: Seconds.
    """

    now: float


class VersionUnreachable(Exception):
    """No connection to a version can be had; ``timed_out`` where it took too long."""

    def __init__(self, why: str, *, timed_out: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.timed_out = timed_out


class Pool:
    """Connections to one version, the one used last first, so that the others can age and go.

    Attributes:
        exchanges: Requests under way, WebSockets too; a version is not stopped before it is 0 or time is up.
        used_at: When a request ended last, on the coarse clock.
    """

    def __init__(self, upstream: Upstream, settings: ProxySettings, clock: CoarseClock) -> None:
        self.upstream = upstream
        self.memo: HeadMemo[ResponseHead] = HeadMemo()
        self._clock = clock
        self.exchanges = 0
        self.used_at = 0.0
        self._settings = settings
        self._idle: list[UpstreamConnection] = []
        self._closed = False

    @property
    def version(self) -> Version:
        """The version behind the pool."""
        return self.upstream.version

    def take(self) -> UpstreamConnection | None:
        """Return an idle connection on which nothing has arrived since its last answer, or ``None``."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_quiet():
                return connection
            connection.close()
        return None

    def put(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose last exchange ended cleanly."""
        if self._closed or len(self._idle) >= self._settings.pool_connections:
            connection.close()
            return
        connection.idle_since = self.used_at = self._clock.now
        self._idle.append(connection)

    def discard(self, connection: UpstreamConnection) -> None:
        """Forget an idle connection that the version closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def sweep(self, now: float) -> None:
        """Close what has been idle too long; the oldest stand first."""
        limit = now - self._settings.pool_idle_seconds
        while self._idle and self._idle[0].idle_since < limit:
            self._idle.pop(0).close()

    def close(self) -> None:
        """Close all idle connections and keep none from now on."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def connect(self, make: Callable[[Pool], UpstreamConnection] = UpstreamConnection) -> UpstreamConnection:
        """Open a connection, waiting for a version that is still starting.

        Args:
            make: What makes its protocol.

        Raises:
            VersionUnreachable: The version does not run, refuses or takes too long: the client gets 502 or 504.
        """
        upstream = self.upstream
        if upstream.state is VersionState.ASLEEP:
            upstream.wake()
        if upstream.state is VersionState.STARTING:
            await self._wait_for_start()
        endpoint = upstream.endpoint
        if endpoint is None:
            raise VersionUnreachable(upstream.trouble or f"it is {upstream.state}")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                if endpoint.unix_path:
                    _, connection = await loop.create_unix_connection(lambda: make(self), endpoint.unix_path)
                else:
                    _, connection = await loop.create_connection(lambda: make(self), endpoint.host, endpoint.port)
        except TimeoutError:
            why = f"no connection to {endpoint} within {self._settings.connect_seconds:g} s"
            raise VersionUnreachable(why, timed_out=True) from None
        except OSError as error:
            raise VersionUnreachable(f"cannot connect to {endpoint}: {error.strerror or error}") from None
        return connection

    async def _wait_for_start(self) -> None:
        try:
            async with asyncio.timeout(self._settings.start_seconds):
                await self.upstream.settled()
        except TimeoutError:
            why = f"it is still starting after {self._settings.start_seconds:g} s"
            raise VersionUnreachable(why, timed_out=True) from None
