"""The JSON of Logpush jobs: Cloudflare's members, and nothing passed over that would change a record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.control.catalog import Catalog
from gateway.control.logpush import pushed_workers
from gateway.control.logpush_jobs import changed_job, job_shape, new_job
from gateway.errors import BadRequest
from gateway.model.logpush_job import JobState
from gateway.model.version import WorkerName
from gateway.model.worker import WorkerState
from gateway.observability.logpush.records import FIELDS
from tests.model.examples import API, SHOP, A, X, version
from tests.observability.traces_of_workerd import workerd_version

BODY = {"dataset": "workers_trace_events", "destination_conf": "folder://a"}


def test_a_job_is_shown_as_it_was_made() -> None:
    """Cloudflare's API, Logpush jobs: id, name, enabled, output options, limits, and how it fares."""
    job = new_job(
        {
            **BODY,
            "name": "errors",
            "enabled": True,
            "ownership_challenge": "x",
            "output_options": {
                "field_names": ["Outcome", "ScriptVersion", "Outcome"],
                "output_type": "ndjson",
                "timestamp_format": "rfc3339",
                "sample_rate": 0.25,
                "CVE-2021-44228": True,
            },
            "max_upload_bytes": 5_000_000,
            "max_upload_records": 1_000,
            "max_upload_interval_seconds": 30,
        }
    )
    shown = job_shape(replace(job, id=7, state=JobState("2027-01-15T08:00:00Z")))

    assert shown == {
        "id": 7,
        "dataset": "workers_trace_events",
        "name": "errors",
        "enabled": True,
        "kind": "",
        "frequency": "high",
        "destination_conf": "folder://a",
        "logpull_options": None,
        "output_options": {
            "field_names": ["Outcome", "ScriptVersion"],
            "output_type": "ndjson",
            "timestamp_format": "rfc3339",
            "sample_rate": 0.25,
            "CVE-2021-44228": True,
        },
        "max_upload_bytes": 5_000_000,
        "max_upload_records": 1_000,
        "max_upload_interval_seconds": 30,
        "last_complete": "2027-01-15T08:00:00Z",
        "last_error": None,
        "error_message": None,
    }


def test_a_job_has_cloudflares_defaults() -> None:
    """Cloudflare's API: not enabled unless it says so; here all fields, for there is no way to ask for all."""
    job = new_job(BODY)

    assert (job.enabled, job.output.field_names, job.output.sample_rate) == (False, tuple(FIELDS), 1.0)


def test_a_change_leaves_what_it_does_not_name() -> None:
    """Cloudflare's API, ``PUT``; what clients send back of what they were shown is no mistake."""
    job = replace(new_job({**BODY, "name": "a"}), id=3, state=JobState("then", "now", "gone"))
    same = changed_job(job, job_shape(job))
    other = changed_job(job, {"enabled": True, "max_upload_records": None})

    assert same == replace(job, state=JobState("then"))
    assert (other.name, other.enabled, other.max_upload_records) == ("a", True, 0)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no dataset": ({"dataset": None}, "'dataset' is None"),
    "another dataset": ({"dataset": "http_requests"}, "'dataset' is 'http_requests'"),
    "no destination": ({"destination_conf": ""}, "'destination_conf' is ''"),
    "a name that is none": ({"name": 5}, "'name' is 5"),
    "enabled by text": ({"enabled": "yes"}, "'enabled' is 'yes'"),
    "a filter": ({"filter": '{"where": {}}'}, "'filter' is"),
    "old options": ({"logpull_options": "fields=Outcome"}, "'logpull_options' is"),
    "edge": ({"kind": "edge"}, "'kind' is 'edge'"),
    "csv": ({"output_options": {"output_type": "csv"}}, "'output_type' is 'csv'"),
    "a template": ({"output_options": {"record_template": "{{.Outcome}}"}}, "'record_template' is"),
    "a field that is not": ({"output_options": {"field_names": ["Status"]}}, "'field_names' is 'Status'"),
    "fields as text": ({"output_options": {"field_names": "Outcome"}}, "'field_names' is 'Outcome'"),
    "a format": ({"output_options": {"timestamp_format": "iso"}}, "'timestamp_format' is 'iso'"),
    "a rate": ({"output_options": {"sample_rate": 1.5}}, "'sample_rate' is 1.5"),
    "no number": ({"output_options": {"sample_rate": "half"}}, "'sample_rate' is 'half'"),
    "options that are none": ({"output_options": []}, "'output_options' is []"),
    "too long": ({"max_upload_interval_seconds": 301}, "'max_upload_interval_seconds' is 301"),
    "negative": ({"max_upload_bytes": -1}, "'max_upload_bytes' is -1"),
    "true is no number": ({"max_upload_records": True}, "'max_upload_records' is True"),
    "a misspelt member": ({"enable": True}, "'enable' is True"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    """House rule 8, and nothing is silently absent: member, value, remedy."""
    with pytest.raises(BadRequest) as caught:
        new_job({**BODY, **change})

    assert caught.value.message.startswith(says)
    assert caught.value.remedy


@pytest.mark.parametrize(("logpush", "pushed"), [(True, True), (False, False), (None, False)])
def test_a_worker_must_ask_for_it(logpush: bool | None, pushed: bool) -> None:
    """Cloudflare docs, Workers Logpush: ``logpush = true``; Workers of the configuration file count as if."""
    state = WorkerState(SHOP, "0" * 32, "", "", settings={"logpush": logpush})
    catalog = Catalog([workerd_version(id_=A), version(X, 1, worker=API)], [], [state])

    assert pushed_workers(catalog, lambda _name: False) == ({SHOP: {A}} if pushed else {})
    assert pushed_workers(catalog, lambda name: name == WorkerName("api"))[API] == frozenset()
