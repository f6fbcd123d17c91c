"""Bodies as large as one likes, through flat memory; the slower side sets the pace."""

from __future__ import annotations

import asyncio
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.edge_process import EdgeProcess, one_worker, running_edge, version
from tests.integration.http_client import Connection
from tests.integration.processes import forget_memory_peak, memory_bytes
from tests.integration.scripted_origin import answer, read_head, scripted_origin
from tests.integration.waiting import PATIENCE_SECONDS, eventually

MIB = 2**20
GIB = 2**30
MOST_GROWTH = 32 * MIB
MOST_UNDER_WAY = 64 * MIB
"""More than all socket buffers between two sides can hold; far less than the bodies below."""

BLOCK = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """A gateway whose version takes and gives bodies of any length."""
    folder: Path = tmp_path_factory.mktemp("edge")
    with running_edge(folder, one_worker([version("v1", "streams_version")], {"v1": 100})) as edge:
        with connected(edge) as client:  # what a first request loads is no growth
            download(client, MIB, "")
            upload(client, MIB)
        yield edge


def connected(edge: EdgeProcess) -> socket.socket:
    """Return a plain connection to the data plane."""
    return socket.create_connection((edge.host, edge.port), PATIENCE_SECONDS)


def read_until_empty_line(client: socket.socket) -> tuple[bytes, bytes]:
    """Return an answer's head, and what came of the body with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(2**16)
        assert piece, data
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    return head, rest


def upload(client: socket.socket, length: int) -> bytes:
    """Send a body of known length; return the answer's body."""
    client.sendall(b"POST /upload HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: %d\r\n\r\n" % length)
    for _ in range(length // len(BLOCK)):
        client.sendall(BLOCK)
    head, body = read_until_empty_line(client)
    assert b"content-length" in head.lower()
    while not body.endswith(b"}"):
        body += client.recv(2**16)
    return body


def download(client: socket.socket, length: int, query: str) -> int:
    """Ask for a body; return how many bytes of payload and framing came until it was complete."""
    client.sendall(f"GET /download?bytes={length}{query} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n".encode())
    head, rest = read_until_empty_line(client)
    buffer = bytearray(MIB)
    total = len(rest)
    chunked = b"transfer-encoding: chunked" in head.lower()
    tail = rest[-5:]
    while (tail != b"0\r\n\r\n") if chunked else total < length:
        count = client.recv_into(buffer)
        assert count, f"cut after {total} bytes"
        total += count
        tail = (tail + bytes(buffer[max(0, count - 5) : count]))[-5:]
    return total


def assert_memory_stays_flat(edge: EdgeProcess, transfer: Callable[[], None]) -> None:
    """The gateway's resident memory may at its peak be little more than before."""
    before = memory_bytes(edge.pid)
    forget_memory_peak(edge.pid)

    transfer()

    grown = memory_bytes(edge.pid, "VmHWM") - before
    assert grown < MOST_GROWTH, f"grown by {grown / MIB:.1f} MiB"


def test_an_upload_of_1_gib_goes_through_flat_memory(edge: EdgeProcess) -> None:
    """Issue 2, "``curl -T 1GiB.bin`` up … memory flat"; every byte arrives."""

    def transfer() -> None:
        with connected(edge) as client:
            assert upload(client, GIB).startswith(b'{"bytes": %d,' % GIB)

    assert_memory_stays_flat(edge, transfer)


def test_a_download_of_1_gib_goes_through_flat_memory(edge: EdgeProcess) -> None:
    """Issue 2, "a 1 GiB download: memory flat"."""

    def transfer() -> None:
        with connected(edge) as client:
            assert download(client, GIB, "") == GIB

    assert_memory_stays_flat(edge, transfer)


def test_a_chunked_download_goes_through_flat_memory(edge: EdgeProcess) -> None:
    """Design 3.5: bodies stream, "never held whole"; without a known length too."""

    def transfer() -> None:
        with connected(edge) as client:
            assert download(client, 256 * MIB, "&chunked=1") > 256 * MIB

    assert_memory_stays_flat(edge, transfer)


async def test_a_chunked_upload_arrives_byte_for_byte(edge: EdgeProcess) -> None:
    """Design 3.5, "chunked both ways": pieces of many lengths, and the checksum of what arrived."""
    checksum = total = 0
    async with await Connection.open(edge) as connection:
        await connection.send(connection.head("/upload?crc=1", {"Transfer-Encoding": "chunked"}, "POST"))
        for number in range(1, 400):
            piece = BLOCK[number : number * 700 + 1]
            checksum, total = zlib.crc32(piece, checksum), total + len(piece)
            await connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await connection.send(b"0\r\n\r\n")
        received = await connection.answer()

    assert received.json() == {"bytes": total, "crc32": checksum}


class Counted:
    """How much went into a stream that the other end does not read."""

    def __init__(self) -> None:
        self.sent = 0

    async def fill(self, writer: asyncio.StreamWriter, total: int) -> None:
        """Write so much, as fast as it is taken."""
        while self.sent < total:
            writer.write(BLOCK[: 2**16])
            await writer.drain()
            self.sent += 2**16

    async def stalls(self) -> None:
        """Return once nothing was taken for a while; to be early is to the tested side's favour."""
        last, since = -1, time.monotonic()

        def still() -> bool:
            nonlocal last, since
            if self.sent != last:
                last, since = self.sent, time.monotonic()
            return time.monotonic() - since > 0.4

        await eventually(still, "the writer to be stopped")


async def test_a_client_that_does_not_read_stops_the_version(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """Issue 2, "slow readers stop the upstream rather than fill memory"; once it reads, all of it comes."""
    counted, total = Counted(), 192 * MIB

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        await counted.fill(writer, total)
        await reader.read()

    async with scripted_origin(script, listener=listener):
        before = memory_bytes(scripted_edge.pid)
        async with await Connection.open(scripted_edge) as client:
            await client.send(client.head("/"))
            await counted.stalls()
            assert counted.sent < MOST_UNDER_WAY
            assert memory_bytes(scripted_edge.pid) - before < MOST_GROWTH

            head = await client.answer_head()
            left = total
            while left:
                left -= len(await client.reader.read(MIB))
            assert head.header("Content-Length") == str(total)


async def test_a_version_that_does_not_read_stops_the_client(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """Design 3.5: "Bodies stream both ways with back-pressure": the same for an upload."""
    counted, total = Counted(), 192 * MIB
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await go_on.wait()
        left = total
        while left:
            left -= len(await reader.read(MIB))
        writer.write(answer(b"all of it"))
        await reader.read()

    async with scripted_origin(script, listener=listener):
        before = memory_bytes(scripted_edge.pid)
        async with await Connection.open(scripted_edge) as client:
            await client.send(client.head("/", {"Content-Length": str(total)}, "POST"))
            filling = asyncio.create_task(counted.fill(client.writer, total))
            await counted.stalls()
            assert counted.sent < MOST_UNDER_WAY
            assert memory_bytes(scripted_edge.pid) - before < MOST_GROWTH

            go_on.set()
            assert (await client.answer()).body == b"all of it"
            await filling


async def test_a_websocket_client_that_does_not_read_stops_the_version(
    scripted_edge: EdgeProcess, listener: socket.socket
) -> None:
    """Design 3.5 and 10: an upgraded connection has the same back-pressure; then all of it comes."""
    counted, total = Counted(), 192 * MIB

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await counted.fill(writer, total)
        await reader.read()

    async with scripted_origin(script, listener=listener):
        before = memory_bytes(scripted_edge.pid)
        async with await Connection.open(scripted_edge) as client:
            await client.send(client.head("/", {"Connection": "Upgrade", "Upgrade": "websocket"}))
            await counted.stalls()
            assert counted.sent < MOST_UNDER_WAY
            assert memory_bytes(scripted_edge.pid) - before < MOST_GROWTH

            assert (await client.answer_head()).status == 101
            left = total
            while left:
                left -= len(await client.reader.read(MIB))


@pytest.mark.parametrize("afterwards", ["stays", "reads on", "leaves"])
async def test_an_answer_before_the_end_of_a_long_upload_reaches_the_client(
    scripted_edge: EdgeProcess, listener: socket.socket, afterwards: str
) -> None:
    """Issue 2, item 3, "early answers": a version refuses a large body unread; the client still gets to know."""
    tested = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(answer(b"too large", "413 Content Too Large", "Connection: close"))
        if afterwards == "stays":
            await tested.wait()
        elif afterwards == "reads on":
            while await reader.read(MIB):
                pass

    async with scripted_origin(script, listener=listener):
        for _ in range(15):
            async with await Connection.open(scripted_edge) as client:
                await client.send(client.head("/", {"Content-Length": str(GIB)}, "POST"))
                filling = asyncio.create_task(Counted().fill(client.writer, 8 * MIB))
                refused = await client.answer()
                assert (refused.status, refused.body) == (413, b"too large")
                filling.cancel()
                await asyncio.gather(filling, return_exceptions=True)
        tested.set()
