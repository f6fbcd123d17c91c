"""kill -9 of the gateway, of versions, of both, at each step of a move: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.processes import is_alive, kill_processes
from tests.integration.waiting import wait_for
from tests.integration.workers_api import Json, Probed, by_hash, edge_config, point_of

STEPS = ("prepared", "journalled", "carried", "written", "committed")
WRITTEN = ("written", "committed")
"""Steps at which the new deployment is in the database already."""

NAMES = [f"kept-{number}" for number in range(12)]
ARMED = NAMES[:6]
ALARM_MS = 3_000
"""Alarms are due after the fall; what is due earlier is another test's."""


def pids(edge: EdgeProcess) -> dict[str, int]:
    """Return the process of each version that was started since the gateway's start, by the version's label."""
    return {str(line["version"]): int(line["pid"]) for line in edge.log("version.started")}


def dies_at(edge: EdgeProcess, step: str) -> None:
    """Let the gateway end itself at a step of a move, from its next start on."""
    edge._env["GATEWAY_FAULT"] = step


def lives(edge: EdgeProcess) -> None:
    """Let the gateway live again, from its next start on."""
    edge._env.pop("GATEWAY_FAULT", None)


@dataclass
class Before:
    """Objects as they were before the gateway fell."""

    counted: dict[str, Json]
    a: str
    b: str


def use_objects(worker: Probed, alarm_ms: int = ALARM_MS) -> Before:
    """Deploy a version, use objects twice, arm alarms, upload another version."""
    a = worker.deploy_first()
    worker.counted(NAMES)
    counted = worker.counted(NAMES)
    for name in ARMED:
        worker.rpc(name, "arm", alarm_ms)
    return Before(counted, a, worker.upload())


def check_objects(worker: Probed, before: Before, expected: dict[str, str]) -> None:
    """Each object runs where it should, counts on from what it stored, and has its files in one folder only."""
    counted = worker.counted(NAMES)
    assert {name: told["version"] for name, told in counted.items()} == expected
    for name, told in counted.items():
        assert told["storedCount"] == before.counted[name]["storedCount"] + 1, (name, told)
        assert told["id"] == before.counted[name]["id"]
    owners = worker.owners_on_disk()
    assert {told["id"]: [told["version"]] for told in counted.values()} == owners


def check_alarms(worker: Probed, expected: dict[str, str]) -> None:
    """Each alarm fires, once, in the version that runs its object."""
    wait_for(lambda: all(worker.rpc(name, "fired") for name in ARMED), "the alarms")
    assert {name: worker.rpc(name, "fired") for name in ARMED} == {name: [expected[name]] for name in ARMED}
    assert all(worker.rpc(name, "fired") == [] for name in NAMES if name not in ARMED)


def under_half(before: Before) -> dict[str, str]:
    """Return each object's version under 50% B, 50% A, by hash."""
    return {name: before.b if point_of(told["id"]) < 50 else before.a for name, told in before.counted.items()}


def fall_at(step: str, edge: EdgeProcess) -> None:
    """Let the gateway fall at a step, start it again, and hold everything to what was stored by then."""
    worker = Probed(edge, "falls")
    before = use_objects(worker, 2 * ALARM_MS)  # five of them at once take their time
    with pytest.raises(OSError, match=r".*"):
        worker.split((before.b, 50), (before.a, 50))
    assert edge.wait() == -signal.SIGKILL
    lives(edge)
    edge.start()
    new = step in WRITTEN
    assert worker.active() == ({before.a: 50, before.b: 50} if new else {before.a: 100})
    expected = under_half(before) if new else dict.fromkeys(NAMES, before.a)
    check_objects(worker, before, expected)
    check_alarms(worker, expected)
    # What was undone can be done again.
    worker.split((before.b, 50), (before.a, 50))
    assert worker.versions_of(NAMES) == under_half(before)


def test_kill_9_of_the_gateway_at_any_step_of_a_move_loses_and_doubles_nothing(start_edge: StartEdge) -> None:
    """Issue B: "after restart all data is there, alarms fire once, no file belongs to two versions"."""
    edges = {step: start_edge(edge_config([by_hash("falls")]), env={"GATEWAY_FAULT": step}) for step in STEPS}
    with ThreadPoolExecutor(len(STEPS)) as pool:
        falls = {step: pool.submit(fall_at, step, edge) for step, edge in edges.items()}
    problems = {step: repr(fall.exception()) for step, fall in falls.items() if fall.exception() is not None}
    assert not problems, problems


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[EdgeProcess]:
    """A gateway to be killed."""
    with running_edge(tmp_path, edge_config([by_hash("killed")])) as edge:
        yield edge


def test_kill_9_of_the_gateway_ends_its_versions_and_loses_nothing(edge: EdgeProcess) -> None:
    """Issue B: "no orphan after kill -9 of the gateway"; objects, alarms and owners are as they were."""
    worker = Probed(edge, "killed")
    before = use_objects(worker)
    worker.split((before.b, 50), (before.a, 50))
    versions = pids(edge)

    edge.kill()

    wait_for(lambda: not any(map(is_alive, versions.values())), "the end of the versions' processes")
    edge.start()
    check_objects(worker, before, under_half(before))
    check_alarms(worker, under_half(before))


def test_a_killed_version_is_back_at_once_and_the_others_keep_their_memory(edge: EdgeProcess) -> None:
    """Issue B, kill -9 of a version: data is there, other versions' objects do not notice."""
    worker = Probed(edge, "killed")
    before = use_objects(worker)
    worker.split((before.b, 50), (before.a, 50))
    expected = under_half(before)
    memory = worker.counted(NAMES)

    kill_processes([pids(edge)[before.b[:8]]])

    after = wait_for(lambda: counted_where_all_answer(worker), "answers of all objects")
    for name, told in after.items():
        assert told["version"] == expected[name]
        assert told["storedCount"] > memory[name]["storedCount"]
        kept = told["memoryCount"] > memory[name]["memoryCount"]
        assert kept == (expected[name] == before.a), (name, told, memory[name])
    check_alarms(worker, expected)


def counted_where_all_answer(worker: Probed) -> dict[str, Json] | None:
    """Use each object once; ``None`` where one of them could not be reached."""
    try:
        return worker.counted(NAMES)
    except Exception:  # noqa: BLE001 - any failure but a lasting one
        return None


def test_kill_9_of_gateway_and_versions_loses_nothing(edge: EdgeProcess) -> None:
    """Issue B, "of both": all in one moment."""
    worker = Probed(edge, "killed")
    before = use_objects(worker)
    worker.split((before.b, 50), (before.a, 50))

    kill_processes([edge.pid, *pids(edge).values()])

    edge.wait()
    edge.start()
    check_objects(worker, before, under_half(before))
    check_alarms(worker, under_half(before))


def test_a_version_that_falls_in_the_midst_of_a_move_does_not_spoil_it(edge: EdgeProcess) -> None:
    """Issue B, kill -9 of a version during a move: the deployment goes through, or nothing of it happened."""
    worker = Probed(edge, "killed")
    before = use_objects(worker)
    with ThreadPoolExecutor(1) as pool:
        deploying = pool.submit(worker.split, (before.b, 50), (before.a, 50))
        os.kill(pids(edge)[before.a[:8]], signal.SIGKILL)
        deploying.result()
    expected = under_half(before)
    wait_for(lambda: counted_where_all_answer(worker), "answers of all objects")
    assert worker.versions_of(NAMES) == expected
    assert all(len(owners) == 1 for owners in worker.owners_on_disk().values())
    check_alarms(worker, expected)
