"""One end of a TCP connection, held by hand: every byte, FIN and RST is ours to time, and what comes is kept.

Raw sockets rather than asyncio streams: a stream that fails to write stops reading, and then an answer sent
just before a reset is lost.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from enum import Enum


class Ended(Enum):
    """How the other side ended the connection, if it did."""

    OPEN = "open"
    EOF = "closed"
    RESET = "reset"


class Watch:
    """Lets tasks wait until something about a changing thing is true."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Let all that wait look again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def until(self, is_true: Callable[[], bool], seconds: float) -> bool:
        """Wait until the predicate holds; False where it did not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not is_true():
            left = deadline - loop.time()
            if left <= 0:
                return False
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            try:
                await asyncio.wait_for(future, left)
            except TimeoutError:
                return is_true()
            finally:
                self._waiting.discard(future)
        return True


class Wire:
    """A connected socket with a reader that never stops before the connection ends."""

    def __init__(self, sock: socket.socket, on_data: Callable[[], None] | None = None) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.ended = Ended.OPEN
        self.closed_here = False
        self.watch = Watch()
        self._sock = sock
        self.on_data = on_data
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self._sock, 1 << 17):
                self.received += data
                if self.on_data is not None:
                    self.on_data()
                self.watch.notify()
            self.ended = Ended.EOF
        except OSError:
            self.ended = Ended.RESET
        if self.on_data is not None:
            self.on_data()
        self.watch.notify()

    async def send(self, data: bytes) -> bool:
        """Send everything; False where the connection is no longer there."""
        if self.closed_here:
            return False
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except OSError:
            return False
        return True

    def half_close(self) -> None:
        """Send FIN, keep on reading."""
        if not self.closed_here:
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                return

    async def close(self) -> None:
        """Close both directions."""
        if self.closed_here:
            return
        self.closed_here = True
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        self._sock.close()
        self.watch.notify()

    async def reset(self) -> None:
        """Close with RST."""
        if not self.closed_here:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await self.close()

    async def until_ended(self, seconds: float) -> bool:
        """Wait until the other side has ended the connection."""
        return await self.watch.until(lambda: self.ended is not Ended.OPEN, seconds)
