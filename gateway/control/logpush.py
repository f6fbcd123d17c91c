"""Logpush jobs: made, changed and deleted, in the store and in the running gateway alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from gateway.control.catalog import Catalog
from gateway.control.logpush_jobs import changed_job, new_job
from gateway.errors import BadRequest, NotFound
from gateway.model.logpush_job import LogpushJob
from gateway.model.version import VersionId, WorkerName
from gateway.model.worker_code import WorkerdRuntime
from gateway.observability.logpush.destinations import parse_destination
from gateway.observability.logpush.pusher import Pusher

MAX_JOBS: Final = 20
"""Each may hold some tens of megabytes of records."""


class JobStore(Protocol):
    """Where jobs are remembered."""

    async def add_logpush_job(self, job: LogpushJob) -> LogpushJob: ...  # noqa: D102
    async def save_logpush_job(self, job: LogpushJob) -> None: ...  # noqa: D102
    async def delete_logpush_job(self, job_id: int) -> None: ...  # noqa: D102


class LogpushJobs:
    """All jobs.

    Args:
        own_folder: Holds the folders of ``folder://``.
    """

    def __init__(self, store: JobStore, pusher: Pusher, own_folder: Path) -> None:
        self._store = store
        self._pusher = pusher
        self._own_folder = own_folder
        self._changing = asyncio.Lock()

    def all(self) -> Sequence[LogpushJob]:
        """Return all jobs, the oldest first."""
        return [job for _, job in sorted(self._pusher.jobs.items())]

    def find(self, reference: str) -> LogpushJob:
        """Return the job with an id.

        Raises:
            NotFound: There is none.
        """
        job = self._pusher.jobs.get(int(reference)) if reference.isascii() and reference.isdigit() else None
        if job is None:
            raise NotFound(f"there is no Logpush job {reference}", remedy="GET .../logpush/jobs lists all.")
        return job

    async def create(self, body: Any) -> LogpushJob:
        """Make a job.

        Raises:
            BadRequest: It cannot be, or there are too many.
        """
        async with self._changing:
            if len(self._pusher.jobs) >= MAX_JOBS:
                raise BadRequest(f"there are {MAX_JOBS} Logpush jobs already", remedy="Delete one of them.")
            job = new_job(body)
            await self.check_destination(job.destination_conf)
            job = await self._store.add_logpush_job(job)
            self._pusher.put(job)
        return job

    async def change(self, reference: str, body: Any) -> LogpushJob:
        """Change a job.

        Raises:
            NotFound, BadRequest: As above.
        """
        async with self._changing:
            job = changed_job(self.find(reference), body)
            await self.check_destination(job.destination_conf)
            await self._store.save_logpush_job(job)
            self._pusher.put(job)
        return job

    async def delete(self, reference: str) -> LogpushJob:
        """Delete a job.

        Raises:
            NotFound: There is none.
        """
        async with self._changing:
            job = self.find(reference)
            await self._store.delete_logpush_job(job.id)
            self._pusher.remove(job.id)
        return job

    async def check_destination(self, text: str) -> None:
        """Check that a destination can be used.

        Raises:
            BadRequest: It cannot.
        """
        await asyncio.to_thread(parse_destination, text, self._own_folder)


def pushed_workers(
    catalog: Catalog, from_file: Callable[[WorkerName], bool]
) -> dict[WorkerName, frozenset[VersionId]]:
    """Return the Workers whose records are pushed, each with its versions that run on workerd.

    In production a Worker asks for it: ``logpush = true`` in its configuration. Those of the gateway's own
    configuration file have no such setting and count as if they had.

    Args:
        from_file: Whether the configuration file names a Worker.
    """
    return {
        name: frozenset(one.id for one in record.versions.values() if isinstance(one.runtime, WorkerdRuntime))
        for name, record in catalog.workers.items()
        if from_file(name) or (record.state is not None and record.state.settings.get("logpush") is True)
    }
