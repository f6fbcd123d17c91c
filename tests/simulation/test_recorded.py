"""Logs -> sessions, and what of a log cannot be taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.model.version import Version, VersionId, WorkerName
from gateway.observability.events import RequestEvent
from gateway.observability.request_items import item_of_request
from gateway.simulation.recorded import Keys, Log, Recorded, is_asset, open_log, read_log, worker_of
from gateway.simulation.run import simulate
from gateway.simulation.scenario import InvalidScenario, Scenario
from tests.observability.examples import EACH

SHOP = WorkerName("shop")


def line(target: str, worker: str = "shop", **headers: str) -> str:
    """Return a line of the log; in the names of headers ``_`` stands for ``-``."""
    request = {
        "url": f"http://shop.localhost{target}",
        "method": "GET",
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
    }
    return json.dumps({"scriptName": worker, "outcome": "ok", "event": {"request": request}})


def read(lines: list[str], *objects: str, session: str | None = None, keys: Keys = Keys.AS_GIVEN) -> Recorded:
    return open_log(lines, "log", session, objects).traffic(SHOP, 1, keys)


def test_a_line_of_the_tail_is_a_request() -> None:
    """R112: what `gateway tail --format json` prints is what is read."""
    event = next(one for one in EACH if isinstance(one, RequestEvent))
    version = Version.__new__(Version)
    for name, value in {"id": VersionId("a" * 8), "worker": SHOP, "tag": "v1", "message": ""}.items():
        object.__setattr__(version, name, value)
    (record,) = read_log([json.dumps(item_of_request(event, version))], "log")

    assert (record.worker, record.method, record.host, record.target) == (
        "shop", event.method, event.host, event.target,
    )  # fmt: skip


def test_assets_belong_to_the_latest_request_their_referer_names() -> None:
    """R82: which page wanted the file; without a Referer that is known, none is made up."""
    page = "http://shop.localhost/a?x=1"
    recorded = read(
        [
            line("/a?x=1", session="s"),
            line("/bundle.js", session="s", referer=page),
            line("/a?x=1", session="s"),
            line("/style.css", session="s", referer=page),
            line("/font.woff2", session="s", referer="http://shop.localhost/style.css"),
            line("/api", session="s", referer=page, sec_fetch_dest="empty"),
            line("/photo", session="s", referer=page, sec_fetch_dest="image"),
            line("/lost.png", session="s", referer="http://shop.localhost/elsewhere"),
            line("/bare.png", session="s"),
        ],
        session="header:session",
    )
    (session,) = next(iter(recorded.traffic.steps))

    assert session.page_of == [-1, 0, -1, 2, 3, -1, 2, -1, -1]
    assert recorded.inferred == 0


def test_sessions_are_told_apart_by_the_best_that_there_is() -> None:
    """Issue D: what is inferred is marked so."""
    recorded = read(
        [
            line("/", cookie="a=b; sid=1", cf_connecting_ip="10.0.0.1"),
            line("/", cookie="sid=2", cf_connecting_ip="10.0.0.1"),
            line("/", cf_connecting_ip="10.0.0.1", user_agent="x"),
            line("/", cf_connecting_ip="10.0.0.1", user_agent="y"),
            line("/", cloudflare_workers_version_key="ada"),
            json.dumps({"method": "GET", "host": "h", "target": "/", "session": "own", "key": "k"}),
        ],
        session="cookie:sid",
    )
    (sessions,) = recorded.traffic.steps

    assert [session.user for session in sessions] == ["1", "2", "10.0.0.1 x", "10.0.0.1 y", "ada", "own"]
    assert recorded.inferred == 2
    assert sessions[4].facts == [RequestFacts(version_key="ada")]
    assert sessions[5].facts == [RequestFacts(version_key="k")]


@pytest.mark.parametrize(
    ("keys", "facts"),
    [
        (Keys.AS_GIVEN, [NO_SIGNALS, RequestFacts(version_key="k")]),
        (Keys.NONE, [NO_SIGNALS, NO_SIGNALS]),
        (Keys.EVERYONE, [RequestFacts(version_key="s")] * 2),
    ],
)
def test_keys_can_be_taken_away_and_given(keys: Keys, facts: list[RequestFacts]) -> None:
    """Issue D, what-if: the same traffic with and without key."""
    lines = [line("/", s="s"), line("/", s="s", cloudflare_workers_version_key="k")]
    ((session,),) = read(lines, session="header:s", keys=keys).traffic.steps

    assert session.facts == facts


def test_requests_of_objects_use_them_and_draw_nothing() -> None:
    """R50: an object's version depends on the object alone."""
    recorded = read([line("/cart/a"), line("/cart/b/items"), line("/cart/a"), line("/")], "Cart=path:/cart/{name}")
    ((session,),) = recorded.traffic.steps

    assert session.objects == [0, 1, 0]
    assert len(session.facts) == 1
    assert len(recorded.traffic.object_ids) == 2
    only = open_log([line("/cart/a")], "log", None, ["Cart=path:/cart/{name}"]).traffic(SHOP, 2).traffic
    report = simulate(Scenario((50, 100), objects=1), traffic=only)
    assert [step.resets for step in report.steps] == [0, 1]


def test_other_lines_are_passed_over() -> None:
    """Crons, lines of console output and blank lines are no requests."""
    lines = ["", json.dumps({"event": None, "logs": []}), json.dumps({"event": {"cron": "* * * * *"}}), line("/")]

    assert len(list(read_log(lines, "log"))) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "log:1: 'nonsense' is no JSON object"),
        ("[1]", "log:1: '[1]' is no JSON object"),
        ("[" * 5000, "is no JSON object"),
        (json.dumps({"event": {"request": 5}}), "log:1: request: '5'"),
        (json.dumps({"event": {"request": {"url": 5}}}), "log:1: url: '5'"),
        (json.dumps({"event": {"request": {"url": "http://[oops"}}}), "log:1: url:"),
        (json.dumps({"target": "/", "headers": [1]}), "log:1: headers:"),
        (json.dumps({"target": 7}), "log:1: target: '7'"),
        (line("/", Cloudflare_Workers_Version_Key="REDACTED"), "log:1: the affinity key is REDACTED"),
    ],
)
def test_what_is_no_log_is_refused_with_its_line(text: str, says: str) -> None:
    """House rule 8: file and line, field, value, remedy."""
    with pytest.raises(InvalidScenario) as caught:
        list(read_log([text], "log"))

    assert says in caught.value.message
    assert "gateway tail" in caught.value.remedy


@pytest.mark.parametrize(
    ("place", "headers"), [("cookie:sid", {"cookie": "REDACTED"}), ("header:x-key", {"x_key": "REDACTED"})]
)
def test_sessions_that_were_redacted_are_refused(place: str, headers: dict[str, str]) -> None:
    """R113: a log without --show-all has one cookie for all."""
    with pytest.raises(InvalidScenario, match="REDACTED"):
        read([line("/", **headers)], session=place)


@pytest.mark.parametrize(
    ("workers", "wanted", "found"),
    [(["shop"], None, "shop"), (["shop", "api"], "api", "api"), ([""], None, "shop"), ([""], "api", "api")],
)
def test_the_worker_is_the_one_named_or_the_only_one(workers: list[str], wanted: str | None, found: str) -> None:
    """Where a key lies depends on the Worker's name (R39)."""
    records = list(read_log([line("/", worker) for worker in workers], "log"))

    assert worker_of(records, wanted) == found


@pytest.mark.parametrize(
    ("workers", "wanted", "says"),
    [([], None, "no request"), (["a", "b"], None, "2 Workers: a, b"), (["a"], "b", "no request of Worker 'b'")],
)
def test_a_worker_that_is_not_in_the_log_is_refused(workers: list[str], wanted: str | None, says: str) -> None:
    """House rule 8."""
    with pytest.raises(InvalidScenario, match=says):
        worker_of(list(read_log([line("/", worker) for worker in workers], "log")), wanted)


@pytest.mark.parametrize("place", ["sid", "query:sid", "cookie:"])
def test_a_place_without_sense_is_refused(place: str) -> None:
    """House rule 8."""
    with pytest.raises(InvalidScenario, match="is no place"):
        open_log([], "log", place, [])


def test_an_object_place_without_sense_is_refused() -> None:
    """House rule 8."""
    with pytest.raises(InvalidScenario, match=r"^object: 'Cart=nowhere'"):
        open_log([], "log", None, ["Cart=nowhere"])


@pytest.mark.parametrize(
    ("target", "headers", "asset"),
    [
        ("/a.js", {}, True), ("/a.JS?v=1", {}, True), ("/a", {}, False), ("/a.json", {}, False),
        ("/a.js", {"sec-fetch-dest": "document"}, False), ("/a", {"sec-fetch-dest": "font"}, True),
    ],
)  # fmt: skip
def test_an_asset_is_what_the_browser_calls_one(target: str, headers: dict[str, Any], asset: bool) -> None:
    """R83: Sec-Fetch-Dest or the extension."""
    (record,) = read_log([json.dumps({"target": target, "headers": headers})], "log")

    assert is_asset(record) is asset


def test_an_empty_log_is_no_traffic() -> None:
    """Nothing is made up."""
    assert Log([]).traffic(SHOP, 1).sessions == 0
