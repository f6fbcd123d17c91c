"""Durable Objects through the real table: who gets which version, who is told of a reset, what can be read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest
from aiohttp import ClientSession, WSMessage, WSMsgType

from gateway.control.client import ApiError
from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, running_edge, spec, version
from tests.integration.http_client import KEY, OVERRIDES, Answer, Caller, Connection, call
from tests.integration.waiting import eventually, wait_for

BINDINGS = [
    {"class": "Cart", "object": "path:/cart/{name}"},
    {"class": "Session", "object": "header:X-Session"},
    {"class": "Room", "object": "query:room"},
    {"class": "Visitor", "object": "cookie:visitor"},
]
NAMES = [f"user-{number}" for number in range(120)]
STUB = "/cdn-cgi/gateway/do/shop/Cart"


def carts(assignment: str = "sticky", shares: Mapping[str, float] | None = None, **env: str) -> dict[str, object]:
    """Return a configuration with versions v1 and v2 of a Worker with objects; ``env`` is the versions'."""
    return one_worker(
        [version(tag, "objects_version", env=env) for tag in ("v1", "v2")],
        shares or {"v1": 90, "v2": 10},
        durable_objects={"assignment": assignment, "bindings": BINDINGS},
    )


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """A gateway whose deployment stays 50/50."""
    with running_edge(tmp_path_factory.mktemp("edge"), carts(shares={"v1": 50, "v2": 50})) as edge:
        yield edge


def versions_of(edge: EdgeProcess, names: Iterable[str]) -> dict[str, str]:
    """Ask each cart which version runs it."""
    found = {}
    with Caller(edge) as caller:
        for name in names:
            answer = caller.call(f"/cart/{name}")
            assert (answer.status, answer.decision["reason"]) == (200, "durable-object")
            assert answer.json()["object"] == f"Cart/{name}"
            found[name] = answer.json()["tag"]
            assert answer.decision["tag"] == found[name]
    return found


def points(edge: EdgeProcess) -> dict[str, float]:
    """Return the point of each cart that was used."""
    page = edge.api.objects("shop", "Cart", limit=1000)
    return {str(found["name"]): found["point"] for found in page["objects"]}


def name_on(edge: EdgeProcess, tag: str, prefix: str = "cart") -> str:
    """Return the name of a cart that a version runs."""
    with Caller(edge) as caller:
        for number in range(1000):
            if caller.call(f"/cart/{prefix}-{number}").json()["tag"] == tag:
                return f"{prefix}-{number}"
    raise AssertionError(f"none of a thousand carts is on {tag}")


def recorded(record: Path, name: str) -> list[dict[str, Any]]:
    """Return what the versions wrote down of a cart, in order."""
    lines = [cast("dict[str, Any]", json.loads(line)) for line in record.read_text().splitlines()]
    return [line for line in lines if line["object"] == f"Cart/{name}"]


def notices(record: Path, name: str) -> list[str]:
    """Return the versions that were told that they lost a cart, in order."""
    return [line["version"] for line in recorded(record, name) if line["event"] == "reset"]


def one_object(edge: EdgeProcess, name: str) -> Mapping[str, Any]:
    """Return a cart as the API shows it."""
    return edge.api.object("shop", "Cart", name)["object"]


# Which requests belong to which object.


@pytest.mark.parametrize(
    ("target", "headers", "object_name", "seen"),
    [
        ("/cart/42", {}, "Cart/42", "/cart/42"),
        ("/cart/42/items?x=1", {}, "Cart/42", "/cart/42/items?x=1"),
        ("/cart/a%2Fb", {}, "Cart/a%2Fb", "/cart/a%2Fb"),
        ("/cart/%C3%BC%20%22", {}, "Cart/%C3%BC%20%22", "/cart/%C3%BC%20%22"),
        ("/cart/42?room=blue", {"X-Session": "s"}, "Cart/42", "/cart/42?room=blue"),
        ("/any", {"X-Session": "s 1"}, "Session/s%201", "/any"),
        ("/any?a=b&room=blue%20sky", {}, "Room/blue%20sky", "/any?a=b&room=blue%20sky"),
        ("/any", {"Cookie": 'a=b; visitor="ann"; c=d'}, "Visitor/ann", "/any"),
        (f"{STUB}/42", {}, "Cart/42", "/"),
        (f"{STUB}/my%20cart/sub/path?q=%20", {}, "Cart/my%20cart", "/sub/path?q=%20"),
        (f"{STUB}/a%2Fb/x?room=blue", {"X-Session": "s"}, "Cart/a%2Fb", "/x?room=blue"),
        ("/cart/", {}, "", "/cart/"),
        ("/carts/42", {}, "", "/carts/42"),
        ("/any?ROOM=blue", {"Cookie": "xvisitor=ann"}, "", "/any?ROOM=blue"),
    ],
)
def test_a_request_is_addressed_to_its_object(
    halves: EdgeProcess, target: str, headers: dict[str, str], object_name: str, seen: str
) -> None:
    """Design 5: ``path:``, ``header:``, ``query:``, ``cookie:``, stub address; ``Gateway-Object`` says which."""
    answer = call(halves, target, {"Gateway-Object": "Cart/forged", **headers})

    assert answer.status == 200
    assert (answer.json()["object"], answer.json()["target"]) == (object_name, seen)
    assert answer.decision["reason"] == ("durable-object" if object_name else "percentage")
    if object_name:
        class_name, _, name = object_name.partition("/")
        assert halves.api.object("shop", class_name, unquote(name))["object"]["name"] == unquote(name)


def test_path_and_stub_address_reach_the_same_object_from_any_host(halves: EdgeProcess) -> None:
    """Design 5: the stub address "lets any code call an object as a stub would", and it is one object."""
    for number in range(20):
        direct = call(halves, f"/cart/same-{number}")
        for host in ("shop.localhost", "elsewhere.test", f"127.0.0.1:{halves.port}"):
            stub = call(halves, f"{STUB}/same-{number}/x", host=host)
            assert (stub.status, stub.json()["tag"]) == (200, direct.json()["tag"])
            assert stub.decision["point"] == direct.decision["point"]
    assert halves.api.objects("shop", "Cart", search="same-", limit=1000)["next"] is None
    assert len(halves.api.objects("shop", "Cart", search="same-", limit=1000)["objects"]) == 20


@pytest.mark.parametrize(
    "target",
    [
        "/cdn-cgi/gateway/do/nobody/Cart/x",
        "/cdn-cgi/gateway/do/shop/Nothing/x",
        "/cdn-cgi/gateway/do/shop/Cart/",
        f"{STUB}/x/cdn-cgi/gateway/reset",
    ],
)
def test_a_stub_address_that_names_nothing_is_404(halves: EdgeProcess, target: str) -> None:
    """Design 5; and no client can forge a reset notice through a stub."""
    answer = call(halves, target, method="POST", body=b"{}")

    assert (answer.status, answer.header("Gateway-Error")) == (404, "reserved-path")


def test_neither_override_nor_key_nor_version_url_moves_an_object(halves: EdgeProcess) -> None:
    """R50: an object's version is independent of the caller's version, of the affinity key and of the override."""
    ids = {found["tag"]: found["id"] for found in halves.api.versions("shop")}
    versions = versions_of(halves, NAMES[:30])
    assert set(versions.values()) == {"v1", "v2"}
    with Caller(halves) as caller:
        for name, tag in versions.items():
            for wanted in ids.values():
                headers = {OVERRIDES: f'shop="{wanted}"', KEY: name}
                for answer in (
                    caller.call(f"/cart/{name}", headers),
                    caller.call(f"/cart/{name}", host=f"{wanted[:8]}-shop.localhost"),
                ):
                    assert answer.json()["tag"] == tag


# The two rules.


def test_a_sticky_object_keeps_its_version_until_that_leaves(start_edge: StartEdge) -> None:
    """Design 5, ``sticky`` (row S1), the seed's three deployments: 10%, 50%, 100%; then back, over restarts."""
    edge = start_edge(carts())
    first = versions_of(edge, NAMES)
    at = points(edge)
    assert first == {name: "v2" if at[name] >= 90 else "v1" for name in NAMES}
    assert set(first.values()) == {"v1", "v2"}

    edge.api.deploy("shop", spec(v1=50, v2=50))
    assert versions_of(edge, NAMES) == first
    newer = [f"newer-{number}" for number in range(60)]
    second = versions_of(edge, newer)
    at = points(edge)
    assert second == {name: "v2" if at[name] >= 50 else "v1" for name in newer}
    edge.stop()
    edge.start()
    assert versions_of(edge, [*NAMES, *newer]) == {**first, **second}

    edge.api.deploy("shop", spec(v2=100))
    assert set(versions_of(edge, NAMES).values()) == {"v2"}
    edge.api.deploy("shop", spec(v1=90, v2=10))
    assert set(versions_of(edge, NAMES).values()) == {"v2"}
    # Not used since the second deployment: judged by the two since, v2 alone and then both.
    assert set(versions_of(edge, newer).values()) == {"v2"}
    for name in NAMES:
        assert one_object(edge, name)["resets"] == (1 if first[name] == "v1" else 0)


def test_a_hashed_object_follows_its_point_at_each_deployment(start_edge: StartEdge) -> None:
    """R46-R49, ``hash``: each deployment assigns all objects; a growing version keeps its own; swapping flips."""
    edge = start_edge(carts("hash", {"v1": 80, "v2": 20}))
    held: set[str] = set()
    for v2 in (20, 50, 100):
        if v2 > 20:
            edge.api.deploy("shop", spec(v1=100 - v2, v2=v2))
        versions = versions_of(edge, NAMES)
        at = points(edge)
        assert versions == {name: "v2" if at[name] >= 100 - v2 else "v1" for name in NAMES}
        grown = {name for name, tag in versions.items() if tag == "v2"}
        assert held <= grown
        held = grown
    swapped = edge.api.deploy("shop", spec(v2=50, v1=50))
    at = points(edge)
    assert versions_of(edge, NAMES) == {name: "v1" if at[name] >= 50 else "v2" for name in NAMES}
    assert swapped["deployment"]["number"] == 4


def test_a_swapped_order_is_warned_of(start_edge: StartEdge) -> None:
    """R49 and design 4: swapping the order of versions moves keys and objects; the API warns with the share."""
    edge = start_edge(carts("hash", {"v1": 60, "v2": 40}))

    swapped = edge.api.deploy("shop", spec(v2=40, v1=60))

    assert any("order" in warning for warning in swapped["warnings"])
    assert swapped["moved_percentage"] == pytest.approx(80)


def test_a_deferred_update_lets_a_busy_object_run_on_and_then_moves_it(start_edge: StartEdge) -> None:
    """R60-R62: assigned and running version differ until the delay ends; ``immediate`` ends all waits."""
    edge = start_edge(carts(shares={"v1": 100}))

    def deploy(mode: str, seconds: float, *shares: tuple[str, float]) -> None:
        body = {
            "versions": [{"version": tag, "percentage": share} for tag, share in shares],
            "code_update": {"mode": mode, **({"max_delay_seconds": seconds} if mode == "deferred" else {})},
        }
        request = Request(  # noqa: S310 - our own gateway
            f"{edge.control}/api/workers/shop/deployments",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request) as answer:  # noqa: S310
            assert answer.status == 200

    for name, mode, seconds in (("waits", "deferred", 1.0), ("ended", "deferred", 3600.0)):
        assert versions_of(edge, [name]) == {name: "v1"}
        deploy(mode, seconds, ("v2", 100))
        about = one_object(edge, name)
        if mode == "deferred" and about["running_tag"] == "v1":
            assert (about["assigned_tag"], about["resets"]) == ("v2", 0)
        if seconds > 60:
            assert versions_of(edge, [name]) == {name: "v1"}
            deploy("immediate", 0, ("v2", 100))
            assert versions_of(edge, [name]) == {name: "v2"}
        wait_for(lambda n=name: versions_of(edge, [n])[n] == "v2", "the end of the delay")  # type: ignore[misc]
        assert one_object(edge, name)["resets"] == 1
        deploy("immediate", 0, ("v1", 100))


# Resets.


def test_the_version_that_loses_an_object_is_told_before_the_other_sees_it(
    start_edge: StartEdge, tmp_path: Path
) -> None:
    """Design 5, R46, R56: ``POST /cdn-cgi/gateway/reset`` to the old version, then the request to the new one."""
    record = tmp_path / "record"
    edge = start_edge(carts(shares={"v1": 100}, RECORD=str(record)))
    ids = {found["tag"]: found["id"] for found in edge.api.versions("shop")}
    names = ["plain", "a%20b%2Fc%25"]
    for name in names * 2:
        call(edge, f"/cart/{name}")
    edge.api.deploy("shop", spec(v1=0, v2=100))
    edge.api.deploy("shop", spec(v2=100))
    for name in names * 3:
        assert call(edge, f"/cart/{name}").json()["tag"] == "v2"

    for name in names:
        events = recorded(record, name)
        assert [(event["event"], event["version"]) for event in events] == [
            *[("request", "v1")] * 2, ("reset", "v1"), ("reset answered", "v1"), *[("request", "v2")] * 3,
        ]  # fmt: skip
        (notice,) = [event for event in events if event["event"] == "reset"]
        about = one_object(edge, unquote(name))
        assert notice["method"] == "POST"
        assert notice["told"] == {
            "class": "Cart", "name": unquote(name), "id": about["id"], "from_version": ids["v1"],
            "to_version": ids["v2"], "deployment": 3,
        }  # fmt: skip
        assert about["resets"] == 1


@pytest.mark.parametrize("together", [False, True])
async def test_no_request_reaches_the_new_version_while_the_old_one_is_still_being_told(
    start_edge: StartEdge, tmp_path: Path, *, together: bool
) -> None:
    """R46, "only one version of a given Durable Object runs at a time": also for requests side by side."""
    record = tmp_path / "record"
    edge = start_edge(carts(shares={"v1": 100, "v2": 0}, RECORD=str(record), RESET_SECONDS="0.2"))
    for attempt in range(3):
        name = f"busy-{attempt}"
        await asyncio.to_thread(edge.api.deploy, "shop", spec(v1=100))
        await asyncio.to_thread(call, edge, f"/cart/{name}")
        await asyncio.to_thread(edge.api.deploy, "shop", spec(v2=100))
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(await Connection.open(edge)) for _ in range(6)]
            for client in clients:
                assert (await client.call("/cdn-cgi/trace")).status == 200
            if together:
                edge.send(signal.SIGSTOP)  # so that it finds all requests at once when it goes on
            for client in clients:
                await client.send(client.head(f"/cart/{name}"))
            if together:
                edge.send(signal.SIGCONT)
            answers = [await client.answer() for client in clients]
        assert {answer.json()["tag"] for answer in answers} == {"v2"}
        events = [(event["event"], event["version"]) for event in recorded(record, name)]
        if edge.log("object.reset_not_told"):
            return  # so slow a machine that a notice timed out: then this shows nothing
        assert events == [
            ("request", "v1"), ("reset", "v1"), ("reset answered", "v1"), *[("request", "v2")] * 6,
        ]  # fmt: skip


async def test_an_object_that_moves_again_while_its_version_is_being_told_is_served(
    start_edge: StartEdge, tmp_path: Path
) -> None:
    """R46 and R56: moves overlap, each with its notice; every request is answered, and all losers are told."""
    record = tmp_path / "record"
    edge = start_edge(carts(shares={"v1": 100, "v2": 0}, RECORD=str(record), RESET_SECONDS="0.4"))
    await asyncio.to_thread(call, edge, "/cart/x")
    asked = []
    async with contextlib.AsyncExitStack() as open_connections:
        for shares in ({"v2": 100.0}, {"v1": 100.0}, {"v2": 100.0}):
            await asyncio.to_thread(edge.api.deploy, "shop", spec(**shares))
            told = len(notices(record, "x"))
            for _ in range(2):
                connection = await open_connections.enter_async_context(await Connection.open(edge))
                asked.append(asyncio.create_task(connection.call("/cart/x")))
            await eventually(lambda n=told: len(notices(record, "x")) > n, "the notice")  # type: ignore[misc]
        answers = await asyncio.gather(*asked)

    assert [answer.status for answer in answers] == [200] * 6
    assert one_object(edge, "x")["resets"] == 3
    assert sorted(notices(record, "x")) == ["v1", "v1", "v2"]
    assert edge.log("task.failed") == []


def test_a_version_that_does_not_take_the_notice_holds_nothing_up(start_edge: StartEdge, tmp_path: Path) -> None:
    """Design 5: the next request waits for the notice, but not for ever; the log says that it was not told."""
    edge = start_edge(carts(shares={"v1": 100}, RECORD=str(tmp_path / "record"), RESET_SECONDS="3600"))
    call(edge, "/cart/x")
    edge.api.deploy("shop", spec(v2=100))

    assert call(edge, "/cart/x").json()["tag"] == "v2"
    assert edge.wait_for_log("object.reset_not_told")["object"] == "Cart/x"
    assert one_object(edge, "x")["resets"] == 1


def test_a_request_under_way_ends_on_the_version_it_began_on(start_edge: StartEdge, tmp_path: Path) -> None:
    """R58: in-flight requests may finish for up to 30 seconds after the object has moved."""
    gate = tmp_path / "gate"
    edge = start_edge(carts(shares={"v1": 100}, RECORD=str(tmp_path / "record")))

    async def hold() -> Answer:
        async with await Connection.open(edge) as connection:
            under_way = asyncio.create_task(connection.call(f"/cart/x/hold?until={gate}"))
            await eventually((tmp_path / "record").exists, "the request to reach v1")
            await asyncio.to_thread(edge.api.deploy, "shop", spec(v2=100))
            moved = await asyncio.to_thread(call, edge, "/cart/x")
            assert moved.json()["tag"] == "v2"
            gate.touch()
            return await under_way

    assert asyncio.run(hold()).json()["tag"] == "v1"


async def test_within_a_deployment_an_object_meets_one_version_however_often_is_deployed(
    start_edge: StartEdge,
) -> None:
    """R46 (a), (c): requests to new and known objects during many deployments; none fails, none strays."""
    edge = start_edge(carts(shares={"v1": 50, "v2": 50}))
    seen: dict[tuple[str, str], set[str]] = {}
    stop = asyncio.Event()

    async def use(client_number: int) -> None:
        async with await Connection.open(edge) as client:
            number = 0
            while not stop.is_set():
                number += 1
                name = f"shared-{number % 50}" if number % 2 else f"own-{client_number}-{number}"
                answer = await client.call(f"/cart/{name}")
                assert answer.status == 200
                told = answer.json()["tag"]
                assert answer.decision["tag"] == told
                seen.setdefault((name, str(answer.decision["deployment"])), set()).add(told)

    async def deploy() -> None:
        for number in range(24):
            await asyncio.to_thread(edge.api.deploy, "shop", spec(v1=number * 4, v2=100 - number * 4))
        stop.set()

    async with asyncio.TaskGroup() as tasks:
        for client_number in range(8):
            tasks.create_task(use(client_number))
        tasks.create_task(deploy())

    assert len({deployment for _, deployment in seen}) > 10
    assert [key for key, tags in seen.items() if len(tags) > 1] == []
    by_name: dict[str, set[str]] = {}
    for (name, _), tags in seen.items():
        by_name.setdefault(name, set()).update(tags)
    # Both versions stay deployed all the while, so that under `sticky` nothing moves at all.
    assert [name for name, tags in by_name.items() if len(tags) > 1] == []


def test_an_object_whose_version_is_taken_out_of_the_file_is_served_all_the_while(start_edge: StartEdge) -> None:
    """R61: a deferred update lets a busy object run on; it must then still have a version that answers."""

    def config(*tags: str) -> dict[str, object]:
        return one_worker(
            [version(tag, "objects_version") for tag in tags],
            {tags[-1]: 100},
            durable_objects={
                "bindings": BINDINGS,
                "code_update": {"mode": "deferred", "max_delay_seconds": 300},
            },
        )

    edge = start_edge(config("v1"))
    before = edge.api.deployment("shop", "active")["id"]
    with Caller(edge) as caller:
        assert caller.call("/cart/x").json()["tag"] == "v1"
        edge.write_config(config("v2"))
        wait_for(lambda: edge.api.deployment("shop", "active")["id"] != before, "the new deployment")
        for _ in range(5):
            statuses = {caller.call("/cart/x").status for _ in range(20)}
            assert statuses == {200}
            edge.api.status()
        if edge.version_state("v1")["state"] == "stopped":
            assert caller.call("/cart/x").json()["tag"] == "v2"


# Pins.


def test_a_pinned_object_stays_on_its_version_whatever_the_percentages_say(start_edge: StartEdge) -> None:
    """Issue 2, item 5 (pins): moved at once with a reset; kept over deployments; only deployed ones; let go."""
    edge = start_edge(carts(shares={"v1": 50, "v2": 50}))
    name = name_on(edge, "v1")

    pinned = edge.api.pin("shop", "Cart", name, "v2")
    assert (pinned["assigned_tag"], pinned["pinned"]) == ("v2", pinned["assigned"])
    assert versions_of(edge, [name]) == {name: "v2"}
    assert one_object(edge, name)["resets"] == 1
    edge.api.deploy("shop", spec(v1=99, v2=1))
    assert versions_of(edge, [name]) == {name: "v2"}
    edge.api.deploy("shop", spec(v1=100))
    assert versions_of(edge, [name]) == {name: "v1"}
    with pytest.raises(ApiError) as refused:
        edge.api.pin("shop", "Cart", name, "v2")
    assert (refused.value.status, "active deployment" in refused.value.message) == (400, True)
    edge.api.deploy("shop", spec(v1=100, v2=0))
    assert versions_of(edge, [name]) == {name: "v2"}  # the pin counts wherever its version is deployed

    assert edge.api.unpin("shop", "Cart", name)["pinned"] is None
    with pytest.raises(ApiError):
        edge.api.unpin("shop", "Cart", name)
    assert versions_of(edge, [name]) == {name: "v2"}  # sticky: stays where it is
    edge.api.deploy("shop", spec(v1=100))
    edge.api.deploy("shop", spec(v1=50, v2=50))
    assert versions_of(edge, [name]) == {name: "v1"}
    causes = [event["cause"] for event in edge.api.object("shop", "Cart", name)["history"]]
    assert causes == ["first access", "pinned", "deployment", "deployment", "deployment"]


def test_an_object_can_be_pinned_before_its_first_use_and_by_its_id(start_edge: StartEdge) -> None:
    """OpenAPI, parameter Object: "Name (percent-encoded), or id in hex"."""
    edge = start_edge(carts(shares={"v1": 50, "v2": 50}))
    for tag in ("v1", "v2"):
        id_ = edge.api.pin("shop", "Cart", f"new cart/{tag}", tag)["id"]
        assert call(edge, f"/cart/new%20cart%2F{tag}").json()["tag"] == tag
        other = {"v1": "v2", "v2": "v1"}[tag]
        assert edge.api.pin("shop", "Cart", id_, other)["name"] == f"new cart/{tag}"
        assert call(edge, f"/cart/new%20cart%2F{tag}").json()["tag"] == other
        assert edge.api.unpin("shop", "Cart", id_)["id"] == id_
    assert edge.api.objects("shop", "Cart")["total"] == 2


# What can be read afterwards.


def test_history_past_tables_and_differences_agree_with_what_was_answered(start_edge: StartEdge) -> None:
    """Issue 2, item 5: "the table as it was at any past deployment and the difference between two"."""
    edge = start_edge(carts(shares={"v1": 60, "v2": 40}))
    steps: list[dict[str, float]] = [{"v1": 30, "v2": 70}, {"v2": 100}, {"v1": 50, "v2": 50}, {"v1": 100}]
    tables = [versions_of(edge, NAMES[:30])]
    for number, shares in enumerate(steps, 1):
        edge.api.deploy("shop", spec(**shares))
        tables.append(versions_of(edge, NAMES[: 30 * (number + 1)][-90:]))
        tables[-1] = {**versions_of(edge, tables[-2]), **tables[-1]}
    edge.stop()
    edge.start()

    for number, table in enumerate(tables, 1):
        page = edge.api.objects("shop", "Cart", deployment=number, limit=1000)
        assert {found["name"]: found["assigned_tag"] for found in page["objects"]} == table
    for before, old in enumerate(tables, 1):
        for after, new in enumerate(tables, 1):
            diff = edge.api.object_diff("shop", before, after, "Cart", limit=1000)
            changes = {
                change["name"]: (change["before_tag"] or None, change["after_tag"] or None)
                for change in diff["changes"]
            }
            assert changes == {
                name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)
            }
            assert diff["total"] == len(changes)
    for name in tables[-1]:
        told = [(event["deployment"], event["tag"]) for event in edge.api.object("shop", "Cart", name)["history"]]
        expected: list[tuple[int, str]] = []
        for number, table in enumerate(tables, 1):
            if name in table and (not expected or expected[-1][1] != table[name]):
                expected.append((number, table[name]))
        assert told == expected
        about = one_object(edge, name)
        assert (about["assigned_by"], about["assigned_tag"]) == expected[-1]
        assert about["resets"] == len(expected) - 1
    with pytest.raises(ApiError) as refused:
        edge.api.objects("shop", "Cart", deployment=9)
    assert refused.value.status == 404


# WebSockets.


async def open_socket(edge: EdgeProcess, name: str) -> tuple[Connection, str]:
    """Open a WebSocket to a cart; return it and the version that holds it."""
    connection = await Connection.open(edge)
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    await connection.send(connection.head(f"/cart/{name}", headers))
    answer = await connection.answer_head()
    assert answer.status == 101
    assert answer.decision["reason"] == "durable-object"
    return connection, (await connection.reader.readexactly(2)).decode()


async def echoes(connection: Connection) -> bool:
    """Tell whether the other side still sends back what it gets."""
    await connection.send(b"ping")
    return await connection.reader.readexactly(4) == b"ping"


async def test_the_websocket_of_a_moved_object_ends_and_others_stay(start_edge: StartEdge) -> None:
    """R57: WebSockets of a reset object are closed, though nobody uses the object; those of others are not."""
    edge = start_edge(carts(shares={"v1": 50, "v2": 50}))
    moving, staying = await asyncio.gather(
        asyncio.to_thread(name_on, edge, "v1"), asyncio.to_thread(name_on, edge, "v2")
    )
    (moved, tag), (stayed, other) = await open_socket(edge, moving), await open_socket(edge, staying)
    plain = await Connection.open(edge)
    async with moved, stayed, plain:
        assert (tag, other) == ("v1", "v2")
        assert await echoes(moved)
        assert await echoes(stayed)

        await asyncio.to_thread(edge.api.deploy, "shop", spec(v2=100))

        assert await moved.ends() == b""
        assert await echoes(stayed)
        again, tag = await open_socket(edge, moving)
        async with again:
            assert tag == "v2"
            assert await echoes(again)
    assert one_object(edge, moving)["resets"] == 1
    assert one_object(edge, staying)["resets"] == 0


async def test_the_websocket_of_an_object_that_a_pin_moves_ends(start_edge: StartEdge) -> None:
    """R57 and R46: a pin changes the version as a deployment does; the old version may not keep a socket."""
    edge = start_edge(carts(shares={"v1": 50, "v2": 50}))
    name = await asyncio.to_thread(name_on, edge, "v1")
    connection, _ = await open_socket(edge, name)
    async with connection:
        await asyncio.to_thread(edge.api.pin, "shop", "Cart", name, "v2")

        assert await connection.ends() == b""


async def test_the_sample_counter_s_websockets_get_close_code_1012(start_edge: StartEdge, tmp_path: Path) -> None:
    """R57 through the sample Worker: code 1012 with Cloudflare's words, memory gone, storage kept (R56)."""
    env = {"COUNTER_STORAGE": str(tmp_path / "counter.sqlite")}
    versions = [
        {"tag": tag, "command": ["python", "-m", "sample_workers.counter", tag], "env": env}
        for tag in ("v1", "v2")
    ]
    binding = {"class": "Counter", "object": "path:/counter/{name}"}
    edge = start_edge(
        one_worker(versions, {"v1": 50, "v2": 50}, name="counter", durable_objects={"bindings": [binding]})
    )
    by_version: dict[str, str] = {}
    async with ClientSession(edge.url) as client:
        for number in range(1000):
            async with client.post(f"/counter/c-{number}") as answer:
                by_version.setdefault((await answer.json())["version"], f"c-{number}")
            if len(by_version) == 2:
                break
        async with (
            client.ws_connect(f"/counter/{by_version['v1']}/ws") as moved,
            client.ws_connect(f"/counter/{by_version['v2']}/ws") as stayed,
        ):
            for socket, tag in ((moved, "v1"), (stayed, "v2")):
                assert (await socket.receive_json())["version"] == tag

            await asyncio.to_thread(edge.api.deploy, "counter", spec(v2=100))

            end = cast("WSMessage", await asyncio.wait_for(moved.receive(), 30))
            assert (end.type, end.data) == (WSMsgType.CLOSE, 1012)
            assert end.extra == "Durable Object connection closed because the object was reset."
            for name, memory in ((by_version["v1"], 1), (by_version["v2"], 2)):
                async with client.post(f"/counter/{name}") as answer:
                    counts = await answer.json()
                assert (counts["version"], counts["memory_count"], counts["stored_count"]) == ("v2", memory, 2)
            assert (await asyncio.wait_for(stayed.receive_json(), 30))["stored_count"] == 2
            assert not stayed.closed
