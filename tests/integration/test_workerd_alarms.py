"""Alarms of objects that move: each fires once, where its object runs then."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.waiting import wait_for
from tests.integration.workers_api import Probed, by_hash, edge_config

HASHED = ("forty", "due", "set-anew", "plain-move")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway; each test has a Worker of its own."""
    config = edge_config([by_hash(name) for name in HASHED])
    with running_edge(tmp_path_factory.mktemp("edge"), config) as edge:
        yield edge


def names(count: int) -> list[str]:
    """Return some objects' names."""
    return [f"armed-{number}" for number in range(count)]


def arm_all(worker: Probed, armed: list[str], ms: int) -> None:
    """Set an alarm of each object, all for about the same moment."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: worker.rpc(name, "arm", ms), armed))


def fired(worker: Probed, armed: list[str]) -> dict[str, list[str]]:
    """Return the versions that each object's alarm fired in."""
    return {name: worker.rpc(name, "fired") for name in armed}


def wait_until_fired(worker: Probed, armed: list[str]) -> dict[str, list[str]]:
    """Return the versions that each object's alarm fired in, once each has, and none can fire a second time."""
    wait_for(lambda: all(fired(worker, armed).values()), "the alarms")
    wait_for(lambda: not any(worker.rpc(name, "armedAt") for name in armed), "no alarm to be left")
    return fired(worker, armed)


def test_forty_alarms_of_which_half_move_fire_once_each_in_the_owner(edge: EdgeProcess) -> None:
    """Issue B and runtime.md 1: set under A, half of the objects move to B before they are due."""
    worker = Probed(edge, "forty")
    a, b = worker.deploy_first(), worker.upload()
    arm_all(worker, names(40), 2_500)
    assert not any(fired(worker, names(40)).values())

    worker.split((b, 50), (a, 50))

    owners = worker.versions_of(names(40))
    assert set(owners.values()) == {a, b}
    assert wait_until_fired(worker, names(40)) == {name: [version] for name, version in owners.items()}


def test_alarms_that_come_due_while_their_objects_move_fire_once(edge: EdgeProcess) -> None:
    """Issue B: "alarms handed over and fired exactly once"; moves back and forth while they are due."""
    worker = Probed(edge, "due")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((a, 100), (b, 0))
    for number, name in enumerate(names(24)):
        worker.rpc(name, "arm", 300 + 40 * number)
    for shares in 3 * (((b, 100.0), (a, 0.0)), ((a, 100.0), (b, 0.0))):
        worker.split(*shares)

    told = wait_until_fired(worker, names(24))

    assert {name: len(versions) for name, versions in told.items()} == dict.fromkeys(names(24), 1)


def test_a_moved_objects_alarm_shows_its_time_and_can_be_set_anew(edge: EdgeProcess) -> None:
    """``getAlarm`` after a move is what was set; a later ``setAlarm`` replaces it: one firing only."""
    worker = Probed(edge, "set-anew")
    a, b = worker.deploy_first(), worker.upload()
    far = worker.rpc("x", "arm", 3_600_000)
    worker.split((b, 100))
    assert abs(worker.rpc("x", "armedAt") - far) <= 1

    worker.rpc("x", "arm", 50)

    assert wait_until_fired(worker, ["x"]) == {"x": [b]}
    assert a != b


def test_an_alarm_far_away_does_not_fire_by_a_move(edge: EdgeProcess) -> None:
    """A move hands an alarm over; it does not make it due."""
    worker = Probed(edge, "plain-move")
    a, b = worker.deploy_first(), worker.upload()
    worker.rpc("far", "arm", 3_600_000)
    worker.rpc("near", "arm", 500)

    worker.split((b, 100))

    assert wait_until_fired(worker, ["near"]) == {"near": [b]}
    assert fired(worker, ["far"]) == {"far": []}
    assert a != b


def test_alarms_that_came_due_while_nothing_ran_fire_once_after_the_start(start_edge: StartEdge) -> None:
    """Issue B: alarms after kill -9 and restart; workerd reads them when it starts."""
    edge = start_edge(edge_config([by_hash("late")]))
    worker = Probed(edge, "late")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((b, 50), (a, 50))
    owners = worker.versions_of(names(8))
    due_at = max(worker.rpc(name, "arm", 1_500) for name in names(8))
    edge.kill()
    wait_for(lambda: time.time() * 1000 > due_at, "the alarms to be due")

    edge.start()

    assert wait_until_fired(worker, names(8)) == {name: [version] for name, version in owners.items()}


def test_a_move_that_is_made_at_a_start_takes_alarms_along(start_edge: StartEdge) -> None:
    """Runtime.md 5: what could not be moved before the end is moved with files, before any process starts."""
    edge = start_edge(edge_config([by_hash("offline")]))
    worker = Probed(edge, "offline")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((a, 100), (b, 0))
    before = {name: worker.rpc(name, "count") for name in names(4)}
    arm_all(worker, names(4), 3_000)
    wait_for(lambda: len(edge.api.objects("offline", class_name="Counter")["objects"]) == 4, "the objects")
    os.kill(worker.pid(b), signal.SIGSTOP)  # nothing can move to a process that does not answer
    for name in names(4)[:2]:
        edge.api.pin("offline", "Counter", name, b)
    edge.kill()
    edge.start()

    owners = worker.versions_of(names(4))

    assert list(owners.values()) == [b, b, a, a]
    assert wait_until_fired(worker, names(4)) == {name: [version] for name, version in owners.items()}
    assert {name: worker.rpc(name, "look")["storedCount"] for name in before} == dict.fromkeys(before, 1)
    assert all(len(folders) == 1 for folders in worker.owners_on_disk().values())
