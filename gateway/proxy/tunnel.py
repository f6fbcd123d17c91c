"""Relays an upgraded connection both ways until both sides have closed; bytes are not looked at.

A close frame, a subprotocol or a fragment therefore passes as it is. An end of one side is passed on as an end
of that side (half-close); a reset is passed on as a reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.model.version import VersionId


class Tunnel:
    """Two ends, and what is to be done once both are gone."""

    __slots__ = (
        "_closed",
        "_ended_sides",
        "_now",
        "_on_close",
        "client",
        "half_closed_at",
        "upstream",
        "version_id",
    )

    def __init__(
        self,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        version_id: VersionId,
        now: Callable[[], float],
        on_close: Callable[[Tunnel], None],
    ) -> None:
        self._on_close = on_close
        self._closed = False
        self._now = now
        self._ended_sides = 0
        self.half_closed_at: float | None = None
        self.client = client
        self.upstream = upstream
        self.version_id = version_id

    def open(self, from_client: bytes, from_upstream: bytes, *, client_ended: bool) -> None:
        """Take both transports over and pass on what came behind the two heads, an early end included."""
        self._ended_sides = int(client_ended)
        self.client.set_protocol(_End(self, self.upstream, ended=client_ended))
        self.upstream.set_protocol(_End(self, self.client, ended=False))
        if from_upstream:
            self.client.write(from_upstream)
        if from_client:
            self.upstream.write(from_client)
        if client_ended:
            self.half_closed_at = self._now()
            self.upstream.write_eof()
        self.client.resume_reading()
        self.upstream.resume_reading()

    def abort(self) -> None:
        """End both sides at once."""
        self.client.abort()
        self.upstream.abort()

    def side_ended(self) -> bool:
        """Count a side that ends, and return whether the other one goes on."""
        self._ended_sides += 1
        self.half_closed_at = self._now()
        return self._ended_sides == 1

    def end_lost(self, other: asyncio.Transport, exc: Exception | None) -> None:
        """One side is gone: end the other, and tell once."""
        if exc is None or other.get_write_buffer_size():
            other.close()  # what was received before a reset still arrives
        else:
            other.abort()
        if not self._closed:
            self._closed = True
            self._on_close(self)


class _End(asyncio.Protocol):
    """One side: what it receives goes to the other."""

    __slots__ = ("_ended", "_other", "_tunnel")

    def __init__(self, tunnel: Tunnel, other: asyncio.Transport, *, ended: bool) -> None:
        self._ended = ended
        self._tunnel = tunnel
        self._other = other

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def eof_received(self) -> bool:
        if self._ended:
            return True  # seen before the tunnel was opened, and passed on then
        self._ended = True
        if self._other.can_write_eof() and not self._other.is_closing():
            self._other.write_eof()
        return self._tunnel.side_ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.end_lost(self._other, exc)
