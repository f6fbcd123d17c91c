"""The JSON of a Logpush job, as Cloudflare's API has it, <-> the job (R110); pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.errors import BadRequest
from gateway.model.logpush_job import DATASET, JobState, LogpushJob, OutputOptions
from gateway.observability.logpush.records import FIELDS

Json = dict[str, Any]

TIMESTAMP_FORMATS: Final = ("unixnano", "unix", "rfc3339", "rfc3339ms", "rfc3339ns")
_LIMITS: Final[Mapping[str, int]] = {
    "max_upload_bytes": 1_000_000_000,
    "max_upload_records": 1_000_000,
    "max_upload_interval_seconds": 300,
}
"""Greatest value; the least is 1 here, for who tries something out, where production wants more."""

_SHOWN_ONLY: Final = frozenset({"id", "last_complete", "last_error", "error_message"})
_PASSED_OVER: Final[Mapping[str, Collection[object]]] = {
    "kind": ("", None),
    "frequency": ("high", "low", None),
    "filter": ("", None),
    "logpull_options": ("", None),
}
"""Members with the values that change nothing here; ``ownership_challenge`` may be anything."""

_PASSED_OVER_OUTPUT: Final[Mapping[str, Collection[object]]] = {
    "output_type": ("ndjson", None),
    "merge_subrequests": (False, None),
    "batch_prefix": ("", None),
    "batch_suffix": ("", None),
    "record_prefix": ("{", "", None),
    "record_suffix": ("}\n", "}", "", None),
    "record_delimiter": ("", "\n", None),
    "record_template": ("", None),
    "field_delimiter": ("", ",", None),
}
_CVE: Final = "CVE-2021-44228"


def new_job(body: Mapping[str, Any]) -> LogpushJob:
    """Return the job that a body describes, without an id yet.

    Raises:
        BadRequest: Names the member, its value, and what can be.
    """
    for name in ("dataset", "destination_conf"):
        if not body.get(name):
            raise _wrong(name, body.get(name), f'Send "{name}": "...".')
    return changed_job(LogpushJob(0, "", False, "", OutputOptions(tuple(FIELDS))), body)


def changed_job(job: LogpushJob, body: Mapping[str, Any]) -> LogpushJob:
    """Return a job with the members that a body has; the state begins anew.

    Raises:
        BadRequest: As above.
    """
    known = {"dataset", "name", "enabled", "destination_conf", "output_options", "ownership_challenge", *_LIMITS}
    _check_known(body, known | _PASSED_OVER.keys() | _SHOWN_ONLY)
    _check_passed_over(body, _PASSED_OVER)
    if body.get("dataset", DATASET) != DATASET:
        raise _wrong("dataset", body["dataset"], f"There is one: {DATASET}.")
    output = body.get("output_options")
    if output is not None and not isinstance(output, dict):
        raise _wrong("output_options", output, "Send an object.")
    return replace(
        job,
        name=_text(body, "name", job.name),
        enabled=_flag(body, "enabled", job.enabled),
        destination_conf=_text(body, "destination_conf", job.destination_conf),
        output=job.output if output is None else _output(output),
        max_upload_bytes=_limit(body, "max_upload_bytes", job.max_upload_bytes),
        max_upload_records=_limit(body, "max_upload_records", job.max_upload_records),
        max_upload_interval_seconds=_limit(body, "max_upload_interval_seconds", job.max_upload_interval_seconds),
        state=JobState(last_complete=job.state.last_complete),
    )


def job_shape(job: LogpushJob) -> Json:
    """Return a job as the API shows it."""
    output = job.output
    return {
        "id": job.id,
        "dataset": job.dataset,
        "name": job.name,
        "enabled": job.enabled,
        "kind": "",
        "frequency": "high",
        "destination_conf": job.destination_conf,
        "logpull_options": None,
        "output_options": {
            "field_names": list(output.field_names),
            "output_type": "ndjson",
            "timestamp_format": output.timestamp_format,
            "sample_rate": output.sample_rate,
            _CVE: output.cve_2021_44228,
        },
        "max_upload_bytes": job.max_upload_bytes,
        "max_upload_records": job.max_upload_records,
        "max_upload_interval_seconds": job.max_upload_interval_seconds,
        "last_complete": job.state.last_complete or None,
        "last_error": job.state.last_error or None,
        "error_message": job.state.error_message or None,
    }


def _output(body: Mapping[str, Any]) -> OutputOptions:
    _check_known(body, {"field_names", "timestamp_format", "sample_rate", _CVE, *_PASSED_OVER_OUTPUT})
    _check_passed_over(body, _PASSED_OVER_OUTPUT)
    return OutputOptions(
        _field_names(body.get("field_names")),
        _timestamp_format(body.get("timestamp_format") or TIMESTAMP_FORMATS[0]),
        _sample_rate(body.get("sample_rate")),
        _flag(body, _CVE, default=False),
    )


def _field_names(names: object) -> tuple[str, ...]:
    if names is None or names == []:
        return tuple(FIELDS)
    if not isinstance(names, list):
        raise _wrong("field_names", names, "Send a list of names.")
    for name in names:
        if not isinstance(name, str) or name not in FIELDS:
            raise _wrong("field_names", name, f"There are: {', '.join(FIELDS)}.")
    return tuple(dict.fromkeys(names))


def _timestamp_format(value: object) -> str:
    if value not in TIMESTAMP_FORMATS:
        raise _wrong("timestamp_format", value, f"Give one of: {', '.join(TIMESTAMP_FORMATS)}.")
    return str(value)


def _sample_rate(value: object) -> float:
    if value is None or value == 0:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise _wrong("sample_rate", value, "Give a number above 0 and at most 1.")
    return float(value)


def _limit(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LIMITS[name]:
        raise _wrong(name, value, f"Give a whole number from 1 to {_LIMITS[name]}, or 0.")
    return value


def _text(body: Mapping[str, Any], name: str, default: str) -> str:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _wrong(name, value, "Send a text.")
    return value


def _flag(body: Mapping[str, Any], name: str, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _wrong(name, value, "Send true or false.")
    return value


def _check_known(body: Mapping[str, Any], known: Collection[str]) -> None:
    for name in body:
        if name not in known:
            raise _wrong(name, body[name], f"There is no such member; known: {', '.join(sorted(known))}.")


def _check_passed_over(body: Mapping[str, Any], allowed: Mapping[str, Collection[object]]) -> None:
    """Refuse what would change a record in production and does not here."""
    for name, values in allowed.items():
        if body.get(name) not in values:
            raise _wrong(name, body[name], "The gateway does not serve it: leave it out.")


def _wrong(name: str, value: object, remedy: str) -> BadRequest:
    return BadRequest(f"{name!r} is {value!r}", remedy=remedy)
