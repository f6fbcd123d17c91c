"""``POST /graphql`` on the gateway's counters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control.cloudflare.api import BASE, Api

QUERY = """{ viewer { accounts(filter: {accountTag: "local"}) {
  workersInvocationsAdaptive(limit: 100) {
    sum { requests errors } dimensions { datetimeMinute scriptName scriptTag scriptVersion status coloCode }
  } } } }"""


async def asked(api: Api, path: str = "/graphql", **body: Any) -> Any:
    response = await api.send("POST", BASE + path, json=body)
    assert response.status == 200
    return await response.json()


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_what_was_counted_is_told_by_version_and_status(api: Api, path: str) -> None:
    """R115, R116: rows of the last hour, with the Worker's id; errors null where there are none."""
    await api.put()
    (version,) = await api.versions()
    metrics = api.recorder.metrics_of(version["id"])
    for outcome, status in (("ok", 200), ("ok", 500), ("worker_threw", 500)):
        metrics.add("percentage", status, outcome, 1_000, 0, 10)
    told = await asked(api, path, query=QUERY)
    (worker,) = [one for one in await api.ok("GET", "scripts") if one["id"] == "shop"]
    (same,) = await api.ok("GET", "workers")

    assert told["errors"] is None
    rows = told["data"]["viewer"]["accounts"][0]["workersInvocationsAdaptive"]
    same_for_all = {
        "datetimeMinute": "2027-01-15T08:00:00Z",
        "scriptName": "shop",
        "scriptTag": same["id"],
        "scriptVersion": version["id"],
        "coloCode": "LCL",
    }
    assert worker["tag"] == same["id"]
    assert rows == [
        {
            "sum": {"requests": 1, "errors": 1},
            "dimensions": {**same_for_all, "status": "scriptThrewException"},
        },
        {"sum": {"requests": 2, "errors": 0}, "dimensions": {**same_for_all, "status": "success"}},
    ]


async def test_a_body_that_is_no_json_is_told_in_graphqls_shape(api: Api) -> None:
    """Cloudflare docs, GraphQL errors; clients of GraphQL do not know the envelope."""
    response = await api.send("POST", f"{BASE}/graphql", data=b"{ viewer }")
    told = await response.json()

    assert (response.status, told["data"]) == (400, None)
    assert "not JSON" in told["errors"][0]["message"]


async def test_credentials_are_wanted_here_too(api: Api) -> None:
    """Design 8: no page in the browser can send them."""
    response = await api.client.post(f"{BASE}/graphql", json={"query": "{ cost }"})

    assert response.status == 401
