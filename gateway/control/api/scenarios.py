"""``POST /api/test/scenario``: plays a declared scenario on this gateway, for tests in any language."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web

from gateway.control.api.guard import json_body
from gateway.control.api.queries import query_of
from gateway.errors import BadRequest
from gateway.scenarios.junit import junit_of
from gateway.scenarios.model import Scenario
from gateway.scenarios.parse import SCENARIO_KEYS
from gateway.scenarios.reading import scenario_of
from gateway.scenarios.report import Outcome, report_of

FORMATS: Final = ("json", "junit")
XML: Final = "application/xml"


def scenario_routes(play: Callable[[Scenario], Awaitable[Outcome]]) -> list[web.RouteDef]:
    """Return the route.

    Args:
        play: Plays a scenario, or raises what refuses it.
    """

    async def test(request: web.Request) -> web.Response:
        query = query_of(request, ("format", "timings"))
        as_junit = _format(query.get("format", ""), request.headers.get("Accept", "")) == "junit"
        timings = _switch(query.get("timings", "false"))
        scenario = scenario_of(await json_body(request, SCENARIO_KEYS))
        report = report_of(await play(scenario), timings=timings)
        if as_junit:
            return web.Response(text=junit_of([report]), content_type=XML, charset="utf-8")
        return web.json_response(report, dumps=partial(json.dumps, indent=2))

    return [web.post("/api/test/scenario", test)]


def _format(asked: str, accept: str) -> str:
    if asked and asked not in FORMATS:
        raise BadRequest(f"'format' is {asked!r}", remedy=f"Give one of: {', '.join(FORMATS)}.")
    types = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    wants_xml = bool(types & {XML, "text/xml"}) and "application/json" not in types
    return asked or ("junit" if wants_xml else "json")


def _switch(value: str) -> bool:
    if value not in ("true", "false"):
        raise BadRequest(f"'timings' is {value!r}", remedy="Give true or false.")
    return value == "true"
