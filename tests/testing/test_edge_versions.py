"""An edge takes versions of every kind, and says what is wrong with one that does not run."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web

from gateway.errors import PercentagesDoNotAddUp
from gateway.model.fault import InvalidFault
from gateway.testing import (
    Bundle,
    Edge,
    EdgeMisused,
    SyncEdge,
    assert_each_object_reset_at_most,
    assert_split,
    assert_version,
)
from tests.integration.edge_process import program
from tests.integration.workers_api import workerd

MODULE = """
import {{ DurableObject }} from "cloudflare:workers";
export class Cart extends DurableObject {{
  async fetch() {{
    const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    return new Response(`{tag} ${{count}}`);
  }}
}}
export default {{
  async fetch(request, env) {{
    const path = new URL(request.url).pathname;
    if (path === "/plain") return new Response(`{tag} ${{env.GREETING}}`);
    return env.CART.get(env.CART.idFromName(path)).fetch(request);
  }}
}};
"""


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """An edge as the plugin makes it."""
    async with Edge(7, workerd()) as edge:
        yield edge


def shop(tag: str) -> Callable[[], web.Application]:
    """Return a function that makes an application which answers with its tag."""

    def make() -> web.Application:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=tag)

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        return app

    return make


@asynccontextmanager
async def server(tag: str) -> AsyncIterator[str]:
    """Serve an application that is none of the edge's; yield its URL."""
    runner = web.AppRunner(shop(tag)())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


class Asgi:
    """An ASGI application that notes what it was told."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.told: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.told.append(scope["type"])
        await {"lifespan": self.live, "http": self.answer, "websocket": self.talk}[scope["type"]](
            scope, receive, send
        )

    async def live(self, scope: Any, receive: Any, send: Any) -> None:
        for kind in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{kind}"
            self.told.append(kind)
            await send({"type": f"lifespan.{kind}.complete"})

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        query = scope["query_string"].decode()
        text = f"{self.tag} {scope['method']} {scope['path']} {query} {len(body)}"
        headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        for piece in text:
            await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
        await send({"type": "http.response.body"})

    async def talk(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        if scope["path"] == "/refused":
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "bye":
                await send({"type": "websocket.close", "code": 4001, "reason": "bye"})
            elif message.get("text") is not None:
                await send({"type": "websocket.send", "text": f"{self.tag} {message['text']}"})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
        self.told.append("gone")


async def test_applications_functions_urls_and_commands_side_by_side(edge: Edge) -> None:
    """Issue 5, item 4: aiohttp apps, URLs, commands; each answers for its tag, and the edge tells which it was."""
    async with server("url") as url:
        edge.worker("shop", app=shop("app")(), made=shop("made"), url=url, command=program("facts_version"))
        for tag in ("app", "made", "url", "command"):
            await edge.deploy_shares("shop", {tag: 100})
            answer = await edge.client().get("/version")
            assert_version(answer, tag)
            assert (answer.status, answer.text, answer.reason) == (200, tag, "percentage")
        assert [request.label for request in edge.requests] == ["app", "made", "url", "command"]


async def test_an_asgi_application_gets_requests_whole_and_its_answers_stream(edge: Edge) -> None:
    """ASGI 3.0, HTTP: path, query and body arrive, status, repeated fields and pieces go back."""
    app = Asgi("asgi")
    edge.worker("shop", v1=app)
    await edge.deploy("shop", v1=100)

    answer = await edge.client().post("/a%20b?c=d", data=b"x" * 200_000)

    assert (answer.status, answer.text) == (201, "asgi POST /a b c=d 200000")
    assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    await edge.close()
    assert app.told == ["lifespan", "startup", "http", "shutdown"]


async def test_an_asgi_application_talks_over_websockets(edge: Edge) -> None:
    """ASGI 3.0, WebSocket: texts, bytes, subprotocol, close code, refusal."""
    app = Asgi("asgi")
    edge.worker("shop", v1=app)
    await edge.deploy("shop", v1=100)
    session = edge.client().session

    async with session.ws_connect("/talk", protocols=["soap"]) as socket:
        assert socket.protocol == "soap"
        await socket.send_str("hello")
        assert await socket.receive_str() == "asgi hello"
        await socket.send_bytes(b"\0\1")
        assert await socket.receive_bytes() == b"\0\1"
        await socket.send_str("bye")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4001
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await session.ws_connect("/refused")
    assert refused.value.status == 403


async def test_an_asgi_application_without_lifespan_is_left_alone(edge: Edge) -> None:
    """ASGI: a server must go on when the application raises at the lifespan scope."""

    async def app(scope: Any, _: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    edge.worker("shop", v1=app)
    await edge.deploy("shop", v1=100)

    assert (await edge.client().get()).status == 204


async def test_an_asgi_application_that_cannot_start_says_why(edge: Edge) -> None:
    """Its own words reach whoever reads the failed test."""

    async def app(_: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    edge.worker("shop", v1=app)
    with pytest.raises(EdgeMisused, match="version 'v1' of Worker 'shop': its startup failed: no database"):
        await edge.deploy("shop", v1=100)


async def test_modules_on_workerd_keep_their_objects_over_a_deployment(edge: Edge, tmp_path: Path) -> None:
    """Issue 5, item 4: Worker bundles; memory goes, storage stays, and the table tells of the one reset."""
    for tag in ("v1", "v2"):
        (tmp_path / f"{tag}.js").write_text(MODULE.format(tag=tag), "utf-8")
    bundles = {
        tag: Bundle(tmp_path / f"{tag}.js", durable_objects={"CART": "Cart"}, vars={"GREETING": "hello"})
        for tag in ("v1", "v2")
    }
    edge.worker("shop", v1=bundles["v1"], v2=bundles["v2"])
    await edge.deploy("shop", v1=100)
    client = edge.client()
    assert (await client.get("/plain")).text == "v1 hello"
    assert (await client.get("/a")).text == "v1 1"
    await edge.deploy("shop", v2=100)
    assert (await client.get("/a")).text == "v2 2"

    (cart,) = await edge.objects("shop", "Cart")
    assert (cart.running, cart.resets) == (edge.version_id("shop", "v2"), 1)
    assert_each_object_reset_at_most(edge, 1)
    with pytest.raises(AssertionError, match=r"shop Cart/\w+: 1 resets: v1 -> v2 \(deployment 2\)"):
        assert_each_object_reset_at_most(edge, 0)


async def test_a_command_that_does_not_run_fails_the_deployment_with_what_it_printed(edge: Edge) -> None:
    """A test must not go on against a version that is not there."""
    edge.worker("shop", v1=[sys.executable, "-c", "print('no such table'); raise SystemExit(3)"])

    with pytest.raises(EdgeMisused) as caught:
        await edge.deploy("shop", v1=100)

    assert "version 'v1' of Worker 'shop' does not run: its process ended with exit code 3" in str(caught.value)
    assert "no such table" in str(caught.value)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (7, "7 is nothing that runs"),
        ([], "[] is nothing that runs"),
        ("shop:app", "'shop:app': it must start with http:// or unix:"),
        ("http://127.0.0.1:1/path", "it names a server"),
        (Path("missing.js"), "there is no file"),
        (Path(__file__), "neither a wrangler file nor an ES module"),
    ],
)
def test_what_is_no_version_is_refused_where_it_is_declared(version: Any, told: str) -> None:
    """Errors name field, value and remedy."""
    with pytest.raises(EdgeMisused, match="version 'v1' of Worker 'shop'") as caught:
        Edge(1).worker("shop", v1=version)

    assert told in str(caught.value)
    assert caught.value.remedy


async def test_functions_that_make_nothing_and_take_too_much_are_refused(edge: Edge) -> None:
    """Found out only when they are called."""
    edge.worker("shop", v1=lambda: 7, v2=lambda one: one)
    with pytest.raises(EdgeMisused, match="the function that makes it returned 7"):
        await edge.deploy("shop", v1=100)
    other = Edge(1)
    other.worker("shop", v2=lambda one: one)
    with pytest.raises(EdgeMisused, match="takes 1 arguments"):
        await other.deploy("shop", v2=100)
    await other.close()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"routes": ["a*b/*"]}, "route 'a*b/*'"),
        ({"classes": {"Cart": "cart"}}, "classes: Cart='cart'"),
        ({"assignment": "random"}, "assignment='random' is no rule"),
        ({"classes": {"Cart": "path:/{name}"}, "v1": Bundle(Path("a.js"))}, "runs on workerd"),
    ],
)
def test_what_is_wrong_with_a_worker_is_told(more: dict[str, Any], told: str) -> None:
    """As above, of the Worker itself."""
    with pytest.raises(EdgeMisused) as caught:
        Edge(1).worker("shop", **more)

    assert told in str(caught.value)


async def test_deployments_name_what_is_there(edge: Edge) -> None:
    """A typing error tells what there is; a rule that is broken keeps its own error and remedy."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    with pytest.raises(EdgeMisused, match=r"no Worker 'shpo' is declared \(declared: 'shop'\)"):
        await edge.deploy("shpo", v1=100)
    with pytest.raises(EdgeMisused, match=r"has no version 'v3' \(it has: 'v1', 'v2'\)"):
        await edge.deploy("shop", v3=100)
    with pytest.raises(EdgeMisused, match="is declared already"):
        edge.worker("shop", v1=shop("v1"))
    with pytest.raises(PercentagesDoNotAddUp) as caught:
        await edge.deploy("shop", v1=50, v2=40)
    assert "+10" in caught.value.__notes__[0]


async def test_clients_carry_their_signals(edge: Edge) -> None:
    """Key, override by tag, cohort, another Worker; the answers say what decided."""
    edge.worker("shop", v1=shop("shop-v1"), v2=shop("shop-v2"))
    edge.worker("api", v1=shop("api-v1"))
    await edge.deploy("shop", v1=50, v2=50, cohorts={"beta": {"v2": 100}})
    await edge.deploy("api", v1=100)

    keyed = [await edge.client(key="user-1").get() for _ in range(5)]
    assert len({answer.tag for answer in keyed}) == 1
    assert keyed[0].reason == "affinity"
    assert keyed[0].point == pytest.approx(edge.explain("/", key="user-1").decision.point, abs=0.001)  # type: ignore[union-attr]
    answer = await edge.client(override={"shop": "v2"}).get()
    assert (answer.text, answer.reason) == ("shop-v2", "override")
    assert {(await edge.client(cohort="beta").get()).tag for _ in range(9)} == {"v2"}
    assert (await edge.client(worker="api", override="v1").get()).text == "api-v1"
    with pytest.raises(EdgeMisused, match="override='v1' names no Worker, and there are 2"):
        edge.client(override="v1")


async def test_the_split_counts_draws_and_keys_since_the_last_deployment(edge: Edge) -> None:
    """Overrides, repeated keys and what came before the deployment say nothing of the split."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=100, v2=0)
    for _ in range(50):
        await edge.client().get()
    await edge.deploy("shop", v1=0, v2=100)
    one = edge.client(key="always-the-same")
    for _ in range(20):
        await one.get()
        await edge.client(override="v1").get()
    await edge.client().get()

    assert_split(edge, "shop", v1=0, v2=100)
    with pytest.raises(AssertionError) as caught:
        assert_split(edge, "shop", v1=100, v2=0)
    assert "2 requests were not split as v1=100, v2=0" in str(caught.value)
    assert "(not counted: 19 by a key counted already, 20 by override)" in str(caught.value)
    assert "repeat with --gateway-seed 7" in str(caught.value)


async def test_the_split_is_not_asserted_of_nothing(edge: Edge) -> None:
    """What cannot fail proves nothing."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=50, v2=50)
    with pytest.raises(EdgeMisused, match="no request to shop was drawn"):
        assert_split(edge, "shop", v1=50, v2=50)
    await edge.client().get()
    with pytest.raises(EdgeMisused, match="add up to 90, not 100"):
        assert_split(edge, "shop", v1=50, v2=40)
    with pytest.raises(EdgeMisused, match=r"1 requests are too few for within=5: .*\n.*Send about"):
        assert_split(edge, "shop", v1=50, v2=50, within=5)


async def test_the_wrong_version_is_told_with_its_reason(edge: Edge) -> None:
    """Which version it was, why, and which signal did not count; and an answer that no version gave."""
    edge.worker("shop", routes=["shop.example.com/*"], v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=100)
    ignored = {"Cloudflare-Workers-Version-Overrides": 'shop="nonsense"'}
    answer = await edge.client(worker="shop", headers=ignored).get()
    with pytest.raises(AssertionError) as caught:
        assert_version(answer, "v2")
    assert "expected version v2, answered by v1 (" in str(caught.value)
    assert "reason percentage, point" in str(caught.value)
    assert "ignored override:unknown-version" in str(caught.value)
    with pytest.raises(AssertionError, match=r"no version gave this answer .*status 404"):
        assert_version(await edge.client().get(), "v1")


async def test_faults_are_made_and_taken_away(edge: Edge) -> None:
    """Issue D, faults: seeded and by version in tests too; a misspelt one is refused."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=50, v2=50)
    await edge.fault("status", status=500, worker="shop", version="v2", share=50)
    client = edge.client()
    answers = [await client.get() for _ in range(100)]

    failed = {answer.tag for answer in answers if answer.status == 500}
    assert failed == {"v2"}
    assert {request.fault for request in edge.requests if request.status == 500} == {"status-1"}
    edge.clear_faults()
    assert {(await client.get()).status for _ in range(20)} == {200}
    with pytest.raises(InvalidFault, match="v9"):
        await edge.fault("hang", worker="shop", version="v9")


def test_faults_of_a_plain_test() -> None:
    """The same without ``await``."""
    with SyncEdge(1) as edge:
        edge.worker("shop", v1=shop("v1"))
        edge.deploy("shop", v1=100)
        assert edge.fault("status", status=418, times=1).name == "status-1"
        assert [edge.client().get().status for _ in range(2)] == [418, 200]
        edge.clear_faults()


async def test_an_edge_leaves_the_process_as_it_was() -> None:
    """It is one of many in a process that belongs to somebody else: collector, log and state folder."""
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    edge = Edge(1)
    async with edge:
        assert gc.get_threshold() == threshold
        state = edge._running().settings.state
        assert state.is_dir()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (threshold, frozen)
    assert not structlog.is_configured()
    assert not state.exists()
