"""Files that appear whole, and endpoints that are told what is sent."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.observability.logpush.batches import Batch
from gateway.observability.logpush.delivery import Deliverer, DeliveryFailed, write_file
from gateway.observability.logpush.destinations import HttpDestination
from tests.control.parts import CLOCK

BATCH = Batch((b'{"a":1}', b'{"a":2}'), CLOCK, CLOCK + 61)


@pytest_asyncio.fixture
async def deliverer() -> AsyncIterator[Deliverer]:
    """Return a deliverer that is surely closed."""
    made = Deliverer()
    yield made
    await made.close()


def test_a_batch_is_one_file_named_for_its_time(tmp_path: Path) -> None:
    """Cloudflare docs, Logpush: ``<begin>_<end>_<random>``, in the folder of its day; for its owner alone."""
    file = write_file(BATCH, tmp_path / "{DATE}")

    assert file.parent == tmp_path / "20270115"
    assert file.name.startswith("20270115T080000Z_20270115T080101Z_")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b'{"a":1}\n{"a":2}\n', 0o600)
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    """Issue C, Logpush: why a batch did not arrive."""
    (tmp_path / "a").write_text("")
    with pytest.raises(DeliveryFailed, match=r"a: (Not a directory|File exists)"):
        write_file(BATCH, tmp_path / "a")


async def test_an_endpoint_gets_gzip_and_headers(deliverer: Deliverer) -> None:
    """Cloudflare docs, Logpush to HTTP destination: POST, gzip, the headers of the address."""
    got: list[tuple[web.Request, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request, await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/in", take)
    async with TestServer(app) as server:
        await deliverer.deliver(BATCH, HttpDestination(str(server.make_url("/in?tags=a")), (("X-Team", "t"),)))

    ((request, body),) = got
    assert (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body) == BATCH.content
    assert (request.headers["Content-Encoding"], request.headers["X-Team"]) == ("gzip", "t")
    assert (request.content_type, request.query_string) == ("application/x-ndjson", "tags=a")


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_any_answer_but_success_is_a_failure(deliverer: Deliverer, status: int) -> None:
    """Issue C, Logpush: retried; a redirect is not followed, for it would take secrets elsewhere."""

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/in", refuse)
    async with TestServer(app) as server:
        with pytest.raises(DeliveryFailed, match=f"/in answered {status}"):
            await deliverer.deliver(BATCH, HttpDestination(str(server.make_url("/in?key=hush"))))


async def test_an_endpoint_that_is_not_there_is_told_without_secrets(
    deliverer: Deliverer, unused_tcp_port: int
) -> None:
    """Design 9: secrets are never in the log or in answers."""
    address = f"http://me:hush@127.0.0.1:{unused_tcp_port}/in?token=hush"
    with pytest.raises(DeliveryFailed, match=r"127.0.0.1:\d+/in: no connection") as caught:
        await deliverer.deliver(BATCH, HttpDestination(address))

    assert "hush" not in str(caught.value)
