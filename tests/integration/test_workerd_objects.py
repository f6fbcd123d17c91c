"""Durable Objects on workerd across versions: who runs them, what a move costs them, and what calls see of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import pytest

from gateway.control.client import ApiError
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.object_crowd import GONE, RESET
from tests.integration.scripted_origin import new_listener
from tests.integration.waiting import wait_for
from tests.integration.workers_api import CallFailed, Json, Probed, by_hash, deferred, edge_config, point_of

HASHED = ("grows", "flips", "flight", "kept-stubs", "waits", "ends-waits", "pins-hash", "edge-path", "unknown")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway for all tests here; each has a Worker of its own."""
    with running_edge(tmp_path_factory.mktemp("edge"), edge_config([by_hash(name) for name in HASHED])) as edge:
        yield edge


def names(count: int) -> list[str]:
    """Return some objects' names."""
    return [f"object-{number}" for number in range(count)]


def expected_under(told: dict[str, Json], first: str, high: float, rest: str) -> dict[str, str]:
    """Return each object's version where ``first`` has the points below ``high``."""
    return {name: first if point_of(one["id"]) < high else rest for name, one in told.items()}


def check_step(before: dict[str, Json], after: dict[str, Json]) -> int:
    """Hold two uses of each object to R46c and R56: memory is lost exactly at a move; count the moves."""
    moves = 0
    for name, now in after.items():
        then = before[name]
        assert now["storedCount"] == then["storedCount"] + 1, (name, then, now)
        moved = now["version"] != then["version"]
        assert now["memoryCount"] == (1 if moved else then["memoryCount"] + 1), (name, then, now)
        moves += moved
    return moves


# Who runs an object.


def test_by_hash_objects_follow_a_growing_version_and_none_comes_back(edge: EdgeProcess) -> None:
    """R46, R47: 100 A, 20/80, 50/50, 100 B; each object moves once, at its point, and loses its memory then."""
    worker = Probed(edge, "grows")
    a, b = worker.deploy_first(), worker.upload()
    told = [worker.counted(names(30))]
    assert {one["version"] for one in told[0].values()} == {a}
    for high, shares in ((20, [(b, 20.0), (a, 80.0)]), (50, [(b, 50.0), (a, 50.0)]), (100, [(b, 100.0)])):
        worker.split(*shares)
        told.append(worker.counted(names(30)))
        assert {name: one["version"] for name, one in told[-1].items()} == expected_under(told[0], b, high, a)
    assert sum(check_step(before, after) for before, after in pairwise(told)) == 30


def test_an_upload_that_is_not_deployed_changes_nothing(edge: EdgeProcess) -> None:
    """GDDO, step "upload": all objects keep their version and their memory."""
    worker = Probed(edge, "uploads")
    worker.deploy_first()
    before = worker.counted(names(5))

    worker.upload()

    assert check_step(before, worker.counted(names(5))) == 0


def test_swapping_the_order_of_versions_flips_objects(edge: EdgeProcess) -> None:
    """R49: the order of the list matters."""
    worker = Probed(edge, "flips")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((b, 50), (a, 50))
    before = worker.counted(names(12))

    worker.split((a, 50), (b, 50))

    after = worker.counted(names(12))
    assert check_step(before, after) == 12
    assert {name: one["version"] for name, one in after.items()} == expected_under(before, a, 50, b)


def test_sticky_objects_stay_until_their_version_leaves(edge: EdgeProcess) -> None:
    """Row S1: no percentage, not even 0, moves an object off its version; new ones follow the percentages."""
    worker = Probed(edge, "stays")
    a, b = worker.deploy_first(), worker.upload()
    told = [worker.counted(names(8))]
    for shares in ([(b, 20.0), (a, 80.0)], [(b, 90.0), (a, 10.0)], [(b, 100.0), (a, 0.0)]):
        worker.split(*shares)
        told.append(worker.counted(names(8)))
    assert sum(check_step(before, after) for before, after in pairwise(told)) == 0
    assert worker.rpc("fresh", "count")["version"] == b

    worker.split((b, 100))

    assert check_step(told[-1], worker.counted(names(8))) == 8


def test_an_object_that_was_never_used_through_the_gateways_table_is_where_its_id_says(edge: EdgeProcess) -> None:
    """R48: ``newUniqueId`` and ``idFromString`` objects are routed like named ones, from both versions."""
    worker = Probed(edge, "unknown")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((b, 50), (a, 50))
    for through in (a, b) * 3:
        told = worker.attempt("ids", "someone", through=through)
        unique, met, unique_name = told["unique"]
        assert (met, unique_name) == (unique, None)
        assert told["byString"] == told["id"]
    on_disk = worker.owners_on_disk()
    assert len(on_disk) == 7
    for object_id, owners in on_disk.items():
        assert owners == [b if point_of(object_id) < 50 else a]


@pytest.mark.parametrize("name", ["pins-hash", "pins-sticky"])
def test_a_pin_moves_an_object_and_holds_it_and_its_end_lets_it_go(edge: EdgeProcess, name: str) -> None:
    """Issue 2, pins: a pinned object runs its version whatever the percentages say, with what it stored."""
    worker = Probed(edge, name)
    a, b = worker.deploy_first(), worker.upload()
    worker.split((b, 50), (a, 50))
    before = worker.counted(names(6))
    held = "object-3"
    home = before[held]["version"]
    other = {a: b, b: a}[home]

    edge.api.pin(name, "Counter", held, other)
    wait_for(lambda: worker.rpc(held, "look")["version"] == other, "the object to move")
    after = worker.counted(names(6))
    assert check_step(before, after) == 1
    worker.split((b, 50), (a, 50))
    assert check_step(after, worker.counted(names(6))) == 0

    edge.api.unpin(name, "Counter", held)
    rule_moves_it = name == "pins-hash"
    worker.split((b, 50), (a, 50))
    expected = home if rule_moves_it else other
    wait_for(lambda: worker.rpc(held, "look")["version"] == expected, "the object to be where its rule says")


def test_a_pin_to_a_version_that_is_not_deployed_is_refused(edge: EdgeProcess) -> None:
    """Issue 2, pins: a pin counts only where its version is deployed."""
    worker = Probed(edge, "pin-nowhere")
    worker.deploy_first()
    away = worker.upload()
    worker.rpc("x", "count")

    with pytest.raises(ApiError):
        edge.api.pin("pin-nowhere", "Counter", "x", away)


def test_the_object_table_shows_objects_as_they_are(edge: EdgeProcess) -> None:
    """Issue B: "The object table shows workerd objects like all others"; name, id, version, resets, storage."""
    worker = Probed(edge, "shown")
    a, b = worker.deploy_first(), worker.upload()
    told = worker.counted(names(4))
    worker.split((b, 100))
    worker.counted(names(4))

    page = edge.api.objects("shown", class_name="Counter")

    shown = {str(one["name"]): one for one in page["objects"]}
    assert shown.keys() == told.keys()
    for name, one in shown.items():
        assert (one["id"], one["assigned"], one["running"], one["resets"]) == (told[name]["id"], b, b, 1)
        assert one["storage_bytes"]
    assert a != b


def test_the_edge_calls_an_object_at_its_own_address(edge: EdgeProcess) -> None:
    """Design 5: ``/cdn-cgi/gateway/do/<worker>/<class>/<name>/<path>`` meets the version that runs the object."""
    worker = Probed(edge, "edge-path")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((b, 50), (a, 50))
    for name in names(6):
        version = worker.rpc(name, "look")["version"]
        answer = worker.get(f"/cdn-cgi/gateway/do/edge-path/Counter/{name}/a/path?q=1", method="POST", body=b"hi")
        told = answer.json()
        assert (told["object"]["version"], told["object"]["name"]) == (version, name)
        assert (told["method"], told["body"]) == ("POST", "hi")
        assert told["url"].endswith("/a/path?q=1")
        assert not [header for header in told["headers"] if header.startswith("x-gateway")]


# What calls see of a move.


def slow_calls(pool: ThreadPoolExecutor, worker: Probed, ms: int, through: str) -> dict[str, Future[str]]:
    """Begin a call of each object that takes a while, and return once all are under way."""
    before = worker.counted(names(8))
    calls = {name: pool.submit(worker.rpc, name, "slow", ms, through=through) for name in names(8)}

    def under_way() -> bool:
        return all(worker.rpc(name, "look")["memoryCount"] > before[name]["memoryCount"] for name in calls)

    wait_for(under_way, "the calls")
    return calls


def outcome(call: Future[str]) -> str:
    """Return what a call gave, or the message of the exception that its caller saw."""
    try:
        return call.result()
    except CallFailed as failure:
        return failure.message


def test_calls_in_flight_end_with_the_reset_message_only_where_the_object_moves(edge: EdgeProcess) -> None:
    """R56: callers in the same process and in the other one; calls to objects that stay go on to their end."""
    worker = Probed(edge, "flight")
    a, b = worker.deploy_first(), worker.upload()
    worker.split((a, 100), (b, 0))
    for through, (low, high) in ((a, (50, 50)), (b, (100, 0))):
        before = worker.versions_of(names(8))
        with ThreadPoolExecutor(8) as pool:
            calls = slow_calls(pool, worker, 2_000, through)
            worker.split((b, low), (a, high))
            outcomes = {name: outcome(call) for name, call in calls.items()}
        after = worker.versions_of(names(8))
        moved = {name for name in before if before[name] != after[name]}
        assert 0 < len(moved) < 8
        assert outcomes == {name: RESET if name in moved else before[name] for name in before}


def test_a_stub_kept_over_a_move_says_that_its_object_is_gone_for_good(edge: EdgeProcess) -> None:
    """R57: the old stub fails each time, a new one reaches the new instance."""
    worker = Probed(edge, "kept-stubs")
    a, b = worker.deploy_first(), worker.upload()
    with new_listener() as listener, ThreadPoolExecutor(1) as pool:
        wait_url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        worker.split((a, 100), (b, 0))
        keeping = pool.submit(worker.attempt, "keptStub", "kept", through=a, wait=wait_url)
        peer, _ = listener.accept()
        with peer:
            worker.split((a, 0), (b, 100))
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            told = keeping.result()
    assert told == {"old": [GONE, GONE], "fresh": b}


# Deferred updates.


def test_a_busy_object_keeps_its_version_until_its_time_is_up(edge: EdgeProcess) -> None:
    """R60, R61: under ``deferred`` an object in memory stays, with its memory, at most for ``max_delay``."""
    worker = Probed(edge, "waits")
    a, b = worker.deploy_first(), worker.upload()
    before = worker.counted(["busy"])

    worker.split((b, 100), **deferred(2.0))

    assert worker.rpc("fresh", "look")["version"] == b
    during = worker.counted(["busy"])
    assert during["busy"]["version"] == a
    assert check_step(before, during) == 0
    shown = edge.api.object("waits", "Counter", "busy")["object"]
    assert (shown["assigned"], shown["running"]) == (b, a)
    after = wait_for(lambda: moved_object(worker, "busy", b), "the end of the delay")
    assert after["memoryCount"] == 0
    assert after["storedCount"] == during["busy"]["storedCount"]


def moved_object(worker: Probed, name: str, version: str) -> Json | None:
    """Return what an object says of itself, once it runs a version."""
    try:
        told: Json = worker.rpc(name, "look")
    except CallFailed as failure:
        if failure.message == RESET:
            return None
        raise
    return told if told["version"] == version else None


def test_an_immediate_deployment_ends_all_waits(edge: EdgeProcess) -> None:
    """R61: "an ``immediate`` deployment ends all waits"."""
    worker = Probed(edge, "ends-waits")
    a, b = worker.deploy_first(), worker.upload()
    before = worker.counted(names(4))
    worker.split((b, 100), **deferred(600.0))
    during = worker.counted(names(4))
    assert check_step(before, during) == 0
    assert {one["version"] for one in during.values()} == {a}

    worker.split((b, 100))

    assert check_step(during, worker.counted(names(4))) == 4


def test_an_idle_object_moves_long_before_its_delay_ends(edge: EdgeProcess) -> None:
    """R61: it keeps its version "until it hibernates or ``max_delay`` ends"; workerd forgets it after 10 s."""
    worker = Probed(edge, "goes-idle")
    a, b = worker.deploy_first(), worker.upload()
    before = worker.counted(names(2))
    worker.split((b, 100), **deferred(600.0))
    assert worker.versions_of(names(2)) == dict.fromkeys(names(2), a)

    def running() -> bool:
        shown = edge.api.objects("goes-idle", class_name="Counter")["objects"]
        return {one["running"] for one in shown} == {b}

    wait_for(running, "the objects to go idle and move")
    assert check_step(before, worker.counted(names(2))) == 2
