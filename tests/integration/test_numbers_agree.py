"""One run of a known mix, told by all who tell of it: counters, API, GraphQL, a Logpush file."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from gateway.cli.main import cli
from gateway.cli.session import Start, Terminal
from tests.integration.conftest import StartEdge
from tests.integration.edge_process import EdgeProcess, one_worker, version
from tests.integration.http_client import OVERRIDES, Caller, Connection, call
from tests.integration.test_metrics_agree import samples, summed
from tests.integration.waiting import wait_for

Json = dict[str, Any]

MIX: Mapping[tuple[str, str, str], int] = {
    ("v1", "/facts", "ok"): 40,
    ("v1", "/ready", "ok"): 5,  # answers 503 by itself: a success in Cloudflare's words (R116)
    ("v1", "/crash", "upstream_failed"): 1,
    ("v2", "/", "ok"): 25,
    ("v2", "/hang", "upstream_timed_out"): 2,
    ("v2", "/cut?bytes=100&sent=10", "client_gone"): 3,
}
"""Version, path, how it ends -> how often."""

STATUSES = {
    "ok": "success",
    "upstream_failed": "internalError",
    "upstream_timed_out": "exceededResources",
    "client_gone": "clientDisconnected",
}
"""R116."""

OUTCOMES = {
    "ok": "ok",
    "upstream_failed": "internalError",
    "upstream_timed_out": "exceededWallTime",
    "client_gone": "canceled",
}
"""R114."""

QUERY = """
query Metrics($accountTag: string!, $scriptName: string, $from: Time) {
  viewer {
    accounts(filter: {accountTag: $accountTag}) {
      all: workersInvocationsAdaptive(limit: 10, filter: {scriptName: $scriptName, datetime_geq: $from}) {
        sum { requests errors clientDisconnects }
      }
      byStatus: workersInvocationsAdaptive(limit: 100, filter: {scriptName: $scriptName}) {
        sum { requests responseBodySize }
        dimensions { scriptVersion status }
      }
      byVersion: workersInvocationsAdaptive(limit: 100, filter: {scriptName: $scriptName}) {
        quantiles { wallTimeP50 wallTimeP95 wallTimeP99 }
        dimensions { scriptVersion }
      }
    }
  }
}
"""


def api(edge: EdgeProcess, method: str, path: str, body: Json | None = None) -> Any:
    """Return what Cloudflare's API answers."""
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{edge.control}/client/v4{path}", data, headers, method=method)  # noqa: S310 - our own gateway
    with urlopen(request) as answer:  # noqa: S310
        return json.loads(answer.read())


def start_job(edge: EdgeProcess, destination: str, **more: Any) -> Json:
    """Start a job that sends each second."""
    body = {"dataset": "workers_trace_events", "destination_conf": destination, "enabled": True}
    answer = api(edge, "POST", "/accounts/local/logpush/jobs", {**body, "max_upload_interval_seconds": 1, **more})
    return dict(answer["result"])


def pushed(folder: Path) -> list[Json]:
    """Return all records that lie in a folder."""
    files = sorted(folder.glob("**/*.ndjson"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def send_mix(edge: EdgeProcess, ids: Mapping[str, str]) -> None:
    """Send the known mix."""
    for (tag, path, outcome), count in MIX.items():
        headers = {OVERRIDES: f'shop="{ids[tag]}"'}
        for _ in range(count):
            if outcome == "client_gone":
                asyncio.run(leave_early(edge, path, headers))
                continue
            with Caller(edge) as caller:
                caller.call(path, headers)


async def leave_early(edge: EdgeProcess, path: str, headers: Mapping[str, str]) -> None:
    """Ask for something, and be gone before all of it has come."""
    connection = await Connection.open(edge)
    await connection.send(connection.head(path, headers))
    await connection.answer_head()
    connection.reset()


def test_everybody_counts_the_same(start_edge: StartEdge, tmp_path: Path) -> None:
    """Issue C, numbers agree: ``/metrics``, GraphQL, ``/api``, ``gateway top`` and a Logpush file of one run."""
    versions = [
        version("v1", "facts_version", env={"READY_WHEN": str(tmp_path / "never")}),
        version("v2", "streams_version"),
    ]
    settings = {"timeouts": {"answer_seconds": 0.5, "half_closed_seconds": 0.2}}
    edge = start_edge(one_worker(versions, {"v1": 50, "v2": 50}, gateway=settings))
    ids = {found["tag"]: found["id"] for found in edge.api.versions("shop")}
    (tmp_path / "logs").mkdir()
    job = start_job(edge, f"file://{tmp_path}/logs/{{DATE}}")

    send_mix(edge, ids)

    total = sum(MIX.values())
    wait_for(lambda: sum(summed(samples(edge)["gateway_requests_total"], "tag").values()) == total, "the counters")
    records = wait_for(
        lambda: found if len(found := pushed(tmp_path / "logs")) >= total else None, "the Logpush files"
    )
    exposed = samples(edge)
    variables = {"accountTag": "any", "scriptName": "shop", "from": "2020-01-01T00:00:00Z"}
    told = api(edge, "POST", "/graphql", {"query": QUERY, "variables": variables})
    account = told["data"]["viewer"]["accounts"][0]
    shown = {one["label"]: one for one in edge.api.metrics("shop", "3600")["versions"]}
    topped = CliRunner().invoke(
        cli,
        ["top", "--once", "--json", "--window", "3600"],
        obj=Start(Terminal(), {"GATEWAY_CONTROL": edge.control}),
    )
    top = {one["label"]: one for one in json.loads(topped.stdout)["workers"][0]["versions"]}
    job = api(edge, "GET", f"/accounts/local/logpush/jobs/{job['id']}")["result"]

    by_version = Counter(dict.fromkeys(ids, 0))
    by_outcome: Counter[tuple[str, ...]] = Counter()
    for (tag, _, outcome), count in MIX.items():
        by_version[tag] += count
        by_outcome[tag, outcome] += count

    assert summed(exposed["gateway_requests_total"], "tag", "outcome") == dict(by_outcome)
    assert {tag: one["requests"] for tag, one in shown.items()} == dict(by_version)
    assert {tag: one["requests"] for tag, one in top.items()} == dict(by_version)
    assert Counter(one["ScriptVersion"]["tag"] for one in records) == by_version
    assert Counter((one["ScriptVersion"]["tag"], one["Outcome"]) for one in records) == {
        (tag, OUTCOMES[outcome]): count for (tag, outcome), count in by_outcome.items()
    }
    tags = {version_id: tag for tag, version_id in ids.items()}
    rows = {
        (tags[one["dimensions"]["scriptVersion"]], one["dimensions"]["status"]): one for one in account["byStatus"]
    }
    assert {key: one["sum"]["requests"] for key, one in rows.items()} == {
        (tag, STATUSES[outcome]): count for (tag, outcome), count in by_outcome.items()
    }
    failed = sum(count for (_, outcome), count in by_outcome.items() if outcome.startswith("upstream"))
    assert account["all"] == [{"sum": {"requests": total, "errors": failed, "clientDisconnects": 3}}]
    causes = [one["errors"] for one in shown.values()]
    assert sum(sum(one.values()) - one["worker_5xx"] for one in causes) == failed
    assert sum(one["worker_5xx"] for one in causes) == 5
    assert sum(one["client_disconnects"] for one in shown.values()) == 3
    assert sum(summed(exposed["gateway_errors_total"], "tag").values()) == failed + 5
    sent_bytes = summed(exposed["gateway_response_bytes_total"], "tag")
    for tag in ids:
        mine = [one for (of, _), one in rows.items() if of == tag]
        assert (
            sum(one["sum"]["responseBodySize"] for one in mine) == sent_bytes[tag,] == shown[tag]["response_bytes"]
        )
    for one in account["byVersion"]:
        figures: Json = dict(shown[tags[one["dimensions"]["scriptVersion"]]])
        for name in ("50", "95", "99"):
            assert one["quantiles"][f"wallTimeP{name}"] == pytest.approx(figures[f"p{name}_ms"] * 1000, abs=1)
    assert (job["last_error"], job["error_message"]) == (None, None)
    assert job["last_complete"]


def test_a_job_outlives_the_gateway_and_what_waits_is_written_at_its_end(
    start_edge: StartEdge, tmp_path: Path
) -> None:
    """Issue C, Logpush: jobs survive restarts; a record is not lost because its batch was not full."""
    folder = tmp_path / "edge"
    edge = start_edge(one_worker([version("v1", "facts_version")], {"v1": 100}), folder=folder)
    job = start_job(edge, "folder://shop", max_upload_interval_seconds=300, name="all of it")
    call(edge, "/version?a=1", headers={"Cookie": "sid=1"})
    edge.stop()
    first = pushed(edge.state / "logpush" / "shop")
    edge.start()
    (again,) = api(edge, "GET", "/accounts/local/logpush/jobs")["result"]
    call(edge, "/version?a=2")
    edge.stop()
    second = pushed(edge.state / "logpush" / "shop")

    assert (again["id"], again["name"], again["enabled"]) == (job["id"], "all of it", True)
    assert again["last_complete"]
    assert [one["Event"]["Request"]["URL"].rpartition("?")[2] for one in second] == ["a=1", "a=2"]
    (record,) = first
    assert (record["EventType"], record["Outcome"], record["ScriptName"]) == ("fetch", "ok", "shop")
    assert record["ScriptVersion"] == {"id": edge_id(record), "message": "", "tag": "v1"}
    assert record["Event"]["Response"] == {"Status": 200}
    assert "sid" not in json.dumps(record)


def edge_id(record: Json) -> str:
    """Return the id of the record's version, which has the length of one."""
    version_id = str(record["ScriptVersion"]["id"])
    assert len(version_id) == 36
    return version_id


@contextmanager
def endpoint(*statuses: int) -> Iterator[tuple[str, list[tuple[Mapping[str, str], bytes]]]]:
    """Serve an HTTP endpoint that answers with these statuses and then with 200; tells what it got."""
    got: list[tuple[Mapping[str, str], bytes]] = []
    wanted = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(({**dict(self.headers), "path": self.path}, body))
            self.send_response(wanted.pop(0) if wanted else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_endpoint_that_fails_is_asked_again_and_gets_each_record_once(start_edge: StartEdge) -> None:
    """Issue C, Logpush: an HTTP endpoint, gzip, headers of the destination; retried; the job says so meanwhile."""
    edge = start_edge(one_worker([version("v1", "facts_version")], {"v1": 100}))
    with endpoint(500, 503) as (url, got):
        job = start_job(
            edge, f"{url}/logs?header_X-Secret=hush&tags=a", output_options={"field_names": ["Outcome"]}
        )
        path = f"/accounts/local/logpush/jobs/{job['id']}"
        for _ in range(3):
            call(edge, "/version")
        failing = wait_for(lambda: _failing(edge, path), "the job to say that it fails")
        wait_for(lambda: len(got) >= 3, "the third try")
        wait_for(lambda: api(edge, "GET", path)["result"]["error_message"] is None, "the job to recover")

    assert "/logs answered 50" in failing
    assert "hush" not in failing
    assert "hush" not in edge.log_file.read_text("utf-8")
    bodies = [gzip.decompress(body) for _, body in got]
    assert bodies[0] == bodies[1] == bodies[2]
    assert b"".join(dict.fromkeys(bodies)).count(b'{"Outcome":"ok"}\n') == 3
    headers = got[0][0]
    assert (headers["X-Secret"], headers["path"]) == ("hush", "/logs?tags=a")
    assert headers["Content-Encoding"] == "gzip"


def _failing(edge: EdgeProcess, path: str) -> str | None:
    told: str | None = api(edge, "GET", path)["result"]["error_message"]
    return told
