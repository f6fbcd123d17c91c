"""Takes the pictures of ``docs/images/``: ``make screenshots``; with ``VIEWS="skew tail"`` those of some views.

A sample edge gets a minute of traffic and three deployments, one version falls once, a browser opens its pages:
then each view is shown, wide and narrow, light and dark.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from gateway.control.client import VersionSpec
from tests.dashboard.browsing import DESKTOP, running_browser
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.http_client import KEY, OVERRIDES, Caller

IMAGES: Final = Path(__file__).parents[2] / "docs/images"
NARROW: Final = {"width": 390, "height": 800}
PER_SECOND: Final = 90.0
THREADS: Final = 3
USERS: Final = 900
VISITORS: Final = 40
PATHS: Final = ("/", "/", "/bundle-v1.js", "/bundle-v2.js", "/metadata", "/cart", "/checkout", "/login?user=ada")

CONFIG: Final = {
    "gateway": {"skew": {"session_cookie": "user", "flows": [["/cart", "/checkout"]]}},
    "workers": [
        {
            "name": "shop",
            "routes": ["*/*"],
            "versions": [
                {
                    "tag": tag,
                    "message": message,
                    "command": ["python", "-m", "sample_workers.shop", tag],
                    "ready": "/healthz",
                }
                for tag, message in (("v1", "the shop as it was"), ("v2", "new checkout"))
            ],
            "deployment": {"v1": 100},
        },
        {
            "name": "counter",
            "versions": [
                {"tag": tag, "command": ["python", "-m", "sample_workers.counter", tag]} for tag in ("v1", "v2")
            ],
            "deployment": {"v1": 50, "v2": 50},
            "durable_objects": {"bindings": [{"class": "Counter", "object": "path:/counter/{name}"}]},
        },
    ],
}


@contextmanager
def traffic(edge: EdgeProcess) -> Iterator[None]:
    """Send requests as long as the context lasts."""
    ending = threading.Event()

    def send() -> None:
        draw = random.Random()  # noqa: S311 - made-up traffic
        with Caller(edge) as shop, Caller(edge, "counter.localhost") as counter:
            while not ending.wait(draw.expovariate(PER_SECOND / THREADS)):
                headers = {"User-Agent": draw.choice(("Mozilla/5.0 (X11; Linux x86_64)", "curl/8.14.1"))}
                if draw.random() < 0.5:
                    headers[KEY] = f"user-{draw.randrange(USERS)}"
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if draw.random() < 0.25:
                        counter.call(f"/counter/user-{draw.randrange(USERS)}", headers)
                    else:
                        shop.call(draw.choice(PATHS), headers)

    threads = [threading.Thread(target=send) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def prepare(edge: EdgeProcess) -> None:
    """Let a gradual deployment happen."""
    time.sleep(8)
    steps = ((5.0, "first users"), (20.0, "no errors: more"))
    for share, message in steps:
        edge.api.deploy("shop", [VersionSpec("v1", 100 - share), VersionSpec("v2", share)], message=message)
        time.sleep(14)
    with Caller(edge) as caller:
        version_id = edge.version_state("v2")["id"]
        caller.call("/crash", {OVERRIDES: f'shop="{version_id}"'}, method="POST", body=b"")
    time.sleep(12)


def browse(browser: Browser, edge: EdgeProcess) -> None:
    """Open pages as people do: their scripts, and a flow, may meet another version."""
    shop = f"http://shop.localhost:{edge.port}"
    for number in range(VISITORS):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{shop}/login?user=visitor-{number}")
        page.goto(f"{shop}/cart")
        page.goto(f"{shop}/checkout", referer=f"{shop}/cart")
        context.close()


def show_deploy(page: Page) -> None:
    """Move the split, and do not deploy."""
    page.get_by_label("v2 to 50 %").click()
    page.get_by_role("button", name="Deploy…").wait_for()
    page.wait_for_timeout(800)


def show_tail(page: Page) -> None:
    """Look into a request."""
    page.wait_for_timeout(2500)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("log").get_by_role("button").filter(has_text="/checkout").first.click()
    page.locator(".step.decided").wait_for()


def show_tail_list(page: Page) -> None:
    """Let some requests come in."""
    page.wait_for_timeout(2500)


def show_objects(page: Page) -> None:
    """Pin an object."""
    page.locator(".object-name").nth(3).click()
    page.get_by_label("Keep it on").wait_for()
    if page.get_by_role("button", name="Unpin").count() == 0:
        page.get_by_label("Keep it on").select_option(label="v2")
        page.get_by_role("button", name="Pin", exact=True).click()
        page.get_by_text("Pinned to").wait_for()


def show_skew(page: Page) -> None:
    """Look into an incident."""
    page.locator(".skew-table .object-name").filter(has_text="/bundle-v1.js").first.click()
    page.locator(".skew-chain svg").wait_for()
    page.get_by_role("heading", level=1).focus()


def show_try(page: Page) -> None:
    """Send a request many times."""
    page.get_by_label("How often").fill("500")
    page.get_by_role("button", name="Send 500 times").click()
    page.get_by_role("region", name="500 answers").wait_for()


def show(page: Page) -> None:
    """Wait until everything is there."""
    page.wait_for_timeout(2500)


PICTURES: Final[tuple[tuple[str, str, Callable[[Page], None]], ...]] = (
    ("overview", "shop/overview", show),
    ("deploy", "shop/deploy", show_deploy),
    ("tail", "shop/tail", show_tail),
    ("skew", "shop/skew", show_skew),
    ("objects", "counter/objects", show_objects),
    ("versions", "shop/versions", show),
    ("try", "shop/try", show_try),
)
NARROW_PICTURES: Final[tuple[tuple[str, str, Callable[[Page], None]], ...]] = (
    ("overview", "shop/overview", show),
    ("deploy", "shop/deploy", show_deploy),
    ("tail", "shop/tail", show_tail_list),
    ("skew", "shop/skew", show_skew),
)


def take(browser: Browser, edge: EdgeProcess, scheme: str, wanted: Collection[str]) -> None:
    """Take the pictures of some views, or of all where none is named, in one colour scheme."""
    for prefix, viewport, pictures in (("", DESKTOP, PICTURES), ("phone-", NARROW, NARROW_PICTURES)):
        context = browser.new_context(
            viewport={"width": viewport["width"], "height": viewport["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        for name, view, act in pictures:
            if wanted and name not in wanted:
                continue
            page = context.new_page()
            page.goto(f"{edge.control}/#/{view}")
            page.get_by_role("heading", level=1).wait_for()
            act(page)
            page.screenshot(path=IMAGES / f"{prefix}{name}-{scheme}.png")
            page.close()
        context.close()


def main(wanted: Collection[str]) -> None:
    """Take the pictures of some views, or of all where none is named."""
    if unknown := set(wanted) - {name for name, _, _ in PICTURES}:
        sys.exit(f"no view is called {', '.join(sorted(unknown))}: {', '.join(name for name, _, _ in PICTURES)}")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_edge(Path(folder), CONFIG) as edge, traffic(edge):
        prepare(edge)
        with running_browser() as browser:
            browse(browser, edge)
            for scheme in ("light", "dark"):
                take(browser, edge, scheme, wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
