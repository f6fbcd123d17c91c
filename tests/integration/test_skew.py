"""The sample shop at 50/50, browsed by a client that sends what browsers send: the detector tells what it saw."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, spec, version
from tests.integration.http_client import KEY, Answer, Caller

LOADS: Final = 200
BROWSER: Final = {"User-Agent": "Mozilla/5.0 (Test)", "Accept-Language": "en"}
FILES: Final = {"script": re.compile(r'<script src="([^"]+)"'), "style": re.compile(r'stylesheet" href="([^"]+)"')}
Seen = Counter[tuple[str, str, str]]
"""Broken files: version of the page, path, version that answered."""


def shop(**skew: object) -> dict[str, object]:
    """Return a configuration of the shop at 50/50."""
    versions: list[Mapping[str, object]] = [
        {"tag": tag, "command": ["python", "-m", "sample_workers.shop", tag], "ready": "/healthz"}
        for tag in ("v1", "v2")
    ]
    return one_worker(versions, {"v1": 50, "v2": 50}, gateway={"skew": skew} if skew else None)


class Browser:
    """Loads pages with all that they ask for, and notes what its console would show."""

    def __init__(self, edge: EdgeProcess, caller: Caller, headers: Mapping[str, str] = {}) -> None:
        self._labels = {one["id"]: one["tag"] for one in edge.api.versions("shop")}
        self._caller = caller
        self._headers = {**BROWSER, **headers}
        self._origin = f"http://shop.localhost:{edge.port}"
        self.broken: Seen = Counter()

    def go(self, target: str, referer: str = "", *, method: str = "GET", body: bytes | None = None) -> Answer:
        """Navigate."""
        sent = {**self._headers, "Accept": "text/html", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
        if referer:
            sent["Referer"] = self._origin + referer
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        return self._caller.call(target, sent, method=method, body=body)

    def load(self, target: str) -> None:
        """Load a page with its scripts and styles."""
        page = self.go(target)
        for kind, pattern in FILES.items():
            for path in pattern.findall(page.text):
                sent = {"Accept": "*/*", "Sec-Fetch-Dest": kind, "Sec-Fetch-Mode": "no-cors"}
                answer = self._caller.call(path, {**self._headers, **sent, "Referer": self._origin + target})
                if answer.status != 200:
                    self.broken[self.label(page), path, self.label(answer)] += 1

    def label(self, answer: Answer) -> str:
        """Return the tag of the version that answered."""
        return self._labels[answer.header("Gateway-Version") or ""]


def incidents(edge: EdgeProcess, kind: str) -> list[Any]:
    """Return what the gateway found of one kind."""
    report = edge.api.skew(kind=kind)
    assert report["unseen_requests"] == 0
    return list(report["incidents"])


def told(edge: EdgeProcess) -> Seen:
    """Return broken files as the gateway found them."""
    return Counter(
        {
            (one["before"]["label"], one["what"], one["after"]["label"]): one["count"]
            for one in incidents(edge, "asset_skew")
        }
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_exactly_the_broken_pages_are_found(start_edge: StartEdge, seed: int) -> None:
    """Issue D: no miss and no false alarm over 200 page loads, each compared with what the client saw."""
    edge = start_edge(shop(), seed=seed)
    with Caller(edge) as caller:
        browser = Browser(edge, caller)
        for _ in range(LOADS):
            browser.load("/")

    assert len(browser.broken) == 2
    assert told(edge) == browser.broken
    (one, *_) = incidents(edge, "asset_skew")
    assert (one["cause"], one["inferred"], one["before"]["status"], one["after"]["status"]) == (
        "no-key", ["session"], 200, 404,
    )  # fmt: skip


def test_with_a_key_nothing_is_found(start_edge: StartEdge) -> None:
    """Issue D, R37, R84: an affinity key from a cookie cures it."""
    edge = start_edge(shop(session_cookie="user"))
    with Caller(edge) as caller:
        for number in range(20):
            browser = Browser(edge, caller, {"Cookie": f"user=u{number}", KEY: f"u{number}"})
            browser.load("/")
            browser.load("/")
            assert not browser.broken
    report = edge.api.skew()

    assert report["incidents"] == []
    assert report["requests"] == 20 * 2 * 3


def test_a_session_that_changes_in_the_flow_and_a_tab_that_went_stale(start_edge: StartEdge) -> None:
    """Issue D: session, flow and stale tab, known by the cookie; a deployment in mid-session is named."""
    edge = start_edge(shop(session_cookie="sid", flows=[["/cart", "/checkout", "/pay"]]), seed=3)
    with Caller(edge) as caller:
        browser = Browser(edge, caller, {"Cookie": "a=b; sid=hunter2"})
        cart = {browser.label(browser.go("/cart")) for _ in range(10)}
        assert cart == {"v1", "v2"}
        before = browser.label(browser.go("/cart"))
        while browser.label(browser.go("/checkout", "/cart")) == before:
            before = browser.label(browser.go("/cart"))
        edge.api.deploy("shop", spec(v1=100))
        other = Browser(edge, caller, {"Cookie": "sid=another"})  # it never saw a page of v2
        old = other.label(other.go("/cart"))
        edge.api.deploy("shop", spec(v2=100))
        other.go("/cart", "/cart", method="POST", body=b"")
    flow = {one["what"] for one in incidents(edge, "flow_skew")}
    stale = incidents(edge, "stale_tab")
    causes = {one["cause"] for one in incidents(edge, "session_skew")}

    assert old == "v1"
    assert "/cart → /checkout" in flow
    assert [(one["before"]["label"], one["after"]["label"], one["cause"]) for one in stale] == [
        ("v1", "v2", "not-deployed")
    ]
    assert {"no-key", "not-deployed"} <= causes
    assert "hunter2" not in str(edge.api.skew())


def test_it_can_be_switched_off_while_the_gateway_runs(start_edge: StartEdge) -> None:
    """Issue D, configuration: ``skew.enabled`` is applied like any edit of the file."""
    edge = start_edge(shop(enabled=False))
    with Caller(edge) as caller:
        browser = Browser(edge, caller)
        browser.load("/")
        assert (edge.api.skew()["enabled"], edge.api.skew()["requests"]) == (False, 0)
        edge.write_config(shop(enabled=True))
        edge.wait_for_log("config.applied")
        browser.load("/")

    assert (edge.api.skew()["enabled"], edge.api.skew()["requests"]) == (True, 3)
    assert edge.api.forget_skew() >= 0
    assert edge.api.skew()["requests"] == 0


def test_calls_of_objects_that_fail_between_versions_are_found(start_edge: StartEdge) -> None:
    """Issue D, R50: a Worker of one version calls an object of the other, which does not understand it."""
    versions = [version(tag, "calling_version") for tag in ("v1", "v2")]
    objects = {"bindings": [{"class": "Cart", "object": "path:/cart/{name}"}]}
    edge = start_edge(one_worker(versions, {"v1": 50, "v2": 50}, durable_objects=objects), seed=5)
    with Caller(edge) as caller:
        calls = [caller.call(f"/buy/cart-{number}").json() for number in range(30)]
    failed = sum(one["status"] == 500 for one in calls)
    (found,) = incidents(edge, "object_skew")

    assert {(one["caller"], one["object"]) for one in calls if one["status"] == 500} == {("v1", "v2")}
    assert (found["count"], found["inferred"], found["cause"]) == (failed, [], "object-version")
    assert (found["before"]["path"], found["before"]["label"]) == (
        f"/buy/{found['after']['object'].partition('/')[2]}", "v1",
    )  # fmt: skip
    assert (found["after"]["label"], found["after"]["status"]) == ("v2", 500)
