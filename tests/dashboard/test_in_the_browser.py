"""What a person does with the dashboard, done in a real browser against a running edge."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.browsing import PATIENCE_MS, PHONE
from tests.dashboard.conftest import Open
from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, version
from tests.integration.http_client import KEY, OVERRIDES, Caller, call
from tests.integration.waiting import wait_for

expect.set_options(timeout=PATIENCE_MS)

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def send(edge: EdgeProcess, count: int, target: str = "/", host: str = "shop.localhost", **headers: str) -> None:
    """Send the same request some times."""
    with Caller(edge, host) as caller:
        for _ in range(count):
            caller.call(target, {name.replace("_", "-"): value for name, value in headers.items()})


def share_of(page: Page, tag: str) -> float:
    """Return the observed share that the table of versions shows, -1 where it shows none."""
    cell = page.get_by_role("row", name=tag).locator("[data-observed]")
    return float(cell.get_attribute("data-observed") or -1) if cell.count() else -1


def listening(page: Page) -> None:
    """Wait until the tail listens: requests from before are not kept."""
    expect(page.locator(".flow.open")).to_be_visible()


def chosen_row(page: Page, text: str) -> Locator:
    """Return the newest event of the tail that has a text."""
    return page.get_by_role("log").get_by_role("button").filter(has_text=text).first


# Overview and deployments.


def test_the_overview_shows_split_numbers_and_charts(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: the split as asked and as observed, requests a second, errors, P50/P95/P99, live."""
    with visit(edge, "shop/overview") as page:
        send(edge, 200)

        expect(page.get_by_role("heading", level=1)).to_have_text("shop")
        expect(page.get_by_role("img", name="Asked: v1 90 %, v2 10 %")).to_be_visible()
        for tag in ("v1", "v2"):
            expect(page.get_by_role("row", name=tag)).to_contain_text("running")
        wait_for(lambda: 80 < share_of(page, "v1") < 97, "the observed share")
        for title in ("Share observed", "Requests/s", "Wall time", "Errors/s"):
            expect(page.get_by_role("img", name=f"{title} over time")).to_be_visible()
        expect(page.locator("canvas")).to_have_count(4)


def test_a_split_moved_in_the_page_is_followed_by_the_traffic(fresh_edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, must be seen: change the split in the page, told beforehand, and see the observed share follow."""
    edge = fresh_edge
    with visit(edge, "shop/deploy") as page:
        page.get_by_label("Exact percentage of v2").fill("40")
        page.get_by_label("Exact percentage of v2").press("Tab")
        expect(page.get_by_label("Exact percentage of v1")).to_have_value("60")
        preview = page.get_by_role("region", name="What will happen")
        expect(preview).to_contain_text("30 %")
        expect(preview).to_contain_text("v1@60% v2@40%")
        page.get_by_label("Message").fill("more of the new checkout")
        page.get_by_role("button", name="Deploy…").click()
        page.get_by_role("dialog").get_by_role("button", name="Deploy now").click()
        expect(page.get_by_text("Deployment #2 is active")).to_be_visible()
        expect(page.get_by_role("row", name="#2")).to_contain_text("more of the new checkout")

        page.get_by_role("link", name="Overview").first.click()
        page.get_by_text("Deployment", exact=True).click()
        send(edge, 400)

        wait_for(lambda: 30 < share_of(page, "v2") < 50, "the new share")
    assert [one["percentage"] for one in edge.api.deployments("shop")[0]["versions"]] == [60, 40]


def test_a_warning_comes_before_the_deployment(edge: EdgeProcess, visit: Open) -> None:
    """R49: with the order swapped far more keys move than the shares say; nothing is deployed by looking."""
    with visit(edge, "shop/deploy") as page:
        page.get_by_role("button", name="Move v2 up").click()

        expect(page.get_by_role("region", name="What will happen")).to_contain_text("R49")
        expect(page.get_by_role("region", name="What will happen")).to_contain_text("20 %")
    assert len(edge.api.deployments("shop")) == 1


def test_what_cannot_be_deployed_is_told_with_its_remedy(fresh_edge: EdgeProcess, visit: Open) -> None:
    """House rule 8: the page shows the API's message and remedy, and offers no button that would fail."""
    third = {"tag": "v3", "command": ["python", "-m", "tests.integration.versions.facts_version"]}
    config = fresh_edge.config_file.read_text("utf-8")
    fresh_edge.config_file.write_text(
        config.replace("  - tag: v2\n", f"  - tag: v3\n    command: {third['command']!r}\n  - tag: v2\n", 1),
        "utf-8",
    )
    wait_for(lambda: len(fresh_edge.api.versions("shop")) == 3, "the third version")
    with visit(fresh_edge, "shop/deploy", refused=True) as page:
        page.get_by_label("Add a version").select_option(
            label="v3 (" + fresh_edge.version_state("v3")["id"][:8] + ")"
        )

        alert = page.get_by_role("region", name="What will happen").get_by_role("alert")
        expect(alert).to_contain_text("versions")
        expect(page.get_by_role("button", name="Deploy…")).to_be_disabled()


def test_one_click_rolls_back_after_a_confirmation(fresh_edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: roll back in one click; the dialog says first what it does (R93)."""
    with visit(fresh_edge, "shop/overview") as page:
        page.get_by_role("button", name="Roll back").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("10 %")
        dialog.get_by_label("Message").fill("too slow")
        dialog.get_by_role("button", name="Roll back to v1").click()

        expect(page.get_by_text("Rolled back: deployment #2 is active.")).to_be_visible()
        expect(page.get_by_role("img", name="Asked: v1 100 %")).to_be_visible()
    newest = fresh_edge.api.deployments("shop")[0]
    assert (newest["triggered_by"], newest["message"]) == ("rollback", "too slow")


# The tail.


def test_a_click_on_a_request_tells_why_it_met_its_version(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, must be seen: its whole decision chain, headers (redacted, R113), timing, version."""
    with visit(edge, "shop/tail") as page:
        listening(page)
        send(edge, 1, "/facts?why", **{KEY: "user-123", "Cookie": "session=secret", "X_Plain": "shown"})
        chosen_row(page, "/facts?why").click()

        detail = page.get_by_role("complementary", name="Details")
        expect(detail.get_by_role("heading", level=2)).to_have_text("GET /facts?why")
        expect(detail).to_contain_text("by affinity")
        decided = detail.locator(".step.decided")
        expect(decided).to_contain_text("Affinity key")
        expect(decided).to_contain_text("8.6482")  # docs/routing.md: where user-123 lies for shop
        expect(decided).to_contain_text("[0, 90)")
        expect(detail).to_contain_text("shown")
        expect(detail).not_to_contain_text("secret")
        expect(detail).not_to_contain_text("user-123")


def test_the_chain_is_that_of_the_request_and_not_of_another_draw(edge: EdgeProcess, visit: Open) -> None:
    """R24: each draw is independent, so the explanation must show the point that was drawn."""
    with visit(edge, "shop/tail") as page:
        listening(page)
        answer = call(edge, "/drawn")
        chosen_row(page, "/drawn").click()

        point = f"{answer.decision['point']:.3f}"
        detail = page.get_by_role("complementary", name="Details")
        expect(detail.locator(".step.decided")).to_contain_text(point)
        expect(detail).to_contain_text(f"{answer.decision['tag']}")


def test_filters_reach_the_gateway_and_stand_in_the_address(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: the live tail with filters; a reload keeps them."""
    with visit(edge, "shop/tail") as page:
        with page.expect_response(lambda response: "search=wanted" in response.url):
            page.get_by_role("searchbox").fill("wanted")
        expect(page).to_have_url(re.compile("search=wanted"))
        listening(page)
        send(edge, 3, "/other")
        send(edge, 3, "/wanted")

        expect(chosen_row(page, "/wanted")).to_be_visible()
        expect(page.get_by_role("log")).not_to_contain_text("/other")
        page.reload()
        expect(page.get_by_role("searchbox")).to_have_value("wanted")


def test_a_paused_tail_stands_still_and_counts(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: pause, and go on with what came meanwhile."""
    with visit(edge, "shop/tail") as page:
        listening(page)
        send(edge, 1, "/before")
        expect(chosen_row(page, "/before")).to_be_visible()
        page.get_by_role("button", name="Pause", exact=True).click()
        send(edge, 5, "/meanwhile")

        expect(page.get_by_text("paused, 5 new")).to_be_visible()
        expect(page.get_by_role("log")).not_to_contain_text("/meanwhile")
        page.get_by_role("button", name="Resume").click()
        expect(chosen_row(page, "/meanwhile")).to_be_visible()


def test_the_list_is_bounded_whatever_comes(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4: smooth under load; the page holds a few hundred rows, and asks for a sample where more come."""
    with visit(edge, "shop/tail") as page:
        listening(page)
        send(edge, 1500, "/many")
        expect(chosen_row(page, "/many")).to_be_visible()
        send(edge, 1, "/last-of-all")

        assert page.get_by_role("log").get_by_role("button").count() <= 400


# Objects.


def test_an_object_is_found_looked_into_and_pinned(fresh_edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, must be seen: search an object and pin it; its history tells; unpin."""
    edge = fresh_edge
    with Caller(edge, "counter.localhost") as caller:
        for number in range(250):
            caller.call(f"/counter/user-{number}")
    with visit(edge, "counter/objects") as page:
        expect(page.get_by_text("100 of 250")).to_be_visible()
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_text("200 of 250")).to_be_visible()
        page.get_by_role("searchbox").fill("user-42")
        page.get_by_role("button", name=re.compile("^user-42 ")).click()
        detail = page.get_by_role("complementary", name="One object")
        expect(detail).to_contain_text("first access")
        before = next(
            one for one in edge.api.objects("counter", search="user-42")["objects"] if one["name"] == "user-42"
        )
        other = "v1" if before["assigned_tag"] == "v2" else "v2"
        detail.get_by_label("Keep it on").select_option(label=other)
        detail.get_by_role("button", name="Pin", exact=True).click()

        expect(detail.get_by_text("Pinned to")).to_contain_text(other)
        expect(detail.get_by_role("listitem").first).to_contain_text(other)
        detail.get_by_role("button", name="Unpin").click()
        expect(detail.get_by_text("Pinned to")).to_have_count(0)


def test_a_search_from_a_later_page_begins_at_the_first(fresh_edge: EdgeProcess, visit: Open) -> None:
    """Among a million objects each question counts: none is asked for the page where the one before stood."""
    with Caller(fresh_edge, "counter.localhost") as caller:
        for number in range(150):
            caller.call(f"/counter/user-{number}")
    with visit(fresh_edge, "counter/objects") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_text("150 of 150")).to_be_visible()
        page.get_by_role("searchbox").fill("user-14")
        expect(page.get_by_text("11 objects of 150 found in all")).to_be_visible()
        page.get_by_role("searchbox").fill("")
        expect(page.get_by_text("100 of 150")).to_be_visible()

        assert [url for url in asked if "search=" in url and "after=" in url] == []


def test_objects_that_differ_between_deployments_are_listed(fresh_edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: diff between deployments."""
    edge = fresh_edge
    with Caller(edge, "counter.localhost") as caller:
        for number in range(40):
            caller.call(f"/counter/user-{number}")
    with visit(edge, "counter/deploy") as page:
        page.get_by_role("button", name="Take v1 out").click()
        moving = page.get_by_role("region", name="What will happen").get_by_text(re.compile(r"^\d+ objects?$"))
        expect(moving).not_to_have_text("0 objects")
        told = int((moving.text_content() or "").split()[0])
        page.get_by_role("button", name="Deploy…").click()
        page.get_by_role("button", name="Deploy now").click()
        expect(page.get_by_text("Deployment #2 is active")).to_be_visible()
        page.get_by_role("link", name="Objects").first.click()
        page.get_by_text("Compare deployments").click()

        expect(page.get_by_role("heading", name=f"{told} objects")).to_be_visible()


# Versions.


def test_a_killed_process_is_seen_at_once(fresh_edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, must be seen: kill a version's process and see it shown."""
    edge = fresh_edge
    with visit(edge, "shop/tail") as page:
        listening(page)
        victim = process_of(edge, "v2")
        os.kill(victim, signal.SIGKILL)

        row = page.get_by_role("log").get_by_role("button").filter(has_text="crashed")
        expect(row.first).to_contain_text("v2")


def process_of(edge: EdgeProcess, tag: str) -> int:
    """Return the process of a version of ``shop``."""
    version_id = edge.version_state(tag)["id"]
    for pid in edge.processes():
        if version_id.encode() in Path(f"/proc/{pid}/environ").read_bytes():
            return pid
    raise AssertionError(f"no process runs version {tag}")


def test_a_version_that_does_not_stay_up_shows_its_last_lines(start_edge: StartEdge, visit: Open) -> None:
    """Issue 4, item 7: state (running, starting, crashed with last lines); the sidebar warns on every view."""
    versions = [version("v1", "facts_version"), version("v2", "unsteady_version", "dies")]
    edge = start_edge(one_worker(versions, {"v1": 50, "v2": 50}))
    edge.wait_for_state("v2", "crashed")
    lines = edge.version_state("v2")["last_lines"]
    with visit(edge, "shop/versions") as page:
        card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="v2"))

        expect(card.get_by_text("crashed", exact=True)).to_be_visible()
        expect(card).to_contain_text(lines[-1])
        expect(page.get_by_title("a deployed version crashed")).to_be_visible()


def test_faults_on_purpose_are_said_on_every_view(fresh_edge: EdgeProcess, visit: Open) -> None:
    """docs/faults.md: who forgot a fault would look for the cause elsewhere; one button takes all of them away."""
    with visit(fresh_edge, "shop/versions") as page:
        expect(page.get_by_role("heading", name="v2")).to_be_visible()
        expect(page.get_by_text("goes wrong on purpose")).to_have_count(0)

        fresh_edge.api.add_fault({"kind": "hang", "name": "stuck"})
        expect(page.get_by_text("goes wrong on purpose")).to_be_visible()
        page.get_by_role("link", name="Overview").first.click()
        expect(page.get_by_role("status").filter(has_text="stuck")).to_be_visible()
        page.get_by_role("button", name="Take away").click()

        expect(page.get_by_text("goes wrong on purpose")).to_have_count(0)
    assert fresh_edge.api.faults() == []


def test_two_versions_are_compared(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: diff of two versions' definition."""
    with visit(edge, "shop/versions") as page:
        table = page.get_by_role("region", name="Compare two versions")

        expect(table.get_by_role("row", name="message")).to_contain_text("as it was")
        expect(table.get_by_role("row", name="message")).to_contain_text("new checkout")
        expect(table.get_by_role("row", name="argv")).to_have_count(0)
        page.get_by_label("what is the same, too").check()
        expect(table.get_by_role("row", name="argv")).to_contain_text("facts_version")


# Try it.


def test_a_request_is_explained_sent_and_sent_again(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: compose a request (key, override), explain it, send it n times, see the distribution."""
    with visit(edge, "shop/try") as page:
        page.get_by_label("Affinity key").fill("user-123")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("region", name="Explanation")).to_contain_text("8.6482")

        page.get_by_label("Affinity key").fill("")
        page.get_by_label("How often").fill("300")
        page.get_by_role("button", name="Send 300 times").click()
        result = page.get_by_role("region", name="300 answers")
        expect(result.get_by_role("row", name="v1")).to_contain_text("percentage")
        expect(result.get_by_role("row", name="v2")).to_contain_text("200")

        page.get_by_label("Override").fill(f'shop="{edge.version_state("v2")["id"]}"')
        page.get_by_role("button", name="Send", exact=True).click()
        answer = page.get_by_role("region", name="Answer")
        expect(answer).to_contain_text("override")
        expect(answer).to_contain_text(edge.version_state("v2")["id"])


# States.


def test_the_page_recovers_when_the_gateway_is_started_again(
    fresh_edge: EdgeProcess, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 4, must be seen: restart the gateway and see the page recover, with what it knew until then."""
    edge = fresh_edge
    with visit(edge, "shop/tail", away=True) as page:
        listening(page)
        send(edge, 1, "/first")
        expect(chosen_row(page, "/first")).to_be_visible()
        port = edge.control.rpartition(":")[2]
        edge.stop()
        expect(page.get_by_text("The gateway does not answer.")).to_be_visible()
        expect(chosen_row(page, "/first")).to_be_visible()

        command = edge.command()
        command[command.index("--control-port") + 1] = port
        monkeypatch.setattr(edge, "command", lambda: command)
        edge.start()
        expect(page.get_by_text("The gateway does not answer.")).to_be_hidden()
        expect(page.get_by_text("connected", exact=True)).to_be_visible()
        listening(page)
        send(edge, 1, "/second")
        expect(chosen_row(page, "/second")).to_be_visible()


def test_a_gateway_without_workers_says_how_to_get_one(start_edge: StartEdge, visit: Open) -> None:
    """Issue 4, item 7: empty, with the command that fills it."""
    with visit(start_edge({"workers": []})) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("No Worker yet")
        expect(page.get_by_text("npx wrangler deploy")).to_be_visible()


def test_a_worker_that_is_not_there_is_told(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: every state has its look; an old bookmark is no blank page."""
    with visit(edge, "nobody/overview") as page:
        expect(page.get_by_text("This gateway has no Worker of that name.")).to_be_visible()
        page.get_by_role("link", name="Go to shop").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("shop")


def test_an_error_shows_the_message_the_remedy_and_another_try(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: error, with the API's message and remedy."""
    told = '{"error": {"code": 90000, "message": "the disk is full", "remedy": "Make room."}}'
    with visit(edge, "counter/overview", refused=True) as page:
        page.route("**/objects?*", lambda route: route.fulfill(status=500, body=told))
        page.get_by_role("link", name="Objects").first.click()
        alert = page.get_by_role("alert").filter(has_text="the disk is full")
        expect(alert).to_contain_text("Make room.")

        page.unroute("**/objects?*")
        alert.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("No object of Counter was used yet.")).to_be_visible()


def test_loading_has_a_look(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: loading; nothing jumps once the answer is there."""
    with visit(edge, "shop/versions") as page:
        page.route("**/metrics?*", lambda _route: None)
        page.get_by_role("link", name="Overview").first.click()

        expect(page.get_by_role("status", name="Loading").first).to_be_visible()


# Text is text.


def test_hostile_text_is_shown_as_text_everywhere(start_edge: StartEdge, visit: Open) -> None:
    """Issue 4, must be seen: HTML in path, user agent, version tag, message, object name is shown, never run."""
    plain = {
        "tag": HOSTILE,
        "message": HOSTILE,
        "command": ["python", "-m", "tests.integration.versions.objects_version"],
    }
    binding = {"class": "Cart", "object": "path:/cart/{name}"}
    config = one_worker([plain], {HOSTILE: 100}, durable_objects={"bindings": [binding]})
    edge = start_edge(config)
    with visit(edge, "shop/tail") as page:
        listening(page)
        quoted = "/cart/%3Cscript%3Ealert(1)%3C%2Fscript%3E"
        send(edge, 1, f"/raw?{HOSTILE.replace(' ', '+')}", **{"User_Agent": HOSTILE, OVERRIDES: HOSTILE})
        send(edge, 1, quoted)

        chosen_row(page, "/raw?<script>").click()
        detail = page.get_by_role("complementary", name="Details")
        expect(detail).to_contain_text(HOSTILE)
        expect(detail.get_by_role("heading", level=2)).to_contain_text("<script>alert(1)</script>")
        for view in ("overview", "deploy", "versions"):
            page.get_by_role("link", name=view.capitalize(), exact=True).first.click()
            expect(page.get_by_text(HOSTILE).first).to_be_visible()
        page.get_by_role("link", name="Objects").first.click()
        page.get_by_role("button", name=re.compile("<script>")).click()
        expect(page.get_by_role("complementary").get_by_role("heading", level=2)).to_contain_text("<script>")
        page.get_by_role("link", name="Try it").first.click()
        page.get_by_label("URL").fill(f"{edge.url.replace('127.0.0.1', 'shop.localhost')}{quoted}?{HOSTILE}")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("region", name="Explanation")).to_contain_text(HOSTILE)
        assert page.locator("img, script:not([src])").count() == 0


# Hands and eyes.


def test_a_deployment_is_made_with_the_keyboard_alone(fresh_edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: keyboard usable; what has the focus shows it."""
    with visit(fresh_edge, "shop/overview") as page:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        tab_to(page, page.get_by_role("link", name="Deploy", exact=True).first)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_be_focused()

        slider = page.get_by_label("Percentage of v2", exact=True)
        tab_to(page, slider)
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        expect(slider).to_have_value("15")
        tab_to(page, page.get_by_role("button", name="Deploy…"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Deploy now")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        tab_to(page, page.get_by_role("button", name="Deploy…"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Deploy now")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Deployment #2 is active")).to_be_visible()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until something has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(80):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {wanted}")


VIEWS = ["overview", "deploy", "tail", "skew", "objects", "versions", "try"]


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(edge: EdgeProcess, visit: Open, view: str) -> None:
    """Issue 4, item 7: responsive down to 360 px; the same links stand at the bottom edge."""
    with visit(edge, f"counter/{view}", viewport=PHONE, has_touch=True) as page:
        send(
            edge,
            3,
            "/counter/a-name-that-is-long-enough-to-be-wider-than-any-phone-could-show",
            "counter.localhost",
        )
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        tabs = page.get_by_role("navigation", name="Views").filter(visible=True)
        expect(tabs.get_by_role("link")).to_have_count(len(VIEWS))

        expect(tabs.locator("[aria-current=page]")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(edge: EdgeProcess, visit: Open, view: str, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: text has a contrast of 4.5 to what is behind it."""
    with visit(edge, f"counter/{view}", color_scheme=scheme) as page:
        send(edge, 5, "/counter/one", "counter.localhost")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("status", name="Loading")).to_have_count(0)

        assert page.evaluate(FAINT_TEXT) == []


FAINT_TEXT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((c) => linear(c / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("white");
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility({ opacityProperty: true })) continue;
    if (element.closest(":disabled, .hidden, .skip")) continue;
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`${element.className || element.tagName}: ${contrast.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


def test_the_theme_can_be_switched_and_stays(edge: EdgeProcess, visit: Open) -> None:
    """Issue 4, item 7: dark and light by the machine's setting, plus a switch."""
    with visit(edge, "shop/overview", color_scheme="light") as page:
        scheme = "getComputedStyle(document.documentElement).colorScheme"
        assert page.evaluate(scheme) == "light dark"
        page.get_by_role("button", name="Colours: system").click()
        page.get_by_role("button", name="Colours: light").click()
        assert page.evaluate(scheme) == "dark"

        page.reload()
        expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()
        assert page.evaluate(scheme) == "dark"
