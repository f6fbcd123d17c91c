"""The skew that the detector found, as a person sees it in the dashboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.browsing import PATIENCE_MS, PHONE
from tests.dashboard.conftest import Open
from tests.dashboard.test_in_the_browser import FAINT_TEXT, HOSTILE, tab_to
from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, running_edge, version
from tests.integration.http_client import Caller
from tests.integration.test_skew import BROWSER, shop

expect.set_options(timeout=PATIENCE_MS)

ASSETS = "shop/skew?kind=asset_skew"
DOCUMENT = {"Accept": "text/html", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
SCRIPT = {"Accept": "*/*", "Sec-Fetch-Dest": "script", "Sec-Fetch-Mode": "no-cors"}
RED = """() => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "var(--bad)";
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}"""


@pytest.fixture
def skewed(start_edge: StartEdge) -> EdgeProcess:
    """Return a shop at 50/50, one page of which came without its script."""
    edge = start_edge(shop(), seed=3)
    break_a_page(edge)
    return edge


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """The same for tests that only look."""
    with running_edge(tmp_path_factory.mktemp("skewed"), shop(), seed=3) as edge:
        break_a_page(edge)
        yield edge


def break_a_page(edge: EdgeProcess) -> str:
    """Load the shop's page, and its script until the other version is asked; return the script's path."""
    with Caller(edge) as caller:
        page = caller.call("/", {**BROWSER, **DOCUMENT})
        script = f"/bundle-{page.decision['tag']}.js"
        referer = f"http://shop.localhost:{edge.port}/"
        while caller.call(script, {**BROWSER, **SCRIPT, "Referer": referer}).status == 200:
            pass
    return script


def ask_across(edge: EdgeProcess, name: str) -> str:
    """Let a page ask for a file that no version has, until the other version is asked; return the file's path."""
    with Caller(edge) as caller:
        for attempt in count():
            client = {"User-Agent": f"Mozilla/5.0 (Test {attempt})"}
            path = f"/{attempt}/{name}"  # a version that was asked once is known not to have it
            page = caller.call("/", {**client, **DOCUMENT})
            referer = f"http://shop.localhost:{edge.port}/"
            answer = caller.call(path, {**client, **SCRIPT, "Referer": referer})
            if answer.header("Gateway-Version") != page.header("Gateway-Version"):
                return path
    raise AssertionError


def rows(page: Page) -> Locator:
    """Return the rows of the list."""
    return page.get_by_role("region", name="Incidents").locator("tbody tr")


def open_first(page: Page) -> Locator:
    """Open the first incident, and return what is told of it."""
    rows(page).first.get_by_role("button").click()
    return page.get_by_role("region", name="One incident")


def test_an_incident_is_listed_while_one_looks_on_and_opened(start_edge: StartEdge, visit: Open) -> None:
    """Live: what is found now appears by itself; the chain names both requests, cause and remedy (R24, R84)."""
    edge = start_edge(shop(), seed=3)
    with visit(edge, ASSETS) as page:
        expect(page.get_by_text("No asset skew was found of shop.")).to_be_visible()
        expect(page.get_by_text("No request was looked at yet.")).to_be_visible()
        script = break_a_page(edge)

        expect(rows(page)).to_have_count(1)
        expect(rows(page)).to_contain_text(re.compile(rf"{script}.*Asset skew.*no-key.*session"))
        opened = open_first(page)
        (told,) = edge.api.skew(kind="asset_skew")["incidents"]
        picture = opened.get_by_role("img")
        for side in ("before", "after"):
            one = told[side]
            for text in (one["label"], f"GET {one['path']}", f"point {one['point']:.2f}", str(one["status"])):
                expect(picture).to_contain_text(text)
            expect(picture).to_have_accessible_name(re.compile(rf"{one['label']} GET .*, status {one['status']}"))
        expect(picture).to_contain_text("its HTML names")
        expect(opened).to_contain_text(told["sentence"])
        expect(opened).to_contain_text(told["remedy"])
        expect(opened).to_contain_text("by address and user agent alone")
        for rule in told["rules"]:
            expect(opened.get_by_text(rule, exact=True)).to_be_visible()

        page.reload()
        expect(page.get_by_role("region", name="One incident")).to_contain_text(told["sentence"])


def test_the_red_line_leads_from_one_card_to_the_other(read: EdgeProcess, visit: Open) -> None:
    """The page stands at the left, the request that met the other version at the right, wherever there is room."""
    with visit(read, ASSETS) as page:
        opened = open_first(page)
        frames = [opened.locator(".skew-frame").nth(index).bounding_box() for index in range(2)]
        line = opened.locator(".skew-line path").first
        box = line.bounding_box()
        assert box is not None
        left, right = (frame for frame in frames if frame is not None)

        assert abs(box["x"] - (left["x"] + left["width"])) < 4
        assert abs(box["x"] + box["width"] - right["x"]) < 4
        assert line.evaluate("element => getComputedStyle(element).stroke") == page.evaluate(RED)


def test_filters_go_by_worker_and_kind_and_stand_in_the_address(start_edge: StartEdge, visit: Open) -> None:
    """Of one Worker or of all, of one kind or of all; what is left out is not shown as if there were none."""
    config = shop()
    config["workers"] = [
        *config["workers"],  # type: ignore[misc]
        {"name": "other", "versions": [version("v1", "facts_version")], "deployment": {"v1": 100}},
    ]
    edge = start_edge(config, seed=3)
    break_a_page(edge)
    with visit(edge, "other/skew") as page:
        expect(page.get_by_text("No skew was found of other.")).to_be_visible()
        page.locator("main").get_by_label("Worker").select_option(label="Every Worker")
        expect(rows(page).first).to_contain_text("shop")
        page.get_by_label("Kind").select_option(label="Stale tab")
        expect(page.get_by_text("No stale tab was found.")).to_be_visible()
        page.reload()
        expect(page.get_by_text("No stale tab was found.")).to_be_visible()
        page.get_by_label("Kind").select_option(label="Asset skew")
        expect(rows(page)).to_have_count(1)
        page.locator("main").get_by_label("Worker").select_option(label="shop")
        expect(page).to_have_url(re.compile("#/shop/skew[?]kind=asset_skew$"))
        expect(rows(page)).to_have_count(1)


def test_what_was_found_is_forgotten_after_a_confirmation(skewed: EdgeProcess, visit: Open) -> None:
    """``DELETE /api/skew``: the dialog says first what goes."""
    with visit(skewed, ASSETS) as page:
        open_first(page)
        page.get_by_role("button", name="Forget…").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(rows(page)).to_have_count(1)
        page.get_by_role("button", name="Forget…").click()
        page.get_by_role("dialog").get_by_role("button", name="Forget all").click()

        expect(page.get_by_text(re.compile(r"Forgot \d incidents?\."))).to_be_visible()
        expect(page.get_by_text("No asset skew was found of shop.")).to_be_visible()
        expect(page.get_by_role("region", name="One incident")).to_have_count(0)
    assert skewed.api.skew()["incidents"] == []


def test_an_incident_that_is_told_no_longer_says_so(read: EdgeProcess, visit: Open) -> None:
    """An old bookmark, or one that another answer disproved, is no blank page."""
    with visit(read, f"{ASSETS}&incident=0123456789abcdef") as page:
        expect(page.get_by_text("This incident is not among those that are told.")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_text("This incident is not among those that are told.")).to_have_count(0)
        expect(rows(page)).to_have_count(1)


def test_switched_off_it_says_how_to_switch_it_on(start_edge: StartEdge, visit: Open) -> None:
    """``skew.enabled: false``: nothing found would be untrue, since nothing is looked for."""
    with visit(start_edge(shop(enabled=False)), "shop/skew") as page:
        expect(page.get_by_text("Nothing is looked for.")).to_be_visible()
        expect(page.get_by_text("skew: {enabled: true}")).to_be_visible()


def test_loading_errors_and_requests_that_were_not_looked_at(read: EdgeProcess, visit: Open) -> None:
    """Every state has its look: no answer yet, a refusal with its remedy, traffic that came too fast."""
    told = '{"error": {"code": 90000, "message": "the disk is full", "remedy": "Make room."}}'
    with visit(read, "shop/overview", refused=True) as page:
        page.route("**/api/skew?*", lambda _route: None)
        page.get_by_role("link", name="Skew", exact=True).first.click()
        expect(page.get_by_role("status", name="Loading")).to_be_visible()

        page.get_by_role("link", name="Overview", exact=True).first.click()
        page.unroute("**/api/skew?*")
        page.route("**/api/skew?*", lambda route: route.fulfill(status=500, body=told))
        page.get_by_role("link", name="Skew", exact=True).first.click()
        alert = page.get_by_role("alert").filter(has_text="the disk is full")
        expect(alert).to_contain_text("Make room.")

        page.unroute("**/api/skew?*")
        many = {**read.api.skew(kind="asset_skew"), "unseen_requests": 1234}
        page.route("**/api/skew?*", lambda route: route.fulfill(json=many))
        alert.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("1,234 requests came faster than they could be looked at.")).to_be_visible()
        expect(rows(page)).to_have_count(1)


def test_the_page_recovers_with_what_it_knew(
    skewed: EdgeProcess, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disconnected: the incident stays; started again, the gateway tells what it found since."""
    with visit(skewed, ASSETS, away=True) as page:
        opened = open_first(page)
        expect(opened.get_by_role("img")).to_be_visible()
        port = skewed.control.rpartition(":")[2]
        skewed.stop()
        expect(page.get_by_text("The gateway does not answer.")).to_be_visible()
        expect(opened.get_by_role("img")).to_be_visible()

        command = skewed.command()
        command[command.index("--control-port") + 1] = port
        monkeypatch.setattr(skewed, "command", lambda: command)
        skewed.start()
        expect(page.get_by_text("No asset skew was found of shop.")).to_be_visible()
        expect(page.get_by_text("This incident is not among those that are told.")).to_be_visible()
        break_a_page(skewed)
        expect(rows(page)).to_have_count(1)


def test_hostile_text_is_shown_as_text(start_edge: StartEdge, visit: Open) -> None:
    """Issue 4, security: tags in paths, version tags and content types stay text, in the picture too."""
    plain = {"tag": HOSTILE, "command": ["python", "-m", "sample_workers.shop", "v1"], "ready": "/healthz"}
    other = {"tag": "v2", "command": ["python", "-m", "sample_workers.shop", "v2"], "ready": "/healthz"}
    edge = start_edge(one_worker([plain, other], {HOSTILE: 50, "v2": 50}), seed=3)
    file = ask_across(edge, "<img/src=x/onerror=alert(4)>/<script>alert(3)</script>.js")
    with visit(edge, "shop/skew") as page:
        page.get_by_label("Kind").select_option(label="Asset skew")
        expect(rows(page).first).to_contain_text(file)
        opened = open_first(page)
        expect(opened.get_by_role("heading", level=2)).to_contain_text(file)
        expect(opened.get_by_role("img")).to_contain_text("<script>alert(")
        expect(opened.get_by_role("img")).to_have_accessible_name(re.compile(re.escape(HOSTILE)))
        page.get_by_text("Both requests in full").click()
        expect(opened.get_by_role("row", name="Request")).to_contain_text(file)

        assert page.locator("main img, script:not([src])").count() == 0


def test_an_incident_is_opened_and_closed_with_the_keyboard_alone(read: EdgeProcess, visit: Open) -> None:
    """Who opens one is told of it; who closes it is back at its place in the list."""
    with visit(read, ASSETS) as page:
        opener = rows(page).first.get_by_role("button")
        tab_to(page, opener)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Asset skew")).to_be_focused()
        expect(opener).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Escape")
        expect(page.get_by_role("region", name="One incident")).to_have_count(0)
        expect(opener).to_be_focused()
        expect(opener).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_open_incident_can_be_read_on_a_phone(read: EdgeProcess, visit: Open, scheme: str) -> None:
    """Nothing is wider than 360 px, the cards stand one under the other, and text holds its contrast."""
    with visit(read, ASSETS, viewport=PHONE, has_touch=True, color_scheme=scheme) as page:
        opened = open_first(page)
        page.get_by_text("Both requests in full").click()
        first, second = (opened.locator(".skew-frame").nth(index).bounding_box() for index in range(2))
        assert first is not None
        assert second is not None

        assert second["y"] > first["y"] + first["height"]
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert page.evaluate(FAINT_TEXT) == []
