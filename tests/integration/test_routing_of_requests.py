"""Which version answers, told by the versions themselves: percentages, seeds, keys, overrides, version URLs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, running_edge, spec, version
from tests.integration.http_client import KEY, OVERRIDES, Answer, Caller, call

VERSIONS = [version(tag, "facts_version", env={"EXTRA": tag}) for tag in ("v1", "v2", "v3")]
ROUTES = ("shop.localhost/*", "*.example.com/shop/*")
KEYS = [f"user-{number}" for number in range(60)]
UNKNOWN_ID = "dc8dcd28-271b-4367-9840-6c244f84cb40"


def shop(v1: float, v2: float, **gateway: object) -> dict[str, object]:
    """Return a configuration with three versions, of which two are deployed."""
    config = one_worker(VERSIONS, {"v1": v1, "v2": v2}, routes=ROUTES, gateway=gateway)
    workers = config["workers"]
    assert isinstance(workers, list)
    workers.append({"name": "1st-api", "versions": VERSIONS[:1], "deployment": {"v1": 100}})
    return config


def version_ids(edge: EdgeProcess) -> dict[str, str]:
    """Return the id of each version of the shop, by tag."""
    return {found["tag"]: found["id"] for found in edge.api.versions("shop")}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """A gateway whose deployment stays 90/10."""
    with running_edge(tmp_path_factory.mktemp("edge"), shop(90, 10), seed=7) as edge:
        yield edge


def versions_of_requests(edge: EdgeProcess, count: int, **headers: str) -> list[str]:
    """Send so many requests over one connection, and return who answered each."""
    with Caller(edge) as caller:
        answers = [caller.call("/version", headers) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    assert all(answer.decision["tag"] == answer.text for answer in answers)
    return [answer.text for answer in answers]


def versions_of_keys(edge: EdgeProcess) -> dict[str, str]:
    """Send three requests with each affinity key, and return the one version that answered them."""
    found = {}
    with Caller(edge) as caller:
        for key in KEYS:
            answers = [caller.call("/version", {KEY: key}) for _ in range(3)]
            assert {answer.decision["reason"] for answer in answers} == {"affinity"}
            (found[key],) = {answer.text for answer in answers}
    return found


# Percentages and seeds.


def test_a_thousand_requests_are_split_by_percentage_and_a_seed_repeats_them(start_edge: StartEdge) -> None:
    """Issue 2, "splits 90/10"; design 4: same seed, same order of requests, same decisions."""
    first = versions_of_requests(start_edge(shop(90, 10), seed=42), 1000)
    again = start_edge(shop(90, 10), seed=42)

    assert versions_of_requests(again, 1000) == first
    again.stop()
    again.start()
    assert versions_of_requests(again, 100) == first[:100]
    other = versions_of_requests(start_edge(shop(90, 10), seed=43), 1000)
    assert other != first
    for versions in (first, other):
        assert set(versions) == {"v1", "v2"}
        assert (
            50 < Counter(versions)["v2"] < 150
        )  # 100 expected; more than five deviations of chance to either side


def test_version_and_deployment_ids_are_the_same_with_the_same_seed(start_edge: StartEdge) -> None:
    """Design 4: version ids from config, deployment ids and ray ids are reproducible."""
    seen = []
    for _ in range(2):
        edge = start_edge(shop(90, 10), seed=5)
        created = edge.api.deploy("shop", spec(v1=50, v2=50))["deployment"]["id"]
        rays = [call(edge).header("CF-Ray") for _ in range(3)]
        seen.append((version_ids(edge), created, rays))

    assert seen[0] == seen[1]


# Affinity.


def test_a_key_keeps_its_version_over_a_restart_and_while_the_new_version_grows(start_edge: StartEdge) -> None:
    """Issue 2, "always one version, also after a restart, also when v2 grows" (R37, R38, R93)."""
    edge = start_edge(shop(90, 10))
    at_10 = versions_of_keys(edge)
    edge.stop()
    edge.start()
    assert versions_of_keys(edge) == at_10

    held = {key for key, tag in at_10.items() if tag == "v2"}
    for percentage in (20, 50, 100):
        edge.api.deploy("shop", spec(v1=100 - percentage, v2=percentage))
        versions = versions_of_keys(edge)
        grown = {key for key, tag in versions.items() if tag == "v2"}
        assert held <= grown
        held = grown
    assert held == set(KEYS)
    edge.api.rollback("shop", "v1")
    assert set(versions_of_keys(edge).values()) == {"v1"}


# Overrides.


def test_an_override_reaches_a_deployed_version_at_0_percent(start_edge: StartEdge) -> None:
    """Issue 2 and R14, R21: the documented smoke test; nothing else is looked at."""
    edge = start_edge(shop(100, 0))
    wanted = version_ids(edge)["v2"]

    for headers in ({}, {KEY: "user-1"}):
        answer = call(edge, "/version", {OVERRIDES: f'shop="{wanted}"', **headers})
        assert (answer.text, answer.decision["reason"]) == ("v2", "override")
        assert answer.header("Gateway-Version") == wanted
        assert "ignored" not in answer.decision
    assert set(versions_of_requests(edge, 30)) == {"v1"}


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (['shop="{v3}"'], "not-deployed"),
        ([f'shop="{UNKNOWN_ID}"'], "unknown-version"),
        (['shop="v2"'], "unknown-version"),
        (['shop="{short}"'], "unknown-version"),
        (['shop="{upper}"'], "unknown-version"),
        (["shop=abc"], "not-a-string"),
        (["shop=12"], "not-a-string"),
        (["shop"], "not-a-string"),
        (["shop=:YWJj:"], "not-a-string"),
        (['shop=("{v2}")'], "not-a-string"),
        (['api="{v2}"'], "worker-not-named"),
        ([""], "worker-not-named"),
        (["shop={v2}{v2}="], "not-a-dictionary"),
        (['shop="{v2}'], "not-a-dictionary"),
        (['shop="{v2}",'], "not-a-dictionary"),
        (['shop = "{v2}"'], "not-a-dictionary"),
        (['shop="{v2}", Shop2="x"'], "not-a-dictionary"),
        (['1shop="{v2}"'], "not-a-dictionary"),
        (['shop="{v2}"', "!"], "not-a-dictionary"),
        (['shop="{v2}\xe9"'], "not-a-dictionary"),
        (['shop="{v2}"', 'shop="{v3}"'], "not-deployed"),
    ],
)
def test_an_override_that_does_not_apply_routes_on_and_names_the_cause(
    edge: EdgeProcess, lines: list[str], cause: str
) -> None:
    """R25, R29-R36: never an error; ``Gateway-Decision`` says which documented cause (issue 2)."""
    ids = version_ids(edge)
    known = {**ids, "short": ids["v2"][:8], "upper": ids["v2"].upper()}
    headers = [(OVERRIDES, line.format(**known)) for line in lines]

    by_chance, by_key = call(edge, "/version", headers), call(edge, "/version", [*headers, (KEY, "user-1")])

    for answer, reason in ((by_chance, "percentage"), (by_key, "affinity")):
        assert answer.status == 200
        assert answer.decision["ignored"] == f"override:{cause}"
        assert answer.decision["reason"] == reason
    assert by_key.text == call(edge, "/version", {KEY: "user-1"}).text


@pytest.mark.parametrize(
    "lines",
    [
        ['shop="{v2}"'],
        ['shop="{v1}", shop="{v2}"'],
        ['shop="{v2}";note=1'],
        ['api="x"', 'shop="{v2}"'],
        ['shop="{v2}"', 'api="x"'],
        ['shop="{v2}" \t,  api=token'],
    ],
)
def test_an_override_that_applies_decides(edge: EdgeProcess, lines: list[str]) -> None:
    """R28, R31, R32, R34, R35: several lines, the last of two, parameters, neighbours of any type."""
    ids = version_ids(edge)

    answer = call(edge, "/version", [(OVERRIDES, line.format(**ids)) for line in lines])

    assert (answer.text, answer.decision["reason"]) == ("v2", "override")


def test_a_worker_that_no_override_can_name_is_warned_of(edge: EdgeProcess) -> None:
    """R33: a key of a Dictionary starts with a lower-case letter or ``*``."""
    assert {line["worker"] for line in edge.log("worker.cannot_be_overridden")} == {"1st-api"}


# Version URLs, hosts and routes.


def test_a_version_url_reaches_an_undeployed_version_and_nothing_else_counts(edge: EdgeProcess) -> None:
    """R20, R29, R89: ``<first 8 of the id>-<worker>.localhost``, with the port as clients write it and without."""
    ids = version_ids(edge)
    for tag in ("v1", "v3"):
        host = f"{ids[tag][:8]}-shop.localhost"
        for given in (host, f"{host}:{edge.port}", host.upper()):
            answer = call(edge, "/version", {OVERRIDES: f'shop="{ids["v2"]}"', KEY: "user-1"}, host=given)
            assert (answer.text, answer.decision["reason"]) == (tag, "version-url")
            assert answer.header("Gateway-Version") == ids[tag]
            assert "ignored" not in answer.decision


def test_an_unknown_version_url_lists_the_versions(edge: EdgeProcess) -> None:
    """R89: a prefix that fits no version is 404, and not one of the Worker's other versions."""
    answer = call(edge, "/", {"Accept": "application/json"}, host="00000000-shop.localhost")

    assert (answer.status, answer.header("Gateway-Error")) == (404, "unknown-version")
    assert {fact["value"] for fact in answer.json()["facts"]} == {"v1", "v2", "v3"}
    assert answer.header("Gateway-Version") is None


@pytest.mark.parametrize(
    ("host", "target", "worker"),
    [
        ("shop.localhost", "/", "shop"),
        ("SHOP.localhost:80", "/any?x=1", "shop"),
        ("eu.example.com", "/shop/", "shop"),
        ("eu.example.com", "/shop/a%2Fb", "shop"),
        ("1st-api.localhost", "/", "1st-api"),
        ("eu.example.com", "/", None),
        ("example.com", "/shop/", None),
        ("localhost", "/", None),
        ("shop.localhost.evil.test", "/", None),
    ],
)
def test_the_worker_is_found_by_route_and_by_name(
    edge: EdgeProcess, host: str, target: str, worker: str | None
) -> None:
    """Design 3.2: host and path patterns as Cloudflare's, and ``<worker>.localhost``; what matches none is 404."""
    answer = call(edge, target, host=host)

    if worker is None:
        assert (answer.status, answer.header("Gateway-Error")) == (404, "no-route")
    else:
        assert (answer.status, answer.decision["worker"]) == (200, worker)
        assert answer.json()["target"] == target


def test_a_request_without_route_is_told_the_routes_there_are(edge: EdgeProcess) -> None:
    """Design 3.2: 404 that lists the routes; a page, or JSON by ``Accept``."""
    page = call(edge, "/", {"Accept": "text/html,application/json;q=0.9"}, host="nowhere.test")
    plain = call(edge, "/", host="nowhere.test")
    data = call(edge, "/", {"Accept": "application/json"}, host="nowhere.test")

    assert (page.status, plain.status, data.status) == (404, 404, 404)
    assert page.header("Content-Type") == plain.header("Content-Type") == "text/html; charset=utf-8"
    assert data.header("Content-Type") == "application/json"
    routes = [fact["value"] for fact in data.json()["facts"]]
    assert set(routes) == {*ROUTES, "1st-api.localhost/*", "shop.localhost/*"}
    assert all(route in page.text for route in routes)
    assert data.json()["ray"] == data.header("CF-Ray")


def test_what_a_client_sends_is_escaped_on_the_pages(edge: EdgeProcess) -> None:
    """Design 3.6: a page that repeats host and path must not run them."""
    answer = call(edge, "/<script>alert(1)</script>&quot;", host="nowhere.test")

    assert answer.status in {400, 404}
    assert "<script" not in answer.text
    if answer.status == 404:
        assert "&lt;script&gt;" in answer.text
    assert answer.header("X-Content-Type-Options") == "nosniff"


# What the gateway says of itself.


def test_an_answer_names_version_and_reason(edge: EdgeProcess) -> None:
    """Design 3.6: ``Gateway-Version`` and ``Gateway-Decision``; no version can speak for the gateway."""
    ids = version_ids(edge)
    answer = call(edge, "/facts", {KEY: "user-1"})
    active = edge.api.deployment("shop", "active")

    decision = answer.decision
    assert answer.header("Gateway-Version") == answer.json()["id"] == ids[answer.json()["tag"]]
    assert set(decision) == {"worker", "tag", "reason", "point", "deployment"}
    assert (decision["worker"], decision["reason"], decision["deployment"]) == ("shop", "affinity", active["id"])
    point = decision["point"]
    assert isinstance(point, float)
    assert decision["tag"] == ("v1" if point < 90 else "v2")


def test_decision_headers_can_be_switched_off(start_edge: StartEdge) -> None:
    """Design 3.6: ``decision_headers: false`` turns both off, and nothing else."""
    edge = start_edge(shop(90, 10, decision_headers=False))

    for answer in (call(edge, "/version"), call(edge, "/cdn-cgi/trace")):
        assert answer.status == 200
        assert not [name for name, _ in answer.headers if name.lower().startswith("gateway-")]
        assert answer.header("CF-Ray")
    assert call(edge, "/", host="nowhere.test").header("Gateway-Error") == "no-route"


def trace_of(answer: Answer) -> dict[str, str]:
    """Return the lines of ``/cdn-cgi/trace``."""
    assert (answer.status, answer.header("Content-Type")) == (200, "text/plain; charset=utf-8")
    pairs = (line.partition("=") for line in answer.text.splitlines())
    return {name: value for name, _, value in pairs}


def test_trace_tells_what_the_edge_sees_on_every_host(edge: EdgeProcess) -> None:
    """Design 3, "Reserved": the lines of the real edge, and Worker and version."""
    ids = version_ids(edge)
    trace = trace_of(call(edge, "/cdn-cgi/trace?x", {"User-Agent": "probe/1", OVERRIDES: f'shop="{ids["v2"]}"'}))

    assert {name: trace[name] for name in ("ip", "visit_scheme", "uag", "http", "worker", "version")} == {
        "ip": "127.0.0.1",
        "visit_scheme": "http",
        "uag": "probe/1",
        "http": "http/1.1",
        "worker": "shop",
        "version": ids["v2"],
    }
    assert {"fl", "h", "ts", "colo", "loc"} <= trace.keys()
    assert trace["h"] == "shop.localhost"
    nowhere = trace_of(call(edge, "/cdn-cgi/trace", host="nowhere.test"))
    assert (nowhere["worker"], nowhere["version"], nowhere["h"]) == ("", "", "nowhere.test")


@pytest.mark.parametrize(
    "target",
    ["/cdn-cgi/gateway/", "/cdn-cgi/gateway/reset", "/cdn-cgi/gateway/do/", "/cdn-cgi/gateway/do/shop/Cart/x"],
)
def test_reserved_paths_never_reach_a_version(edge: EdgeProcess, target: str) -> None:
    """Design 3, "Reserved": ``/cdn-cgi/gateway/…`` is the gateway's on every host: no client can send a reset."""
    for host in ("shop.localhost", "nowhere.test"):
        for method in ("GET", "POST"):
            answer = call(edge, target, method=method, host=host, body=b"{}" if method == "POST" else None)
            assert (answer.status, answer.header("Gateway-Error")) == (404, "reserved-path")


def test_a_version_sees_the_edge_s_fields_and_not_those_a_client_made_up(edge: EdgeProcess) -> None:
    """Design 3.5: CF- fields and X-Forwarded-For come; the gateway's private fields cannot be smuggled in."""
    forged = {
        "CF-Ray": "forged", "CF-Connecting-IP": "6.6.6.6", "X-Forwarded-Proto": "forged",
        "Gateway-Object": "forged", "Gateway-Version": "forged", "CF_Connecting_IP": "forged",
        "X-Forwarded-For": "10.0.0.1",
    }  # fmt: skip
    answer = call(edge, "/a%2Fb?c=%20d", forged)

    fields = {name.lower(): value for name, value in answer.json()["headers"]}
    assert "forged" not in json.dumps(fields)
    assert fields["cf-connecting-ip"] == "127.0.0.1"
    assert fields["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
    assert fields["cf-ray"] == answer.header("CF-Ray")
    assert fields["host"] == f"shop.localhost:{edge.port}"
    assert answer.json()["target"] == "/a%2Fb?c=%20d"
