"""The shop: skew of HTML and script, what it tells of itself, and its streams."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from pytest_aiohttp.plugin import AiohttpClient, AiohttpServer

from sample_workers.runtime import SERVER_OPTIONS, CodeVersion, Settings, VersionMetadata
from sample_workers.shop.app import build_app

Client = TestClient[Request, Application]

METADATA = VersionMetadata("dc8dcd28-271b-4367-9840-6c244f84cb40", "stable", "2026-11-23T10:00:00Z")


def shop(version: CodeVersion, metadata: VersionMetadata = METADATA) -> Application:
    """Return the shop as one version."""
    return build_app(Settings(worker="shop", version=version, port=9101, metadata=metadata))


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    """Return a client of v1."""
    return await aiohttp_client(shop("v1"))


@pytest.mark.parametrize(("version", "other"), [("v1", "v2"), ("v2", "v1")])
async def test_html_asks_for_a_script_that_only_its_own_version_has(
    aiohttp_client: AiohttpClient, version: CodeVersion, other: CodeVersion
) -> None:
    """R82: HTML of one version names a file that the other lacks, 404."""
    ours, theirs = await aiohttp_client(shop(version)), await aiohttp_client(shop(other))

    html = await (await ours.get("/")).text()
    sources = re.findall(r'<script src="([^"]+)"', html)

    assert sources == [f"/bundle-{version}.js"]
    served = await ours.get(sources[0])
    assert (served.status, served.content_type) == (200, "text/javascript")
    missing = await theirs.get(sources[0])
    assert missing.status == 404
    assert "version skew" in await missing.text()


@pytest.mark.parametrize(("version", "other"), [("v1", "v2"), ("v2", "v1")])
async def test_the_script_reads_a_field_that_only_its_own_versions_api_has(
    aiohttp_client: AiohttpClient, version: CodeVersion, other: CodeVersion
) -> None:
    """R84: the API renamed a field; the page says under which name its script looks, and may ask its own host."""
    ours, theirs = await aiohttp_client(shop(version)), await aiohttp_client(shop(other))

    page = await ours.get("/")
    html, script = await page.text(), await (await ours.get(f"/bundle-{version}.js")).text()
    (field,) = re.findall(r"no field (\w+)", script)

    assert f"reads the field <code>{field}</code>" in html
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
    products = {one["name"]: one[field] for one in (await (await ours.get("/api/products")).json())["products"]}
    assert products == {"Mug": 1200, "Notebook": 750, "Pencil": 190}
    other_products = (await (await theirs.get("/api/products")).json())["products"]
    assert [one["name"] for one in other_products] == list(products)
    assert not any(field in one for one in other_products)


async def test_page_shows_its_version_and_says_missing_until_the_script_replaces_it(client: Client) -> None:
    """The page tells both halves of the skew by itself: the version of the HTML and whether the script arrived."""
    html = await (await client.get("/")).text()
    script = await (await client.get("/bundle-v1.js")).text()

    assert '<html lang="en" data-version="v1">' in html
    assert '<span class="badge" id="html-version">v1</span>' in html
    assert METADATA.id in html
    assert '<output id="script-status">script missing' in html
    assert 'getElementById("script-status")' in script
    assert "script arrived: bundle-v1.js, for HTML of ${htmlVersion}" in script


async def test_page_has_no_inline_script_and_its_policy_allows_none(client: Client) -> None:
    """The bundle is the only script: no inline code or handler could hide that it is missing."""
    response = await client.get("/")
    html = await response.text()

    assert re.findall(r"<script(?! src=)|\son[a-z]+=", html) == []
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]


async def test_every_link_of_the_page_leads_somewhere(client: Client) -> None:
    """The front page links to everything the Worker has; only the other version's bundle is a 404."""
    html = await (await client.get("/")).text()
    links = set(re.findall(r'(?:href|src)="(/[^"]*)"', html))

    assert links >= {"/version", "/metadata", "/cart", "/ws", "/echo", "/healthz", "/style.css"}
    statuses = {}
    for link in links:
        path = link.replace("&amp;", "&").replace("n=5", "n=1").replace("ms=2000", "ms=0")
        statuses[link] = (await client.get(path)).status
    assert {link: status for link, status in statuses.items() if status != 200} == {
        "/bundle-v2.js": 404,
        "/ws": 426,
    }


async def test_answers_are_never_cached(client: Client) -> None:
    """A cached bundle would hide which version the gateway draws for the next load."""
    for path in ("/", "/bundle-v1.js", "/version", "/metadata"):
        assert (await client.get(path)).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_version_is_the_version_alone(aiohttp_client: AiohttpClient, version: CodeVersion) -> None:
    """`curl …/version | sort | uniq -c` counts the split: one line, nothing else."""
    response = await (await aiohttp_client(shop(version))).get("/version")

    assert (await response.text(), response.content_type) == (f"{version}\n", "text/plain")


async def test_healthz_says_ok(client: Client) -> None:
    """A health check needs one cheap path."""
    assert await (await client.get("/healthz")).text() == "ok\n"


async def test_metadata_gives_the_binding_and_the_headers_that_matter(client: Client) -> None:
    """R107: id, tag and timestamp as the gateway gave them; and what reached the version of the request."""
    headers = {
        "Cloudflare-Workers-Version-Key": "user-1",
        "CF-Ray": "8f0a-LOC",
        "Gateway-Object": "Cart/a%20b",
        "Authorization": "secret",
    }
    told = await (await client.get("/metadata", headers=headers)).json()

    assert told["metadata"] == {"id": METADATA.id, "tag": "stable", "timestamp": "2026-11-23T10:00:00Z"}
    assert (told["worker"], told["version"]) == ("shop", "v1")
    assert {name: value for name, value in told["request_headers"].items() if value} == {
        "Cloudflare-Workers-Version-Key": "user-1",
        "CF-Ray": "8f0a-LOC",
        "Gateway-Object": "Cart/a%20b",
    }


async def test_page_without_metadata_says_that_nobody_told_it_an_id(aiohttp_client: AiohttpClient) -> None:
    """R108: a Worker that runs by itself cannot know the id a gateway gave it, and does not invent one."""
    client = await aiohttp_client(shop("v1", VersionMetadata()))

    assert "started without $CF_VERSION_METADATA" in await (await client.get("/")).text()


async def test_login_sets_the_cookie_and_the_page_greets(client: Client) -> None:
    """R26: the cookie `user` is there for whoever takes an affinity key from it."""
    response = await client.get("/login", params={"user": "ada@example.org"}, allow_redirects=False)

    assert (response.status, response.headers["Location"]) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(("user=ada@example.org;", 'user="ada@example.org";'))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "You are ada@example.org." in await (await client.get("/")).text()


@pytest.mark.parametrize("query", ["", "?user=", "?user=a%0d%0ab", "?user=%3Cb%3E", "?user=" + "x" * 65])
async def test_login_refuses_a_name_that_would_need_quoting(client: Client, query: str) -> None:
    """Bad input gets a clear error and sets no cookie."""
    response = await client.get("/login" + query, allow_redirects=False)

    assert response.status == 400
    assert "user must be" in await response.text()
    assert "Set-Cookie" not in response.headers


async def test_cookie_is_escaped_and_bytes_that_are_no_text_do_no_harm(client: Client) -> None:
    """What a client sends never becomes markup, nor a 500."""
    html = await (await client.get("/", headers={"Cookie": "user=<i>&"})).text()
    assert "You are &lt;i&gt;&amp;." in html

    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: user=\xff\xfe\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_websocket_names_its_version_then_echoes_text_and_binary(client: Client) -> None:
    """The version that took the upgrade says so in the first message; what follows comes back unchanged."""
    async with client.ws_connect("/ws", protocols=["echo.v1"]) as socket:
        assert socket.protocol == "echo.v1"
        assert await socket.receive_json() == {"version": "v1"}
        await socket.send_str("grüße")
        assert await socket.receive_str() == "grüße"
        await socket.send_bytes(b"\x00\xff")
        assert await socket.receive_bytes() == b"\x00\xff"


@pytest.mark.parametrize(("offered", "chosen"), [([], None), (["other"], None), (["x", "echo.v1"], "echo.v1")])
async def test_websocket_takes_only_its_own_subprotocol(
    client: Client, offered: list[str], chosen: str | None
) -> None:
    """A client that offers something else gets a connection without a subprotocol."""
    async with client.ws_connect("/ws", protocols=offered) as socket:
        assert socket.protocol == chosen


async def test_websocket_wants_an_upgrade(client: Client) -> None:
    """RFC 9110 section 15.5.22: an ordinary GET is told which protocol to speak."""
    response = await client.get("/ws")

    assert (response.status, response.headers["Upgrade"]) == (426, "websocket")
    with pytest.raises(WSServerHandshakeError):
        await client.ws_connect("/version")


async def test_events_are_as_many_as_asked_and_carry_the_version(client: Client) -> None:
    """An SSE stream ends after `n` events, each with an id and the version."""
    response = await client.get("/events", params={"n": "3", "interval": "0"})
    events = (await response.text()).split("\n\n")[:-1]

    assert response.content_type == "text/event-stream"
    assert [event.split("\n")[0] for event in events] == ["id: 1", "id: 2", "id: 3"]
    assert [json.loads(event.split("data: ")[1])["version"] for event in events] == ["v1"] * 3


async def test_first_event_does_not_wait_for_the_interval(client: Client) -> None:
    """Events are sent when they happen, not when the stream ends."""
    response = await client.get("/events", params={"n": "2", "interval": "600"})

    assert await response.content.readline() == b"id: 1\n"
    response.close()


async def test_slow_answers_after_waiting(client: Client) -> None:
    """The answer says how long it waited."""
    assert await (await client.get("/slow", params={"ms": "1"})).text() == "v1 waited 1 ms\n"


@pytest.mark.parametrize("path", ["/slow?ms=x", "/slow?ms=-1", "/slow?ms=nan", "/slow?ms=1e9", "/slow?ms="])
async def test_slow_refuses_a_wait_without_bounds(client: Client, path: str) -> None:
    """Bad input gets a clear error."""
    response = await client.get(path)

    assert (response.status, await response.text()) == (400, "ms must be a number from 0 to 600000.\n")


@pytest.mark.parametrize("path", ["/events?n=inf", "/events?n=-2", "/events?interval=nan", "/events?interval=a"])
async def test_events_refuses_numbers_without_bounds(client: Client, path: str) -> None:
    """Bad input gets a clear error."""
    response = await client.get(path)

    assert response.status == 400
    assert "must be a number from 0 to" in await response.text()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_echo_answers_with_the_body_and_its_length(client: Client, method: str) -> None:
    """Any method with a body gets it back, type and length included."""
    body = bytes(range(256)) * 1000
    response = await client.request(method, "/echo", data=body, headers={"Content-Type": "image/x-test"})

    assert response.headers["Content-Length"] == str(len(body))
    assert response.headers["Content-Type"] == "image/x-test"
    assert await response.read() == body


async def test_echo_leaves_a_compressed_body_compressed(
    aiohttp_client: AiohttpClient, aiohttp_server: AiohttpServer
) -> None:
    """The body comes back as it came: the bytes and their `Content-Encoding`."""
    server = await aiohttp_server(shop("v1"), **SERVER_OPTIONS)
    client: TestClient[Request, None] = await aiohttp_client(server, auto_decompress=False)
    body = gzip.compress(b"hello " * 100, mtime=0)
    response = await client.post("/echo", data=body, headers={"Content-Encoding": "gzip"})

    assert response.headers["Content-Encoding"] == "gzip"
    assert await response.read() == body


async def test_echo_answers_while_the_body_still_comes(client: Client) -> None:
    """The body is never held whole: a piece is back before the next is sent."""
    first_is_back = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await first_is_back.wait()
        yield b"second"

    response = await client.post("/echo", data=body())
    assert await response.content.readexactly(5) == b"first"
    first_is_back.set()
    assert await response.read() == b"second"


async def test_echo_without_a_body_is_empty(client: Client) -> None:
    """GET has nothing to give back."""
    response = await client.get("/echo")

    assert (response.headers["Content-Length"], await response.read()) == ("0", b"")


async def test_stopping_ends_streams_and_waits_at_once(aiohttp_client: AiohttpClient) -> None:
    """A stop ends events, answers waiting requests and closes WebSockets with 1001, without waiting them out."""
    client = await aiohttp_client(shop("v1"))
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as other:
        socket = await other.ws_connect(client.make_url("/ws"))
        await socket.receive()
        events = await other.get(client.make_url("/events?n=9&interval=600"))
        await events.content.readline()
        waiting = asyncio.create_task(other.get(client.make_url("/slow?ms=600000")))
        # The wait has begun when a request sent after it is answered.
        await asyncio.sleep(0)
        await (await other.get(client.make_url("/version"))).read()

        async with asyncio.timeout(30):
            await client.server.app.shutdown()  # type: ignore[attr-defined]
            closed = await socket.receive()
            rest = await events.content.read()
            slow = await waiting

    assert (closed.type, closed.data) == (WSMsgType.CLOSE, 1001)
    assert b"id: 2" not in rest
    assert (slow.status, await slow.text()) == (503, "v1 is stopping\n")
