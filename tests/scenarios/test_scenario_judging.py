"""What is expected and what is seen: each difference is one line that tells both, and the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.scenarios.exchange import Exchange, ObjectMoved, SkewFound
from gateway.scenarios.judge import failures_of
from gateway.scenarios.judge_all import Evidence, failures_of_all
from gateway.scenarios.model import Body, ExpectAll, Expected, Request, Saved
from gateway.scenarios.outgoing import files_of, outgoing
from gateway.scenarios.values import NoSuchValue, saved_value

WHO = "GET /cart (ray 8a1f-LCL, v2 by percentage at 71.02)"
SEEN = Exchange(
    "GET",
    "/cart?secret=1",
    "shop.localhost:8787",
    200,
    (("Content-Type", "application/json"), ("X-A", "1"), ("x-a", "2")),
    b'{"items": [{"name": "Mug", "n": 1, "ok": true}], "a/b": {"~": null}}',
    version="v2",
    version_id="22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb",
    reason="percentage",
    point=71.0234,
    ray="8a1f-LCL",
)
BEFORE = SEEN._replace(version="v1", version_id="1", path="/")
LOST = Exchange("GET", "/cart", "shop.localhost:8787", 0, problem="no whole answer: ServerDisconnectedError")

RIGHT = [
    Expected(),
    Expected(statuses=(200,)),
    Expected(statuses=(404, 200)),
    Expected(versions=("v2",)),
    Expected(versions=("v1", SEEN.version_id)),
    Expected(reason="percentage"),
    Expected(contains=("Mug", '"items"')),
    Expected(headers=(("content-type", "application/json"), ("X-A", "2"))),
    Expected(headers=(("Content-Type", "*json"), ("X-A", "*"))),
    Expected(members=(("/items/0/name", "Mug"), ("/items/0/n", 1.0), ("/items/0/ok", True))),
    Expected(members=(("/a~1b/~0", None), ("/items", [{"ok": True, "n": 1, "name": "Mug"}]))),
]

WRONG: dict[str, tuple[Expected, str]] = {
    "status": (Expected(statuses=(303,)), f"expected status 303, seen 200: {WHO}"),
    "statuses": (Expected(statuses=(303, 404)), f"expected status 303 or 404, seen 200: {WHO}"),
    "version": (Expected(versions=("v1",)), f"expected version v1, seen v2: {WHO}"),
    "same": (
        Expected(same_version=True), f"expected the same version as of GET / before, v1, seen v2: {WHO}",
    ),
    "reason": (Expected(reason="affinity"), f"expected reason affinity, seen percentage: {WHO}"),
    "header": (Expected(headers=(("X-A", "3"),)), f"expected header X-A: 3, seen 1, 2: {WHO}"),
    "header part": (Expected(headers=(("X-A", "3*"),)), f"expected header X-A: 3*, seen 1, 2: {WHO}"),
    "no header": (Expected(headers=(("X-B", "*"),)), f"expected header X-B: *, seen none: {WHO}"),
    "value": (Expected(members=(("/items/0/n", 2),)), f"expected 2 at /items/0/n, seen 1: {WHO}"),
    "true is no 1": (Expected(members=(("/items/0/ok", 1),)), f"expected 1 at /items/0/ok, seen true: {WHO}"),
    "no member": (
        Expected(members=(("/items/1", 2),)), f"expected 2 at /items/1, seen the body has nothing at '1': {WHO}",
    ),
    "no index": (
        Expected(members=(("/items/00", 2),)),
        f"expected 2 at /items/00, seen the body has nothing at '00': {WHO}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("expected", RIGHT, ids=range(len(RIGHT)))
def test_what_is_as_expected_is_not_told(expected: Expected) -> None:
    """docs/scenarios.md, what is expected of an answer."""
    assert list(failures_of(expected, SEEN, BEFORE)) == []


@pytest.mark.parametrize(("expected", "line"), WRONG.values(), ids=WRONG)
def test_what_is_not_is_told_in_one_line(expected: Expected, line: str) -> None:
    """What was expected, what was seen, and which request: ray, version, reason, point; no query, which may be secret."""  # noqa: E501
    assert list(failures_of(expected, SEEN, BEFORE)) == [line]


def test_a_body_is_shown_by_its_beginning() -> None:
    """A page of a megabyte is no line."""
    long = SEEN._replace(body=b"x" * 1_000_000)

    (line,) = failures_of(Expected(contains=("Mug",)), long, None)

    assert line.startswith("expected a body with 'Mug', seen 'xxx")
    assert len(line) < 300


def test_a_body_that_is_no_json_has_no_members() -> None:
    """RFC 6901 needs a JSON document."""
    (line,) = failures_of(Expected(members=(("", 1),)), SEEN._replace(body=b"<html>"), None)

    assert line == f"expected 1 at the root, seen the body is no JSON: {WHO}"


@pytest.mark.parametrize("expected", [Expected(), Expected(versions=("v1",), contains=("a",))])
def test_without_an_answer_only_that_is_told(expected: Expected) -> None:
    """A request that nobody answered fails whatever was expected of it, and once."""
    (line,) = failures_of(expected, LOST, None)

    why = "no whole answer: ServerDisconnectedError"
    assert line == f"expected an answer, seen {why}: GET /cart ({why})"


def test_the_first_request_of_a_session_has_none_before() -> None:
    """``same_version`` begins to mean something with the second."""
    assert list(failures_of(Expected(same_version=True), SEEN, None)) == []


# All that was sent.


def drawn(*versions: str) -> list[Exchange]:
    """Return requests that were drawn to versions."""
    return [SEEN._replace(version=version, point=float(number)) for number, version in enumerate(versions)]


def all_failures(expected: ExpectAll, exchanges: Sequence[Exchange], **more: Any) -> list[str]:
    """Return what is not as expected."""
    return list(failures_of_all(expected, Evidence(exchanges, exchanges, **more)))


HALF = ExpectAll(split=(("v1", 50.0), ("v2", 50.0)))


def test_a_split_is_held_to_what_chance_allows() -> None:
    """R44, binomial tails: 100 of each is right, 200 of one is not."""
    assert all_failures(HALF, drawn(*["v1", "v2"] * 100)) == []
    (line,) = all_failures(HALF, drawn(*["v1"] * 200))
    seen = "v1 200 (allowed 65 to 135), v2 0 (allowed 65 to 135)"
    assert line == f"expected a split of v1 50%, v2 50%, seen in 200 draws: {seen}"


def test_a_version_that_is_not_of_the_split_fails_it() -> None:
    """Not one draw may go to it."""
    (line,) = all_failures(HALF, drawn(*["v1", "v2"] * 100, "v3"))

    assert "v3 1 (allowed none)" in line


@pytest.mark.parametrize("changes", [{"reason": "override"}, {"reason": "durable-object"}, {"racing": True}])
def test_only_draws_count(changes: dict[str, Any]) -> None:
    """Who names a version says nothing of the split; a race says nothing at all."""
    others = [one._replace(**changes) for one in drawn(*["v1"] * 200)]

    assert all_failures(HALF, [*drawn(*["v1", "v2"] * 100), *others]) == []
    (line,) = all_failures(HALF, others)
    assert "seen no request that was drawn" in line


def test_a_key_counts_once() -> None:
    """R37: the same key is no new draw."""
    same = [one._replace(reason="affinity", point=3.0) for one in drawn(*["v1"] * 200)]

    assert all_failures(HALF, [*same, *drawn(*["v1", "v2"] * 50)]) == []


def test_within_asks_for_enough_draws() -> None:
    """A bound that a right split breaks by chance proves nothing; how many requests do is told."""
    (line,) = all_failures(ExpectAll(HALF.split, within=5.0), drawn(*["v1", "v2"] * 100))

    assert "200 draws, too few to tell it to within 5 points: send about 2," in line
    assert all_failures(ExpectAll(HALF.split, within=5.0), drawn(*["v1", "v2"] * 2_000)) == []
    wrong = drawn(*["v1"] * 2_300, *["v2"] * 1_700)
    assert "allowed 1800 to 2200" in all_failures(ExpectAll(HALF.split, within=5.0), wrong)[0]


ASSET = SkewFound(
    "asset_skew",
    "/v1.js",
    "no-key",
    "Each was drawn.",
    "Send a key (R23).",
    3,
    (),
    BEFORE,
    SEEN._replace(status=404),
)


def test_skew_is_what_is_named_and_nothing_else() -> None:
    """``skew: [asset_skew]`` wants that kind and no other, ``no_skew`` none."""
    assert all_failures(ExpectAll(skew=frozenset()), []) == []
    assert all_failures(ExpectAll(skew=frozenset({"asset_skew"})), [], skew=[ASSET]) == []
    assert all_failures(ExpectAll(skew=frozenset({"stale_tab"})), []) == ["expected stale_tab, seen none"]
    (line,) = all_failures(ExpectAll(skew=frozenset()), [], skew=[ASSET])
    assert line == (
        "expected no asset_skew, seen 3: GET / 200 (ray 8a1f-LCL, v1 by percentage at 71.02), then GET /cart 404 "
        "(ray 8a1f-LCL, v2 by percentage at 71.02): no-key. Send a key (R23)."
    )
    assert len(all_failures(ExpectAll(skew=frozenset({"stale_tab"})), [], skew=[ASSET])) == 2


def test_resets_are_counted_by_object() -> None:
    """R46: each object may move so often."""
    moved = [ObjectMoved("Cart/a", ("v1 -> v2",)), ObjectMoved("Cart/b", ("v1 -> v2", "v2 -> v1"))]

    assert all_failures(ExpectAll(resets_at_most=2), [], moved=moved) == []
    assert all_failures(ExpectAll(resets_at_most=1), [], moved=moved) == [
        "expected 1 reset at most of Cart/b, seen 2: v1 -> v2, v2 -> v1"
    ]


def test_errors_are_answers_of_500_and_none() -> None:
    """404 is an answer."""
    sent = [SEEN, SEEN._replace(status=404), SEEN._replace(status=500), LOST]

    assert all_failures(ExpectAll(errors_at_most=2), sent) == []
    assert all_failures(ExpectAll(errors_at_most=1), sent) == [
        "expected 1 errors at most, seen 2: first GET /cart 500 (ray 8a1f-LCL, v2 by percentage at 71.02)"
    ]


def test_broken_files_are_missing_ones_and_pages_in_their_place() -> None:
    """R82, R83: a script that is 404, or HTML; what the scenario asked for itself is no file of a page."""
    html = (("Content-Type", "text/html"),)
    script = SEEN._replace(kind="script", headers=(("Content-Type", "text/javascript"),))
    broken = [script._replace(status=404), script._replace(headers=html), script._replace(status=0)]

    assert all_failures(ExpectAll(broken_files_at_most=0), [script, SEEN._replace(status=404)]) == []
    assert all_failures(ExpectAll(broken_files_at_most=3), broken) == []
    assert "seen 3: first GET /cart 404" in all_failures(ExpectAll(broken_files_at_most=2), broken)[0]


# What is sent, and kept.


def test_a_request_is_filled_with_saved_values() -> None:
    """``${name}`` in path, headers, key, session and body; ``$${name}`` is the text itself."""
    request = Request(
        "/a?b=${x}",
        method="POST",
        headers=(("X-B", "${x}"), ("user-agent", "me")),
        body=Body("json", {"a": ["${x}", "$${x}", 1]}),
        key="${x}",
        session="${x}",
    )

    sent = outgoing(request, {"x": 'é"'}, 1)

    assert sent.path == '/a?b=%C3%A9"'
    assert dict(sent.headers) == {
        "Content-Type": "application/json",
        "X-B": 'é"',
        "user-agent": "me",
        "Cloudflare-Workers-Version-Key": 'é"',
    }
    assert sent.session == 'é"'
    assert sent.body.decode() == '{"a": ["é\\"", "${x}", 1]}'


def test_a_saved_location_goes_on_at_the_edge() -> None:
    """A redirect may name a whole URL; a scenario calls its own edge and nothing else."""
    values = {"next": "http://elsewhere.example:99/x?y=1", "bare": "https://a.example"}

    assert outgoing(Request("${next}"), values, 1).path == "/x?y=1"
    assert outgoing(Request("${bare}"), values, 1).path == "/"


def test_a_form_is_sent_as_one() -> None:
    """URL Standard section 5.2, application/x-www-form-urlencoded."""
    sent = outgoing(Request("/", body=Body("form", [("a b", "${x}&"), ("c", "")])), {"x": "1"}, 1)

    assert sent.body == b"a+b=1%26&c="


def test_somebody_new_is_nobody_known() -> None:
    """Requests without a session are told apart, as the skew detector does by address and user agent."""
    agents = {dict(outgoing(Request("/"), {}, number).headers)["User-Agent"] for number in (1, 2)}

    assert len(agents) == 2


def test_the_files_of_a_page_are_asked_for_as_browsers_do() -> None:
    """R82: Referer and Sec-Fetch-Dest, the page's session and signals, its own host alone."""
    page = SEEN._replace(
        headers=(("Content-Type", "text/html; charset=utf-8"),),
        body=b'<script src="/a.js"></script><img src="b.png"><script src="http://other/c.js"></script>',
    )
    sent = outgoing(Request("/cart", key="k", session="s", files=True), {}, 1)

    files = list(files_of(page, sent))

    assert [(kind, file.path, file.session) for kind, file in files] == [
        ("script", "/a.js", "s"), ("image", "/b.png", "s"),
    ]  # fmt: skip
    assert dict(files[0][1].headers) == {
        "User-Agent": "gateway-scenario/s",
        "Cloudflare-Workers-Version-Key": "k",
        "Accept": "*/*",
        "Sec-Fetch-Dest": "script",
        "Sec-Fetch-Mode": "no-cors",
        "Referer": "http://shop.localhost:8787/cart?secret=1",
    }
    assert list(files_of(SEEN, sent)) == []


PAGE = SEEN._replace(body=b'<input name="a" value="1 &amp; 2"><input name="a" value="x"><input value="y">')


@pytest.mark.parametrize(
    ("place", "what", "exchange", "value"),
    [
        ("header", "x-A", SEEN, "1"),
        ("json", "/items/0/name", SEEN, "Mug"),
        ("json", "/items/0/n", SEEN, "1"),
        ("json", "/items/0/ok", SEEN, "true"),
        ("field", "a", PAGE, "1 & 2"),
    ],
)
def test_a_value_is_saved_as_text(place: str, what: str, exchange: Exchange, value: str) -> None:
    """docs/scenarios.md, saved values."""
    assert saved_value(Saved("x", place, what), exchange) == value


@pytest.mark.parametrize(
    ("place", "what", "message"),
    [
        ("header", "X-B", "there is no header X-B"),
        ("json", "/a", "the body is no JSON"),
        ("field", "b", r"no form field 'b' \(it has: a\)"),
    ],
)
def test_a_value_that_is_not_there_says_what_is(place: str, what: str, message: str) -> None:
    """A step that needs it could only fail in a riddle."""
    with pytest.raises(NoSuchValue, match=message):
        saved_value(Saved("x", place, what), PAGE)
