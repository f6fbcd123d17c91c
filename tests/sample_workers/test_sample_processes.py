"""The samples as the gateway starts them: real processes with `$PORT`."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, ServerDisconnectedError, WSMsgType
from yarl import URL

from sample_workers.runtime import Settings, SettingsError, VersionMetadata, load_settings

ROOT = Path(__file__).parents[2]
METADATA = {"id": "dc8dcd28-271b-4367-9840-6c244f84cb40", "tag": "v1", "timestamp": "2026-11-23T10:00:00Z"}


@contextmanager
def bound_port() -> Iterator[int]:
    """Hold a port that nothing else has."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with bound_port() as port:
        return port


async def start(worker: str, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
    """Start a sample with nothing in its environment but what is given."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", f"sample_workers.{worker}", *arguments),
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(
    worker: str, version: str, **variables: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, str]]:
    """Run a sample; yield it with its URL and its start line, once it has printed that it listens."""
    port = free_port()
    process = await start(worker, version, PORT=str(port), **variables)
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        assert "listens on" in line, (await process.communicate())[1].decode()
        yield process, f"http://127.0.0.1:{port}", line
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def stop(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Send SIGTERM; return the exit code and everything printed since the start line."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (out + err).decode()


async def test_shop_listens_on_port_knows_its_version_and_ends_at_sigterm() -> None:
    """The contract with the gateway: $PORT, $CF_VERSION_METADATA (R107), one start line, a quiet end at once."""
    told = {"CF_VERSION_METADATA": json.dumps(METADATA), "GATEWAY_URL": "http://127.0.0.1:8787"}
    async with running("shop", "v1", **told) as (process, url, line), ClientSession(url) as client:
        assert line == f"shop v1 listens on {url} as version {METADATA['id']}\n"
        assert await (await client.get("/version")).text() == "v1\n"
        assert (await (await client.get("/metadata")).json())["metadata"] == METADATA
        assert "bundle-v1.js" in await (await client.get("/")).text()

        assert await stop(process) == (0, "")


async def test_sigterm_ends_open_streams_instead_of_waiting_for_them() -> None:
    """Streams that would last for hours: the WebSocket gets 1001, the events end, the process is gone."""
    async with running("shop", "v2") as (process, url, _), ClientSession(url) as client:
        socket_ = await client.ws_connect("/ws")
        await socket_.receive()
        events = await client.get("/events?n=100000&interval=600")
        await events.content.readline()

        stopping = asyncio.create_task(stop(process))
        closed = await socket_.receive()
        await events.content.read()

        assert (closed.type, closed.data) == (WSMsgType.CLOSE, 1001)
        assert await stopping == (0, "")


async def test_clients_that_leave_make_no_noise() -> None:
    """A client that goes in mid-stream, mid-body or mid-handshake is worth no line in the log."""
    async with running("shop", "v1") as (process, url, _):
        _, writer = await asyncio.open_connection(URL(url).host, URL(url).port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nbegun")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with ClientSession(url) as client:
            events = await client.get("/events?n=1000&interval=0.001")
            await events.content.readline()
            socket_ = await client.ws_connect("/ws", protocols=["other"])
            await socket_.receive()
            events.close()
        # The server goes on, and meets the ends of the above on its way.
        async with ClientSession(url) as client:
            await (await client.get("/version")).read()

        assert await stop(process) == (0, "")


async def test_crash_ends_the_process_with_exit_code_3_and_no_answer() -> None:
    """POST /crash is a crash: whoever runs the process sees code 3, the client a broken connection."""
    async with running("shop", "v1") as (process, url, _), ClientSession(url) as client:
        assert (await client.get("/crash")).status == 405
        with pytest.raises(ServerDisconnectedError):
            await client.post("/crash")
        async with asyncio.timeout(30):
            assert await process.wait() == 3


async def test_port_that_is_taken_is_a_clear_error() -> None:
    """Exit code 1, one line that names the address and what to set."""
    with bound_port() as port:
        process = await start("shop", "v1", PORT=str(port))
        _, err = await process.communicate()

    assert process.returncode == 1
    assert err.decode().startswith(f"shop: cannot listen on 127.0.0.1:{port}: ")
    assert err.decode().endswith("Set PORT to a free port.\n")
    assert err.count(b"\n") == 1


@pytest.mark.parametrize("worker", ["shop", "counter"])
async def test_missing_port_is_a_clear_error(worker: str) -> None:
    """Exit code 2, one line that says what to set."""
    process = await start(worker, "v1")
    _, err = await process.communicate()

    assert process.returncode == 2
    assert err.decode().startswith(f"{worker}: PORT is not set.")
    assert f"PORT=9101 python -m sample_workers.{worker} v1" in err.decode()
    assert err.count(b"\n") == 1


async def test_storage_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    """Exit code 1, one line that names the file and the variable, and the file is left as it was."""
    storage = tmp_path / "notes.txt"
    storage.write_text("no database " * 100)
    process = await start("counter", "v1", PORT=str(free_port()), COUNTER_STORAGE=str(storage))
    _, err = await process.communicate()

    assert process.returncode == 1
    assert err.decode().startswith(f"counter: cannot open the storage {storage}: file is not a database.")
    assert err.count(b"\n") == 1
    assert storage.read_text() == "no database " * 100


async def test_two_versions_share_one_storage_and_lose_no_count(tmp_path: Path) -> None:
    """R4: processes of v1 and v2, started together on a new file, write it at the same time."""
    storage = str(tmp_path / "new" / "counter.sqlite")
    header = {"Gateway-Object": "Counter/shared"}
    async with (
        running("counter", "v1", COUNTER_STORAGE=storage) as (one, url_one, _),
        running("counter", "v2", COUNTER_STORAGE=storage) as (two, url_two, _),
        ClientSession(headers=header) as client,
    ):
        responses = await asyncio.gather(
            *(client.post(f"{url}/increment") for _ in range(50) for url in (url_one, url_two))
        )
        counts = sorted([(await response.json())["stored_count"] for response in responses])
        assert counts == list(range(1, 101))

        assert await stop(one) == (0, "")
        assert await stop(two) == (0, "")


async def test_stored_count_survives_kill_9(tmp_path: Path) -> None:
    """What was answered is stored: memory is gone with the process, the count is not."""
    storage = str(tmp_path / "counter.sqlite")
    header = {"Gateway-Object": "Counter/foo"}
    async with running("counter", "v1", COUNTER_STORAGE=storage) as (process, url, _):
        async with ClientSession(headers=header) as client:
            await (await client.post(url)).read()
        process.kill()
        await process.wait()
    async with (
        running("counter", "v1", COUNTER_STORAGE=storage) as (_, url, _),
        ClientSession(headers=header) as client,
    ):
        answer = await (await client.get(url)).json()

    assert (answer["memory_count"], answer["stored_count"]) == (0, 1)


def test_settings_are_read_from_arguments_and_environment() -> None:
    """All a Worker is told, in one frozen value."""
    environ = {
        "PORT": "9101",
        "CF_VERSION_METADATA": json.dumps(METADATA | {"more": 1}),
        "GATEWAY_URL": "http://localhost:8787/",
    }

    assert load_settings("shop", ["v2"], environ) == Settings(
        worker="shop",
        version="v2",
        port=9101,
        metadata=VersionMetadata(**METADATA),
        gateway_url="http://localhost:8787",
    )


@pytest.mark.parametrize("arguments", [[], ["v3"], ["V1"], ["v1", "v2"]])
def test_arguments_that_name_no_version_are_refused(arguments: list[str]) -> None:
    """The usage line says how to start it."""
    with pytest.raises(SettingsError, match=r"usage: python -m sample_workers\.shop v1\|v2"):
        load_settings("shop", arguments, {"PORT": "1"})


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80.5", " 80", "²", "9" * 5000])
def test_port_that_is_none_is_refused(port: str) -> None:
    """The error names the variable and its range."""
    with pytest.raises(SettingsError, match="Set PORT to a number from 1 to 65535"):
        load_settings("shop", ["v1"], {"PORT": port})


@pytest.mark.parametrize(
    "metadata", ["x", "[]", "null", "7", '"id"', "{}", '{"id": "a"}', '{"id": 1, "tag": "", "timestamp": ""}']
)
def test_metadata_of_another_shape_is_refused(metadata: str) -> None:
    """R107: id, tag and timestamp, or nothing at all."""
    with pytest.raises(SettingsError, match="is not version metadata"):
        load_settings("shop", ["v1"], {"PORT": "9101", "CF_VERSION_METADATA": metadata})


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8787",
        "ftp://x",
        "http://",
        "http://x:y",
        "http://x:99999",
        "http://x/?a",
        "http://x /",
        "http://[",
    ],
)
def test_gateway_url_that_is_no_base_is_refused(url: str) -> None:
    """The error names the variable and gives an example."""
    with pytest.raises(SettingsError, match=r"Set it to the gateway's address"):
        load_settings("counter", ["v1"], {"PORT": "9101", "GATEWAY_URL": url})
