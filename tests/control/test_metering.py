"""Figures by version over the API, as they are counted; a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.control.edge import ControlPlane, control_plane
from tests.control.parts import CLOCK
from tests.model.examples import A, B

METRICS = "/api/workers/shop/metrics"
HEALTH = "/api/workers/shop/health"


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Return a control plane that counted one request of v1."""
    async with control_plane(tmp_path) as made:
        yield made


async def asked(edge: ControlPlane, path: str, status: int = 200) -> Any:
    response = await edge.client.get(path)
    assert response.status == status, await response.text()
    return await response.json()


def count(edge: ControlPlane, *, v1: int = 0, v2: int = 0, failed: int = 0, duration_us: int = 1_000) -> None:
    """Count requests; ``failed`` of those of v2 find no version."""
    for _ in range(v1):
        edge.recorder.metrics_of(A).add("percentage", 200, "ok", 1_000, 0, 10)
    for number in range(v2):
        outcome = ("upstream_failed", 502) if number < failed else ("ok", 200)
        edge.recorder.metrics_of(B).add("affinity", outcome[1], outcome[0], duration_us, 0, 10)


async def test_a_window_is_told_by_version(edge: ControlPlane) -> None:
    """Contract, metrics: asked against observed share with its interval, errors by cause, times, what is open."""
    count(edge, v1=79, v2=20, failed=2)
    edge.recorder.own.add("", 404, "refused", 10, 0, 5)
    told = await asked(edge, METRICS)
    v2, v1 = told["versions"]

    assert (told["worker"], told["window"], told["deployment"], told["own_answers"]) == (
        "shop",
        "60",
        1,
        {"404": 1},
    )
    assert (v1["label"], v1["asked_percentage"], v1["requests"], v1["observed_percentage"]) == ("v1", 80, 80, 80)
    assert (v1["observed_low"], v1["observed_high"]) == (71.117, 86.663)
    assert (v2["asked_percentage"], v2["observed_percentage"], v2["error_percentage"]) == (20, 20, 10)
    assert v2["errors"] == {"worker_5xx": 0, "exception": 0, "unreachable": 2, "timed_out": 0, "cut": 0}
    assert (v1["in_flight"], v1["websockets"], v1["cpu_seconds"], v1["memory_bytes"]) == (2, 1, 1.25, 45_000_000)
    assert (v2["in_flight"], v2["cpu_seconds"], v2["memory_bytes"], v2["state"]) == (0, None, None, "running")


async def test_overrides_say_nothing_of_the_share(edge: ControlPlane) -> None:
    """Contract: the observed share is over what was drawn or keyed."""
    for _ in range(9):
        edge.recorder.metrics_of(B).add("override", 200, "ok", 1_000, 0, 0)
    v2, v1 = (await asked(edge, METRICS))["versions"]

    assert (v2["requests"], v2["observed_percentage"], v1["observed_percentage"]) == (9, 0, 100)


@pytest.mark.parametrize("window", ["60", "300", "3600", "deployment"])
async def test_every_window_can_be_asked_for(edge: ControlPlane, window: str) -> None:
    """Issue C, metrics: last minute, five minutes, hour, since the deployment; never from before the start."""
    told = await asked(edge, f"{METRICS}?window={window}")

    assert (told["window"], told["from"], told["window_seconds"]) == (window, "2027-01-15T08:00:00+00:00", 0.0)
    assert sum(one["requests"] for one in told["versions"]) == 1


async def test_a_worker_without_deployment_shows_nothing(edge: ControlPlane) -> None:
    """Every state has its look."""
    told = await asked(edge, "/api/workers/api/metrics")

    assert (told["deployment"], told["versions"]) == (None, [])


async def test_a_series_has_a_value_for_each_step(edge: ControlPlane) -> None:
    """Contract, series: the running step left out; nulls where nothing was measured."""
    edge.recorder.fold()  # the request of the example
    edge.recorder.clock = lambda: CLOCK + 1
    count(edge, v1=3, v2=1, failed=1)
    edge.recorder.fold()
    parts = await asked(edge, "/api/workers/shop/series")
    v1, v2 = parts["versions"][A], parts["versions"][B]

    assert (parts["step_seconds"], len(parts["times"]), parts["times"][-1]) == (1, 60, int(CLOCK) - 1)
    assert {len(values) for line in (v1, v2) for name, values in line.items() if name != "label"} == {60}
    assert (v1["requests_per_second"][-1], v1["p95_ms"][-1], v1["observed_percentage"][-1]) == (0, None, None)
    assert [one["number"] for one in parts["deployments"]] == [1]
    assert parts["deployments"][0]["versions"][0] == {"version_id": B, "label": "v2", "percentage": 20}


async def test_the_health_of_the_newest_version_is_asked_by_default(edge: ControlPlane) -> None:
    """Issue C, health: baseline is the stable version, candidate the newer one of the active deployment."""
    count(edge, v1=1_000, v2=1_000, failed=15, duration_us=150_000)
    told = await asked(edge, HEALTH)

    assert (told["verdict"], told["baseline"]["label"], told["candidate"]["label"]) == ("roll_back", "v1", "v2")
    assert told["reason"].startswith("Roll back: 1.50% of v2 failed (15 of 1,000 requests) against 0.00% of v1")
    assert {check["name"] for check in told["checks"]} == {"requests", "errors", "latency", "share"}


async def test_both_can_be_named(edge: ControlPlane) -> None:
    """By id, prefix or tag."""
    told = await asked(edge, f"{HEALTH}?baseline=v2&candidate={A[:8]}&window=60")

    assert (told["baseline"]["label"], told["candidate"]["label"], told["verdict"]) == ("v2", "v1", "wait")


async def test_after_a_full_deployment_the_last_stable_version_is_the_baseline(edge: ControlPlane) -> None:
    """R95: the newest earlier deployment that had one version at 100%."""
    for version in ("v1", "v2"):
        share = {"versions": [{"version": version, "percentage": 100}]}
        await edge.client.post("/api/workers/shop/deployments", json=share)
    told = await asked(edge, HEALTH)

    assert (told["baseline"]["label"], told["candidate"]["label"]) == ("v1", "v2")


REFUSED = {
    "window": (f"{METRICS}?window=5", 400, "'window' is '5'"),
    "window of a series": ("/api/workers/shop/series?window=deployment", 400, "'window' is 'deployment'"),
    "misspelt": (f"{METRICS}?windows=60", 400, "there is no parameter 'windows'"),
    "twice": (f"{METRICS}?window=60&window=300", 400, "'window' is given more than once"),
    "no Worker": ("/api/workers/nope/metrics", 404, "there is no Worker 'nope'"),
    "no version": (f"{HEALTH}?candidate=v9", 404, "has no version 'v9'"),
    "itself": (f"{HEALTH}?candidate=v1&baseline=v1", 400, "cannot be compared with itself"),
    "nothing deployed": ("/api/workers/api/health", 400, "has no deployed version"),
}


@pytest.mark.parametrize(("path", "status", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_asked(edge: ControlPlane, path: str, status: int, said: str) -> None:
    """House rules: errors name field, value, remedy."""
    error = (await asked(edge, path, status))["error"]

    assert said in error["message"]
    assert error["remedy"]


async def test_scrapers_get_the_format_they_ask_for(edge: ControlPlane) -> None:
    """Design 8: ``/metrics`` is OpenMetrics; promtool reads the older text."""
    modern = await edge.client.get("/metrics")
    prometheus = await edge.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text;q=0.8,text/plain"}
    )
    older = await edge.client.get("/metrics", headers={"Accept": "text/plain"})

    assert modern.content_type == prometheus.content_type == "application/openmetrics-text"
    assert (await modern.text()).endswith("# EOF\n")
    assert older.content_type == "text/plain"
    assert "# HELP gateway_requests_total" in await older.text()
