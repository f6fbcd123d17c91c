"""The faults of a gateway: added, counted, spent, followed from the file, refused; over the API too."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.control.faults import FaultExists, Faults
from gateway.errors import NotFound
from gateway.model.fault import Fault, FaultKind
from gateway.routing.faults import FaultFacts
from tests.control.edge import ControlPlane, control_plane
from tests.control.schemas import openapi, problems
from tests.model.examples import A, version

FACTS = FaultFacts(version(A, tag="v1"), None, "/", None)
ALL = frozenset(FaultKind)
HANG = Fault(FaultKind.HANG)


def some(*faults: Fault, seed: int = 1) -> Faults:
    """Return these faults."""
    source = random.Random(seed)  # noqa: S311 - shares of requests
    known = Faults(lambda: source.random() * 100, lambda: None)
    for fault in faults:
        known.add(fault)
    return known


def test_names_are_given_and_none_twice() -> None:
    """Each can be cleared alone."""
    known = some(HANG, Fault(FaultKind.HANG, name="hang-2"), HANG)

    assert [one.fault.name for one in known.known] == ["hang-1", "hang-2", "hang-3"]
    with pytest.raises(FaultExists):
        known.add(Fault(FaultKind.CRASH, name="hang-2"))
    known.remove("hang-1")
    assert known.add(HANG).name == "hang-1"
    with pytest.raises(NotFound):
        known.remove("nobody")


def test_a_fault_is_spent_after_so_many_times() -> None:
    """``times``: then the next one is met."""
    known = some(Fault(FaultKind.HANG, times=2), Fault(FaultKind.CRASH))

    met = [known.meet(ALL, FACTS) for _ in range(3)]

    assert [one.kind for one in met if one] == [FaultKind.HANG, FaultKind.HANG, FaultKind.CRASH]
    assert [one.met for one in known.known] == [2, 1]


def test_a_seed_repeats_who_meets_a_share() -> None:
    """Design 4: same seed, same order of requests, same faults."""

    def met(seed: int) -> list[bool]:
        known = some(Fault(FaultKind.HANG, share=30.0), seed=seed)
        return [known.meet(ALL, FACTS) is not None for _ in range(200)]

    assert met(1) == met(1) != met(2)
    assert 20 < sum(met(1)) < 100


def test_the_file_is_followed_and_what_was_added_by_hand_stays() -> None:
    """Rule 6: never half applied; a count goes on while the file says the same."""
    known = some(Fault(FaultKind.CRASH, name="mine"))
    slow = Fault(FaultKind.LATENCY, name="slow", ms=5.0)
    known.use_file([slow, HANG])
    known.meet({FaultKind.LATENCY}, FACTS)

    known.use_file([slow])
    assert [(one.fault.name, one.met, one.from_file) for one in known.known] == [
        ("mine", 0, False), ("slow", 1, True),
    ]  # fmt: skip
    known.use_file([Fault(FaultKind.STATUS, name="mine"), Fault(FaultKind.LATENCY, name="slow", ms=6.0)])
    assert [(one.fault.kind, one.met, one.from_file) for one in known.known] == [
        (FaultKind.STATUS, 0, True), (FaultKind.LATENCY, 0, True),
    ]  # fmt: skip
    known.use_file([])
    assert not known.known


def test_the_file_may_name_a_fault_as_another_would_be_named_by_itself() -> None:
    """Rule 9: what the file says can be, whatever names come of it."""
    known = some()
    known.use_file([HANG, Fault(FaultKind.HANG, name="hang-1")])

    assert [one.fault.name for one in known.known] == ["hang-2", "hang-1"]


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """An API."""
    async with control_plane(tmp_path) as plane:
        yield plane


async def call(edge: ControlPlane, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """Return status and content."""
    response = await edge.client.request(method, path, json={} if body is None and method != "GET" else body)
    return response.status, await response.json()


async def test_faults_are_added_shown_and_cleared(edge: ControlPlane) -> None:
    """Issue D, faults: by API; shown as openapi.yaml says."""
    wanted = {"kind": "latency", "ms": 300, "worker": "shop", "version": "v2", "share": 10}
    status, added = await call(edge, "POST", "/api/faults", wanted)
    assert (status, added["name"]) == (200, "latency-1")
    assert added | wanted == added
    await call(edge, "POST", "/api/faults", {"kind": "hang", "name": "stuck"})

    _, shown = await call(edge, "GET", "/api/faults")
    document = openapi()
    for one in shown["faults"]:
        assert list(problems(document, document["components"]["schemas"]["KnownFault"], one)) == []
    assert [one["name"] for one in shown["faults"]] == ["latency-1", "stuck"]

    assert await call(edge, "DELETE", "/api/faults/stuck") == (200, {"cleared": 1, "name": "stuck"})
    assert await call(edge, "DELETE", "/api/faults") == (200, {"cleared": 1})
    assert (await call(edge, "GET", "/api/faults"))[1] == {"faults": []}


@pytest.mark.parametrize(
    ("status", "word", "body"),
    [
        (400, "worker", {"kind": "hang", "worker": "shoop"}),
        (400, "version", {"kind": "hang", "worker": "shop", "version": "v9"}),
        (400, "version", {"kind": "hang", "version": "v9"}),
        (400, "ms", {"kind": "latency"}),
        (400, "speed", {"kind": "hang", "speed": 3}),
        (400, "kind", {}),
    ],
)
async def test_what_no_request_could_meet_is_refused(
    edge: ControlPlane, status: int, word: str, body: dict[str, Any]
) -> None:
    """Rule 6: a misspelt fault that silently never happens would make a test pass that should not."""
    answered, content = await call(edge, "POST", "/api/faults", body)

    assert answered == status
    assert word in content["error"]["message"]
    assert content["error"]["remedy"]


async def test_a_name_is_given_once(edge: ControlPlane) -> None:
    """409, as where two want one thing."""
    await call(edge, "POST", "/api/faults", {"kind": "hang", "name": "x"})

    assert (await call(edge, "POST", "/api/faults", {"kind": "hang", "name": "x"}))[0] == 409
    assert (await call(edge, "DELETE", "/api/faults/y"))[0] == 404
