"""What a real gateway tells of itself: events, figures, and that all who tell the same say the same."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, spec, version
from tests.integration.http_client import KEY, OVERRIDES, Caller, call
from tests.integration.listening import Listener, listening
from tests.integration.test_metrics_agree import samples, summed
from tests.integration.waiting import wait_for

CARTS = {"assignment": "hash", "bindings": [{"class": "Cart", "object": "path:/cart/{name}"}]}


def gateway(edge: EdgeProcess, *arguments: str) -> Any:
    """Return what a command says with --json."""
    result = CliRunner().invoke(
        cli, [*arguments, "--json"], obj=Start(Terminal(), {"GATEWAY_CONTROL": edge.control})
    )
    return json.loads(result.stdout)


def test_what_happens_is_told(start_edge: StartEdge) -> None:
    """Issue C, events: requests, console lines, crashes, starts, deployments; each joined to its version."""
    edge = start_edge(one_worker([version(tag, "facts_version") for tag in ("v1", "v2")], {"v1": 100, "v2": 0}))
    ids = {found["tag"]: found["id"] for found in edge.api.versions("shop")}
    with listening(edge) as listener:
        listener.wait_for("version", 2, state="started")
        call(edge, "/version?a=b", headers={"Cookie": "sid=1", KEY: "user-1"})
        (request,) = listener.wait_for("request")
        call(edge, "/print?to=stderr", method="POST", body=b"a <b>\nsecond\n")
        call(edge, "/crash")
        edge.api.deploy("shop", spec(v1=50, v2=50), message="half")

        assert (request["label"], request["version_id"], request["reason"]) == ("v1", ids["v1"], "affinity")
        assert (request["target"], request["status"], request["response_bytes"]) == ("/version?a=b", 200, 2)
        assert {"REDACTED"} == {value for name, value in request["headers"] if name in ("Cookie", KEY)}
        said = [one["message"] for one in listener.wait_for("console", 2, version_id=ids["v1"])]
        assert [line for line in said if line in ("a <b>", "second")] == ["a <b>", "second"]
        (crash,) = listener.wait_for("version", state="crashed")
        assert (crash["version_id"], crash["pid"], "exit code 3" in crash["trouble"]) == (ids["v1"], 0, True)
        assert listener.wait_for("request", target="/crash")[0]["outcome"] == "upstream_failed"
        assert listener.wait_for("version", 2, state="started", version_id=ids["v1"])[-1]["pid"] > 0
        (deployed,) = listener.wait_for("deployment", number=2)
        assert [one["percentage"] for one in deployed["versions"]] == [50, 50]
        edge.stop()


def test_objects_and_websockets_are_told(start_edge: StartEdge) -> None:
    """Issue C, events: one event per object request, reset and WebSocket; a socket again when it ends."""
    carts = [version(tag, "objects_version") for tag in ("v1", "v2")]
    edge = start_edge(one_worker(carts, {"v1": 100, "v2": 0}, durable_objects=CARTS))
    ids = {found["tag"]: found["id"] for found in edge.api.versions("shop")}
    with listening(edge, kinds="request,reset,websocket") as listener:
        call(edge, "/cart/foo")
        edge.api.deploy("shop", spec(v1=0, v2=100))
        call(edge, "/cart/foo")
        (reset,) = listener.wait_for("reset")
        first, second = listener.wait_for("request", 2, object="Cart/foo")

        assert (first["label"], second["label"], second["reason"]) == ("v1", "v2", "durable-object")
        assert (reset["class"], reset["name"], reset["deployment"]) == ("Cart", "foo", 2)
        assert (reset["from_version"], reset["to_version"]) == (ids["v1"], ids["v2"])
        edge.stop()

    sockets = start_edge(one_worker([version("v1", "sockets_version")], {"v1": 100}))
    with listening(sockets, kinds="request,websocket") as listener:
        call(sockets, "/version")
        plain = socket.create_connection((sockets.host, sockets.port))
        with connect(f"ws://shop.localhost:{sockets.port}/echo", sock=plain, proxy=None) as opening:
            (opened,) = listener.wait_for("request", target="/echo")
            open_now = wait_for(
                lambda: [one for one in sockets.api.metrics("shop")["versions"] if one["websockets"]], "a socket"
            )
            opening.send("hello")
        (ended,) = listener.wait_for("websocket")

        assert (opened["status"], open_now[0]["websockets"], open_now[0]["in_flight"]) == (101, 1, 0)
        assert (ended["ray"], ended["target"], ended["label"]) == (opened["ray"], "/echo", "v1")
        assert ended["duration_ms"] >= opened["duration_ms"]
        sockets.stop()


def requests(listener: Listener) -> list[Any]:
    """Return the invocations that were requests."""
    return [item for item in listener.of("tail") if item["event"]]


def test_a_command_is_tailed_as_wrangler_does(start_edge: StartEdge) -> None:
    """R112: one shape, whatever runs the version; lines of ``command`` versions joined to their version."""
    edge = start_edge(one_worker([version("v1", "facts_version")], {"v1": 100}))
    with listening(edge, lambda: edge.api.tail("shop")) as listener:

        def tailed() -> list[Any]:
            call(edge, "/version")
            return requests(listener)

        wait_for(tailed, "an invocation")
        call(edge, "/print", method="POST", body=b"needle\n")
        request = requests(listener)[0]
        wait_for(
            lambda: [
                one for one in listener.of("tail") if one["logs"] and one["logs"][0]["message"] == ["needle"]
            ],
            "the line",
        )

        assert (request["scriptName"], request["scriptVersion"]["tag"], request["outcome"]) == ("shop", "v1", "ok")
        assert request["event"]["request"]["url"].endswith("/version")
        assert request["event"]["response"] == {"status": 200}
        edge.stop()


def test_everybody_says_the_same(start_edge: StartEdge) -> None:
    """Issue C: numbers agree; ``/metrics``, ``/api``, ``gateway top`` and the events of one run of a known mix."""
    versions = [version("v1", "facts_version"), version("v2", "unsteady_version", "dies")]
    edge = start_edge(one_worker(versions, {"v1": 60, "v2": 40}, routes=[]), seed=3)
    edge.wait_for_state("v2", "crashed")
    ids = {found["tag"]: found["id"] for found in edge.api.versions("shop")}
    sent: Counter[str] = Counter()
    with listening(edge, kinds="request") as listener:

        def heard() -> list[Mapping[str, Any]]:
            call(edge, host="nowhere.test")
            return listener.of("request")

        wait_for(heard, "the stream")
        with Caller(edge) as caller:
            for number in range(150):
                headers = {KEY: str(number)} if number % 3 else {OVERRIDES: f'shop="{ids["v2"]}"'}
                sent["v1" if caller.call("/facts", headers).status == 200 else "v2"] += 1
        told = listener.wait_for("request", 150, worker="shop")
        shown = {one["label"]: one for one in edge.api.metrics("shop", "deployment")["versions"]}
        topped = {one["label"]: one for one in gateway(edge, "top", "--window", "300")["workers"][0]["versions"]}
        health = gateway(edge, "health")
        exposed = samples(edge)
        edge.stop()

    assert Counter(one["label"] for one in told) == sent
    assert {label: one["requests"] for label, one in shown.items()} == sent
    assert {label: one["requests"] for label, one in topped.items()} == sent
    assert summed(exposed["gateway_requests_total"], "tag") == {(tag,): count for tag, count in sent.items()}
    assert shown["v2"]["errors"]["unreachable"] == sent["v2"] == topped["v2"]["errors"]["unreachable"]
    assert summed(exposed["gateway_errors_total"], "tag", "cause")["v2", "unreachable"] == sent["v2"]
    assert (health["verdict"], health["candidate"]["requests"]) == ("roll_back", sent["v2"])
    drawn = Counter(one["label"] for one in told if one["reason"] in ("percentage", "affinity"))
    share = 100 * drawn["v1"] / drawn.total()
    assert shown["v1"]["observed_percentage"] == pytest.approx(share, abs=0.001)
    durations = sorted(one["duration_ms"] for one in told if one["label"] == "v1")
    median = durations[(len(durations) - 1) // 2]
    assert shown["v1"]["p50_ms"] == pytest.approx(median, rel=0.0101, abs=0.006)  # two decimals are shown
    assert shown["v1"]["memory_bytes"]
    assert exposed["gateway_version_up"]


def test_numbers_of_events_rise_over_a_restart(start_edge: StartEdge) -> None:
    """A page that reconnects after a restart says what it saw last, and gets what came since."""
    edge = start_edge(one_worker([version("v1", "facts_version")], {"v1": 100}))
    with listening(edge) as before:
        before.wait_for("deployment")
        edge.stop()
    edge.start()
    with listening(edge) as after:
        after.wait_for("version", state="started")
        edge.stop()

    numbers = [[int(event.id) for event in heard.heard] for heard in (before, after)]
    assert sorted(numbers[0] + numbers[1]) == numbers[0] + numbers[1]
    assert numbers[0][-1] < numbers[1][0]
