"""The API at work: deployments, rollbacks, explanations, objects, and the fences around them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gateway.settings import RoutingSettings
from tests.control.edge import SECRET, ControlPlane, control_plane
from tests.model.examples import SHOP, A, B, C, object_at

DEPLOY = "/api/workers/shop/deployments"


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Return a control plane."""
    async with control_plane(tmp_path) as plane:
        yield plane


async def post(edge: ControlPlane, path: str, **body: Any) -> dict[str, Any]:
    """Post a body, and return what a 200 says."""
    response = await edge.client.post(path, json=body)
    told: dict[str, Any] = await response.json()
    assert response.status == 200, told
    return told


async def get(edge: ControlPlane, path: str) -> dict[str, Any]:
    """Return what a 200 says."""
    response = await edge.client.get(path)
    told: dict[str, Any] = await response.json()
    assert response.status == 200, told
    return told


async def test_status_shows_everything_at_once(edge: ControlPlane) -> None:
    """Design 7, 8: where it listens, every Worker with its split, versions, classes and assignment."""
    told = await get(edge, "/api/status")
    shop, api = told["workers"]

    assert (told["pid"], told["seed"], told["config"]) == (123, 42, None)
    assert (shop["name"], shop["url"], shop["assignment"]) == ("shop", "http://shop.localhost:8787", "sticky")
    assert [(one["tag"], one["percentage"]) for one in shop["active"]["versions"]] == [("v2", 20), ("v1", 80)]
    assert [one["tag"] for one in shop["versions"]] == ["", "v2", "v1"]
    assert (shop["classes"], api["classes"], api["active"]) == (["Cart"], [], None)


async def test_a_version_tells_state_percentage_and_url(edge: ControlPlane) -> None:
    """Design 8, R89: its version URL, whether it runs, and its part of the active deployment."""
    v2 = await get(edge, "/api/workers/shop/versions/v2")
    idle = await get(edge, f"/api/workers/shop/versions/{C}")

    assert (v2["state"], v2["percentage"], v2["url"]) == ("running", 20, "http://bbbbbbbb-shop.localhost:8787")
    assert (idle["state"], idle["percentage"]) == ("stopped", None)
    assert idle["trouble"]


async def test_values_of_variables_are_told_nowhere(edge: ControlPlane) -> None:
    """Design 9: secrets are never in API answers; the names of variables are."""
    for path in ("/api/status", "/api/workers/shop/versions", "/api/workers/shop/versions/v2", "/metrics"):
        text = await (await edge.client.get(path)).text()
        assert SECRET not in text
    assert (await get(edge, "/api/workers/shop/versions/v2"))["runtime"]["env"] == ["TOKEN"]


async def test_a_deployment_is_active_once_it_is_answered(edge: ControlPlane) -> None:
    """R15, R17, design 8: answers once every later request follows it; the one before is no longer active."""
    told = await post(
        edge, DEPLOY, versions=[{"version": "v2", "percentage": 50}, {"version": "v1"}], message="half"
    )
    listed = (await get(edge, DEPLOY))["deployments"]

    assert told["deployment"]["active"] is True
    assert (told["moved_percentage"], told["warnings"], told["dry_run"]) == (30, [], False)
    assert [(one["number"], one["active"]) for one in listed] == [(2, True), (1, False)]
    assert [share["percentage"] for share in listed[0]["versions"]] == [50, 50]
    assert edge.plane.calls[-1] == "follow up 2"
    assert (await get(edge, f"{DEPLOY}/active"))["message"] == "half"


async def test_a_dry_run_only_tells(edge: ControlPlane) -> None:
    """R49: the warning about a swapped order comes before the deployment is made."""
    told = await post(
        edge,
        DEPLOY,
        versions=[{"version": "v1", "percentage": 80}, {"version": "v2", "percentage": 20}],
        dry_run=True,
    )

    assert told["dry_run"] is True
    assert told["moved_percentage"] == pytest.approx(40)
    assert "R49" in told["warnings"][0]
    assert told["deployment"]["active"] is False
    assert len((await get(edge, DEPLOY))["deployments"]) == 1


async def test_code_updates_and_cohorts_are_kept(tmp_path: Path) -> None:
    """R60, R71: as given; ``deferred`` without a delay is wrangler's 300 s."""
    async with control_plane(tmp_path, settings=RoutingSettings(cohorts=True)) as edge:
        told = await post(
            edge,
            DEPLOY,
            versions=[{"version": "v1"}],
            cohorts={"team": {"v2": 75, "v1": 25}},
            code_update={"mode": "deferred"},
        )
        made = told["deployment"]

        assert made["code_update"] == {"mode": "deferred", "max_delay_seconds": 300.0}
        assert [(share["tag"], share["percentage"]) for share in made["cohorts"][0]["versions"]] == [
            ("v2", 75),
            ("v1", 25),
        ]


async def test_a_rollback_by_name_and_by_default(edge: ControlPlane) -> None:
    """R93, R95: to a version by any name; without one to the last stable one."""
    named = await post(edge, "/api/workers/shop/rollback", version="v1", message="back")
    await post(edge, DEPLOY, versions=[{"version": "v1"}, {"version": "v2"}])
    default = await post(edge, "/api/workers/shop/rollback")

    for told in (named, default):
        assert [(one["tag"], one["percentage"]) for one in told["deployment"]["versions"]] == [("v1", 100)]
        assert told["deployment"]["triggered_by"] == "rollback"
    assert named["deployment"]["message"] == "back"


async def test_an_explanation_tells_every_step_and_counts(edge: ControlPlane) -> None:
    """Design 7, R29: decides without calling the version; the ignored override is told with its cause."""
    told = await post(
        edge,
        "/api/explain",
        url="http://shop.localhost/",
        headers=[["Cloudflare-Workers-Version-Overrides", f'shop="{C}"']],
        count=1_000,
    )

    assert [step["outcome"] for step in told["steps"]] == [
        "absent", "absent", "ignored", "absent", "absent", "decided",
    ]  # fmt: skip
    assert told["decision"]["ignored"][0]["cause"] == "not-deployed"
    assert sum(one["count"] for one in told["counts"]) == 1_000
    assert {one["tag"] for one in told["counts"]} == {"v1", "v2"}
    assert told["counts"][0]["count"] >= told["counts"][1]["count"]


async def test_asking_assigns_no_object(edge: ControlPlane) -> None:
    """Design 7: an explanation changes nothing."""
    told = await post(edge, "/api/explain", url="http://shop.localhost/cart/never-used")

    assert told["decision"]["reason"] == "durable-object"
    assert (await get(edge, "/api/workers/shop/objects"))["total"] == 0


async def test_a_state_that_cannot_be_written_is_507_with_its_remedy(edge: ControlPlane) -> None:
    """Design 9: a full disk is an error to the one who writes; reads go on."""
    edge.store._thread.submit(edge.store._database.execute, "PRAGMA query_only = 1").result()
    edge.use("foo")

    response = await edge.client.post(DEPLOY, json={"versions": [{"version": "v1"}]})
    told = await response.json()

    assert response.status == 507
    assert "disk space" in told["error"]["remedy"]
    assert len((await get(edge, DEPLOY))["deployments"]) == 1
    edge.store._thread.submit(edge.store._database.execute, "PRAGMA query_only = 0").result()


# Objects.


async def test_objects_are_listed_page_by_page(edge: ControlPlane) -> None:
    """Design 8: ``next`` of a page is ``after`` of the one behind it, ``null`` on the last."""
    names = [f"cart-{number}" for number in range(7)]
    edge.use(*names)
    found: list[str] = []
    after = ""
    while True:
        page = await get(edge, f"/api/workers/shop/objects?limit=3&after={after}")
        found += [one["name"] for one in page["objects"]]
        assert page["total"] == 7
        if page["next"] is None:
            break
        after = page["next"]

    assert sorted(found) == names


async def test_an_objects_story_from_first_access_to_pin(edge: ControlPlane) -> None:
    """Design 1, 5: the table can be read, searched and pinned; the history tells why it is where it is."""
    name = object_at(35).name
    path = f"/api/workers/shop/objects/Cart/{name}"
    assert edge.use(name) == [A]
    pinned = await edge.client.put(f"{path}/pin", json={"version": "v2"})
    assert (await pinned.json())["pinned"] == B
    assert edge.plane.calls[-1] == "after pin shop"
    edge.use(name)
    told = await get(edge, path)
    unpinned = await edge.client.delete(f"{path}/pin", headers={"Content-Type": "application/json"})
    again = await edge.client.delete(f"{path}/pin", headers={"Content-Type": "application/json"})

    assert [(line["tag"], line["cause"]) for line in told["history"]] == [("v1", "first access"), ("v2", "pinned")]
    assert (told["object"]["running_tag"], told["object"]["resets"]) == ("v2", 1)
    assert ((await unpinned.json())["pinned"], again.status) == (None, 400)


async def test_an_object_can_be_pinned_only_to_a_deployed_version(edge: ControlPlane) -> None:
    """R29's cousin: the remedy says that 0% will do."""
    response = await edge.client.put("/api/workers/shop/objects/Cart/foo/pin", json={"version": C})
    told = await response.json()

    assert response.status == 400
    assert "0%" in told["error"]["remedy"]


async def test_the_table_as_it_was_and_what_changed(edge: ControlPlane) -> None:
    """Design 7: ``gateway objects list`` for a past deployment, and ``diff``."""
    name = object_at(35).name
    edge.use(name)
    await post(edge, DEPLOY, versions=[{"version": "v2"}])

    then = await get(edge, "/api/workers/shop/objects?deployment=1")
    diff = await get(edge, "/api/workers/shop/objects/diff?from=1&to=2")

    assert [(one["name"], one["assigned_tag"]) for one in then["objects"]] == [(name, "v1")]
    assert [(one["before_tag"], one["after_tag"]) for one in diff["changes"]] == [("v1", "v2")]
    assert diff["total"] == 1


# The fences.

HARDENED = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
PATHS = ["/", "/api/status", "/api/openapi.yaml", "/metrics", "/nobody", "/api/workers/nobody/versions"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_is_hardened_and_none_invites_other_origins(edge: ControlPlane, path: str) -> None:
    """Design 8: ``nosniff``, ``no-store``, ``frame-ancestors 'none'``; no CORS anywhere, errors included."""
    for headers in ({}, {"Origin": "http://localhost:1"}, {"Host": "evil.example"}, {"Origin": "null"}):
        response = await edge.client.get(path, headers=headers)

        assert {name: response.headers.get(name) for name in HARDENED} == HARDENED
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


FOREIGN = {
    "rebound host": {"Host": "evil.example:8788"},
    "foreign origin": {"Origin": "http://evil.example"},
    "null origin": {"Origin": "null"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("path", PATHS)
async def test_foreign_requests_are_refused_on_every_path(
    edge: ControlPlane, path: str, headers: dict[str, str]
) -> None:
    """Design 8, reliability.md 6: before routing, on reads as well, so that nobody learns what is there."""
    response = await edge.client.get(path, headers=headers)

    assert response.status == 403
    assert set(json.loads(await response.text())) == {"error"}


async def test_a_form_cannot_write(edge: ControlPlane) -> None:
    """Design 8: JSON bodies need their content type; what a foreign form can send is refused before it is read."""
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        response = await edge.client.post(
            DEPLOY, data=b'{"versions": [{"version": "v1"}]}', headers={"Content-Type": content_type}
        )
        assert response.status == 415

    assert len(edge.catalog.record(SHOP).deployments) == 1


async def test_a_preflight_is_not_answered_with_consent(edge: ControlPlane) -> None:
    """Design 8: no CORS: a preflight gets no ``Access-Control-Allow-...``, so the browser sends nothing more."""
    response = await edge.client.options(
        DEPLOY, headers={"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    )

    assert response.status >= 400
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]


async def test_a_configured_name_is_served(edge: ControlPlane) -> None:
    """Design 8: loopback names and the configured ones."""
    assert (await edge.client.get("/api/status", headers={"Host": "Gateway.test:1"})).status == 200


async def test_what_fails_inside_is_500_without_details(edge: ControlPlane) -> None:
    """Reliability.md 6: errors as JSON without tracebacks; the log has all of it."""
    edge.plane.trouble = RuntimeError(f"secret {SECRET}")

    response = await edge.client.post(DEPLOY, json={"versions": [{"version": "v1"}]})
    text = await response.text()

    assert response.status == 500
    assert set(json.loads(text)) == {"error"}
    assert SECRET not in text
    assert "Traceback" not in text
    edge.plane.trouble = None
    assert (await edge.client.post(DEPLOY, json={"versions": [{"version": "v1"}]})).status == 200


# What is not JSON.


async def test_the_document_is_served(edge: ControlPlane) -> None:
    """Design 8: documented by an OpenAPI file that is served."""
    response = await edge.client.get("/api/openapi.yaml")

    assert response.status == 200
    assert yaml.safe_load(await response.text())["openapi"].startswith("3.1")


async def test_metrics_are_openmetrics(edge: ControlPlane) -> None:
    """Design 8: ``/metrics``: OpenMetrics, which a strict parser reads."""
    response = await edge.client.get("/metrics")
    families = text_string_to_metric_families(await response.text())  # type: ignore[no-untyped-call]

    assert response.content_type == "application/openmetrics-text"
    (sample,) = next(family.samples for family in families if family.name == "gateway_requests")
    assert sample.labels == {
        "worker": "shop", "version": A, "tag": "v1", "reason": "percentage", "status": "200", "outcome": "ok",
    }  # fmt: skip
