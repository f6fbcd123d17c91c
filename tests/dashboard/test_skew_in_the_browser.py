"""The sample shop at 50/50 in a real browser: the skew detector tells what breaks there, and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

from tests.dashboard.browsing import PATIENCE_MS
from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess
from tests.integration.http_client import KEY
from tests.integration.test_skew import Seen, shop, told
from tests.integration.waiting import wait_for

LOADS: Final = 200
USERS: Final = 20
API: Final = "/api/products"
FETCHED: Final = re.compile("cents|price missing")


class Load(NamedTuple):
    """One page load, as the browser saw it.

    Args:
        answers: By path.
        errors: Paths that lines of the console complain of.
        shown: What the page says of its script.
    """

    answers: dict[str, Response]
    errors: set[str]
    shown: str


class Visitor:
    """One tab that loads the shop again and again, and notes what the browser tells of each load."""

    def __init__(self, edge: EdgeProcess, page: Page) -> None:
        self._page = page
        self._shop = f"http://shop.localhost:{edge.port}"
        self._labels = {one["id"]: one["tag"] for one in edge.api.versions("shop")}
        self._answers: dict[str, Response] = {}
        self._errors: set[str] = set()
        self.answered = 0
        page.on("response", self._on_response)
        page.on("console", self._on_console)

    def _on_response(self, response: Response) -> None:
        self._answers[response.url.removeprefix(self._shop)] = response
        self.answered += 1

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "404" in message.text:
            self._errors.add(message.location["url"].removeprefix(self._shop))

    def load(self) -> Load:
        """Load the shop's page with all that it asks for."""
        self._answers, self._errors = {}, set()
        self._page.goto(f"{self._shop}/")
        shown = self._page.locator("#script-status").inner_text()
        if shown.startswith("script arrived"):
            # What the script fetches comes after the page: the load is over once that is shown, too.
            self._page.locator("#prices").filter(has_text=FETCHED).wait_for()
        return Load(self._answers, self._errors, shown)

    def version_of(self, response: Response) -> str:
        """Return the tag of the version that answered."""
        return self._labels[response.headers["gateway-version"]]

    def broken(self, load: Load) -> Seen:
        """Return what of a load was not found; the network, the console and the page itself say the same."""
        page = self.version_of(load.answers["/"])
        missing = {path for path, response in load.answers.items() if response.status == 404}
        script = f"/bundle-{page}.js"
        assert load.answers.keys() == {"/", "/style.css", script} | (set() if missing else {API})
        assert missing <= {script}
        assert load.errors == missing
        assert load.shown.startswith("script missing" if missing else "script arrived")
        return Counter((page, path, self.version_of(load.answers[path])) for path in missing)


@contextmanager
def context_of(browser: Browser) -> Iterator[BrowserContext]:
    """Open a context of its own, as of a person who was never here."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


def uncached(page: Page) -> Page:
    """Let each load fetch its style and its script anew: what a cache answers, no detector sees."""
    page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    return page


def report_of(edge: EdgeProcess, answered: int) -> Any:
    """Return the detector's report, once it looked at all that the browser got."""

    def look() -> Any:
        report = edge.api.skew()
        return report if report["requests"] >= answered else None

    report = wait_for(look, f"{answered} requests that were looked at")
    assert (report["requests"], report["unseen_requests"]) == (answered, 0)
    return report


def test_exactly_what_breaks_in_the_browser_is_told(start_edge: StartEdge, browser: Browser) -> None:
    """Issue D: without a key, over 200 page loads: no miss, no false alarm, counted by file and versions (R24)."""
    edge = start_edge(shop(), seed=4)
    broken: Seen = Counter()
    mixed: Counter[tuple[str, ...]] = Counter()
    with context_of(browser) as context:
        visitor = Visitor(edge, uncached(context.new_page()))
        for _ in range(LOADS):
            load = visitor.load()
            broken += visitor.broken(load)
            page, *others = (visitor.version_of(load.answers[path]) for path in sorted(load.answers))
            mixed.update(tuple(sorted((page, other))) for other in others if other != page)
    report = report_of(edge, visitor.answered)

    assert {(page, answered) for page, _, answered in broken} == {("v1", "v2"), ("v2", "v1")}
    assert told(edge) == broken
    # A style or an API's answer from the other version is no missing file, and yet one session on two versions.
    for one in report["incidents"]:
        pair = tuple(sorted((one["before"]["label"], one["after"]["label"])))
        assert one["cause"] == "no-key"
        assert one["kind"] == "asset_skew" or (one["kind"] == "session_skew" and one["count"] <= mixed[pair])


def test_with_a_key_nothing_breaks_and_nothing_is_told(start_edge: StartEdge, browser: Browser) -> None:
    """Issue D, R26, R37, R84: the key that a rule takes from the cookie is sent with pages and files alike."""
    edge = start_edge(shop(session_cookie="user"), seed=4)
    answered = 0
    versions: Counter[str] = Counter()
    for number in range(USERS):
        with context_of(browser) as context:
            user = f"user-{number}"
            context.add_cookies([{"name": "user", "value": user, "domain": "shop.localhost", "path": "/"}])
            context.set_extra_http_headers({KEY: user})
            visitor = Visitor(edge, uncached(context.new_page()))
            for _ in range(LOADS // USERS):
                load = visitor.load()
                assert not visitor.broken(load)
                versions.update(visitor.version_of(response) for response in load.answers.values())
            answered += visitor.answered
    report = report_of(edge, answered)

    assert report["incidents"] == []
    assert versions.keys() == {"v1", "v2"}
    assert versions.total() == LOADS * 4
