"""Scenarios on a real edge: the same each time, the gateway as before, one at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.model.fault import Fault, FaultKind
from gateway.testing import Edge
from tests.control.schemas import openapi, problems

Json = dict[str, Any]


class Shop:
    """Two versions of a Worker; the page of each asks for a script of its own."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.waiting = asyncio.Event()

    def make(self, tag: str) -> Callable[[], web.Application]:
        """Return a function that makes a version."""

        async def page(_: web.Request) -> web.Response:
            return web.Response(text=f'<script src="/{tag}.js"></script>', content_type="text/html")

        async def script(_: web.Request) -> web.Response:
            return web.Response(text="start()", content_type="text/javascript")

        async def visits(request: web.Request) -> web.Response:
            count = int(request.cookies.get("visits", "0")) + 1
            response = web.json_response({"tag": tag, "visits": count, "sent": await request.text()})
            response.set_cookie("visits", str(count))
            return response

        async def hold(_: web.Request) -> web.Response:
            self.waiting.set()
            await self.held.wait()
            return web.Response(text=tag)

        async def fail(_: web.Request) -> web.Response:
            raise web.HTTPServiceUnavailable(text="no")

        def app() -> web.Application:
            made = web.Application()
            made.add_routes([
                web.get("/", page), web.get(f"/{tag}.js", script), web.get("/hold", hold), web.get("/fail", fail),
                web.route("*", "/visits", visits), web.get("/cart/{name}", visits),
            ])  # fmt: skip
            return made

        return app


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def edge(shop: Shop) -> AsyncIterator[Edge]:
    """An edge with a shop at 90/10 and carts."""
    async with Edge(7) as edge:
        edge.worker("shop", v1=shop.make("v1"), v2=shop.make("v2"), classes={"Cart": "path:/cart/{name}"})
        await edge.deploy("shop", v1=90, v2=10)
        yield edge


class Api:
    """Plays scenarios over HTTP."""

    def __init__(self, edge: Edge, session: aiohttp.ClientSession) -> None:
        self._url = f"{edge.control_url}/api/test/scenario"
        self._session = session

    async def send(
        self, *steps: Json, query: str = "", seed: int | None = 7, restore: bool = True
    ) -> tuple[int, bytes]:
        """Play a scenario and return status and body."""
        seeded = {} if seed is None else {"seed": seed}
        body = {"name": "a scenario", "steps": list(steps), "restore": restore, **seeded}
        async with self._session.post(self._url + query, json=body) as response:
            return response.status, await response.read()

    async def play(self, *steps: Json, seed: int | None = 7, restore: bool = True) -> Json:
        """Play a scenario and return its report, which is as the API says."""
        status, body = await self.send(*steps, seed=seed, restore=restore)
        assert status == 200, body
        report: Json = json.loads(body)
        schema = openapi()["components"]["schemas"]["ScenarioReport"]
        assert list(problems(openapi(), schema, report)) == []
        return report


@pytest.fixture
async def api(edge: Edge) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(edge, session)


def active(edge: Edge) -> dict[str, float]:
    """Return what is deployed, by tag."""
    record = edge._running().catalog.find("shop")
    assert record.active is not None
    return {record.versions[share.version_id].tag: share.percentage for share in record.active.versions}


PAGES: Json = {"requests": {"path": "/", "files": True, "count": 30}}
EVERYTHING: tuple[Json, ...] = (
    {"deploy": {"v1": 50, "v2": 50}},
    PAGES,
    {"requests": {"path": "/visits", "count": 20, "keys": 10, "sessions": 5}},
    {"meanwhile": {"deploy": {"v2": 50, "v1": 50}, "request": {"path": "/visits", "key": "anna"}, "count": 20}},
    {"flow": {"session": "bob", "key": "bob", "steps": [{"request": {"path": "/"}}, {"deploy": {"v1": 100}}]}},
    {"request": {"path": "/", "session": "bob", "key": "bob", "expect": {"same_version": True}}},
    {"expect": {"no_skew": True, "split": {"v1": 100}, "resets_at_most": 0}},
)


async def test_five_times_the_same_bytes_and_with_another_seed_other_ones(api: Api) -> None:
    """Same scenario, same seed: the same decisions, skew, failures and report, byte for byte."""
    five = [await api.send(*EVERYTHING) for _ in range(5)]
    other = await api.send(*EVERYTHING, seed=8)

    assert {status for status, _ in [*five, other]} == {200}
    assert len(set(five)) == 1
    assert b"asset_skew" in five[0][1]
    assert other != five[0]


async def test_without_a_seed_chance_picks_one_that_repeats_it(api: Api) -> None:
    """The report tells the seed; with it the same comes again."""
    drawn = await api.play(*EVERYTHING, seed=None)
    again = await api.play(*EVERYTHING, seed=drawn["seed"])

    assert again == drawn


async def test_others_traffic_goes_on_as_if_nothing_had_been(edge: Edge, api: Api) -> None:
    """The gateway's own draws go on where they were, so that its own seed still gives what it gave."""
    client = edge.client()
    before = [(await client.get("/")).point for _ in range(3)]
    await api.play({"deploy": {"v1": 50, "v2": 50}}, PAGES)
    after = [(await client.get("/")).point for _ in range(3)]

    async with Edge(7) as undisturbed:
        undisturbed.worker("shop", v1=Shop().make("v1"), v2=Shop().make("v2"))
        await undisturbed.deploy("shop", v1=90, v2=10)
        other = undisturbed.client()
        assert [(await other.get("/")).point for _ in range(6)] == before + after


async def test_others_traffic_is_not_judged(edge: Edge, api: Api, shop: Shop) -> None:
    """Who browses meanwhile has skew of their own; the scenario is told of its own requests."""
    client = edge.client(headers={"Referer": f"{edge.url}/", "Accept": "text/html"})

    async def browse() -> None:
        await shop.waiting.wait()
        await client.get("/", headers={"Cloudflare-Workers-Version-Key": "a"})
        await client.get("/v1.js")
        await client.get("/v2.js")
        shop.held.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(browse())
        playing = group.create_task(api.play({"request": {"path": "/hold"}}, {"expect": {"no_skew": True}}))

    assert playing.result()["passed"], playing.result()["failures"]
    assert playing.result()["requests"] == 1


# The gateway afterwards.


async def test_the_deployment_from_before_is_active_again(edge: Edge, api: Api) -> None:
    """Whether it passed or failed; ``restore: false`` leaves what the scenario made."""
    await api.play({"deploy": {"v2": 100}}, {"request": {"path": "/", "expect": {"status": 404}}})
    assert active(edge) == {"v1": 90, "v2": 10}

    await api.play({"deploy": {"v2": 100}}, restore=False)
    assert active(edge) == {"v2": 100}


async def test_without_a_deployment_none_is_made(edge: Edge, api: Api) -> None:
    """A scenario that only looks changes nothing."""
    count = len(edge._running().catalog.find("shop").deployments)

    report = await api.play(PAGES)

    assert report["passed"]
    assert len(edge._running().catalog.find("shop").deployments) == count


async def test_a_version_that_is_not_there_changes_nothing(edge: Edge, api: Api) -> None:
    """All versions are looked up before the first step."""
    status, body = await api.send({"deploy": {"v2": 100}}, {"request": {"path": "/", "override": "v9"}})

    assert status == 404
    assert b"no version 'v9'" in body
    assert active(edge) == {"v1": 90, "v2": 10}


async def test_one_at_a_time(api: Api, shop: Shop) -> None:
    """Two would share deployments and draws: 409 names the one under way and what to do."""

    async def intrude() -> tuple[int, bytes]:
        await shop.waiting.wait()
        answer = await api.send({"deploy": {"v2": 100}})
        shop.held.set()
        return answer

    async with asyncio.TaskGroup() as group:
        second = group.create_task(intrude())
        first = group.create_task(api.play({"request": {"path": "/hold"}}))

    assert first.result()["passed"]
    status, body = second.result()
    assert (status, b"'a scenario' is under way" in body, b"Wait until it has ended" in body) == (409, True, True)
    assert (await api.play(PAGES))["passed"]


async def test_a_gateway_that_stops_leaves_no_deployment_of_a_scenario(edge: Edge, api: Api, shop: Shop) -> None:
    """Deployments survive a restart, so that one made for a test must go before the gateway does."""
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(api.send({"deploy": {"v2": 100}}, {"request": {"path": "/hold"}}))
        await shop.waiting.wait()
        assert active(edge) == {"v2": 100}
        await edge._running()._scenarios.close()
        assert active(edge) == {"v1": 90, "v2": 10}
        shop.held.set()

    status, body = playing.result()
    assert (status, b"was broken off, for the gateway stops" in body) == (503, True)


# What is sent.


async def test_a_request_is_sent_as_it_is_written(api: Api) -> None:
    """Method, body, override, and cookies that a session keeps and nobody else gets."""
    post = {"path": "/visits", "method": "POST", "body": "hello", "override": "v2"}
    report = await api.play(
        {"request": post | {"expect": {"json": {"/tag": "v2", "/sent": "hello"}, "reason": "override"}}},
        {"request": {"path": "/visits", "session": "a", "expect": {"json": {"/visits": 1}}}},
        {"request": {"path": "/visits", "session": "a", "expect": {"json": {"/visits": 2}}}},
        {"request": {"path": "/visits", "session": "b", "expect": {"json": {"/visits": 1}}}},
        {"request": {"path": "/visits", "expect": {"json": {"/visits": 1}}}},
        {"request": {"path": "/visits", "host": "nowhere.example.com", "expect": {"status": 200}}},
    )

    assert report["failures"] == []


async def test_a_saved_value_is_sent_again(api: Api) -> None:
    """From an answer into a later request."""
    report = await api.play(
        {"request": {"path": "/visits", "save": {"n": "json:/visits", "cookie": "header:Set-Cookie"}}},
        {"request": {"path": "/visits", "method": "PUT", "body": "${n} $${n}", "expect": {"contains": "1 ${n}"}}},
        {"request": {"path": "/", "save": {"x": "header:X-None"}}},
        {"request": {"path": "/${x}"}},
    )

    assert [step["outcome"] for step in report["steps"]] == ["passed", "passed", "failed", "not_run"]
    (failure,) = report["failures"]
    assert failure.startswith(
        "step 3: expected a value for x (header:X-None), seen: there is no header X-None: GET /"
    )


async def test_a_value_that_no_header_can_hold_is_told(api: Api) -> None:
    """RFC 9110 section 5.5: no line break; the request is not sent, and nothing can be smuggled in."""
    post = {"path": "/visits", "method": "POST", "body": "a\r\nX-Smuggled: 1", "save": {"x": "json:/sent"}}
    report = await api.play({"request": post}, {"request": {"path": "/", "headers": {"X-A": "${x}"}}})

    assert "step 2: expected an answer, seen no whole answer: ValueError: GET /" in report["failures"][0]


async def test_a_rollback_passes_over_scenarios(edge: Edge, api: Api) -> None:
    """R95: by what people deployed; a version that only a test had at 100% is not the stable one."""
    record = edge._running().catalog.find("shop")
    await edge.deploy("shop", v1=100)
    await edge.deploy("shop", v1=50, v2=50)
    await api.play({"deploy": {"v2": 100}})

    assert record.versions[record.stable_version()].tag == "v1"


async def test_a_failure_names_the_request_and_the_seed(edge: Edge, api: Api) -> None:
    """Ray, version, reason and point are those of the gateway's own event."""
    report = await api.play({"request": {"path": "/", "expect": {"status": 404, "version": "v2"}}})
    (event,) = [one for one in edge.requests if one.target == "/"]

    who = f"GET / (ray {event.ray}, {event.label} by percentage at {event.point:.4g}) (seed 7)"
    assert report["failures"] == [
        f"step 1: expected status 404, seen 200: {who}", f"step 1: expected version v2, seen v1: {who}",
    ]  # fmt: skip


async def test_of_many_failures_a_few_are_told(api: Api) -> None:
    """Thousands of lines say no more than five."""
    report = await api.play({"requests": {"path": "/", "count": 40, "expect": {"status": 404}}})

    assert len(report["failures"]) == 6
    assert report["failures"][-1] == "step 1: and 35 more failures of this step (seed 7)"


async def test_a_deployment_that_is_refused_ends_the_scenario(edge: Edge, api: Api) -> None:
    """What follows was meant for another deployment; by tag and by id one version is named twice."""
    twice = {"deploy": {"v1": 50, edge.version_id("shop", "v1"): 50}}

    refused = await api.play(twice, PAGES)

    assert [step["outcome"] for step in refused["steps"]] == ["failed", "not_run"]
    assert "expected the deployment to be made, seen: version" in refused["failures"][0]


async def test_errors_are_counted(api: Api) -> None:
    """Answers of 500 and above."""
    report = await api.play({"requests": {"path": "/fail", "count": 3}}, {"expect": {"errors_at_most": 2}})

    assert report["errors"] == 3
    assert "expected 2 errors at most, seen 3: first GET /fail 503" in report["failures"][0]


# A switch in the middle.


async def test_a_session_meets_another_version_in_the_middle_of_a_flow(api: Api) -> None:
    """The flow's session and key go with each of its requests; its steps are told as 1.1, 1.2, 1.3."""
    page = {"path": "/", "expect": {"same_version": True, "reason": "affinity"}}
    flow = {
        "session": "anna",
        "key": "k",
        "steps": [{"request": page}, {"deploy": {"v2": 100}}, {"request": page}],
    }
    report = await api.play({"deploy": {"v1": 100}}, {"flow": flow}, {"expect": {"skew": ["session_skew"]}})

    assert [step["number"] for step in report["steps"]] == ["1", "2", "2.1", "2.2", "2.3", "3"]
    (failure,) = report["failures"]
    assert "expected the same version as of GET / before, v1, seen v2" in failure
    (skew,) = report["skew"]
    assert (skew["cause"], skew["count"]) == ("not-deployed", 1)
    assert "Deployment 3 took v1 out of service" in skew["sentence"]


async def test_requests_go_on_while_a_deployment_is_made(api: Api) -> None:
    """The first meets the old deployment and the last the new one; none is lost."""
    meanwhile = {"deploy": {"v2": 100}, "request": {"path": "/", "expect": {"status": 200}}, "count": 25}
    report = await api.play({"deploy": {"v1": 100}}, {"meanwhile": meanwhile}, {"expect": {"split": {"v2": 100}}})

    step = report["steps"][1]
    assert report["failures"] == []
    assert step["answers"] == [
        {"version": "", "reason": "", "status": 200, "count": 23},
        {"version": "v1", "reason": "percentage", "status": 200, "count": 1},
        {"version": "v2", "reason": "percentage", "status": 200, "count": 1},
    ]


async def test_resets_of_objects_are_counted(api: Api) -> None:
    """R56: an object goes over when its version leaves the deployment."""
    cart = {"request": {"path": "/cart/foo", "expect": {"reason": "durable-object"}}}
    report = await api.play(
        {"deploy": {"v1": 100}}, cart, {"deploy": {"v2": 100}}, cart, {"deploy": {"v1": 100}}, cart,
        {"expect": {"resets_at_most": 1}},
    )  # fmt: skip

    assert report["resets"] == [{"object": "Cart/foo", "count": 2, "path": ["v1 -> v2", "v2 -> v1"]}]
    assert report["failures"] == [
        "step 7: expected 1 reset at most of Cart/foo, seen 2: v1 -> v2, v2 -> v1 (seed 7)"
    ]


# Faults on purpose.


def fault_names(edge: Edge) -> list[str]:
    """Return the faults that there are."""
    return [known.fault.name for known in edge._running().faults.known]


async def test_a_fault_is_met_from_its_step_on_and_gone_in_the_end(edge: Edge, api: Api) -> None:
    """Of each kind and share, and drawn by the scenario's seed; those from before come back."""
    edge._running().faults.add(Fault(FaultKind.LATENCY, name="mine", path="/nowhere", ms=1))
    steps: tuple[Json, ...] = (
        {"request": {"path": "/", "expect": {"status": 200}}},
        {"fault": {"kind": "status", "status": 500, "version": "v2", "share": 50}},
        {"requests": {"path": "/", "count": 40, "override": "v2"}},
        {"clear_faults": True},
        {"requests": {"path": "/", "count": 10, "expect": {"status": 200}}},
    )
    first = await api.play(*steps)

    counts = {one["status"]: one["count"] for one in first["steps"][2]["answers"]}
    assert first["failures"] == []
    assert counts.keys() == {200, 500}
    assert first["errors"] == counts[500]
    assert fault_names(edge) == ["mine"]
    assert await api.play(*steps) == first
    assert (await api.play(*steps, seed=8))["decisions"] != first["decisions"]


async def test_with_restore_false_faults_stay(edge: Edge, api: Api) -> None:
    """As the deployment does."""
    await api.play({"fault": {"kind": "latency", "ms": 1, "name": "stays"}}, restore=False)

    assert fault_names(edge) == ["stays"]


async def test_a_fault_of_a_version_that_is_not_there_changes_nothing(edge: Edge, api: Api) -> None:
    """Looked up before the first step, as versions are; in flows too."""
    fault = {"fault": {"kind": "hang", "worker": "shop", "version": "v9"}}
    status, body = await api.send({"deploy": {"v2": 100}}, {"flow": {"session": "a", "steps": [fault]}})

    assert (status, b"there is no version 'v9'" in body) == (400, True)
    assert active(edge) == {"v1": 90, "v2": 10}


async def test_a_fault_that_is_refused_ends_the_scenario(edge: Edge, api: Api) -> None:
    """One of the name is there already."""
    edge._running().faults.add(Fault(FaultKind.LATENCY, name="mine", path="/nowhere", ms=1))

    report = await api.play({"fault": {"kind": "hang", "name": "mine"}}, PAGES)

    assert [step["outcome"] for step in report["steps"]] == ["failed", "not_run"]
    assert "there is a fault 'mine' already" in report["failures"][0]


# How it is told.


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", "application/json"),
        ("?format=junit", "*/*", "application/xml"),
        ("?format=json", "application/xml", "application/json"),
        ("", "application/xml", "application/xml"),
        ("", "text/xml;q=0.9", "application/xml"),
        ("", "application/json, application/xml", "application/json"),
    ],
)
async def test_junit_where_it_is_asked_for(edge: Edge, query: str, accept: str, kind: str) -> None:
    """``Accept: application/xml`` or ``?format=junit``."""
    body = {"name": "a", "steps": [{"request": {"path": "/"}}]}
    url = f"{edge.control_url}/api/test/scenario{query}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, headers={"Accept": accept}) as response,
    ):
        assert (response.status, response.content_type) == (200, kind)
        assert (await response.text()).startswith("<?xml" if "xml" in kind else "{")


@pytest.mark.parametrize("query", ["?format=xml", "?timings=1", "?seed=1"])
async def test_a_query_that_means_nothing_is_refused(api: Api, query: str) -> None:
    """A misspelt one would let everything pass."""
    assert (await api.send(PAGES, query=query))[0] == 400


async def test_times_are_told_where_they_are_asked_for(api: Api) -> None:
    """And nowhere else."""
    assert b"duration_ms" in (await api.send(PAGES, query="?timings=true"))[1]
    assert b"duration_ms" not in (await api.send(PAGES))[1]
