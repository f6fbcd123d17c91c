"""WebSocket upstream that sends every message back: ``python -m benchmarks.websocket_echo PORT PORT``.

Only what the benchmark needs: whole frames of less than 126 bytes. Written on the bare protocol class so that
thousands of connections cost it little, and the machine's memory is left to the proxy that is measured.

Source: RFC 6455 sections 1.3 (handshake) and 5.2 (frames).
"""

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA
_SMALL_PAYLOAD_BYTES = 125
_MASKED_HEAD_BYTES = 6


def accept_value(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` that belongs to a ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


class _Echo(asyncio.Protocol):
    __slots__ = ("_open", "_pending", "_transport")

    def __init__(self) -> None:
        self._pending = b""
        self._open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's, but have all its methods.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        transport = self._transport
        if transport is None:
            return
        if not self._open and not self._shake_hands(transport):
            return
        while self._echo_frame(transport):
            pass

    def _shake_hands(self, transport: asyncio.Transport) -> bool:
        head, end, rest = self._pending.partition(b"\r\n\r\n")
        if not end:
            return False
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ": " in line)
        key = {name.lower(): value for name, value in fields.items()}.get("sec-websocket-key")
        self._pending = rest
        if key is None:
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwebsocket")
            return False
        transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_value(key).encode() + b"\r\n\r\n"
        )
        self._open = True
        return True

    def _echo_frame(self, transport: asyncio.Transport) -> bool:
        frame = self._pending
        if len(frame) < _MASKED_HEAD_BYTES:
            return False
        first, length = frame[0], frame[1] & 0x7F
        if length > _SMALL_PAYLOAD_BYTES or not frame[1] & 0x80:
            transport.abort()
            return False
        end = _MASKED_HEAD_BYTES + length
        if len(frame) < end:
            return False
        mask = frame[2:_MASKED_HEAD_BYTES]
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(frame[_MASKED_HEAD_BYTES:end]))
        self._pending = frame[end:]
        opcode = first & 0x0F
        if opcode == _PING:
            first = 0x80 | _PONG
        if opcode != _PONG:
            transport.write(bytes((first, length)) + payload)
        if opcode == _CLOSE:
            transport.close()
            return False
        return True


async def _serve(ports: list[str]) -> None:
    loop = asyncio.get_running_loop()
    for port in ports:
        await loop.create_server(_Echo, "127.0.0.1", int(port), backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1:]))
