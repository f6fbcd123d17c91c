"""``/api/faults``: faults on purpose."""

from __future__ import annotations

from aiohttp import web

from gateway.control.api.guard import json_body
from gateway.control.api.queries import query_of
from gateway.control.api.views import Json
from gateway.control.catalog import Catalog
from gateway.control.faults import Faults, KnownFault, check_named
from gateway.model.fault import ALL_FIELDS, Fault, fault_from

_FAULTS = "/api/faults"


def fault_routes(faults: Faults, catalog: Catalog) -> list[web.RouteDef]:
    """Return the routes."""

    async def show(request: web.Request) -> web.Response:
        query_of(request, ())
        return web.json_response({"faults": [_view(one) for one in faults.known]})

    async def add(request: web.Request) -> web.Response:
        fault = fault_from(await json_body(request, ALL_FIELDS))
        check_named(fault, catalog)
        return web.json_response(_view(KnownFault(faults.add(fault))))

    async def clear(request: web.Request) -> web.Response:
        query_of(request, ())
        return web.json_response({"cleared": faults.clear()})

    async def remove(request: web.Request) -> web.Response:
        removed: Fault = faults.remove(request.match_info["name"])
        return web.json_response({"cleared": 1, "name": removed.name})

    return [
        web.get(_FAULTS, show),
        web.post(_FAULTS, add),
        web.delete(_FAULTS, clear),
        web.delete(f"{_FAULTS}/{{name}}", remove),
    ]


def _view(known: KnownFault) -> Json:
    return known.fault.to_json() | {"met": known.met, "from_file": known.from_file}
