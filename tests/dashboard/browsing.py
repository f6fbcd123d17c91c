"""A real browser on the dashboard: Chromium, driven by Playwright; what it complains of fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.integration.waiting import PATIENCE_SECONDS

PATIENCE_MS: Final = PATIENCE_SECONDS * 1000
DESKTOP: Final = {"width": 1360, "height": 900}
PHONE: Final = {"width": 360, "height": 740}

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Return the browser's path; the tests of a page prove nothing without one."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    assert found, "no Chromium is installed: run `make browser`, or install the package chromium"
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run the browser as long as the context lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """What the browser said while a page was open: errors of scripts, breaches of the policy, dialogs."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.dialogs: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"{error}"))
        page.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    viewport: Mapping[str, int] = DESKTOP,
    away: bool = False,
    refused: bool = False,
    **more: Any,
) -> Iterator[Page]:
    """Open a page, and find that the browser had nothing to complain of.

    Args:
        away: The gateway goes away meanwhile: the browser logs each request without an answer.
        refused: The gateway refuses something meanwhile: the browser logs each answer of 4xx and 5xx.
        more: Options of the browser's context, such as ``color_scheme``.
    """
    context = browser.new_context(viewport={"width": viewport["width"], "height": viewport["height"]}, **more)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    watched = Watched(page)
    try:
        page.goto(url)
        yield page
        complaints = [
            text
            for text in watched.complaints
            if not (away and ("ERR_" in text or "Failed to load resource" in text))
            and not (refused and "Failed to load resource: the server responded" in text)
        ]
        assert complaints == []
        assert watched.dialogs == []
    finally:
        context.close()
