"""What is told of versions on real workerd: console with its request, exceptions, objects that move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.integration.conftest import StartEdge
from tests.integration.http_client import call
from tests.integration.listening import listening
from tests.integration.waiting import wait_for
from tests.integration.workers_api import Module, Probed, edge_config

CODE = b"""
console.log("top level");
export default {
  async fetch(request) {
    console.warn("careful", { a: 1 });
    if (new URL(request.url).pathname === "/throw") throw new TypeError("boom");
    return new Response("fine");
  },
};
"""


def test_console_and_exceptions_are_joined_to_their_request(start_edge: StartEdge) -> None:
    """Issue C, tail: while somebody listens each line comes once, with level and ray; exceptions always come."""
    edge = start_edge(edge_config())
    worker = Probed(edge, "talker", bindings=())
    worker.deploy(Module("index.js", CODE))
    worker.get("/throw")
    with listening(edge, worker="talker") as listener:
        (thrown,) = listener.wait_for("exception")

        def said_so() -> list[Mapping[str, Any]]:
            worker.get("/")
            rays = {one["ray"] for one in listener.of("request", status=200)}
            return [one for one in listener.of("console", source="console") if one["ray"] in rays]

        ray = wait_for(said_so, "console output of a request")[0]["ray"]
        said = listener.of("console", ray=ray)

        assert (thrown["name"], thrown["message"], thrown["label"]) == ("TypeError", "boom", said[0]["label"])
        assert (said[0]["level"], said[0]["message"]) == ("warn", 'careful {"a": 1}')
        assert listener.of("console", source="stdout", message="top level")
        edge.stop()


def test_objects_that_move_are_told(start_edge: StartEdge) -> None:
    """Issue C, events: one for each object that a deployment resets, with class, id and both versions."""
    edge = start_edge(edge_config())
    worker = Probed(edge, "probe")
    first = worker.deploy_first()
    names = ("a", "b", "c")
    worker.counted(names)
    second = worker.upload()
    with listening(edge, worker="probe", kinds="reset") as listener:
        worker.split((second, 100))
        resets = listener.wait_for("reset", len(names))

        assert {(one["class"], one["from_version"], one["to_version"]) for one in resets} == {
            ("Counter", first, second)
        }
        assert len({one["id"] for one in resets}) == len(names)
        edge.stop()


def test_a_request_to_an_object_is_told_with_its_name(start_edge: StartEdge) -> None:
    """Issue C, events: one event per object request; of those that the edge itself hands to an object."""
    edge = start_edge(edge_config())
    worker = Probed(edge, "probe")
    worker.deploy_first()
    with listening(edge, kinds="request") as listener:
        call(edge, "/cdn-cgi/gateway/do/probe/Counter/a%20b/look", host=worker.host)
        (told,) = listener.wait_for("request")

        assert (told["object"], told["reason"]) == ("Counter/a%20b", "durable-object")
        edge.stop()
