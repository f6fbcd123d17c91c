"""A rollout seen by a real browser: pytest and Playwright, against a gateway that runs.

GATEWAY_CONTROL names the gateway's API, where it is not at the default address; CHROMIUM a browser other than
Playwright's own.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CONTROL = os.environ.get("GATEWAY_CONTROL", "http://127.0.0.1:8788")
LOADS = 30


def call(path: str, body: object = None) -> dict[str, Any]:
    """Call the gateway's API."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(CONTROL + path, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        yield browser
        browser.close()


@pytest.fixture
def shop_url() -> Iterator[str]:
    """Deploy the shop at 50/50, and afterwards as it was."""
    (shop,) = [worker for worker in call("/api/status")["workers"] if worker["name"] == "shop"]
    before = {one["version_id"]: one["percentage"] for one in shop["active"]["versions"]}
    deploy(v1=50, v2=50)
    yield shop["url"]
    deploy(**before)


def deploy(**percentages: float) -> None:
    steps = [{"deploy": percentages}]
    report = call("/api/test/scenario", {"name": "deploy", "worker": "shop", "restore": False, "steps": steps})
    assert report["passed"], report["failures"]


def missing_scripts(page: Page, url: str) -> list[str]:
    """Load the page a few times, and return the files that it asked for and did not get."""
    missing: list[str] = []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status == 404 else None)  # noqa: PLR2004
    for _ in range(LOADS):
        page.goto(url, wait_until="load")
    return [one for one in missing if "/bundle-" in one]


def test_without_a_key_pages_miss_their_script(browser: Browser, shop_url: str) -> None:
    page = browser.new_page()

    assert missing_scripts(page, shop_url)


def test_a_key_keeps_each_page_whole(browser: Browser, shop_url: str) -> None:
    page = browser.new_page(extra_http_headers={"Cloudflare-Workers-Version-Key": "anna"})

    assert missing_scripts(page, shop_url) == []
