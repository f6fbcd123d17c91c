"""Upstream for large bodies: ``python -m benchmarks.body_upstream FILE PORT PORT``.

``GET`` sends the file; ``POST`` takes a body of known length and answers with the number of bytes. A query of
``crc`` adds the CRC-32 of the body, ``stall`` waits a second before reading on: a proxy without back-pressure
then holds the body.

Blocking sockets and one thread per connection, as this does least between the kernel and the proxy that is
measured.
"""

import os
import socket
import sys
import threading
import time
import zlib
from pathlib import Path

_BUFFER_BYTES = 256 * 1024
_HEAD_LIMIT_BYTES = 64 * 1024
STALL_SECONDS = 1.0


def _answer(connection: socket.socket, body: str) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def _send_file(connection: socket.socket, path: Path) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        connection.sendfile(file)


def _take_body(connection: socket.socket, first: bytes, length: int, query: str) -> None:
    with_crc = "crc" in query
    received, crc = len(first), zlib.crc32(first)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    if "stall" in query:
        time.sleep(STALL_SECONDS)
    while received < length:
        count = connection.recv_into(buffer)
        if count == 0:
            return
        received += count
        if with_crc:
            crc = zlib.crc32(buffer[:count], crc)
    _answer(connection, f"{received} {crc}" if with_crc else str(received))


def _serve(connection: socket.socket, path: Path) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pending = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in pending:
                data = connection.recv(65536)
                if not data or len(pending) > _HEAD_LIMIT_BYTES:
                    return
                pending += data
            head, pending = pending.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            method, target = lines[0].split(" ")[:2]
            fields = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
            }
            if method == "GET" and target.startswith("/big"):
                _send_file(connection, path)
            elif method == "GET":
                _answer(connection, "small")
            elif "content-length" in fields:
                if fields.get("expect", "").lower() == "100-continue":
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                _take_body(connection, pending, int(fields["content-length"]), target.partition("?")[2])
                pending = b""
            else:
                # The client names the length, so a proxy that goes over to chunks does other work than its
                # peers.
                connection.sendall(
                    b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return


def _serve_quietly(connection: socket.socket, path: Path) -> None:
    try:
        _serve(connection, path)
    except OSError as error:
        print(f"connection ended: {error}", flush=True)


def _listen(port: int, path: Path) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=128) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve_quietly, args=(connection, path), daemon=True).start()


def main(arguments: list[str]) -> None:
    """Serve on every port named until the process is ended."""
    path, ports = Path(arguments[0]), [int(port) for port in arguments[1:]]
    threads = [threading.Thread(target=_listen, args=(port, path)) for port in ports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
