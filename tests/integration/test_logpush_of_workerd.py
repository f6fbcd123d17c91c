"""Logpush of versions on real workerd: one record an invocation, with its output, of Workers that ask for it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from pathlib import Path

from tests.integration.conftest import StartEdge
from tests.integration.test_numbers_agree import Json, pushed, start_job
from tests.integration.waiting import wait_for
from tests.integration.workers_api import Module, Probed, edge_config

CODE = b"""
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    console.warn("at", pathname);
    if (pathname === "/throw") throw new TypeError("boom");
    return new Response("fine");
  },
};
"""


def test_an_invocation_is_one_record_with_its_output(start_edge: StartEdge, tmp_path: Path) -> None:
    """R110, R111: logs, exceptions and version of workerd's trace, wall time of the gateway; no second record."""
    edge = start_edge(edge_config())
    worker = Probed(edge, "talker", bindings=())
    version_id = worker.deploy(Module("index.js", CODE), logpush=True, annotations={"workers/message": "first"})
    silent = Probed(edge, "silent", bindings=())
    silent.deploy(Module("index.js", CODE))
    (tmp_path / "logs").mkdir()
    start_job(edge, f"file://{tmp_path}/logs")
    for path in ("/", "/throw", "/", "/"):
        worker.get(path)
    silent.get("/")
    edge.stop()
    records = pushed(tmp_path / "logs")

    assert Counter(one["ScriptName"] for one in records) == {"talker": 4}
    assert Counter(one["Outcome"] for one in records) == {"ok": 3, "exception": 1}
    (thrown,) = [one for one in records if one["Outcome"] == "exception"]
    assert (thrown["Exceptions"][0]["Name"], thrown["Exceptions"][0]["Message"]) == ("TypeError", "boom")
    assert (thrown["Logs"][0]["Level"], thrown["Logs"][0]["Message"]) == ("warn", ["at", "/throw"])
    assert thrown["ScriptVersion"] == {"id": version_id, "message": "first", "tag": ""}
    assert len({one["Event"]["RayID"] for one in records}) == 4


def test_a_request_that_workerd_did_not_outlive_is_a_record_too(start_edge: StartEdge, tmp_path: Path) -> None:
    """R111: of a process that fell no trace comes; the gateway's own request stands for it."""
    edge = start_edge(edge_config())
    worker = Probed(edge, "talker", bindings=())
    version_id = worker.deploy(Module("index.js", CODE), logpush=True)
    (tmp_path / "logs").mkdir()
    start_job(edge, f"file://{tmp_path}/logs")

    def lost() -> list[Json]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid(version_id), signal.SIGKILL)
        worker.get("/")
        return [one for one in pushed(tmp_path / "logs") if one["Outcome"] == "internalError"]

    (record, *_) = wait_for(lost, "the record of a request that found no process")

    assert (record["EventType"], record["ScriptVersion"]["id"]) == ("fetch", version_id)
    assert record["Event"]["Response"]["Status"] == 502
