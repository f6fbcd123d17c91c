"""Service bindings and bindings to other Workers' objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.edge_process import EdgeProcess, running_edge
from tests.integration.http_client import KEY, OVERRIDES
from tests.integration.processes import kill_processes
from tests.integration.waiting import wait_for
from tests.integration.workers_api import (
    OBJECTS,
    VERSION,
    CallFailed,
    Probed,
    Refused,
    by_hash,
    edge_config,
    objects,
    service,
)

PROPS = {"who": "the caller", "list": [1, 2]}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    """One gateway for all tests here, whose draws can be repeated."""
    config = edge_config([by_hash("owner")])
    with running_edge(tmp_path_factory.mktemp("edge"), config, seed=7) as edge:
        yield edge


class Pair:
    """A Worker with two versions, and one that calls it."""

    def __init__(self, edge: EdgeProcess, name: str) -> None:
        self.callee = Probed(edge, f"{name}-callee", bindings=(VERSION,))
        self.a, self.b = self.callee.deploy(), self.callee.upload()
        bindings = (
            VERSION,
            service("SERVICE", self.callee.name),
            service("NAMED", self.callee.name, entrypoint="Named", props=PROPS),
        )
        self.caller = Probed(edge, f"{name}-caller", bindings=bindings)
        self.caller.deploy()

    def met(self, how: str, headers: dict[str, str] | None = None) -> str:
        """Return the version of the callee that a call met."""
        answer = self.caller.get(f"/service/{how}", headers=headers)
        told = answer.json()
        if "error" in told:
            raise CallFailed(told)
        return str(told["result"]["version"])


@pytest.fixture(scope="module")
def pair(edge: EdgeProcess) -> Pair:
    """A callee at 70/30."""
    pair = Pair(edge, "pair")
    pair.callee.split((pair.a, 70), (pair.b, 30))
    return pair


@pytest.mark.parametrize("how", ["rpc", "fetch", "named", "forward"])
def test_the_callees_version_is_drawn_at_each_call(pair: Pair, how: str) -> None:
    """R64: by the callee's own percentages, whatever way it is called (R44: a probability, so wide bounds)."""
    met = Counter(pair.met(how) for _ in range(120))
    assert met.keys() == {pair.a, pair.b}
    assert 55 < met[pair.a] < 110


def test_a_forwarded_request_brings_its_override_along(pair: Pair) -> None:
    """R65, R66: ``fetch(request)`` carries the header; it is honoured by the callee."""
    for wanted in (pair.a, pair.b):
        override = {OVERRIDES: f'{pair.callee.name}="{wanted}"'}
        assert {pair.met("forward", override) for _ in range(8)} == {wanted}
        assert {pair.met("named", override) for _ in range(8)} == {wanted}


def test_a_forwarded_request_brings_its_affinity_key_along(pair: Pair) -> None:
    """R65: one key, one version; as the edge itself would decide for that key."""
    met = {}
    for number in range(12):
        key = {KEY: f"user-{number}"}
        versions = {pair.met("forward", key) for _ in range(3)}
        assert len(versions) == 1
        met[number] = versions.pop()
        assert pair.callee.get("/version", headers=key).json()["result"] == met[number]
    assert set(met.values()) == {pair.a, pair.b}


@pytest.mark.parametrize("how", ["rpc", "fetch"])
def test_headers_travel_only_as_headers_of_the_request_the_caller_makes(pair: Pair, how: str) -> None:
    """R66, R67: a request of the caller's own, or a call by RPC, carries neither override nor key."""
    headers = {OVERRIDES: f'{pair.callee.name}="{pair.b}"', KEY: "somebody"}
    assert {pair.met(how, headers) for _ in range(60)} == {pair.a, pair.b}


def test_a_named_entrypoint_is_given_its_props(pair: Pair) -> None:
    """Cloudflare docs, service bindings: ``entrypoint`` and ``ctx.props``."""
    assert pair.caller.ask("/service/rpc")["props"] == PROPS
    told = pair.caller.ask("/service/named")
    assert (told["props"], told["url"]) == (PROPS, "http://callee/there")


def test_a_caller_follows_its_callees_deployments(edge: EdgeProcess) -> None:
    """R64: each Worker follows its own deployment, callers included, at once and after a new upload too."""
    pair = Pair(edge, "follows")
    assert {pair.met("rpc") for _ in range(4)} == {pair.a}
    pair.callee.split((pair.b, 100))
    assert {pair.met("rpc") for _ in range(4)} == {pair.b}
    assert {pair.met("fetch") for _ in range(4)} == {pair.b}
    third = pair.callee.deploy()
    assert {pair.met("rpc") for _ in range(4)} == {third}
    assert {pair.met("forward") for _ in range(4)} == {third}


def test_a_callee_that_falls_is_back_for_its_callers(edge: EdgeProcess) -> None:
    """Sockets stay the same over a restart, so callers need not be told."""
    pair = Pair(edge, "falls")
    pair.met("rpc")
    kill_processes([pair.callee.pid(pair.a)])

    def back() -> bool:
        try:
            return pair.met("rpc") == pair.a
        except CallFailed:
            return False

    wait_for(back, "the callee to be back")


def test_a_worker_may_bind_itself(edge: EdgeProcess) -> None:
    """A Worker that is bound to its own name draws like any caller."""
    worker = Probed(edge, "itself", bindings=(VERSION,))
    worker.deploy()
    bindings = (VERSION, service("SERVICE", "itself"), service("NAMED", "itself", entrypoint="Named"))
    bound = worker.deploy(bindings=list(bindings))
    assert worker.ask("/service/rpc")["version"] == bound


# Objects of another Worker.


def test_another_workers_objects_run_in_that_workers_versions(edge: EdgeProcess) -> None:
    """Issue B: ``script_name`` bindings; same ids, same objects, routed by their owner's deployment."""
    owner = Probed(edge, "owner")
    a, b = owner.deploy_first(), owner.upload()
    owner.split((b, 50), (a, 50))
    guest = Probed(edge, "guest", bindings=(VERSION, objects("COUNTER", "Counter", script_name="owner")))
    guest.deploy()
    names = [f"shared-{number}" for number in range(8)]
    by_owner, by_guest = owner.counted(names), guest.counted(names)
    assert {one["version"] for one in by_owner.values()} == {a, b}
    for name in names:
        assert (by_guest[name]["id"], by_guest[name]["version"]) == (
            by_owner[name]["id"],
            by_owner[name]["version"],
        )
        assert (by_guest[name]["storedCount"], by_guest[name]["memoryCount"]) == (2, 2)
        assert by_guest[name]["name"] == name

    owner.split((b, 100))

    after = guest.counted(names)
    for name in names:
        assert (after[name]["version"], after[name]["storedCount"]) == (b, 3)
    assert guest.attempt("getter", names[0]) == b
    assert guest.attempt("pipeline", names[0]) == f"{b}>a>b"


def test_a_binding_to_a_class_that_its_worker_does_not_have_is_refused(edge: EdgeProcess) -> None:
    """R121: 10123 or 100406, binding to a class that is not provisioned."""
    with pytest.raises(Refused) as refused:
        Probed(edge, "no-class", bindings=(VERSION, objects("X", "Nothing", script_name="owner"))).deploy()
    assert refused.value.code in {10_061, 10_123, 100_406}


def test_a_service_that_is_not_deployed_is_refused_or_told_when_called(edge: EdgeProcess) -> None:
    """Cloudflare refuses the upload (10143); nothing fails in silence."""
    with pytest.raises(Refused) as refused:
        Probed(edge, "lonely", bindings=(VERSION, service("SERVICE", "nobody"))).deploy()
    assert "nobody" in refused.value.message


def test_every_version_keeps_its_own_bindings(edge: EdgeProcess) -> None:
    """R1: bindings belong to a version; an upload without them does not take them from others."""
    worker = Probed(edge, "keeps", bindings=OBJECTS)
    a = worker.deploy_first()
    b = worker.upload(bindings=[VERSION])
    worker.split((a, 100), (b, 0))
    assert worker.get("/facts", through=a).json()["names"] == ["COUNTER", "PLAIN", "VERSION"]
    assert worker.get("/facts", through=b).json()["names"] == ["VERSION"]
