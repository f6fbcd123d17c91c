"""Cron triggers in the gateway's own API: which there are, when they are due, and one fired now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from gateway.control.api.guard import json_body
from gateway.control.api.views import Json, moment
from gateway.control.catalog import Catalog
from gateway.control.crons import parse_cron
from gateway.control.scheduler import Scheduler, crons_of
from gateway.errors import BadRequest

_CRONS = "/api/workers/{worker}/crons"


def cron_routes(catalog: Catalog, scheduler: Scheduler, clock: Callable[[], float]) -> list[web.RouteDef]:
    """Return the routes.

    Args:
        clock: Seconds since the epoch.
    """

    async def list_crons(request: web.Request) -> web.Response:
        record = catalog.find(request.match_info["worker"])
        now = datetime.fromtimestamp(clock(), UTC)
        return web.json_response({"crons": [_cron_view(cron, now) for cron in crons_of(record)]})

    async def trigger(request: web.Request) -> web.Response:
        record = catalog.find(request.match_info["worker"])
        fired = await scheduler.trigger(record, await _named_cron(request))
        return web.json_response(
            {
                "cron": fired.cron,
                "version_id": fired.version.id,
                "tag": fired.version.tag,
                "outcome": fired.outcome,
            }
        )

    return [web.get(_CRONS, list_crons), web.post(f"{_CRONS}/trigger", trigger)]


async def _named_cron(request: web.Request) -> str | None:
    cron = (await json_body(request, ("cron",))).get("cron")
    if cron is not None and not isinstance(cron, str):
        raise BadRequest(f"'cron' is {cron!r}", remedy='Send {"cron": "*/5 * * * *"}, or {} for the only one.')
    return cron


def _cron_view(cron: str, now: datetime) -> Json:
    due = parse_cron(cron).next_after(now)
    return {"cron": cron, "next": moment(due.timestamp()) if due is not None else None}
