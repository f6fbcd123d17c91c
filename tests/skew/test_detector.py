"""What holds of the detector whatever the traffic: bounds, order, evidence, words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.skew_rules import InvalidFlow, SkewRules
from gateway.skew import bounded, deployments, detector, facts, files, findings, pages, sessions
from gateway.skew.facts import RequestSeen
from gateway.skew.incident import Incident, Inferred, Kind
from tests.skew.traffic import (
    BROWSER,
    HOST,
    HTML,
    JS,
    ORIGIN,
    RULES,
    SPLIT,
    START,
    Fact,
    Seen,
    call,
    deploy,
    facts_of,
    incidents_in,
    page,
    script,
    shown,
    tell,
)
from tests.skew.traffic import detector as new_detector

VERSIONS = st.sampled_from(["v1", "v2"])
FILES = st.sampled_from(["/v1.js", "/v2.js", "/typo.js", "/both.js"])
HAS = {"/v1.js": ("v1",), "/v2.js": ("v2",), "/typo.js": (), "/both.js": ("v1", "v2")}


@st.composite
def page_loads(draw: st.DrawFn) -> list[tuple[str, str, str]]:
    """Return page loads: version of the page, the file it asks for, version that answers."""
    load = st.tuples(VERSIONS, FILES, VERSIONS)
    return draw(st.lists(load, min_size=1, max_size=12))


def facts_of_loads(loads: list[tuple[str, str, str]]) -> list[Fact]:
    """Return the facts of page loads within less time than facts may be late."""
    told: list[Seen] = []
    for one, path, other in loads:
        found = other in HAS[path]
        told += [page(one, wait=0.01), script(other, path, 200 if found else 404, wait=0.01)]
    return facts_of([SPLIT, *told])


@given(page_loads(), st.lists(st.booleans(), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_file_may_be_told_before_the_page_that_asked(
    loads: list[tuple[str, str, str]], streamed: list[bool]
) -> None:
    """Detector, first lines: a streamed page ends after its files; what is told of files stays the same."""
    told = facts_of_loads(loads)
    late = [told[0]]
    for asked, missed, is_late in zip(told[1::2], told[2::2], streamed, strict=False):
        late += [missed, asked] if is_late else [asked, missed]

    first, second = (tell(new_detector(), one).incidents() for one in (told, late))

    assert _of_files(first) == _of_files(second)


@given(page_loads())
@settings(max_examples=60, deadline=None)
def test_no_file_is_told_that_the_page_s_own_version_lacks_too(loads: list[tuple[str, str, str]]) -> None:
    """R82: what no version has is a mistake, no skew; it is told at most until the page's version was asked."""
    told = tell(new_detector(), facts_of_loads(loads)).incidents()
    asked = {(path, other) for _, path, other in loads}

    for one in told:
        if one.kind is Kind.ASSET_SKEW:
            by = one.before.label
            assert by in HAS[one.what] or ((one.what, by) not in asked and Inferred.FILE in one.inferred)


@given(page_loads())
@settings(max_examples=60, deadline=None)
def test_each_broken_load_of_a_known_file_is_counted(loads: list[tuple[str, str, str]]) -> None:
    """Issue D: no miss, no false alarm."""
    known = facts_of_loads([("v1", "/v1.js", "v1"), ("v2", "/v2.js", "v2"), *loads])
    told = tell(new_detector(), known).incidents()
    broken = sum(one in HAS[path] and other not in HAS[path] for one, path, other in loads)
    crossed = sum(  # a page that asks for a file of the other version alone: another tab of that version may have
        path in ("/v1.js", "/v2.js") and one == other and one not in HAS[path] for one, path, other in loads
    )

    count = sum(one.count for one in told if one.kind is Kind.ASSET_SKEW)

    assert broken <= count <= broken + crossed


def _of_files(incidents: list[Incident]) -> list[tuple[str, int]]:
    return sorted((one.what + one.before.label, one.count) for one in incidents if one.kind is Kind.ASSET_SKEW)


REQUESTS = st.builds(
    RequestSeen,
    at=st.floats(0, 1e6),
    ray=st.text(max_size=4),
    worker=st.sampled_from(["shop", "api", ""]),
    version_id=st.sampled_from(["id-v1", "id-v2", ""]),
    label=VERSIONS,
    reason=st.sampled_from(["percentage", "affinity", "override", "durable-object", ""]),
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "X"]),
    host=st.text(max_size=8),
    target=st.text(max_size=30).map(lambda text: "/" + text),
    status=st.sampled_from([0, 101, 200, 206, 304, 404, 500]),
    outcome=st.sampled_from(["ok", "worker_threw", "client_gone"]),
    content_type=st.sampled_from([HTML, JS, "", "x/y;" * 50]),
    object=st.sampled_from(["", "Cart/foo", "/", "Cart"]),
    referer=st.sampled_from(["", ORIGIN + "/", "http://[x/", "about:blank", "http:///", ORIGIN + "/" + "x" * 999]),
    origin=st.sampled_from(["", "null", ORIGIN, "http://h:99999"]),
    fetch_dest=st.sampled_from(["", "script", "document", "empty"]),
    accept=st.sampled_from(["", "text/html"]),
    address=st.text(max_size=3),
    version_key=st.text(max_size=3),
    session_cookie=st.text(max_size=3),
    caller_ray=st.text(max_size=4),
)


@given(st.lists(REQUESTS, max_size=60))
@settings(max_examples=60, deadline=None)
def test_nothing_that_clients_send_makes_it_fail(requests: list[RequestSeen]) -> None:
    """R25: the detector reads what anybody may send; every incident still says who, why and what to do."""
    told = tell(new_detector(), [*facts_of([SPLIT]), *requests])

    for one in told.incidents():
        assert one.before.version_id != one.after.version_id
        assert one.cause.sentence
        assert one.cause.remedy
        assert one.count >= 1


def test_memory_is_bounded_whatever_the_traffic() -> None:
    """Issue D: bounded memory; a crowd of clients, paths and versions ends at the sum of the limits."""
    told = new_detector()
    tell(told, facts_of([SPLIT]))
    limit = (
        pages.MAX_PAGES + pages.MAX_HOSTS + files.MAX_FILES + sessions.MAX_SESSIONS + sessions.MAX_FLOWS
        + deployments.MAX_WORKERS + 2 * findings.MAX_INCIDENTS + detector.MAX_RAYS + detector.MAX_FAILURES
        + detector.MAX_QUESTIONS
    )  # fmt: skip
    for number in range(6_000):
        told.saw(_request(number, f"/cart?{number}", HTML, "document"))
        told.saw(_request(number, f"/{number}.js", "text/plain", "script", 404))

    assert told.remembered <= limit
    assert len(told.incidents()) <= findings.MAX_INCIDENTS
    assert len(told._open) <= detector.MAX_QUESTIONS


def _request(number: int, target: str, type_: str, dest: str, status: int = 200) -> RequestSeen:
    version = f"v{number % 7 + (dest == 'script')}"
    return RequestSeen(
        START + number / 1e6, f"r{number}{dest}", f"shop{number % 3}", f"id-{version}", version,
        host=HOST, target=target, status=status, content_type=type_, fetch_dest=dest,
        referer=f"{ORIGIN}/cart?{number}", session_cookie=f"s{number}" * 40, version_key=f"k{number}",
        user_agent=BROWSER,
    )  # fmt: skip


def test_the_oldest_goes_first() -> None:
    """Issue D, bounded memory: what was touched longest ago is forgotten."""
    kept: bounded.Bounded[str, int] = bounded.Bounded(2)
    kept.put("a", 1)
    kept.put("b", 2)
    kept.touch("a")
    kept.put("c", 3)

    assert dict(kept.entries) == {"a": 1, "c": 3}


@pytest.mark.parametrize("text", ["x" * 10_000, "é" * 300])
def test_long_texts_are_cut_and_still_differ(text: str) -> None:
    """Issue D, bounded memory: paths are what clients choose."""
    assert len(facts.short(text)) <= facts.LONGEST_TEXT
    assert facts.short(text) != facts.short(text + "y")
    assert facts.short("/a") == "/a"


def test_an_incident_proves_itself() -> None:
    """Issue D: both requests with version, reason, point, time and ray; cause and remedy with their rules."""
    asked, missed = page("v1", point=12.3), script("v2", "/v1.js", 404, point=71.0)
    found = next(
        one for one in incidents_in([SPLIT, script("v1", "/v1.js"), asked, missed]) if one.kind is Kind.ASSET_SKEW
    )

    assert (found.before.label, found.before.point, found.before.path) == ("v1", 12.3, "/")
    assert (found.after.label, found.after.point, found.after.path, found.after.status) == (
        "v2", 71.0, "/v1.js", 404,
    )  # fmt: skip
    assert (found.before.deployment, found.after.deployment) == (1, 1)
    assert "GET / met v1 at 12.3, GET /v1.js met v2 at 71.0" in found.cause.sentence
    assert "Cloudflare-Workers-Version-Key" in found.cause.remedy
    assert found.cause.rules == ("R24", "R84")
    assert found.first_seen == found.last_seen == found.after.at


def test_secrets_are_not_kept() -> None:
    """R113: keys and cookies tell sessions apart, and are kept as digests alone."""
    secret: dict[str, Any] = {"session_cookie": "hunter2", "version_key": "hunter3"}
    told = tell(new_detector(), facts_of([SPLIT, page("v1", **secret), page("v2", "/b", **secret)]))

    assert "hunter" not in repr([vars(memory) for memory in (told._pages, told._sessions)])
    assert "hunter" not in repr(told.incidents())


def test_it_forgets_traffic_but_no_deployment() -> None:
    """``DELETE /api/skew``: what was found is gone; stale tabs are still known as such."""
    told = tell(new_detector(), facts_of([SPLIT, page("v1"), script("v2", "/v1.js", 404)]))
    told.forget()
    assert told.incidents() == []

    late = facts_of([deploy(v1=100), page("v1"), deploy(v2=100), call("v2")])
    assert "stale_tab not-deployed v1>v2 ~session" in shown(tell(told, late).incidents())


def test_what_was_found_stays_when_it_is_read() -> None:
    """``GET /api/skew`` twice: the same answer; reading judges what waits only for the reader."""
    told = tell(new_detector(), facts_of([SPLIT, page("v1"), script("v2", "/v1.js", 404)]))

    assert told.incidents() == told.incidents() != []


@pytest.mark.parametrize("flow", [("/cart",), (), ("/cart", "pay")])
def test_a_flow_that_cannot_be_followed_is_refused(flow: tuple[str, ...]) -> None:
    """House rule 8: the value and the remedy."""
    with pytest.raises(InvalidFlow) as raised:
        SkewRules(flows=(flow,))

    assert raised.value.remedy
    assert RULES.enabled
