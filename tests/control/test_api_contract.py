"""The API is what ``openapi.yaml`` says: every path, every answer, every error."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiohttp import ClientResponse
from openapi_spec_validator import validate

from tests.control.edge import ControlPlane, control_plane
from tests.control.schemas import openapi, problems, resolved
from tests.model.examples import SHOP, A, B

DOCUMENT = openapi()
UNDOCUMENTED = {
    "/": "a page for people",
    "/metrics": "OpenMetrics has its own standard",
    "/api/openapi.yaml": "the document",
}
JSON_HEADERS = {"Content-Type": "application/json"}


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Return a control plane with two carts in use."""
    async with control_plane(tmp_path) as plane:
        plane.use("foo", "bar")
        yield plane


CALLS: list[tuple[str, str, str, Any]] = [
    # method, documented path, path, body
    ("get", "/api/status", "/api/status", None),
    ("get", "/api/workers/{worker}/versions", "/api/workers/shop/versions", None),
    ("get", "/api/workers/{worker}/versions/{version}", "/api/workers/shop/versions/v1", None),
    ("get", "/api/workers/{worker}/versions/{version}", f"/api/workers/shop/versions/{B}", None),
    ("get", "/api/workers/{worker}/versions/{version}", "/api/workers/shop/versions/cccc", None),
    ("get", "/api/workers/{worker}/deployments", "/api/workers/shop/deployments", None),
    ("get", "/api/workers/{worker}/deployments", "/api/workers/api/deployments", None),
    (
        "post",
        "/api/workers/{worker}/deployments",
        "/api/workers/shop/deployments",
        {"versions": [{"version": "v1", "percentage": 90}, {"version": "v2"}], "message": "m"},
    ),
    (
        "post",
        "/api/workers/{worker}/deployments",
        "/api/workers/shop/deployments",
        {
            "versions": [{"version": "v2", "percentage": 100}],
            "dry_run": True,
            "code_update": {"mode": "deferred", "max_delay_seconds": 30},
        },
    ),
    ("get", "/api/workers/{worker}/deployments/{deployment}", "/api/workers/shop/deployments/active", None),
    ("get", "/api/workers/{worker}/deployments/{deployment}", "/api/workers/shop/deployments/1", None),
    ("get", "/api/workers/{worker}/deployments/{deployment}", "/api/workers/shop/deployments/shop-1", None),
    ("post", "/api/workers/{worker}/rollback", "/api/workers/shop/rollback", {"version": "v1", "message": "back"}),
    ("get", "/api/workers/{worker}/crons", "/api/workers/shop/crons", None),
    ("get", "/api/workers/{worker}/crons", "/api/workers/api/crons", None),
    ("post", "/api/workers/{worker}/crons/trigger", "/api/workers/shop/crons/trigger", {}),
    ("post", "/api/workers/{worker}/crons/trigger", "/api/workers/shop/crons/trigger", {"cron": "*/5 * * * *"}),
    ("get", "/api/workers/{worker}/metrics", "/api/workers/shop/metrics", None),
    ("get", "/api/workers/{worker}/metrics", "/api/workers/shop/metrics?window=deployment", None),
    ("get", "/api/workers/{worker}/metrics", "/api/workers/api/metrics?window=3600", None),
    ("get", "/api/workers/{worker}/series", "/api/workers/shop/series", None),
    ("get", "/api/workers/{worker}/series", "/api/workers/api/series?window=300", None),
    ("get", "/api/workers/{worker}/health", "/api/workers/shop/health", None),
    ("get", "/api/skew", "/api/skew", None),
    ("get", "/api/skew", "/api/skew?since=1d&worker=shop&kind=asset_skew", None),
    ("delete", "/api/skew", "/api/skew", None),
    ("post", "/api/faults", "/api/faults", {"kind": "latency", "ms": 5, "name": "slow"}),
    ("get", "/api/faults", "/api/faults", None),
    ("delete", "/api/faults/{name}", "/api/faults/slow", None),
    ("delete", "/api/faults", "/api/faults", None),
    (
        "get",
        "/api/workers/{worker}/health",
        "/api/workers/shop/health?baseline=v2&candidate=v1&window=deployment",
        None,
    ),
    ("post", "/api/explain", "/api/explain", {"url": "http://shop.localhost/"}),
    (
        "post",
        "/api/explain",
        "/api/explain",
        {
            "url": "http://shop.localhost/cart/foo",
            "method": "POST",
            "headers": [["Cloudflare-Workers-Version-Overrides", "broken,"]],
            "count": 10,
        },
    ),
    ("post", "/api/explain", "/api/explain", {"url": "http://99999999-shop.localhost/"}),
    (
        "post",
        "/api/explain",
        "/api/explain",
        {
            "url": "http://shop.localhost/",
            "headers": [["Cloudflare-Workers-Version-Overrides", "shop=1"]],
            "count": 3,
        },
    ),
    ("post", "/api/try", "/api/try", {"url": "http://shop.localhost/", "count": 2}),
    (
        "post",
        "/api/test/scenario",
        "/api/test/scenario?timings=true",
        {
            "name": "nobody answers",
            "worker": "shop",
            "steps": [{"deploy": {"v1": 100}}, {"request": {"path": "/"}}, {"expect": {"errors_at_most": 0}}],
        },
    ),
    ("get", "/api/workers/{worker}/objects", "/api/workers/shop/objects", None),
    (
        "get",
        "/api/workers/{worker}/objects",
        "/api/workers/shop/objects?class=Cart&search=fo&limit=1&after=00",
        None,
    ),
    ("get", "/api/workers/{worker}/objects", "/api/workers/shop/objects?deployment=1", None),
    ("get", "/api/workers/{worker}/objects/diff", "/api/workers/shop/objects/diff?from=1&to=1&limit=5", None),
    ("get", "/api/workers/{worker}/objects/{class}/{object}", "/api/workers/shop/objects/Cart/foo", None),
    (
        "put",
        "/api/workers/{worker}/objects/{class}/{object}/pin",
        "/api/workers/shop/objects/Cart/foo/pin",
        {"version": "v1"},
    ),
    (
        "delete",
        "/api/workers/{worker}/objects/{class}/{object}/pin",
        "/api/workers/shop/objects/Cart/pinned/pin",
        None,
    ),
]


STREAMS = {("get", "/api/events"), ("get", "/api/workers/{worker}/tail")}
"""Their answers never end; test_event_streams.py reads them."""


@pytest.mark.parametrize(("method", "documented", "path", "body"), CALLS, ids=[f"{c[0]} {c[2]}" for c in CALLS])
async def test_every_answer_is_as_documented(
    edge: ControlPlane, method: str, documented: str, path: str, body: object
) -> None:
    """Design 8: an OpenAPI file that is served and tested; required members and types of its schema."""
    if "/pinned/" in path:
        await edge.client.put(path, json={"version": "v1"})
    if "/faults/" in path:
        await edge.client.post("/api/faults", json={"kind": "hang", "name": "slow"})
    response = await edge.client.request(
        method, path, headers=JSON_HEADERS, data=json.dumps(body) if body is not None else None
    )
    schema = DOCUMENT["paths"][documented][method]["responses"]["200"]["content"]["application/json"]["schema"]

    assert (response.status, response.content_type) == (200, "application/json")
    assert list(problems(DOCUMENT, schema, await response.json())) == []


def test_every_call_above_covers_the_document() -> None:
    """Design 11: nothing documented goes untested."""
    documented = {
        (method, path)
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters" and (method, path) not in STREAMS
    }

    assert {(method, path) for method, path, _, _ in CALLS} == documented


async def test_every_served_path_is_documented_and_the_reverse(edge: ControlPlane) -> None:
    """House rules, docs are tested: the routes of the application against the paths of the document."""
    app = edge.client.server.app  # type: ignore[attr-defined]
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD"
        and route.resource.canonical not in UNDOCUMENTED
        and not route.resource.canonical.startswith("/assets/")  # the dashboard's files
    }
    documented = {
        (method, path) for path, item in DOCUMENT["paths"].items() for method in item if method != "parameters"
    }

    assert served == documented


def test_the_document_is_openapi() -> None:
    """Design 8: a document that tools can read."""
    validate(json.loads(json.dumps(DOCUMENT)))


def test_every_path_has_its_parameters_and_an_error() -> None:
    """House rules, docs are tested: each ``{name}`` is a parameter, each operation shows its error."""
    for path, item in DOCUMENT["paths"].items():
        listed = {resolved(DOCUMENT, one)["name"] for one in item.get("parameters", ())}
        assert listed == set(re.findall(r"\{(\w+)\}", path)), path
        for method, operation in item.items():
            if method != "parameters":
                assert operation["summary"]
                assert (
                    resolved(DOCUMENT, operation["responses"]["default"])
                    is DOCUMENT["components"]["responses"]["Error"]
                )


async def check_error(response: ClientResponse, *statuses: int) -> dict[str, Any]:
    """Check that an answer is an error of the one shape, and return what it says."""
    text = await response.text()
    assert response.status in statuses, text
    assert response.content_type == "application/json"
    told = json.loads(text)
    assert list(problems(DOCUMENT, DOCUMENT["components"]["schemas"]["Error"], told)) == []
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "message", "remedy"}
    assert told["error"]["message"]
    assert "Traceback" not in text
    error: dict[str, Any] = told["error"]
    return error


NOT_FOUND = [
    "/api", "/api/", "/api/statuses", "/api/status/", "/api/workers", "/api/workers/shop", "/nobody",
    "/api/../x", "/api/workers/nobody/versions", "/api/workers/shop/versions/v9",
    "/api/workers/shop/versions/%FF", "/api/workers/shop/versions/%00", "/api/workers/nobody/deployments",
    "/api/workers/shop/deployments/9", "/api/workers/shop/deployments/x", "/api/workers/api/deployments/active",
    "/api/workers/nobody/objects", "/api/workers/shop/objects?class=Room", "/api/workers/shop/objects/Room/foo",
    "/api/workers/shop/objects/Cart/nobody", "/api/workers/shop/objects/Cart/%FF",
    "/api/workers/shop/objects/diff?from=1&to=9", "/api/workers/shop/objects?deployment=9",
    "/api/workers/api/objects?class=Cart", "/.git/config", "/client/v4/user",
]  # fmt: skip


@pytest.mark.parametrize("path", NOT_FOUND)
async def test_what_is_not_there_is_404_in_the_one_shape(edge: ControlPlane, path: str) -> None:
    """House rules: every API error one shape; it says what is missing and what to do."""
    await check_error(await edge.client.get(path), 404)


BAD_QUERIES = [
    "objects?limit=0", "objects?limit=1001", "objects?limit=-1", "objects?limit=x", "objects?limit=1.5",
    "objects?limit=", "objects?limit=%2B5", "objects?limit=%D9%A3", "objects?limit=" + "9" * 5_000,
    "objects?after=x", "objects?after=abc", "objects?after=%D9%A3%D9%A3", "objects?deployment=0",
    "objects?deployment=x", "objects?deployment=-1", "objects/diff", "objects/diff?from=1",
    "objects/diff?from=0&to=1", "objects/diff?from=a&to=b", "objects/diff?from=1&to=1&limit=0",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD_QUERIES, ids=[query[:40] for query in BAD_QUERIES])
async def test_a_query_that_cannot_be_understood_is_400(edge: ControlPlane, query: str) -> None:
    """House rule 8: says which parameter, and what would do."""
    error = await check_error(await edge.client.get(f"/api/workers/shop/{query}"), 400)

    assert error["remedy"]


async def test_a_worker_without_classes_says_so(edge: ControlPlane) -> None:
    """Design 8: ``class`` may be left out only where there is one."""
    error = await check_error(await edge.client.get("/api/workers/api/objects"), 400)

    assert "0 Durable Object classes" in error["message"]


DEPLOY, EXPLAIN, PIN = "/api/workers/shop/deployments", "/api/explain", "/api/workers/shop/objects/Cart/foo/pin"
ROLLBACK, CRON = "/api/workers/shop/rollback", "/api/workers/shop/crons/trigger"
SCENARIO = "/api/test/scenario"


def deploy_body(**changed: object) -> str:
    """Return the body of a deployment."""
    return json.dumps({"versions": [{"version": "v1", "percentage": 100}], **changed})


BAD_BODIES: dict[str, tuple[str, str | bytes]] = {
    # What is no JSON object
    "no body": (DEPLOY, b""),
    "not JSON": (DEPLOY, b"versions=v1"),
    "cut": (DEPLOY, b'{"versions": ['),
    "two documents": (DEPLOY, b"{}{}"),
    "list": (DEPLOY, b"[]"),
    "string": (DEPLOY, b'"v1"'),
    "null": (DEPLOY, b"null"),
    "byte order mark": (DEPLOY, b"\xef\xbb\xbf{}"),
    "not UTF-8": (DEPLOY, b'{"versions": "\xff"}'),
    "UTF-16": (DEPLOY, deploy_body().encode("utf-16")),
    "deep lists": (DEPLOY, b"[" * 100_000),
    "deep objects": (DEPLOY, b'{"a":' * 100_000),
    "deep and whole": (DEPLOY, b'{"versions":' + b"[" * 900 + b"]" * 900 + b"}"),
    "a number without end": (DEPLOY, b'{"versions": ' + b"9" * 5_000 + b"}"),
    # Deployments
    "empty object": (DEPLOY, "{}"),
    "unknown member": (DEPLOY, deploy_body(percentage=10)),
    "versions as mapping": (DEPLOY, json.dumps({"versions": {"v1": 100}})),
    "no version": (DEPLOY, json.dumps({"versions": []})),
    "version as string": (DEPLOY, json.dumps({"versions": ["v1"]})),
    "version as null": (DEPLOY, json.dumps({"versions": [{"version": None, "percentage": 100}]})),
    "empty reference": (DEPLOY, json.dumps({"versions": [{"version": "", "percentage": 100}]})),
    "version without name": (DEPLOY, json.dumps({"versions": [{"percentage": 100}]})),
    "unknown member of a version": (DEPLOY, json.dumps({"versions": [{"version": "v1", "weight": 100}]})),
    "percentage as string": (DEPLOY, json.dumps({"versions": [{"version": "v1", "percentage": "100"}]})),
    "percentage as boolean": (DEPLOY, json.dumps({"versions": [{"version": "v1", "percentage": True}]})),
    "percentage null": (DEPLOY, json.dumps({"versions": [{"version": "v1", "percentage": None}]})),
    "percentage NaN": (DEPLOY, '{"versions": [{"version": "v1", "percentage": NaN}]}'),
    "percentage infinite": (DEPLOY, '{"versions": [{"version": "v1", "percentage": Infinity}]}'),
    "percentage beyond floats": (DEPLOY, '{"versions": [{"version": "v1", "percentage": 1' + "0" * 400 + "}]}"),
    "percentage 101": (DEPLOY, json.dumps({"versions": [{"version": "v1", "percentage": 101}]})),
    "sum 90": (DEPLOY, json.dumps({"versions": [{"version": "v1", "percentage": 90}]})),
    "three versions": (DEPLOY, json.dumps({"versions": [{"version": v} for v in ("v1", "v2", "cccc")]})),
    "unknown version": (DEPLOY, json.dumps({"versions": [{"version": "v9"}]})),
    "message as number": (DEPLOY, deploy_body(message=1)),
    "message of half a pair": (DEPLOY, deploy_body(message="\ud800")),
    "version of half a pair": (DEPLOY, json.dumps({"versions": [{"version": "\ud800"}]})),
    "cohorts as list": (DEPLOY, deploy_body(cohorts=[])),
    "cohorts while off": (DEPLOY, deploy_body(cohorts={"team": {"v1": 100}})),
    "cohort's list as list": (DEPLOY, deploy_body(cohorts={"team": ["v1"]})),
    "code update as string": (DEPLOY, deploy_body(code_update="deferred")),
    "code update without mode": (DEPLOY, deploy_body(code_update={})),
    "unknown mode": (DEPLOY, deploy_body(code_update={"mode": "never"})),
    "mode as list": (DEPLOY, deploy_body(code_update={"mode": []})),
    "unknown member of the update": (DEPLOY, deploy_body(code_update={"mode": "deferred", "max_delay": 1})),
    "delay as string": (DEPLOY, deploy_body(code_update={"mode": "deferred", "max_delay_seconds": "1"})),
    "delay beyond a day": (DEPLOY, deploy_body(code_update={"mode": "deferred", "max_delay_seconds": 86_401})),
    "delay beyond floats": (DEPLOY, deploy_body(code_update={"mode": "deferred", "max_delay_seconds": 10**400})),
    "immediate with delay": (DEPLOY, deploy_body(code_update={"mode": "immediate", "max_delay_seconds": 1})),
    "dry run as string": (DEPLOY, deploy_body(dry_run="true")),
    "dry run as number": (DEPLOY, deploy_body(dry_run=1)),
    # Rollback
    "rollback without anything stable": (ROLLBACK, "{}"),
    "rollback to null": (ROLLBACK, '{"version": null}'),
    "rollback to nobody": (ROLLBACK, '{"version": "v9"}'),
    "rollback with percentage": (ROLLBACK, '{"version": "v1", "percentage": 100}'),
    # Crons
    "cron as number": (CRON, '{"cron": 5}'),
    "cron that cannot be read": (CRON, '{"cron": "every day"}'),
    "unknown member of a cron": (CRON, '{"crons": "* * * * *"}'),
    # Scenarios
    "a scenario of nothing": (SCENARIO, "{}"),
    "a scenario without steps": (SCENARIO, '{"name": "a", "worker": "shop", "steps": []}'),
    "a misspelt step": (SCENARIO, '{"name": "a", "worker": "shop", "steps": [{"reqest": {"path": "/"}}]}'),
    "a Worker that is not there": (
        SCENARIO,
        '{"name": "a", "worker": "x", "steps": [{"request": {"path": "/"}}]}',
    ),
    "no Worker of several": (SCENARIO, '{"name": "a", "steps": [{"deploy": {"v1": 100}}]}'),
    "a version that is not there": (
        SCENARIO,
        '{"name": "a", "worker": "shop", "steps": [{"deploy": {"v9": 100}}]}',
    ),
    "a name of half a pair": (SCENARIO, '{"name": "\\ud800", "steps": [{"deploy": {"v1": 100}}]}'),
    # Explain
    "explain nothing": (EXPLAIN, "{}"),
    "url as number": (EXPLAIN, '{"url": 1}'),
    "url empty": (EXPLAIN, '{"url": ""}'),
    "url with an open bracket": (EXPLAIN, '{"url": "http://[::1/"}'),
    "url of another scheme": (EXPLAIN, '{"url": "ftp://a/"}'),
    "count 0": (EXPLAIN, '{"url": "a", "count": 0}'),
    "count 100001": (EXPLAIN, '{"url": "a", "count": 100001}'),
    "count as boolean": (EXPLAIN, '{"url": "a", "count": true}'),
    "count as fraction": (EXPLAIN, '{"url": "a", "count": 1.5}'),
    "headers as mapping": (EXPLAIN, '{"url": "a", "headers": {"X": "1"}}'),
    "header of three": (EXPLAIN, '{"url": "a", "headers": [["X", "1", "2"]]}'),
    "header as string": (EXPLAIN, '{"url": "a", "headers": ["X: 1"]}'),
    "header value as number": (EXPLAIN, '{"url": "a", "headers": [["X", 1]]}'),
}


@pytest.mark.parametrize(("path", "body"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_body_that_cannot_be_understood_is_4xx_and_changes_nothing(
    edge: ControlPlane, path: str, body: str | bytes
) -> None:
    """Design 8: deep, huge or non-UTF-8 JSON gets 4xx; so does every body that breaks the schema."""
    before = list(edge.catalog.record(SHOP).deployments)

    error = await check_error(await edge.client.post(path, headers=JSON_HEADERS, data=body), 400, 404, 422)

    assert len(error["message"]) < 10_000
    assert edge.catalog.record(SHOP).deployments == before


@pytest.mark.parametrize("depth", range(880, 1_000, 3))
async def test_json_of_any_depth_is_4xx(edge: ControlPlane, depth: int) -> None:
    """Design 8: also where reading it succeeds, and only telling what is wrong with it would go too deep."""
    body = b'{"versions":' + b"[" * depth + b"]" * depth + b"}"

    await check_error(await edge.client.post(DEPLOY, headers=JSON_HEADERS, data=body), 400)


@pytest.mark.parametrize("charset", ["bogus", "hex", "utf-16", "utf-7", "undefined", "idna"])
async def test_a_charset_that_is_not_utf_8_is_4xx(edge: ControlPlane, charset: str) -> None:
    """RFC 8259 section 8.1: JSON is UTF-8; a codec's name in the header must not run, nor fail the gateway."""
    headers = {"Content-Type": f"application/json; charset={charset}"}

    response = await edge.client.post(DEPLOY, headers=headers, data=b'{"versions": "\xfe"}')

    await check_error(response, 400, 415)


async def test_a_body_beyond_1_mib_is_413(edge: ControlPlane) -> None:
    """Design 8: huge JSON gets 4xx, before it is read to its end."""
    body = BytesIO(deploy_body(message="a" * 1_048_576).encode())

    await check_error(await edge.client.post(DEPLOY, headers=JSON_HEADERS, data=body), 413)


async def test_a_method_that_is_not_served_is_405_with_those_that_are(edge: ControlPlane) -> None:
    """RFC 9110 section 15.5.6: with ``Allow``; in the one shape."""
    response = await edge.client.delete("/api/status", headers=JSON_HEADERS)

    await check_error(response, 405)
    assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_a_worker_that_left_the_configuration_can_be_asked_about(tmp_path: Path) -> None:
    """Design 6: stored state stays; what cannot be done with it any more is 4xx, no failure of ours."""
    async with control_plane(tmp_path) as edge:
        edge.objects._workers.pop(next(name for name in edge.objects.workers if name == "api"))
        client = edge.client
        assert (await client.get("/api/workers/api/versions")).status == 200
        pin = await client.put("/api/workers/api/objects/Cart/x/pin", json={"version": "v1"})
        await check_error(pin, 404)
        await check_error(await client.get("/api/workers/api/objects?class=Cart"), 404)
        deploy = await client.post("/api/workers/api/deployments", json={"versions": [{"version": "v1"}]})
        assert deploy.status < 500, await deploy.text()


ODD_NAMES = ["a b", "a/b", "100%", "\u00fc", "\U0001f980", "a?b#c", "..", ".", "%2F", "a\nb", "\0", "x" * 2_000]


@pytest.mark.parametrize("name", ODD_NAMES, ids=[repr(name)[:20] for name in ODD_NAMES])
async def test_objects_of_any_name_can_be_shown_and_pinned(edge: ControlPlane, name: str) -> None:
    """Design 8: an object's name is percent-encoded in a path, whatever it holds."""
    edge.use(name)
    path = f"/api/workers/shop/objects/Cart/{quote(name, safe='').replace('.', '%2E')}"
    url = edge.client.make_url("/").with_path(path, encoded=True)

    shown = await edge.client.session.get(url)
    pinned = await edge.client.session.put(url.with_path(path + "/pin", encoded=True), json={"version": "v1"})

    assert shown.status == pinned.status == 200
    assert (await shown.json())["object"]["name"] == name
    assert (await pinned.json())["name"] == name


@pytest.mark.parametrize("spell", [str.lower, str.upper], ids=["lower case", "upper case"])
async def test_an_object_pinned_by_its_id_is_that_object(edge: ControlPlane, spell: Any) -> None:
    """Design 8: name, or id in hex: what shows an object by an id also pins it by that id."""
    page = await (await edge.client.get("/api/workers/shop/objects?search=foo")).json()
    path = f"/api/workers/shop/objects/Cart/{spell(page['objects'][0]['id'])}"

    shown = await (await edge.client.get(path)).json()
    pinned = await (await edge.client.put(f"{path}/pin", json={"version": "v1"})).json()

    assert shown["object"]["name"] == pinned["name"] == "foo"
    assert (await (await edge.client.get("/api/workers/shop/objects")).json())["total"] == 2


@pytest.mark.parametrize("name", ["\udcff", "a\udcffb"])
async def test_an_object_with_a_name_that_is_no_utf_8_can_be_pinned_by_its_id(
    edge: ControlPlane, name: str
) -> None:
    """Design 8: such a name cannot stand in JSON, its id can; the pin holds for that object and no other."""
    edge.use(name)
    page = await (await edge.client.get("/api/workers/shop/objects")).json()
    (odd,) = [one for one in page["objects"] if one["name"] not in {"foo", "bar"}]
    other = B if odd["assigned"] == A else A

    pinned = await edge.client.put(f"/api/workers/shop/objects/Cart/{odd['id']}/pin", json={"version": other})

    assert (await pinned.json())["id"] == odd["id"]
    assert edge.use(name) == [other]
