"""HAR files, which hosts are the edge's, and the way to a version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.comparison.answers import Answer, InvalidComparison, Request
from gateway.comparison.har import edge_hosts, har_requests
from gateway.comparison.ways import OVERRIDES, way_to
from gateway.model.version import VersionId, WorkerName

EDGE = "http://127.0.0.1:8787"
SHOP = "http://shop.localhost:8787/"
ID = VersionId("dc8dcd28-271b-4367-9840-6c244f84cb40")


def entry(url: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"request": {"url": url, "method": method, **more}}


def har(*entries: dict[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


@pytest.mark.parametrize(
    ("host", "routes", "ours"),
    [
        ("127.0.0.1:8787", [], True), ("127.0.0.1:8788", [], False), ("localhost:8787", [], True),
        ("shop.localhost:8787", [], True), ("SHOP.localhost:8787", [], True), ("shop.localhost", [], False),
        ("api.localhost:8787", [], True), ("evil-localhost:8787", [], False),
        ("shop.example", ["shop.example/*"], True), ("shop.example:443", ["shop.example/*"], True),
        ("cdn.shop.example", ["*.shop.example/*"], True), ("shop.example.org", ["shop.example/*"], False),
        ("cdn.example", ["*/*"], False), ("shop.localhost:3000", ["shop.localhost/*"], False),
        ("shop.example", ["https://shop.example/cart*"], True), ("[::1]:8787", [], True),
    ],
)  # fmt: skip
def test_hosts_of_the_edge(host: str, routes: list[str], ours: bool) -> None:
    """Issue D, compare: a HAR file holds requests to many hosts; only the edge's are sent."""
    assert edge_hosts(EDGE, SHOP, routes)(host) is ours


def test_port_80_may_be_left_out() -> None:
    """RFC 9110 section 4.2.1."""
    assert edge_hosts("http://127.0.0.1:80", "http://shop.localhost/", [])("shop.localhost")


def test_each_request_is_taken_once_without_what_is_of_its_connection() -> None:
    """A conditional or encoded request would compare caches and codings."""
    headers = [
        {"name": ":authority", "value": "x"}, {"name": "Host", "value": "x"}, {"name": "Cookie", "value": "a=1"},
        {"name": "If-None-Match", "value": "x"}, {"name": "accept-encoding", "value": "br"},
        {"name": "", "value": ""},
    ]  # fmt: skip
    found = har_requests(
        har(
            entry(f"{SHOP}a?b=c#d", headers=headers),
            entry(f"{SHOP}a?b=c", headers=headers),
            entry("https://cdn.example/x.js"),
            entry("blob:http://x"),
            entry("http://[oops"),
            entry(f"{SHOP}pay", "post", postData={"text": "é"}),
        ),
        "f.har",
        edge_hosts(EDGE, SHOP, []),
    )

    assert found.elsewhere == 3
    assert found.requests == [
        Request("GET", "shop.localhost:8787", "/a?b=c", (("Cookie", "a=1"),)),
        Request("POST", "shop.localhost:8787", "/pay", (), "é".encode()),
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"log": {}}', '{"log": {"entries": 5}}', '{"log": {"entries": [5]}}', "[" * 9999]
)
def test_what_is_no_har_is_refused(text: str) -> None:
    """House rule 8: file, place, remedy."""
    with pytest.raises(InvalidComparison, match=r"f\.har is no HAR file"):
        har_requests(text, "f.har", lambda _: True)


def test_an_entry_without_url_is_refused_by_number() -> None:
    """House rule 8."""
    with pytest.raises(InvalidComparison, match=r"log\.entries\[1\]"):
        har_requests(har(entry(SHOP), {"request": {}}), "f.har", lambda _: True)


@pytest.mark.parametrize(
    ("worker", "deployed", "host"),
    [
        ("shop", True, ""),
        ("shop", False, "dc8dcd28-shop.localhost:8787"),
        ("0shop", True, "dc8dcd28-0shop.localhost:8787"),
        ("_shop", True, "dc8dcd28-_shop.localhost:8787"),
    ],
)
def test_the_header_leads_only_where_it_counts(worker: str, deployed: bool, host: str) -> None:
    """R29, R33: else the version URL (R20) does; signals of the request itself are taken off."""
    way = way_to(WorkerName(worker), ID, 8787, deployed=deployed)
    request = Request(
        "GET", "shop.localhost:8787", "/", (("A", "1"), (OVERRIDES, "x"), ("cloudflare-workers-version-key", "k"))
    )
    sent = way.applied(request)

    assert sent.host == (host or request.host)
    assert sent.headers == ((("A", "1"),) if host else (("A", "1"), (OVERRIDES, f'{worker}="{ID}"')))


def test_a_version_urls_host_is_no_difference() -> None:
    """A page or redirect that names its own host says the same under another name."""
    way = way_to(WorkerName("shop"), ID, 8787, deployed=False)
    page = f'<script src="http://{way.version_host}/x.js">'.encode()
    answer = Answer(302, (("Location", f"http://{way.version_host}/a"), ("Content-Type", "text/html")), page)
    seen = way.as_if_direct(answer, Request("GET", "shop.localhost:8787", "/"))

    assert seen.values("location") == ["http://shop.localhost:8787/a"]
    assert seen.body == b'<script src="http://shop.localhost:8787/x.js">'
