"""Logpush jobs, as Cloudflare's API has them (R110, R111)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.control.cloudflare.parts import ACCOUNT
from gateway.control.cloudflare.requests import answer, read_object, text_of
from gateway.control.logpush import LogpushJobs
from gateway.control.logpush_jobs import job_shape
from gateway.errors import BadRequest, NotFound
from gateway.model.logpush_job import DATASET
from gateway.observability.logpush.records import FIELDS

_LOGPUSH: Final = f"{ACCOUNT}/logpush"


def logpush_routes(jobs: LogpushJobs) -> list[web.RouteDef]:
    """Return the routes of Logpush."""
    logpush = _Logpush(jobs)
    return [
        web.get(f"{_LOGPUSH}/jobs", logpush.list),
        web.post(f"{_LOGPUSH}/jobs", logpush.create),
        web.get(f"{_LOGPUSH}/jobs/{{job}}", logpush.view),
        web.put(f"{_LOGPUSH}/jobs/{{job}}", logpush.change),
        web.delete(f"{_LOGPUSH}/jobs/{{job}}", logpush.delete),
        web.get(f"{_LOGPUSH}/datasets/{{dataset}}/fields", logpush.fields),
        web.get(f"{_LOGPUSH}/datasets/{{dataset}}/jobs", logpush.list_of_dataset),
        web.post(f"{_LOGPUSH}/validate/destination", logpush.validate),
        web.post(f"{_LOGPUSH}/validate/destination/exists", logpush.exists),
    ]


class _Logpush:
    def __init__(self, jobs: LogpushJobs) -> None:
        self._jobs = jobs

    async def list(self, _request: web.Request) -> web.Response:
        """List all jobs."""
        return answer([job_shape(job) for job in self._jobs.all()])

    async def list_of_dataset(self, request: web.Request) -> web.Response:
        """List the jobs of a dataset: all, for there is one."""
        _check_dataset(request)
        return await self.list(request)

    async def create(self, request: web.Request) -> web.Response:
        """Make a job."""
        return answer(job_shape(await self._jobs.create(await read_object(request))))

    async def view(self, request: web.Request) -> web.Response:
        """Show a job."""
        return answer(job_shape(self._jobs.find(request.match_info["job"])))

    async def change(self, request: web.Request) -> web.Response:
        """Change a job; what the body does not name stays."""
        return answer(job_shape(await self._jobs.change(request.match_info["job"], await read_object(request))))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a job."""
        return answer({"id": (await self._jobs.delete(request.match_info["job"])).id})

    async def fields(self, request: web.Request) -> web.Response:
        """Show the fields of a dataset."""
        _check_dataset(request)
        return answer(dict(FIELDS))

    async def validate(self, request: web.Request) -> web.Response:
        """Tell whether a destination could be used."""
        try:
            await self._jobs.check_destination(text_of(await read_object(request), "destination_conf"))
        except BadRequest as error:
            return answer({"valid": False, "message": f"{error.message}. {error.remedy}"})
        return answer({"valid": True, "message": ""})

    async def exists(self, request: web.Request) -> web.Response:
        """Tell whether a job has a destination already."""
        wanted = text_of(await read_object(request), "destination_conf")
        return answer({"exists": any(job.destination_conf == wanted for job in self._jobs.all())})


def _check_dataset(request: web.Request) -> None:
    if request.match_info["dataset"] != DATASET:
        raise NotFound(
            f"there is no dataset {request.match_info['dataset']!r}", remedy=f"There is one: {DATASET}."
        )
