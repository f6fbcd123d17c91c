"""What versions tell of their invocations: exceptions to the log with mapped stacks, everything to the tails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.model.version import Version, VersionId
from gateway.model.worker_code import Module, ModuleKind
from gateway.observability.event_bus import ALL_KINDS, EventBus, Subscription
from gateway.observability.events import ConsoleEvent, ExceptionEvent
from gateway.observability.tail import TailHub
from gateway.observability.tail_filters import TailFilter
from gateway.observability.traces import CACHED_MAPS, SourceMaps, TraceIntake
from tests.model.examples import SHOP, A, B
from tests.observability.traces_of_workerd import RECEIVED_MS, exception, log, raw, request, workerd_version

MAP = json.dumps({"version": 3, "sources": ["../src/index.ts"], "mappings": "AAAA"}).encode()


def source_map(name: str = "index.js.map", sha256: str = "a" * 64) -> Module:
    return Module(name, ModuleKind.SOURCE_MAP, sha256, len(MAP))


class Reads:
    """A module store that counts."""

    def __init__(self, content: bytes = MAP) -> None:
        self.content = content
        self.read: list[str] = []

    async def __call__(self, sha256: str) -> bytes:
        self.read.append(sha256)
        if not self.content:
            raise FileNotFoundError(sha256)
        return self.content


async def told(version: Version, *events: dict[str, Any], of: VersionId = A, reads: Reads | None = None) -> Any:
    """Return what a listener gets of some invocations, and what is logged."""
    bus = EventBus(later=lambda _seconds, call: call())
    hub = TailHub(bus, draw=lambda: 0.0, clock=lambda: 1.0, later=lambda _seconds, call: call())
    reader = hub.subscribe(SHOP, TailFilter())
    intake = TraceIntake(
        hub,
        bus,
        SourceMaps(reads or Reads()),
        version_of={A: version}.get,
        tags_of=lambda _worker: ("team:a",),
        clock=lambda: RECEIVED_MS / 1000,
    )
    with capture_logs() as logged:
        await intake.take(of, events)
        hub.publish(SHOP, {"scriptName": SHOP, "event": None, "executionModel": "stateless"})
    return (await reader.next())[:-1], logged


async def test_invocations_reach_the_tails() -> None:
    """Issue B, tail; R112."""
    items, logged = await told(workerd_version(), raw(request()), raw({"rpcMethod": "x"}))

    assert [item["scriptVersion"]["id"] for item in items] == [A, A]
    assert items[0]["scriptTags"] == ["team:a"]
    assert logged == []


async def test_the_gateways_own_invocations_do_not() -> None:
    """Issue B, tail: the gateway's own entrypoints filtered out; nor what a version tells that is gone."""
    items, _ = await told(workerd_version(), raw(request(), entrypoint="__GatewayObject"))
    gone, _ = await told(workerd_version(), raw(request()), of=B)

    assert (items, gone) == ([], [])


async def test_exceptions_are_logged_and_told_with_mapped_stacks() -> None:
    """Issue B, errors clients see: in the tail and log, the exception with source-mapped stack."""
    broken = exception(stack="    at Object.fetch (index.js:1:1)\n    at other.js:1:1")
    version = workerd_version(source_map("./index.js.map"))
    items, logged = await told(version, raw(request(cf_ray="1-LCL"), exceptions=[broken], outcome="exception"))

    stack = "    at Object.fetch (../src/index.ts:1:1)\n    at other.js:1:1"
    assert items[0]["exceptions"][0]["stack"] == stack
    assert logged == [
        {
            "event": "worker.exception",
            "log_level": "error",
            "worker": "shop",
            "version": "v1",
            "version_id": A,
            "entrypoint": "default",
            "object": "",
            "ray": "1-LCL",
            "name": "TypeError",
            "message": "boom",
            "stack": stack,
        }
    ]


@pytest.mark.parametrize("content", [b"", b"not a map"])
async def test_a_map_that_cannot_be_read_leaves_the_stack_as_it_is(content: bytes) -> None:
    """It says so once, and is not tried again."""
    reads = Reads(content)
    crash = raw(request(), exceptions=[exception()])
    items, logged = await told(workerd_version(source_map()), crash, crash, reads=reads)

    assert items[1]["exceptions"][0]["stack"] == "    at Object.fetch (index.js:16:40)"
    assert [entry["event"] for entry in logged].count("source_map.not_read") == 1
    assert len(reads.read) == 1


async def test_no_map_is_read_that_no_stack_needs() -> None:
    """A map may have 50 MB."""
    reads = Reads()
    only_others = exception(stack="    at other.js:1:1")
    no_stack = {"name": "Error", "message": "x", "timestamp": 1}
    await told(workerd_version(source_map()), raw(None, exceptions=[only_others, no_stack]), reads=reads)

    assert reads.read == []


async def test_few_maps_are_kept() -> None:
    """The one used last stays longest."""
    reads = Reads()
    maps = SourceMaps(reads)
    versions = [workerd_version(source_map(sha256=f"{n:064}")) for n in range(CACHED_MAPS + 1)]
    for version in [*versions, versions[-1], versions[0]]:
        assert await maps.mapped("    at index.js:1:1", version) == "    at ../src/index.ts:1:1"

    assert len(reads.read) == CACHED_MAPS + 2


async def test_what_was_thrown_is_an_event_and_what_was_said_where_somebody_asks() -> None:
    """Issue C, events: exceptions always; console output is only sent where somebody wants it."""
    bus = EventBus(later=lambda _seconds, call: call())
    reader = Subscription(lambda: None)
    hub = TailHub(bus, draw=lambda: 0.0, clock=lambda: 1.0, later=lambda _seconds, call: call())
    version = workerd_version()
    intake = TraceIntake(
        hub,
        bus,
        SourceMaps(Reads()),
        version_of={A: version}.get,
        tags_of=lambda _worker: (),
        clock=lambda: RECEIVED_MS / 1000,
    )
    event = raw(request(cf_ray="1-LCL"), exceptions=[exception()], logs=[log("hello", {"a": 1}, level="warn")])
    await intake.take(A, [event])
    bus.subscribe(reader)
    await intake.take(A, [event])
    await intake.take(A, [raw({"rpcMethod": "x"}, durableObjectId="ab", logs=[log("in an object")])])
    thrown, said, object_said = [one for _, one in reader.take().events]

    assert thrown == ExceptionEvent(
        1_795_416_159.006, SHOP, A, "v1", "TypeError", "boom", "    at Object.fetch (index.js:16:40)", "1-LCL"
    )
    assert said == ConsoleEvent(1_795_416_159.005, SHOP, A, "v1", "warn", 'hello {"a": 1}', "console", "1-LCL")
    assert isinstance(object_said, ConsoleEvent)
    assert (object_said.ray, object_said.object) == ("", "ab")
    kept = [one for _, one in bus.recent(ALL_KINDS, lambda _event: True, last=10)]
    assert [type(one) for one in kept] == [ExceptionEvent, ExceptionEvent, ConsoleEvent, ConsoleEvent]
