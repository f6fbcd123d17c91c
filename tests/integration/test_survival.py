"""What was answered survives kill -9; a full disk stops writers, never the data plane; one gateway a folder."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.control.client import ApiError, ClientError, Deployment, VersionSpec
from tests.integration.conftest import StartEdge
from tests.integration.crowd import asking_crowd
from tests.integration.edge_process import EdgeProcess, one_worker, running_edge, spec, version
from tests.integration.http_client import Connection, call
from tests.integration.processes import kill_processes
from tests.integration.waiting import eventually, wait_for

ROUNDS = 10
RANDOM_SEED = 20_261_123
NO_LIMIT = resource.RLIM_INFINITY
CART = {"class": "Cart", "object": "path:/cart/{name}"}


def objects(*tags: str, **more: object) -> list[dict[str, object]]:
    """Return versions with Durable Objects."""
    return [version(tag, "objects_version", **more) for tag in tags]


def carts(assignment: str = "sticky", **shares: float) -> dict[str, object]:
    """Return a configuration with two versions and a class of objects."""
    return one_worker(
        objects("v1", "v2"),
        shares or {"v1": 50, "v2": 50},
        durable_objects={"assignment": assignment, "bindings": [CART]},
    )


# kill -9.


@dataclass
class Acknowledged:
    """What a gateway has said; from then on it must stay true.

    Attributes:
        deployments: Every deployment that was acknowledged, by number.
        objects: Name -> (version that answered, id of the deployment it was decided by).
    """

    deployments: dict[int, Deployment] = field(default_factory=dict)
    objects: dict[str, tuple[str, str]] = field(default_factory=dict)


async def deploy_for_ever(edge: EdgeProcess, said: Acknowledged, chance: random.Random) -> None:
    """Deploy one random split after another until the gateway is gone; now and then one version alone."""
    with contextlib.suppress(ClientError):
        while True:
            v2 = chance.choice([0.0, 10.0, 33.3, 50.0, 90.0, 100.0])
            shares = [VersionSpec("v1", 100 - v2), VersionSpec("v2", v2)]
            wanted = [share for share in shares if share.percentage] if chance.random() < 0.3 else shares
            created = await asyncio.to_thread(edge.api.deploy, "shop", wanted)
            said.deployments[created["deployment"]["number"]] = created["deployment"]


async def use_objects(edge: EdgeProcess, said: Acknowledged, chance: random.Random) -> None:
    """Use objects, known ones and new ones, until the gateway is gone; note each version and deployment."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        async with await Connection.open(edge) as connection:
            while True:
                name = f"cart-{chance.randrange(60) if chance.random() < 0.5 else chance.getrandbits(48)}"
                answer = await connection.call(f"/cart/{name}")
                if answer.status == 200:
                    said.objects[name] = (answer.json()["tag"], str(answer.decision["deployment"]))


async def live_and_die(edge: EdgeProcess, said: Acknowledged, chance: random.Random) -> None:
    """Let clients deploy and use objects, and kill the gateway at a random moment in the midst of it."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deploy_for_ever(edge, said, random.Random(chance.random())))  # noqa: S311
        for _ in range(4):
            tasks.create_task(use_objects(edge, said, random.Random(chance.random())))  # noqa: S311
        await eventually(lambda: len(said.objects) > 20, "the first answers")
        await asyncio.sleep(chance.uniform(0, 0.35))  # the random moment itself; nothing is asserted of it
        edge.kill()


def check_deployments(said: Acknowledged, stored: list[Deployment]) -> None:
    """All that was acknowledged is there as it was, and at most one more, which was under way."""
    by_number = {deployment["number"]: deployment for deployment in stored}
    for number, deployment in said.deployments.items():
        assert {**by_number[number], "active": True} == {**deployment, "active": True}
    assert len(stored) - max(said.deployments) in {0, 1}
    assert [deployment["number"] for deployment in stored] == list(range(len(stored), 0, -1))
    assert [deployment["active"] for deployment in stored] == [True] + [False] * (len(stored) - 1)


async def check_objects(edge: EdgeProcess, said: Acknowledged, stored: list[Deployment]) -> None:
    """Every object is where its answer put it, where that version stayed deployed since (rule ``sticky``)."""
    deployed = {deployment["number"]: {share["tag"] for share in deployment["versions"]} for deployment in stored}
    number_of = {deployment["id"]: deployment["number"] for deployment in stored}
    held = {
        name: tag
        for name, (tag, deployment) in said.objects.items()
        if all(tag in deployed[number] for number in range(number_of[deployment], len(stored) + 1))
    }
    async with await Connection.open(edge) as connection:
        for name, tag in held.items():
            assert (name, (await connection.call(f"/cart/{name}")).json()["tag"]) == (name, tag)


async def test_what_was_answered_is_true_after_kill_9_at_any_moment(tmp_path: Path) -> None:
    """Issue 2: "the last acknowledged deployment is active and every object is where an answer had put it"."""
    chance = random.Random(RANDOM_SEED)  # noqa: S311 - moments, no secrets
    with running_edge(tmp_path, carts()) as edge:
        stored = edge.api.deployments("shop")
        everything = Acknowledged()
        for _ in range(ROUNDS):
            said = Acknowledged({deployment["number"]: deployment for deployment in stored})
            await live_and_die(edge, said, chance)
            edge.start()
            stored = edge.api.deployments("shop")
            check_deployments(said, stored)
            await check_objects(edge, said, stored)
            everything.objects.update(said.objects)
        await check_objects(edge, everything, stored)
        assert len(stored) > 2 * ROUNDS
        edge.stop()
    with contextlib.closing(sqlite3.connect(edge.state / "gateway.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_acknowledged_pin_survives_kill_9(start_edge: StartEdge) -> None:
    """Issue 2, item 6 (pins, kill -9 safe): killed right after the answer, for a used and for an unused object."""
    edge = start_edge(carts())
    used = call(edge, "/cart/used").json()["tag"]
    other = {"v1": "v2", "v2": "v1"}[used]
    for name, tag in (("used", other), ("used", used), ("unused", "v1"), ("unused", "v2")):
        edge.api.pin("shop", "Cart", name, tag)
        edge.kill()
        edge.start()
        assert call(edge, f"/cart/{name}").json()["tag"] == tag
        assert edge.api.object("shop", "Cart", name)["object"]["pinned"] == edge.version_state(tag)["id"]


def test_a_stop_in_the_midst_of_a_write_notes_nothing_twice(start_edge: StartEdge) -> None:
    """Issue 2, item 5 (history): each move is told once, also where the gateway ends while it is written."""
    edge = start_edge(carts(v1=100))
    names = [f"cart-{number}" for number in range(20)]
    for name in names:
        call(edge, f"/cart/{name}")
    edge.api.deploy("shop", spec(v2=100))
    with contextlib.closing(sqlite3.connect(edge.state / "gateway.sqlite", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")  # from now on the gateway's writes wait, for up to five seconds
        for name in names:
            assert call(edge, f"/cart/{name}").json()["tag"] == "v2"
        time.sleep(0.8)  # by now it has begun to write; where it has not, nothing is shown by this run
        edge.send(signal.SIGTERM)
        edge.wait_for_log("gateway.stopping")
        time.sleep(0.5)  # by now it would be over, were it not for the write
        database.execute("ROLLBACK")
    assert edge.wait() == 0

    edge.start()
    for name in names:
        history = edge.api.object("shop", "Cart", name)["history"]
        assert [(event["deployment"], event["tag"]) for event in history] == [(1, "v1"), (2, "v2")]


# One gateway a folder.


def test_a_second_gateway_on_the_same_folder_ends_with_1_and_names_the_first(start_edge: StartEdge) -> None:
    """Issue 2, item 6: "one gateway per state folder, with a clear error that names the other's pid"."""
    edge = start_edge(carts())

    second = subprocess.run(
        edge.command(), env=edge.environment(), capture_output=True, text=True, timeout=30, check=False
    )

    assert second.returncode == 1
    assert f"pid {edge.pid}" in second.stderr
    assert str(edge.state) in second.stderr
    assert "--state DIR" in second.stderr
    assert "Traceback" not in second.stderr
    assert (edge.state / "run.json").exists()
    assert call(edge, "/cart/x").status == 200


# A disk that takes no more.


def limit_files(edge: EdgeProcess, most_bytes: int) -> None:
    """Let every write of the gateway that would make a file longer fail, as on a full disk; needs no root."""
    resource.prlimit(edge.pid, resource.RLIMIT_FSIZE, (most_bytes, NO_LIMIT))


@pytest.fixture
def edge_with_pipe(tmp_path: Path) -> Iterator[EdgeProcess]:
    """A gateway whose log is no file."""
    with running_edge(tmp_path, carts(), piped_log=True) as edge:
        yield edge


async def test_a_full_disk_stops_writers_with_507_and_nothing_else(edge_with_pipe: EdgeProcess) -> None:
    """Design 9: "an error to the one who writes and a loud log, never the end of the data plane"."""
    edge, api = edge_with_pipe, edge_with_pipe.api
    before = {f"before-{n}": call(edge, f"/cart/before-{n}").json()["tag"] for n in range(10)}
    wait_for(lambda: api.objects("shop")["total"] == 10, "the objects")
    active = api.deployment("shop", "active")
    async with asking_crowd(edge) as crowd:
        limit_files(edge, 0)
        for attempt in (
            lambda: api.deploy("shop", spec(v1=10, v2=90)),
            lambda: api.rollback("shop", "v2"),
            lambda: api.pin("shop", "Cart", "before-1", "v1"),
        ):
            with pytest.raises(ApiError) as refused:
                await asyncio.to_thread(attempt)
            assert (refused.value.status, refused.value.code) == (507, 90_021)
            assert str(edge.state) in refused.value.message
            assert "Free disk space" in refused.value.remedy
        async with await Connection.open(edge) as connection:
            for name, tag in before.items():
                assert (await connection.call(f"/cart/{name}")).json()["tag"] == tag
            during = {f"new-{n}": (await connection.call(f"/cart/new-{n}")).json()["tag"] for n in range(50)}
        await eventually(lambda: edge.log("objects.not_written"), "the log to tell")
        assert api.deployment("shop", "active") == active
        listed = api.objects("shop", limit=1000)["objects"]
        assert {found["name"] for found in listed} >= before.keys()
        await crowd.go_on()

        limit_files(edge, NO_LIMIT)
        created = await asyncio.to_thread(api.deploy, "shop", spec(v1=90, v2=10))
        later = await crowd.go_on()
        assert {seen.deployment for seen in later} == {created["deployment"]["id"]}
    assert edge.log("objects.written_again") or len(edge.log("objects.not_written")) == 1
    edge.kill()
    edge.start()
    assert api_number(edge) == active["number"] + 1
    for name, tag in {**before, **during}.items():
        assert call(edge, f"/cart/{name}").json()["tag"] == tag


def api_number(edge: EdgeProcess) -> int:
    """Return the number of the active deployment."""
    return edge.api.deployment("shop", "active")["number"]


def test_a_gateway_that_cannot_write_its_state_does_not_start_and_says_why(tmp_path: Path) -> None:
    """Design 9: a folder that cannot be written at the start is a clear error, with exit code 1."""
    edge = EdgeProcess(tmp_path, carts())
    limited = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *edge.command()]

    ended = subprocess.run(
        limited, env=edge.environment(), capture_output=True, text=True, timeout=30, check=False
    )

    assert ended.returncode == 1
    assert str(edge.state) in ended.stderr
    assert "Free disk space" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert edge.processes() == []


async def test_a_log_on_the_full_disk_ends_nothing(start_edge: StartEdge) -> None:
    """Design 9: where the log is a file on the same full disk, objects and the API go on all the same."""
    edge = start_edge(carts())
    async with asking_crowd(edge) as crowd:
        limit_files(edge, 0)
        with pytest.raises(ApiError) as refused:
            await asyncio.to_thread(edge.api.deploy, "shop", spec(v1=10, v2=90))
        assert refused.value.status == 507
        tag = (await asyncio.to_thread(call, edge, "/cart/one")).json()["tag"]
        assert await asyncio.to_thread(edge.api.objects, "shop")
        limit_files(edge, NO_LIMIT)
        created = await asyncio.to_thread(edge.api.deploy, "shop", spec(v1=90, v2=10))
        later = await crowd.go_on()
        assert {seen.deployment for seen in later} == {created["deployment"]["id"]}
    wait_for(lambda: edge.api.objects("shop")["total"] == 1, "the object")
    assert (await asyncio.to_thread(call, edge, "/cart/one")).json()["tag"] == tag
    edge.send(signal.SIGTERM)
    assert edge.wait() == 0


def test_a_version_is_started_again_while_the_log_cannot_be_written(start_edge: StartEdge) -> None:
    """Design 9: the log is not what a version's life hangs on."""
    edge = start_edge(one_worker([version("v1", "facts_version")], {"v1": 100}))
    before = call(edge, "/facts").json()["pid"]
    limit_files(edge, 0)
    call(edge, "/print", method="POST", body=b"a line\n")

    kill_processes([before])

    wait_for(lambda: edge.version_state("v1")["state"] != "running", "the fall to be seen")
    edge.wait_for_state("v1", "running")
    assert call(edge, "/facts").json()["pid"] != before
    limit_files(edge, NO_LIMIT)
    assert "a line" in edge.version_state("v1")["last_lines"]
