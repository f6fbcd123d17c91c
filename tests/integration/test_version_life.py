"""The life of a version the gateway starts: environment, readiness, output, falls, and its certain end."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import LEFTOVER_SECONDS, EdgeProcess, one_worker, spec, version
from tests.integration.http_client import OVERRIDES, Caller, call
from tests.integration.processes import is_alive, kill_processes
from tests.integration.waiting import wait_for

V1 = version("v1", "facts_version")
DIES = version("v2", "unsteady_version", "dies")
JSON = {"Accept": "application/json"}
RANDOM_SEED = 20_261_123


def asking(edge: EdgeProcess, tag: str) -> dict[str, str]:
    """Return the header that asks for a version, whatever the percentages say."""
    return {OVERRIDES: f'shop="{edge.version_state(tag)["id"]}"'}


# What a version is told.


def test_a_version_gets_its_port_its_metadata_and_the_gateway_s_address(
    start_edge: StartEdge, tmp_path: Path
) -> None:
    """Design 6: ``$PORT``, ``$CF_VERSION_METADATA`` (R107), ``$GATEWAY_URL``; ``env``, ``cwd`` as configured."""
    folder = tmp_path / "folder"
    folder.mkdir()
    root = str(Path(__file__).parents[2])
    env = {"EXTRA": "from the file", "PORT": "1", "PYTHONPATH": root}
    edge = start_edge(one_worker([version("v1", "facts_version", env=env, cwd=str(folder))], {"v1": 100}))

    facts = call(edge).json()

    told = facts["env"]
    about = edge.version_state("v1")
    assert told["EXTRA"] == "from the file"
    assert told["PORT"] != "1"
    assert told["GATEWAY_URL"] == edge.url
    assert json.loads(told["CF_VERSION_METADATA"]) == {
        "id": about["id"], "tag": "v1", "timestamp": about["created_on"],
    }  # fmt: skip
    assert facts["folder"] == str(folder)
    assert about["runtime"]["kind"] == "command"
    assert about["runtime"]["env"] == sorted(env, key=list(env).index)
    assert "from the file" not in json.dumps(about)  # design 9: values may be secrets


# Readiness.


def test_a_request_waits_for_a_version_that_is_starting(start_edge: StartEdge, tmp_path: Path) -> None:
    """Issue 2, item 4 (readiness: port open): no error while a version starts, for ``timeouts.start_seconds``."""
    gate = tmp_path / "open"
    slow = version("v1", "facts_version", env={"OPEN_WHEN": str(gate)})
    edge = start_edge(one_worker([slow], {"v1": 100}))
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(call, edge, "/version") for _ in range(8)]
        edge.wait_for_log("version.output", lambda line: line["line"] == "v1 begins")
        assert edge.version_state("v1")["state"] == "starting"
        assert not any(request.done() for request in waiting)
        gate.touch()

        assert {request.result().text for request in waiting} == {"v1"}
    assert edge.version_state("v1")["state"] == "running"


def test_a_version_with_a_readiness_path_gets_requests_once_that_answers(
    start_edge: StartEdge, tmp_path: Path
) -> None:
    """Issue 2, item 4 (readiness: optional path): the port is open and the path says 503, so requests wait."""
    gate = tmp_path / "ready"
    slow = version("v1", "facts_version", env={"READY_WHEN": str(gate)}, ready="/ready?deep=1")
    edge = start_edge(one_worker([slow], {"v1": 100}))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, edge, "/version")
        edge.wait_for_log("version.output", lambda line: line["line"] == "v1 begins")
        assert edge.version_state("v1")["state"] == "starting"
        assert not waiting.done()
        gate.touch()

        assert waiting.result().text == "v1"


def test_a_version_that_does_not_open_its_port_in_time_gives_504(start_edge: StartEdge) -> None:
    """Design 3.6: which version, why, what to do; another version answers its own share meanwhile."""
    config = one_worker(
        [V1, version("v2", "unsteady_version", "sleeps")],
        {"v1": 50, "v2": 50},
        gateway={"timeouts": {"start_seconds": 0.3}},
    )
    edge = start_edge(config)

    answer = call(edge, "/", {**asking(edge, "v2"), **JSON})

    assert (answer.status, answer.header("Gateway-Error")) == (504, "version-timed-out")
    assert "v2 of Worker shop" in answer.json()["why"]
    assert "still starting" in answer.json()["why"]
    assert call(edge, "/version", asking(edge, "v1")).text == "v1"
    assert edge.version_state("v2")["state"] == "starting"


# Falls.


def test_a_version_that_falls_is_started_again_after_growing_pauses(start_edge: StartEdge) -> None:
    """Issue 2, item 4: "restart with growing pauses after a crash"; the API shows state, reason and last lines."""
    edge = start_edge(one_worker([V1, version("v2", "unsteady_version", "falls")], {"v1": 50, "v2": 50}))
    falls = wait_for(lambda: found if len(found := edge.log("version.crashed")) >= 4 else None, "four falls")

    pauses = [fall["restart_in_seconds"] for fall in falls[:4]]
    assert all(later == 2 * earlier for earlier, later in pairwise(pauses))
    assert {(fall["worker"], fall["version"]) for fall in falls} == {("shop", "v2")}
    about = edge.wait_for_state("v2", "crashed")
    assert "exit code 9" in about["trouble"]
    assert about["last_lines"][-1] == "serving for a moment"
    assert edge.version_state("v1")["state"] == "running"


def test_a_version_that_never_starts_is_shown_with_its_last_lines_while_others_serve(
    start_edge: StartEdge,
) -> None:
    """Issue 2, item 4; design 3.6: its requests get 502 with those lines, "never silently another version"."""
    edge = start_edge(one_worker([V1, DIES], {"v1": 50, "v2": 50}))
    about = edge.wait_for_state("v2", "crashed")
    assert "exit code 7" in about["trouble"]
    assert about["last_lines"][-2:] == ["reading <settings> & more", "fatal: no database"]

    statuses = set()
    with Caller(edge) as caller:
        for number in range(60):
            answer = caller.call("/version", {"X-Number": str(number), **JSON})
            statuses.add(answer.status)
            if answer.status == 200:
                assert (answer.text, answer.decision["tag"]) == ("v1", "v1")
                continue
            problem = answer.json()
            assert (answer.status, answer.header("Gateway-Error")) == (502, "version-unreachable")
            assert {"name": "tag", "value": "v2"} in problem["facts"]
            assert problem["last_lines"][-1] == "fatal: no database"
            assert "gateway rollback --worker shop" in problem["remedy"]
            assert answer.header("Gateway-Version") is None
    assert statuses == {200, 502}


def test_last_lines_are_escaped_on_the_page(start_edge: StartEdge) -> None:
    """Design 3.6: what a version prints is text, not HTML."""
    edge = start_edge(one_worker([DIES], {"v2": 100}))
    edge.wait_for_state("v2", "crashed")

    page = call(edge)

    assert (page.status, page.header("Content-Type")) == (502, "text/html; charset=utf-8")
    assert "reading &lt;settings&gt; &amp; more\nfatal: no database" in page.text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"command": ["no-such-program", "x"]}, "no-such-program"),
        ({"cwd": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_a_version_that_cannot_be_started_says_what_is_missing(
    start_edge: StartEdge, more: dict[str, object], told: str
) -> None:
    """Issue 2, item 4: "a version that never starts is shown as such": a wrong program, a wrong folder."""
    edge = start_edge(one_worker([V1, {**V1, "tag": "v2", **more}], {"v1": 100, "v2": 0}))
    about = edge.wait_for_state("v2", "crashed")

    assert told in " ".join([about["trouble"], *about["last_lines"]])
    assert call(edge, "/version").text == "v1"


def test_a_deployment_of_a_version_that_does_not_run_warns(start_edge: StartEdge) -> None:
    """Design 3.6 and R15: the deployment is made, and its maker told that a share of the requests will fail."""
    edge = start_edge(one_worker([V1, DIES], {"v1": 100, "v2": 0}))

    created = edge.api.deploy("shop", spec(v1=50, v2=50))

    assert any("v2 does not run" in warning for warning in created["warnings"])
    assert edge.api.deployment("shop", "active")["id"] == created["deployment"]["id"]


def test_a_version_that_falls_with_a_request_under_way_gives_502_and_serves_again(start_edge: StartEdge) -> None:
    """Design 3.5: a request that may have had an effect is not repeated; the version comes back by itself."""
    edge = start_edge(one_worker([V1, version("v2", "facts_version")], {"v1": 50, "v2": 50}))
    v2 = asking(edge, "v2")
    before = call(edge, "/facts", v2).json()["pid"]

    answer = call(edge, "/crash", {**v2, **JSON}, method="POST", body=b"")

    assert (answer.status, answer.header("Gateway-Error")) == (502, "version-unreachable")
    edge.wait_for_log("version.crashed", lambda line: "exit code 3" in line["trouble"])
    edge.wait_for_state("v2", "running")
    assert call(edge, "/facts", v2).json()["pid"] != before
    assert "about to crash" in edge.version_state("v2")["last_lines"]


# Output.


def test_every_line_a_version_prints_is_told_with_its_tag(start_edge: StartEdge) -> None:
    """Issue 2, item 4: "output captured line by line with the version's tag": both streams, any bytes."""
    edge = start_edge(one_worker([V1, version("v2", "facts_version")], {"v1": 50, "v2": 50}))

    def lines(tag: str) -> list[str]:
        return [line["line"] for line in edge.log("version.output") if line["version"] == tag]

    for tag, to in (("v1", "stdout"), ("v2", "stderr")):
        body = f"one of {tag}\n\ntwo\r\nhalf".encode()
        call(edge, f"/print?to={to}", asking(edge, tag), method="POST", body=body)
        call(edge, f"/print?to={to}", asking(edge, tag), method="POST", body=b" whole\nbyte \xff\n")
        wait_for(lambda tag=tag: lines(tag)[-1] == "byte \ufffd", "the lines")  # type: ignore[misc]
        assert lines(tag)[-5:] == [f"one of {tag}", "", "two", "half whole", "byte \ufffd"]
        assert edge.version_state(tag)["last_lines"][-5:] == lines(tag)[-5:]
    call(edge, "/print", asking(edge, "v1"), method="POST", body=b"x" * 300_000 + b"\nend\n")
    wait_for(lambda: lines("v1")[-1] == "end", "the end of a long line")
    assert "".join(lines("v1")).count("x") == 300_000
    assert not [line for line in lines("v2") if "x" in line]


# The end.


def family(edge: EdgeProcess) -> list[int]:
    """Return the pids of a version, its child and its grandchild."""
    pids: list[int] = call(edge).json()["pids"]
    assert len(pids) == 3
    assert all(is_alive(pid) for pid in pids)
    return pids


FAMILY = one_worker([version("v1", "unsteady_version", "family")], {"v1": 100})


def test_children_and_grandchildren_do_not_outlive_a_killed_gateway(start_edge: StartEdge) -> None:
    """Issue 2, item 4: "children never outlive a killed gateway", though they ignore every polite signal."""
    edge = start_edge(FAMILY)
    pids = family(edge)

    edge.kill()

    wait_for(lambda: not [pid for pid in pids if is_alive(pid)], "the end of all", LEFTOVER_SECONDS)
    wait_for(lambda: not edge.processes(), "the end of all else", LEFTOVER_SECONDS)


def test_children_and_grandchildren_end_with_a_gateway_that_is_stopped(start_edge: StartEdge) -> None:
    """Design 7: Ctrl-C drains, ends all versions, and the exit code is 0."""
    edge = start_edge(FAMILY)
    pids = family(edge)

    assert edge.stop() == 0

    assert not [pid for pid in pids if is_alive(pid)]
    assert not edge.processes()


def test_what_a_fallen_version_leaves_behind_ends_before_it_is_started_again(start_edge: StartEdge) -> None:
    """Issue 2, item 4: a child that holds a port or a lock would keep the next start from working."""
    edge = start_edge(FAMILY)
    pids = family(edge)

    kill_processes(pids[:1])

    edge.wait_for_log("version.crashed")
    wait_for(lambda: not [pid for pid in pids if is_alive(pid)], "the end of the family", LEFTOVER_SECONDS)
    edge.wait_for_state("v1", "running")
    assert not set(family(edge)) & set(pids)


def test_a_gateway_killed_while_it_starts_leaves_no_process_behind(start_edge: StartEdge) -> None:
    """Issue 2, "kill -9 of the gateway at any moment": also between the start of a child and the first request."""
    edge = start_edge(FAMILY)
    edge.kill()
    moments = random.Random(RANDOM_SEED)  # noqa: S311 - moments, no secrets
    for _ in range(8):
        edge.launch()
        time.sleep(moments.uniform(0.05, 0.7))  # the random moment itself; nothing is asserted of it
        edge.kill()
        wait_for(lambda: not edge.processes(), "the end of all it started", LEFTOVER_SECONDS)
