"""The gateway's own answers: what they say, in which form, and that nothing in them can become markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from gateway.proxy import pages
from gateway.proxy.pages import Problem, render

EVIL = "<script>alert('1')</script>&\"><img src=x onerror=alert(1)>"

PROBLEMS = {
    "malformed": (pages.malformed_request(400, f"why {EVIL}"), 400, "bad-request"),
    "too slow": (pages.malformed_request(408, EVIL), 408, "bad-request"),
    "target too long": (pages.malformed_request(414, EVIL), 414, "bad-request"),
    "head too large": (pages.malformed_request(431, EVIL), 431, "bad-request"),
    "no route": (pages.no_route(EVIL, f"/{EVIL}", [EVIL, "shop.localhost/*"]), 404, "no-route"),
    "no Worker": (pages.no_route("a", "/", []), 404, "no-route"),
    "unknown version": (pages.unknown_version(EVIL, EVIL, [EVIL]), 404, "unknown-version"),
    "not deployed": (pages.not_deployed(EVIL), 503, "not-deployed"),
    "reserved": (pages.reserved_path(f"/{EVIL}", f"no Worker {EVIL!r}"), 404, "reserved-path"),
    "loop": (pages.too_many_hops(), 508, "too-many-hops"),
    "unreachable": (
        pages.version_failed(
            status=502, worker=EVIL, version=EVIL, tag=EVIL, why=EVIL, lines=[EVIL, "</pre>" + EVIL]
        ),
        502,
        "version-unreachable",
    ),
    "timed out": (
        pages.version_failed(status=504, worker="shop", version="a", tag="", why=EVIL, lines=[]),
        504,
        "version-timed-out",
    ),
}


class Elements(HTMLParser):
    """Collects the elements, their attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("problem", "status", "error"), PROBLEMS.values(), ids=PROBLEMS)
def test_html_from_path_tag_or_lines_stays_text(problem: Problem, status: int, error: str) -> None:
    """Reliability.md 6: what a client or a version sends is shown, never run."""
    page = render(problem, accept="text/html", ray="0123456789abcdef-LCL")
    found = Elements(page.body.decode())

    assert (page.status, page.error, page.content_type) == (status, error, "text/html; charset=utf-8")
    assert found.tags <= {"html", "meta", "title", "style", "h1", "p", "b", "dl", "dt", "dd", "pre", "small"}
    assert found.attributes <= {"lang", "charset", "name", "content"}
    if EVIL in problem.why:
        assert EVIL in found.text
    assert all(line in found.text for line in problem.lines)


@pytest.mark.parametrize(("problem", "status", "error"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_same_as_json(problem: Problem, status: int, error: str) -> None:
    """Design 3.6: scripts get the same facts as people: which version, why, what to do, and from whom."""
    page = render(problem, accept="application/json", ray="0123456789abcdef-LCL")
    told = json.loads(page.body)

    assert page.content_type == "application/json"
    assert (told["status"], told["error"], told["why"], told["remedy"]) == (
        status,
        error,
        problem.why,
        problem.remedy,
    )
    assert (told["ray"], told["from"]) == ("0123456789abcdef-LCL", "gateway")
    assert told.get("last_lines", []) == list(problem.lines)
    assert [(fact["name"], fact["value"]) for fact in told.get("facts", [])] == list(problem.facts)


ACCEPTS = {
    "": "text/html; charset=utf-8",
    "*/*": "text/html; charset=utf-8",
    "text/html,application/xhtml+xml,*/*;q=0.8": "text/html; charset=utf-8",
    "application/json": "application/json",
    "application/json, text/plain, */*": "application/json",
    "application/problem+json": "application/json",
    "text/html, application/json": "text/html; charset=utf-8",
}


@pytest.mark.parametrize(
    ("accept", "content_type"), ACCEPTS.items(), ids=[accept or "absent" for accept in ACCEPTS]
)
def test_json_only_for_those_who_ask_for_it(accept: str, content_type: str) -> None:
    """Design 3.6: a browser gets a page, a script its JSON."""
    assert render(pages.not_deployed("shop"), accept=accept, ray="r").content_type == content_type


def test_a_missing_route_lists_those_there_are() -> None:
    """Design 3.2: no match: 404 that lists the routes."""
    body = render(
        pages.no_route("a.test", "/x", ["shop.localhost/*", "*/api/*"]), accept="", ray="r"
    ).body.decode()

    assert "No route matches a.test/x." in body
    assert "shop.localhost/*" in body
    assert "*/api/*" in body


def test_a_version_that_is_down_is_named_with_reason_and_remedy() -> None:
    """Design 3.6, our choices: which version, why, what to do; never silently another version."""
    problem = pages.version_failed(
        status=502, worker="shop", version="aaaa", tag="v2", why="it crashed", lines=["first", "last"]
    )
    text = Elements(render(problem, accept="", ray="r").body.decode()).text

    assert "Version v2 of Worker shop was picked, but it crashed." in text
    assert "gateway rollback --worker shop" in text
    assert "first\nlast" in text


def test_a_loop_has_cloudflares_code() -> None:
    """R70, R118: at most 16 Worker invocations in a chain, then error 1019."""
    problem = pages.too_many_hops()

    assert problem.code == 1019
    assert b"Error 1019" in render(problem, accept="", ray="r").body
    assert json.loads(render(problem, accept="application/json", ray="r").body)["code"] == 1019


def test_text_that_is_no_utf_8_can_be_shown() -> None:
    """Design 3: a path may hold any byte; telling of it must not fail."""
    problem = pages.no_route("a", "/\udcff\ud800", [])

    assert render(problem, accept="", ray="r").body.decode("utf-8")
    assert json.loads(render(problem, accept="application/json", ray="r").body)["why"]
