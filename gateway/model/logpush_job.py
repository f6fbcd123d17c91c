"""A Logpush job: which records go where, and how its last batch went (R110, R111)."""

from __future__ import annotations

from dataclasses import dataclass, field

DATASET = "workers_trace_events"
"""The one dataset that there is."""


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How records are written.

    Args:
        field_names: In this order.
        timestamp_format: Kept and shown; the dataset has no field that it is about.
        sample_rate: Share of the records that is written, above 0 and at most 1.
        cve_2021_44228: Whether ``${`` becomes ``x{``.
    """

    field_names: tuple[str, ...]
    timestamp_format: str = "unixnano"
    sample_rate: float = 1.0
    cve_2021_44228: bool = False


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job fares; times are ISO 8601, UTC, and empty before the first.

    Args:
        last_complete: Until when all records have arrived.
        last_error: When it failed last; empty once a batch has arrived since.
        error_message: Why, or how many records were dropped; empty as above.
    """

    last_complete: str = ""
    last_error: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class LogpushJob:
    """One job; replaced as a whole.

    Args:
        destination_conf: As it was given; its query may hold secrets.
        max_upload_bytes, max_upload_records, max_upload_interval_seconds: When a batch is full; 0 for the
            gateway's own limits.
    """

    id: int
    name: str
    enabled: bool
    destination_conf: str
    output: OutputOptions
    max_upload_bytes: int = 0
    max_upload_records: int = 0
    max_upload_interval_seconds: int = 0
    dataset: str = DATASET
    state: JobState = field(default_factory=JobState)
