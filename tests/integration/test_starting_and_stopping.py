"""How a gateway ends (draining what is under way), and that it runs without uvloop."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import ROOT, EdgeProcess, one_worker, spec, version
from tests.integration.http_client import KEY, Connection, call
from tests.integration.processes import mapped_files
from tests.integration.scripted_origin import Origin, answer, read_head, scripted_origin
from tests.integration.waiting import eventually

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


class Gate:
    """A version that answers once it may.

    Attributes:
        arrived: How many requests have reached it.
    """

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.arrived = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            head = await read_head(reader)
            self.arrived += 1
            if b"Upgrade" in head:
                writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                await reader.read()
                return
            if b"/half" in head:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
            if b"/quick" not in head:
                await self.opened.wait()
            length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or 0)
            body = await reader.readexactly(length)
            writer.write(b"def" if b"/half" in head else answer(b"done " + body))


async def refuses_connections(edge: EdgeProcess) -> bool:
    """Tell whether a new client is refused."""
    try:
        _, writer = await asyncio.open_connection(edge.host, edge.port)
    except ConnectionRefusedError:
        return True
    writer.transport.abort()
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_under_way_ends_well_and_nothing_new_begins(
    start_edge: StartEdge, number: signal.Signals
) -> None:
    """Design 7, "Ctrl-C drains": requests, uploads, begun answers finish; idle clients and sockets end; exit 0."""
    gate = Gate()
    async with scripted_origin(gate.serve) as origin:
        edge = start_edge(origin.config())
        clients = [await Connection.open(edge) for _ in range(6)]
        waiting, uploading, half, idle, socket, fresh = clients
        await waiting.send(waiting.head("/wait"))
        await uploading.send(uploading.head("/wait", {"Content-Length": "10"}, "POST") + b"12345")
        await half.send(half.head("/half"))
        assert (await idle.call("/quick")).body == b"done "
        await socket.send(socket.head("/ws", UPGRADE))
        assert (await socket.answer_head()).status == 101
        begun = await half.answer_head()
        await eventually(lambda: gate.arrived == 5, "all requests to be under way")

        edge.send(number)

        while not await refuses_connections(edge):
            await asyncio.sleep(0.01)
        for ended in (idle, socket, fresh):
            assert await ended.ends() == b""
        assert edge.is_running()
        gate.opened.set()
        await uploading.send(b"67890")
        for client, body in ((waiting, b"done "), (uploading, b"done 1234567890")):
            received = await client.answer()
            assert (received.status, received.body) == (200, body)
            assert received.header("Connection") == "close"
        assert await half.answer_body(begun) == b"abcdef"
        assert await asyncio.to_thread(edge.wait) == 0
        assert not (edge.state / "run.json").exists()
        for client in clients:
            assert await client.ends() == b""
            await client.close()


async def test_a_request_that_never_ends_does_not_keep_the_gateway_from_ending(start_edge: StartEdge) -> None:
    """Setting ``drain_seconds``: after that all that is left is cut, and the exit code is still 0."""
    gate = Gate()
    async with scripted_origin(gate.serve) as origin:
        edge = start_edge(origin.config(timeouts={"drain_seconds": 0.3}))
        async with await Connection.open(edge) as hanging, await Connection.open(edge) as sending:
            await hanging.send(hanging.head("/half"))
            await sending.send(sending.head("/", {"Content-Length": "10"}, "POST") + b"1")
            await eventually(lambda: gate.arrived == 2, "the requests to be under way")
            edge.send(signal.SIGTERM)
            assert await asyncio.to_thread(edge.wait) == 0
            assert (await hanging.ends()).endswith(b"\r\n\r\nabc")
            await sending.ends()


def test_versions_live_until_their_requests_are_answered(start_edge: StartEdge, tmp_path: Path) -> None:
    """Design 7: the gateway ends the processes it started only once nothing is under way."""
    gate = tmp_path / "gate"
    edge = start_edge(one_worker([version("v1", "objects_version")], {"v1": 100}))

    async def stop_meanwhile() -> bytes:
        async with await Connection.open(edge) as client:
            await client.send(client.head("/quick") + client.head(f"/hold?until={gate}"))
            await client.answer()
            edge.send(signal.SIGTERM)
            while not await refuses_connections(edge):
                await asyncio.sleep(0.01)
            gate.touch()
            return (await client.answer()).body

    assert b'"tag": "v1"' in asyncio.run(stop_meanwhile())
    assert edge.wait() == 0


async def test_a_full_cycle_on_the_standard_event_loop(start_edge: StartEdge, tmp_path: Path) -> None:
    """Issue 2, item 3: "Works on the standard event loop where uvloop does not exist"."""
    blocker = tmp_path / "blocked"
    blocker.mkdir()
    (blocker / "uvloop.py").write_text('raise ImportError("uvloop does not exist here")\n')
    versions = [version(tag, "facts_version") for tag in ("v1", "v2")]
    edge = start_edge(one_worker(versions, {"v1": 50, "v2": 50}), env={"PYTHONPATH": str(blocker)})
    assert "uvloop" not in mapped_files(edge.pid)

    body = bytes(range(256)) * 2000
    async with await Connection.open(edge) as client:
        for _ in range(20):
            facts = (await client.call("/x", method="POST", body=body)).json()
            assert facts["body_bytes"] == len(body)
        await client.send(client.head("/x", {"Transfer-Encoding": "chunked"}, "POST") + b"5\r\nabcde\r\n0\r\n\r\n")
        assert (await client.answer()).json()["body_bytes"] == 5
        await client.send(client.head("/version") * 50)
        assert {(await client.answer()).text for _ in range(50)} == {"v1", "v2"}
        created = await asyncio.to_thread(edge.api.deploy, "shop", spec(v2=100))
        received = await client.call("/version", {KEY: "user-1"})
        assert (received.text, received.decision["deployment"]) == ("v2", created["deployment"]["id"])
    edge.kill()
    edge.start()
    assert (await asyncio.to_thread(call, edge, "/version")).text == "v2"
    assert await asyncio.to_thread(edge.stop) == 0


async def test_sockets_and_gone_clients_on_the_standard_event_loop(start_edge: StartEdge, tmp_path: Path) -> None:
    """Issue 2, item 3, as above: an upgraded connection both ways, and a client that leaves."""
    (tmp_path / "uvloop.py").write_text('raise ImportError("uvloop does not exist here")\n')

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"Upgrade" in await read_head(reader):
            writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while piece := await reader.read(1000):
                writer.write(piece)
            writer.write(b"bye")
        else:
            await reader.read()

    origin: Origin
    async with scripted_origin(script) as origin:
        config = origin.config(timeouts={"half_closed_seconds": 0.2})
        edge = start_edge(config, env={"PYTHONPATH": str(tmp_path)})
        async with await Connection.open(edge) as client:
            await client.send(client.head("/", UPGRADE) + b"early")
            assert (await client.answer_head()).status == 101
            await client.send(b" and late")
            client.writer.write_eof()
            assert await client.ends() == b"early and latebye"
        for leave in (Connection.reset, Connection.close):
            gone = await Connection.open(edge)
            await gone.send(gone.head("/"))
            await eventually(lambda: origin.open == 1, "the request to arrive")
            if (closing := leave(gone)) is not None:
                await closing
            await eventually(lambda: origin.open == 0, "the version's connection to end")
            await gone.close()


def test_a_taken_port_ends_the_start_with_1_and_leaves_nothing(start_edge: StartEdge, tmp_path: Path) -> None:
    """Design 7: exit code 1 with a remedy; no process, no ``run.json``, and the state folder is free again."""
    edge = start_edge(one_worker([version("v1", "facts_version")], {"v1": 100}))
    other = EdgeProcess(tmp_path / "other", one_worker([version("v1", "facts_version")], {"v1": 100}))
    for option, port in (("--port", edge.port), ("--control-port", int(edge.control.rpartition(":")[2]))):
        ended = subprocess.run(
            [*other.command(), option, str(port)],
            cwd=ROOT, env=other.environment(), capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

        assert ended.returncode == 1
        assert f"{option} N" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not (other.state / "run.json").exists()
        assert other.processes() == []
    try:
        assert call(other.start(), "/version").text == "v1"
    finally:
        other.close()
    assert call(edge, "/version").text == "v1"
