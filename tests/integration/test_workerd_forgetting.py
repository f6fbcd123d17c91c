"""What the gateway must forget: versions of deleted Workers, and rows of a class that another Worker has now."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.store.sqlite import DATABASE
from gateway.testing import SyncEdge
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.waiting import wait_for
from tests.integration.workers_api import (
    COMPATIBILITY_DATE,
    NEW_CLASSES,
    OBJECTS,
    VERSION,
    Probed,
    WorkersApi,
    edge_config,
    objects,
    prober,
    workerd,
)

HANDED_OVER = {
    "new_tag": "t1",
    "transferred_classes": [{"from": "Counter", "from_script": "giver", "to": "Counter"}],
}


class Reached(NamedTuple):
    """A gateway of this process, for those who know its API alone."""

    control: str


def test_a_deleted_workers_versions_are_forgotten() -> None:
    """Else each of them is kept, and every Worker asked for what it may have used, up to the next start."""
    metadata = {
        "main_module": "prober.js",
        "compatibility_date": COMPATIBILITY_DATE,
        "bindings": list(OBJECTS),
        "migrations": NEW_CLASSES,
    }
    with SyncEdge(7, workerd()) as edge:
        api = WorkersApi(Reached(edge.control_url))
        for name in ("stays", "goes"):
            api.send_form("PUT", name, metadata, [prober()])
        fleet = edge._edge._running().fleet
        assert {version.worker for version, _ in fleet.running.values()} == {"stays", "goes"}
        api.call("DELETE", "goes?force=true")

        assert not fleet.unseen
        assert {version.worker for version, _ in fleet.running.values()} == {"stays"}


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[EdgeProcess]:
    """A gateway that can be started again."""
    with running_edge(tmp_path, edge_config()) as edge:
        yield edge


@contextlib.contextmanager
def database(edge: EdgeProcess) -> Iterator[sqlite3.Connection]:
    """Open the state behind the gateway's back."""
    with contextlib.closing(sqlite3.connect(edge.state / DATABASE, timeout=60)) as connection, connection:
        yield connection


def rows_of(edge: EdgeProcess, worker: str) -> list[str]:
    """Return the classes that the state has of a Worker."""
    with database(edge) as connection:
        return [row[0] for row in connection.execute("SELECT class FROM classes WHERE worker = ?", (worker,))]


def test_what_cannot_be_tidied_up_after_a_deployment_is_no_failure_of_it(edge: EdgeProcess) -> None:
    """The class was handed over, so the upload succeeded; what is left to do is done at the next start."""
    giver = Probed(edge, "giver")
    giver.deploy_first()
    before = giver.rpc("x", "count")
    taker = Probed(edge, "taker", bindings=[VERSION, objects("COUNTER", "Counter")])
    with database(edge) as connection:
        connection.execute(
            "CREATE TRIGGER stuck BEFORE DELETE ON classes BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    kept = rows_of(edge, "giver")
    taker.deploy(migrations=HANDED_OVER)

    (told,) = edge.log("objects.not_forgotten")
    assert (told["worker"], told["class_key"], "the disk is full" in told["error"]) == (
        "giver", "giver-Counter", True,
    )  # fmt: skip
    assert "giver-Counter" in kept
    assert rows_of(edge, "giver") == kept
    after = taker.rpc("x", "count")
    assert (after["id"], after["storedCount"]) == (before["id"], 2)

    edge.stop()
    edge.start()
    wait_for(lambda: edge.log("objects.not_forgotten"), "the start that cannot tidy up either")
    assert taker.rpc("x", "count")["storedCount"] == 3
    with database(edge) as connection:
        connection.execute("DROP TRIGGER stuck")
    edge.stop()
    edge.start()

    assert taker.rpc("x", "count")["storedCount"] == 4
    assert edge.log("objects.not_forgotten") == []
    assert rows_of(edge, "giver") == [one for one in kept if one != "giver-Counter"]
    assert "giver-Counter" in rows_of(edge, "taker")


def test_a_third_workers_binding_follows_a_class_to_its_new_worker(edge: EdgeProcess) -> None:
    """It binds the class by the giver's name, and cannot be told so; that must not undo what is final."""
    giver = Probed(edge, "giver")
    giver.deploy_first()
    giver.rpc("x", "count")
    third = Probed(edge, "third", bindings=[VERSION, objects("COUNTER", "Counter", script_name="giver")])
    third.deploy()
    assert third.rpc("x", "count")["storedCount"] == 2
    taker = Probed(edge, "taker", bindings=[VERSION, objects("COUNTER", "Counter")])
    taker.deploy(migrations=HANDED_OVER)

    assert [worker.rpc("x", "count")["storedCount"] for worker in (taker, third, giver)] == [3, 4, 5]
    edge.stop()
    edge.start()
    assert [worker.rpc("x", "count")["storedCount"] for worker in (third, giver, taker)] == [6, 7, 8]
