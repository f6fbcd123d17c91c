"""Logpush over Cloudflare's API, and through Cloudflare's own client for Python."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudflare import Cloudflare

from tests.control.cloudflare.api import BASE, Api

LOGPUSH = f"{BASE}/accounts/local/logpush"
BODY = {"dataset": "workers_trace_events", "destination_conf": "folder://shop", "name": "all"}


async def test_jobs_are_made_changed_and_deleted(api: Api) -> None:
    """Cloudflare's API, Logpush jobs: POST, GET, PUT, DELETE, and by dataset."""
    made = await api.ok("POST", f"{LOGPUSH}/jobs", json=BODY)
    changed = await api.ok("PUT", f"{LOGPUSH}/jobs/{made['id']}", json={"max_upload_records": 1_000})

    assert (made["id"], made["enabled"], made["error_message"]) == (1, False, None)
    assert changed == {**made, "max_upload_records": 1_000}
    assert await api.ok("GET", f"{LOGPUSH}/jobs") == [changed]
    assert await api.ok("GET", f"{LOGPUSH}/jobs/1") == changed
    assert await api.ok("GET", f"{LOGPUSH}/datasets/workers_trace_events/jobs") == [changed]
    assert [job.name for job in api.store.load_logpush_jobs()] == ["all"]
    assert await api.ok("DELETE", f"{LOGPUSH}/jobs/1") == {"id": 1}
    assert await api.ok("GET", f"{LOGPUSH}/jobs") == []
    assert api.store.load_logpush_jobs() == []


async def test_fields_of_the_dataset(api: Api) -> None:
    """R111: name and meaning of each."""
    fields = await api.ok("GET", f"{LOGPUSH}/datasets/workers_trace_events/fields")

    assert " ".join(fields) == (
        "CPUTimeMs DispatchNamespace Entrypoint Event EventTimestampMs EventType Exceptions Logs Outcome "
        "ScriptName ScriptTags ScriptVersion WallTimeMs"
    )


async def test_what_is_not_there_is_told(api: Api) -> None:
    """House rule 8."""
    for path in ("jobs/1", "jobs/all", "jobs/٣", "datasets/http_requests/fields", "datasets/http_requests/jobs"):
        assert (await api.refused("GET", f"{LOGPUSH}/{path}"))["status"] == 404
    error = await api.refused("POST", f"{LOGPUSH}/jobs", json={**BODY, "destination_conf": "s3://bucket"})
    assert error["status"] == 400
    assert "folder://name" in error["message"]


async def test_a_destination_can_be_asked_about(api: Api, tmp_path: Path) -> None:
    """Cloudflare's API, validate destination; whether a job has it already."""
    await api.ok("POST", f"{LOGPUSH}/jobs", json=BODY)

    async def asked(path: str, destination: str) -> object:
        return await api.ok("POST", f"{LOGPUSH}/validate/{path}", json={"destination_conf": destination})

    assert await asked("destination", f"file://{tmp_path}") == {"valid": True, "message": ""}
    refused = await asked("destination", f"file://{tmp_path}/none")
    assert isinstance(refused, dict)
    assert refused["valid"] is False
    assert "mkdir" in refused["message"]
    assert await asked("destination/exists", "folder://shop") == {"exists": True}
    assert await asked("destination/exists", "folder://other") == {"exists": False}


async def test_there_are_not_too_many(api: Api) -> None:
    """Each job may hold some memory."""
    for _ in range(20):
        await api.ok("POST", f"{LOGPUSH}/jobs", json=BODY)

    assert "Delete one" in (await api.refused("POST", f"{LOGPUSH}/jobs", json=BODY))["message"]


async def test_cloudflares_own_client_reads_it(api: Api) -> None:
    """Design 8: the ``cloudflare`` SDK works unchanged."""
    base_url = str(api.client.make_url(BASE))

    def use() -> tuple[object, ...]:
        client = Cloudflare(base_url=base_url, api_token="x")
        made = client.logpush.jobs.create(
            account_id="local",
            dataset="workers_trace_events",
            destination_conf="folder://shop",
            output_options={"field_names": ["Outcome"], "timestamp_format": "rfc3339"},
        )
        assert made is not None
        listed = list(client.logpush.jobs.list(account_id="local"))
        client.logpush.jobs.delete(made.id or 0, account_id="local")
        return made.id, made.output_options and made.output_options.field_names, len(listed)

    assert await asyncio.to_thread(use) == (1, ["Outcome"], 1)
