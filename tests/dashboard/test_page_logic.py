"""What the page works out by itself, as tables; its modules run in the browser, as they are served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard.browsing import opened
from tests.integration.edge_process import EdgeProcess


@pytest.fixture(scope="module")
def page(browser: Browser, edge: EdgeProcess) -> Iterator[Page]:
    """An open page."""
    with opened(browser, f"{edge.control}/#/shop/versions") as page:
        yield page


def run(page: Page, module: str, expression: str, *arguments: Any) -> Any:
    """Return what an expression over a module ``m`` and its arguments ``a`` gives."""
    script = """async ([module, expression, a]) => {
      const main = document.querySelector("script[type=module]").src;
      const m = await import(new URL(module, main).href);
      return RUN;
    }""".replace("RUN", expression)
    return page.evaluate(script, [module, expression, list(arguments)])


def split(*percentages: float) -> list[dict[str, object]]:
    """Return shares of versions a, b, c, in this order."""
    return [{"version_id": name, "percentage": share} for name, share in zip("abc", percentages, strict=False)]


@pytest.mark.parametrize(
    ("before", "index", "value", "after"),
    [
        ((90, 10), 1, 25, (75, 25)),
        ((90, 10), 0, 33.33, (33.33, 66.67)),
        ((0, 100), 1, 40, (60, 40)),
        ((100, 0), 0, 0, (0, 100)),
        ((90, 10), 1, 150, (0, 100)),
        ((90, 10), 1, -5, (100, 0)),
        ((100,), 0, 30, (100,)),
        ((50, 30, 20), 0, 0, (0, 60, 40)),
        ((100, 0, 0), 0, 70, (70, 30, 0)),
        ((10, 45, 45), 0, 0.0001, (0.0001, 49.9999, 50)),
    ],
)
def test_shares_always_add_up_to_100(
    page: Page, before: tuple[float, ...], index: int, value: float, after: tuple[float, ...]
) -> None:
    """R10: the sum is 100, exactly; the others keep their proportion."""
    found = run(page, "views/deploy.js", "m.withShare(a[0], a[1], a[2])", split(*before), index, value)

    shares = [one["percentage"] for one in found]
    assert shares == pytest.approx(list(after), abs=2e-4)
    assert sum(shares) == pytest.approx(100, abs=1e-9)


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (split(90, 10), split(60, 40), [(60, 90)]),
        (split(90, 10), split(90, 10), []),
        (split(20, 80), list(reversed(split(20, 80))), [(0, 20), (80, 100)]),
        (split(100), split(0, 100), [(0, 100)]),
        (split(50, 50), split(40, 40, 20), [(40, 50), (80, 100)]),
    ],
)
def test_the_moving_part_is_shown_where_it_lies(
    page: Page, before: list[object], after: list[object], moved: list[tuple[float, float]]
) -> None:
    """R38, R49: the same ranges that `dry_run` adds up."""
    found = run(page, "versions.js", "m.movedRanges(a[0], a[1])", before, after)

    assert [(one["low"], one["high"]) for one in found] == moved


@pytest.mark.parametrize(
    ("rate", "per_second", "wanted"),
    [
        (1, 50, 1),
        (1, 120, 1),
        (1, 2500, 0.03),
        (0.03, 75, 0.03),
        (0.03, 600, 0.0037),
        (0.01, 2, 0.1),
        (0.5, 25, 1),
        (0.0001, 5000, 0.0001),
    ],
)
def test_the_reader_asks_for_what_can_be_read(page: Page, rate: float, per_second: float, wanted: float) -> None:
    """Issue 4: 20,000 requests a second with the tail open; the page aggregates, it does not draw each event."""
    found = run(page, "stream.js", "m.nextSampling(a[0], a[1])", rate, per_second)

    assert found == pytest.approx(wanted, rel=0.05)


def test_events_are_read_however_they_are_cut(page: Page) -> None:
    """WHATWG HTML, server-sent events: pieces end anywhere; comments and unknown fields are passed over."""
    text = (
        'retry: 1000\n\nevent: request\nid: 7\ndata: {"a": 1}\n\n: alive\n\nevent: missed\ndata: {"count": 3}\n\n'
    )
    script = "(() => { const p = new m.EventParser(); return a[0].flatMap((piece) => p.take(piece)); })()"
    expected = [
        {"kind": "request", "id": "7", "data": {"a": 1}},
        {"kind": "missed", "id": "", "data": {"count": 3}},
    ]

    assert run(page, "stream.js", script, [text]) == expected
    assert run(page, "stream.js", script, list(text)) == expected


@pytest.mark.parametrize(
    ("part", "start"), [(0, ""), (0.5, "80000000"), (0.25, "40000000"), (1, "ffffffff"), (0.999, "ffbe76c8")]
)
def test_a_jump_lands_where_so_many_ids_lie_before(page: Page, part: float, start: str) -> None:
    """Ids are hashes, so they lie evenly; `after` needs none that exists."""
    found = run(page, "views/objects.js", "m.idAt(a[0])", part)

    assert found == (start.ljust(64, "0") if start else "")


@pytest.mark.parametrize(
    ("text", "worker", "view"),
    [
        ("#/shop/tail", "shop", "tail"),
        ("#/a%2Fb/deploy?x=1", "a/b", "deploy"),
        ("", "", "overview"),
        ("#/shop/<script>", "shop", "overview"),
        ("#/%E0%A4%A/tail", "%E0%A4%A", "tail"),
    ],
)
def test_addresses_are_read(page: Page, text: str, worker: str, view: str) -> None:
    """An address that means nothing leads to the overview, never to an error."""
    found = run(page, "routes.js", "(({worker, view}) => [worker, view])(m.parse(a[0]))", text)

    assert found == [worker, view]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (0.456, "0.46 ms"),
        (12.34, "12.3 ms"),
        (345.6, "346 ms"),
        (1234, "1.23 s"),
        (61000, "61.0 s"),
    ],
)
def test_times_are_short_and_never_wrong_in_their_unit(page: Page, milliseconds: float | None, text: str) -> None:
    """Dense and legible: as many digits as tell something."""
    assert run(page, "format.js", "m.milliseconds(a[0])", milliseconds) == text


def test_a_request_s_chain_keeps_what_was_decided(page: Page) -> None:
    """R24: explained again, a draw falls elsewhere; what is shown is the request's own point and version."""
    rules = ["durable_object", "version_url", "override", "cohort", "affinity_key", "percentages"]
    told = {
        "steps": [
            {
                "rule": rule,
                "outcome": "decided" if rule == "percentages" else "absent",
                "detail": "another",
                "cites": "R",
            }
            for rule in rules
        ],
        "decision": {"version_id": "a", "state": "running"},
        "problem": None,
    }
    event = {"reason": "affinity", "version_id": "b", "label": "v2", "point": 95.5, "ignored": [], "object": ""}

    found = run(page, "chain.js", "m.asItWas(a[0], a[1], a[2])", told, event, split(90, 10))

    assert [step["outcome"] for step in found["steps"]] == ["absent"] * 4 + ["decided", "not reached"]
    assert "95.5, in the range [90, 100)" in found["steps"][4]["detail"]
    assert (found["decision"]["version_id"], found["decision"]["reason"]) == ("b", "affinity")


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("/short.js", 9, "/short.js"),
        ("/a/very/long/path/app.3f2a.js", 15, "/a/very…2a.js"),
        ("0123456789", 5, "01…89"),
        ("😀😀😀😀😀", 3, "😀…😀"),
        ("abc", 1, "…"),
    ],
)
def test_a_long_path_keeps_its_beginning_and_its_end(page: Page, text: str, most: int, shown: str) -> None:
    """Names of files differ at their end; no character is cut in half, and nothing is longer than its room."""
    found = run(page, "skew-drawing.js", "m.cut(a[0], a[1])", text, most)

    assert (found[:1], found[-1:]) == (shown[:1], shown[-1:])
    assert len(found) == min(most, len(text))


@pytest.mark.parametrize("width", [200, 300, 328, 619, 620, 700, 1064, 2000])
@pytest.mark.parametrize("kind", ["asset_skew", "session_skew", "flow_skew", "object_skew", "stale_tab"])
def test_nothing_in_the_picture_lies_outside_of_it(page: Page, width: int, kind: str) -> None:
    """At any width and for any kind: cards side by side do not touch, and one under the other do not either."""
    witness = {
        "version_id": "x", "label": "v" * 300, "method": "GET", "path": "/" + "a" * 300, "host": "h",
        "reason": "durable-object", "point": None, "status": 404, "at": "2026-01-01T00:00:00Z", "deployment": 3,
    }  # fmt: skip
    incident = {"kind": kind, "what": "", "before": {**witness, "point": 100 / 3}, "after": witness}
    found = run(page, "skew-drawing.js", "m.drawing(a[0], a[1])", incident, width)
    first, second = found["cards"]
    longest = max(len(one["text"]) for one in found["line"]["words"])

    for card in (first, second):
        assert card["x"] >= 0
        assert card["x"] + card["width"] <= width
        assert card["y"] + card["height"] <= found["height"]
        assert 0 < len(card["request"]) * 7 <= card["width"] - 28
    apart = second["x"] > first["x"] + first["width"], second["y"] > first["y"] + first["height"]
    assert any(apart)
    assert apart[0] == (width >= 620)
    assert longest * 7 <= (second["x"] - first["width"] if apart[0] else width)
