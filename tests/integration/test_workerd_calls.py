"""Every way to use a Durable Object, from the version that runs it and from the other one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.model.durable_object import native_object_id
from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.waiting import PATIENCE_SECONDS, eventually
from tests.integration.workers_api import CallFailed, Probed, by_hash, edge_config


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway for all tests here."""
    config = edge_config([by_hash("calls"), by_hash("sockets")])
    with running_edge(tmp_path_factory.mktemp("edge"), config) as edge:
        yield edge


@dataclass(frozen=True)
class Place:
    """A handler's version and an object's: the four ways to meet."""

    worker: Probed
    through: str
    name: str
    version: str

    def attempt(self, way: str, **more: str) -> Any:
        """Use the object in one way."""
        return self.worker.attempt(way, self.name, through=self.through, **more)


class Halves(Probed):
    """A Worker of which two versions have half of the objects each."""

    def __init__(self, edge: EdgeProcess, name: str) -> None:
        super().__init__(edge, name)
        self.a, self.b = self.deploy_first(), self.upload()
        self.split((self.b, 50), (self.a, 50))
        self.owners = owners = self.versions_of([f"place-{number}" for number in range(12)])
        self.named = {
            version: next(name for name in owners if owners[name] == version) for version in owners.values()
        }

    def owner_of(self, name: str) -> str:
        """Return the version that ran an object at 50/50."""
        return self.owners[name]

    def place(self, handler: str, owner: str) -> Place:
        """Return a place by the letters of its versions."""
        versions = {"A": self.a, "B": self.b}
        return Place(self, versions[handler], self.named[versions[owner]], versions[owner])


@pytest.fixture(scope="module")
def halves(edge: EdgeProcess) -> Halves:
    """The Worker of all tests here that change nothing."""
    return Halves(edge, "calls")


@pytest.fixture(params=["AA", "AB", "BA", "BB"])
def place(request: pytest.FixtureRequest, halves: Halves) -> Place:
    """A handler in one version, an object in the same one or the other."""
    return halves.place(*request.param)


def test_fetch_reaches_the_object_with_method_path_and_body(place: Place) -> None:
    """R50: the object's version is independent of the caller's."""
    assert place.attempt("fetch") == {
        "version": place.version,
        "method": "POST",
        "url": "http://inside/some/path?q=1",
        "body": "hello",
    }


def test_a_method_is_called_with_its_arguments(place: Place) -> None:
    """Issue B: RPC both ways."""
    assert place.attempt("rpc") == 5


def test_a_getter_is_read(place: Place) -> None:
    """Issue B: getters, which no function may stand around."""
    assert place.attempt("getter") == place.version


def test_calls_are_pipelined_through_results(place: Place) -> None:
    """Issue B: pipelining, a getter at its end too, and results that are kept and disposed of."""
    assert place.attempt("pipeline") == f"{place.version}>a>b"
    assert place.attempt("getterOfResult") == f"shown {place.version}>a"
    assert place.attempt("dispose") == f"{place.version}>kept"


def test_an_object_calls_a_function_of_its_caller(place: Place) -> None:
    """Issue B: callbacks."""
    assert place.attempt("callback") == f"{place.version} got ping from {place.through}"


def test_streams_go_both_ways(place: Place) -> None:
    """Issue B: byte streams as result and as argument."""
    assert place.attempt("streamOut") == "one two three"
    assert place.attempt("streamIn") == 300_000


def test_an_exception_keeps_its_kind_and_message(place: Place) -> None:
    """R63: and it is marked as remote."""
    told = place.attempt("exception")
    assert (told["name"], told["message"], told["remote"], told["isRange"]) == (
        "RangeError",
        "told so",
        True,
        True,
    )


def test_a_method_that_is_not_there_is_told_by_name(place: Place) -> None:
    """As in production: the error names the method."""
    with pytest.raises(CallFailed, match="nothing"):
        place.attempt("noSuchMethod")


def test_an_object_calls_another_object(place: Place, halves: Halves) -> None:
    """Chains of objects cross versions as handlers do."""
    assert place.attempt("chainOfObjects", other=halves.named[halves.a]) == {
        "here": place.version,
        "there": halves.a,
    }


def test_the_namespace_is_the_same_by_import_and_by_ctx_exports(place: Place) -> None:
    """Issue B: ``import {env}`` and ``ctx.exports`` meet the object where it lives."""
    assert place.attempt("importedEnv") == place.version
    assert place.attempt("ctxExports") == place.version


def test_a_cohort_in_get_is_accepted(place: Place) -> None:
    """R76: ``get(id, {version: {cohort}})``."""
    assert place.attempt("cohort") == place.version


def test_ids_are_workerds_own(place: Place) -> None:
    """``idFromName``, ``idFromString``, ``newUniqueId``, ``getByName`` and what a stub shows of its id."""
    told = place.attempt("ids")
    assert told["equal"] is True
    assert told["idName"] == place.name
    assert told["stub"] == [told["id"], place.name]
    assert told["byString"] == told["id"]
    assert told["unique"][0] == told["unique"][1]
    assert told["unique"][2] is None
    assert told["kind"] == "[object DurableObject]"


@pytest.mark.parametrize("name", ["", "x", "a name with spaces", "☃ 🙂", "x" * 1000, "'\"\\", "\u00e9", "e\u0301"])
def test_the_gateway_knows_the_ids_that_workerd_makes_of_names(halves: Halves, name: str) -> None:
    """R48: the gateway routes to objects that nobody used yet, so it must make the same ids."""
    key = next(path.name for path in halves.folder.glob("*/*-Counter"))
    assert halves.attempt("ids", name)["id"] == native_object_id(key, name).hex()


def test_a_jurisdiction_is_accepted(place: Place) -> None:
    """Issue B: ``jurisdiction("eu")`` and ``newUniqueId({jurisdiction})``; there is one place only here."""
    assert place.attempt("jurisdiction") is True


def test_a_class_without_the_base_and_with_kv_storage_works(place: Place) -> None:
    """Issue B: KV-backed classes, and classes that do not extend ``DurableObject``."""
    first, second = place.attempt("plain"), place.attempt("plain")
    assert first["version"] == second["version"]
    assert second["storedCount"] == first["storedCount"] + 1
    assert second["memoryCount"] == first["memoryCount"] + 1
    assert first["sql"] is False


# WebSockets.


def socket_to(worker: Probed, name: str, through: str) -> connect:
    """Return the opening of a WebSocket to an object by way of a version's handler."""
    return connect(
        f"ws://{worker.host}:{worker.edge.port}/object/ws?name={name}",
        host=worker.edge.host,
        port=worker.edge.port,
        additional_headers=worker.through(through),
        compression=None,
        proxy=None,
        open_timeout=PATIENCE_SECONDS,
        close_timeout=PATIENCE_SECONDS,
        ping_interval=None,
    )


async def said(socket: ClientConnection, message: str) -> dict[str, Any]:
    """Send a message and return the answer."""
    await socket.send(message)
    async with asyncio.timeout(PATIENCE_SECONDS):
        told: dict[str, Any] = json.loads(await socket.recv())
    return told


async def test_a_websocket_speaks_with_its_object(place: Place) -> None:
    """Issue B: hibernatable WebSockets, in both versions, with tags and attachments."""
    async with socket_to(place.worker, place.name, place.through) as socket:
        told = await said(socket, "hello")
        sockets = await asyncio.to_thread(place.worker.rpc, place.name, "sockets")
    assert (told["message"], told["version"], told["attachment"]) == (
        "hello",
        place.version,
        {"born": place.version},
    )
    assert sockets >= 1


async def closed(socket: ClientConnection) -> None:
    """Return once the other side has closed a WebSocket.

    Raises:
        AssertionError: It says something instead.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_websockets_of_objects_that_move_close_and_all_others_stay(edge: EdgeProcess) -> None:
    """R57: whichever handler they came through; those that stay keep their object's memory."""
    worker = await asyncio.to_thread(Halves, edge, "sockets")
    names = [f"place-{number}" for number in range(8)]
    before = worker.versions_of(names)
    places = [(name, through) for name in names for through in (worker.a, worker.b)]
    sockets = {place: await socket_to(worker, *place) for place in places}
    for socket in sockets.values():
        assert await said(socket, "before")

    await asyncio.to_thread(worker.split, (worker.b, 90), (worker.a, 10))

    after = worker.versions_of(names)
    moved = {name for name in names if before[name] != after[name]}
    assert 0 < len(moved) < len(names)
    for (name, _), socket in sockets.items():
        if name in moved:
            await closed(socket)
        else:
            assert (await said(socket, "after"))["memoryCount"] >= 3
            await socket.close()
    for name in moved:
        async with socket_to(worker, name, worker.a) as socket:
            assert (await said(socket, "anew"))["version"] == worker.b


async def test_a_websocket_outlives_its_objects_hibernation_and_ends_with_its_move(edge: EdgeProcess) -> None:
    """R59, R57: after 10 s without events an object leaves memory; its socket and attachment stay until a move."""
    worker = await asyncio.to_thread(Halves, edge, "hibernates")
    names = [name for name in [f"place-{number}" for number in range(12)] if worker.owner_of(name) == worker.b][:2]
    ids = {worker.rpc(name, "look")["id"] for name in names}
    async with socket_to(worker, names[0], worker.a) as woken, socket_to(worker, names[1], worker.a) as asleep:
        for socket in (woken, asleep):
            assert [(await said(socket, "hello"))["memoryCount"] for _ in range(2)] == [1, 2]
        await eventually(lambda: not ids & worker.resident(worker.b), "the objects to hibernate")
        told = await said(woken, "anybody there?")
        assert (told["memoryCount"], told["attachment"], told["version"]) == (1, {"born": worker.b}, worker.b)

        # The other one is moved in its sleep: it has no memory to lose, but its sockets are closed all the same.
        await asyncio.to_thread(worker.split, (worker.a, 100))
        await closed(woken)
        await closed(asleep)
    assert worker.versions_of(names) == dict.fromkeys(names, worker.a)
