"""``/api/skew``: what was found, filtered, forgotten; every parameter checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.observability.events import RequestEvent
from tests.control.edge import ControlPlane, control_plane
from tests.control.parts import CLOCK
from tests.control.schemas import openapi, problems
from tests.model.examples import A, B

JSON_HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """An API in front of a detector that has seen one broken page."""
    async with control_plane(tmp_path) as plane:
        for sequence, event in enumerate(BROKEN_PAGE):
            plane.skew.put(sequence, event)
        yield plane


def request(version: str, label: str, target: str, status: int, type_: str, *lines: bytes) -> RequestEvent:
    """Return a request of a browser."""
    return RequestEvent(
        CLOCK, f"ray-{label}", "shop", version, "percentage", "GET", "shop.localhost", target, status, "ok",
        900, 0, 9, 42.5, "", label, (), lines, type_, "192.0.2.1",
    )  # fmt: skip


BROKEN_PAGE = (
    request(A, "v1", "/?token=hunter2", 200, "text/html", b"Sec-Fetch-Dest: document"),
    request(
        B, "v2", "/v1.js", 404, "text/plain", b"Sec-Fetch-Dest: script",
        b"Referer: http://shop.localhost/?token=hunter2",
    ),
)  # fmt: skip


async def shown(edge: ControlPlane, query: str = "") -> dict[str, Any]:
    """Return what the API shows, checked against its schema."""
    response = await edge.client.get("/api/skew" + query)
    assert response.status == 200, await response.text()
    content: dict[str, Any] = await response.json()
    document = openapi()
    assert list(problems(document, document["components"]["schemas"]["Skew"], content)) == []
    return content


async def test_an_incident_is_shown_with_its_proof(edge: ControlPlane) -> None:
    """Issue D: both requests, cause, remedy, what is inferred; no query, which may hold secrets (R113)."""
    content = await shown(edge)
    found = next(one for one in content["incidents"] if one["kind"] == "asset_skew")

    assert (content["requests"], content["unseen_requests"], content["enabled"]) == (2, 0, True)
    assert (found["what"], found["cause"], found["inferred"]) == ("/v1.js", "no-key", ["file", "session"])
    assert (found["before"]["path"], found["before"]["label"], found["before"]["point"]) == ("/", "v1", 42.5)
    assert (found["after"]["path"], found["after"]["status"], found["after"]["ray"]) == (
        "/v1.js", 404, "ray-v2",
    )  # fmt: skip
    assert "hunter2" not in str(content)


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("?kind=asset_skew", {"asset_skew"}),
        ("?kind=flow_skew", set()),
        ("?worker=shop", {"asset_skew", "session_skew"}),
        ("?worker=api", set()),
        ("?since=10m", {"asset_skew", "session_skew"}),
        ("?since=2100-01-01T00:00:00Z", set()),
        (f"?since={datetime.fromtimestamp(CLOCK, UTC):%Y-%m-%dT%H:%M:%SZ}", {"asset_skew", "session_skew"}),
        ("?since=2020-01-01", {"asset_skew", "session_skew"}),
    ],
)
async def test_only_what_is_asked_for_is_shown(edge: ControlPlane, query: str, kinds: set[str]) -> None:
    """Issue D: ``since``, ``worker``, ``kind``."""
    assert {one["kind"] for one in (await shown(edge, query))["incidents"]} == kinds


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?kind=skew", 400), ("?since=yesterday", 400), ("?since=-5m", 400), ("?since=10", 400), ("?kinds=x", 400),
        ("?worker=nobody", 404), ("?since=1m&since=2m", 400),
    ],
)  # fmt: skip
async def test_what_cannot_be_understood_is_refused(edge: ControlPlane, query: str, status: int) -> None:
    """House rule 8: the parameter, its value and the remedy; a misspelt filter would let everything pass."""
    response = await edge.client.get("/api/skew" + query)

    assert response.status == status
    assert (await response.json())["error"]["remedy"]


async def test_what_was_found_can_be_forgotten(edge: ControlPlane) -> None:
    """Issue D: ``DELETE`` begins anew."""
    response = await edge.client.delete("/api/skew", headers=JSON_HEADERS)

    assert await response.json() == {"forgotten": 2}
    assert (await shown(edge))["incidents"] == []
    assert (await shown(edge))["requests"] == 0
