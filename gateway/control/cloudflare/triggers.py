"""Crons, routes and custom domains: what brings traffic to a Worker, and is no part of a version (R5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from gateway.control.cloudflare.envelope import PREFIX, Json
from gateway.control.cloudflare.parts import SCRIPT, WORKERS, CloudflareParts, Handlers
from gateway.control.cloudflare.requests import answer, paged, read_json
from gateway.control.cloudflare.shapes import domain_shape, route_shape, zone_id, zone_of
from gateway.control.crons import parse_cron
from gateway.control.refusals import InvalidUpload, RouteTaken
from gateway.errors import BadRequest
from gateway.model.version import WorkerName
from gateway.model.worker import Schedule, WorkerState
from gateway.routing.routes import InvalidRoute, Route, parse_route

_ZONE: Final = f"{PREFIX}/zones"


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of triggers."""
    triggers = _Triggers(parts)
    return [
        web.get(f"{SCRIPT}/schedules", triggers.view_schedules),
        web.put(f"{SCRIPT}/schedules", triggers.put_schedules),
        web.get(f"{SCRIPT}/routes", triggers.view_routes),
        web.put(f"{SCRIPT}/routes", triggers.put_routes),
        web.post(f"{SCRIPT}/domains/changeset", triggers.changeset),
        web.put(f"{SCRIPT}/domains/records", triggers.put_domains),
        web.get(f"{WORKERS}/domains", triggers.list_domains),
        web.get(f"{WORKERS}/domains/records", triggers.list_domains),
        web.get(_ZONE, triggers.zones),
        web.get(f"{_ZONE}/{{zone}}/workers/routes", triggers.zone_routes),
    ]


class _Triggers(Handlers):
    async def view_schedules(self, request: web.Request) -> web.Response:
        """Show the cron triggers."""
        return answer(_schedules_shape(self.state(self.record(request))))

    async def put_schedules(self, request: web.Request) -> web.Response:
        """Replace the cron triggers."""
        record = self.record(request)
        crons = [parse_cron(text).text for text in _texts(await read_json(request), "cron")]
        now = self.parts.workers.now()

        def change(state: WorkerState) -> WorkerState:
            known = {one.cron: one for one in state.schedules}
            listed = tuple(
                replace(known[cron], modified_on=now) if cron in known else Schedule(cron, now, now)
                for cron in dict.fromkeys(crons)
            )
            return replace(state, schedules=listed)

        return answer(_schedules_shape(await self.parts.workers.edit(record, change)))

    async def view_routes(self, request: web.Request) -> web.Response:
        """Show the routes set through the API."""
        state = self.state(self.record(request))
        return answer([route_shape(state, pattern) for pattern in state.routes])

    async def put_routes(self, request: web.Request) -> web.Response:
        """Replace the routes; those of the configuration file stay."""
        record = self.record(request)
        patterns = tuple(dict.fromkeys(_texts(await read_json(request), "pattern")))
        self._check_patterns(record.name, patterns)
        state = await self.parts.workers.edit(record, lambda state: replace(state, routes=patterns))
        return answer([route_shape(state, pattern) for pattern in patterns])

    async def changeset(self, request: web.Request) -> web.Response:
        """Tell what ``put_domains`` would change; nothing is ever in conflict here."""
        state = self.state(self.record(request))
        wanted = _hosts(await read_json(request))
        return answer(
            {
                "added": [domain_shape(state, host) for host in wanted if host not in state.domains],
                "removed": [domain_shape(state, host) for host in state.domains if host not in wanted],
                "updated": [
                    {**domain_shape(state, host), "modified": False} for host in wanted if host in state.domains
                ],
                "conflicting": [],
            }
        )

    async def put_domains(self, request: web.Request) -> web.Response:
        """Replace the custom domains."""
        record = self.record(request)
        body = await read_json(request)
        wanted = body.get("origins") if isinstance(body, Mapping) else body
        hosts = _hosts(wanted)
        self._check_patterns(record.name, [f"{host}/*" for host in hosts])
        state = await self.parts.workers.edit(record, lambda state: replace(state, domains=hosts))
        return answer([domain_shape(state, host) for host in hosts])

    async def list_domains(self, request: web.Request) -> web.Response:
        """List all custom domains, or those of the Worker that ``service`` names."""
        wanted = request.query.get("service")
        shapes = [
            domain_shape(state, host)
            for state in map(self.state, self.parts.workers.all())
            if wanted in (None, state.name)
            for host in state.domains
        ]
        listed, info = paged(request, shapes)
        return answer(listed, info)

    async def zones(self, request: web.Request) -> web.Response:
        """Say that any zone asked for is there; without a name, those that routes and domains need."""
        name = request.query.get("name")
        names = [name] if name else sorted({zone_of(pattern.split("/")[0]) for _, pattern in self._patterns()})
        listed, info = paged(request, [_zone_shape(one) for one in names])
        return answer(listed, info)

    async def zone_routes(self, request: web.Request) -> web.Response:
        """List the routes of a zone."""
        wanted = request.match_info["zone"]
        shapes = [
            route_shape(state, pattern)
            for state, pattern in self._patterns()
            if wanted in _zone_ids(pattern.split("/")[0])
        ]
        listed, info = paged(request, shapes)
        return answer(listed, info)

    def _check_patterns(self, worker: WorkerName, patterns: Sequence[str]) -> None:
        """Check that a Worker can have these patterns, and that no other has one of them."""
        others = {
            parse_route(one.name, pattern)[2:]: one.name
            for one in map(self.state, self.parts.workers.all())
            if one.name != worker
            for pattern in one.route_patterns
        }
        for pattern in patterns:
            owner = others.get(checked_route(worker, pattern)[2:])
            if owner is not None:
                raise RouteTaken(pattern, owner)

    def _patterns(self) -> list[tuple[WorkerState, str]]:
        states = map(self.state, self.parts.workers.all())
        return [(state, pattern) for state in states for pattern in state.routes]


def checked_route(worker: WorkerName, pattern: str) -> Route:
    """Read a route pattern.

    Raises:
        InvalidUpload: It matches nothing or everything in a way nobody means.
    """
    try:
        return parse_route(worker, pattern)
    except InvalidRoute as error:
        raise InvalidUpload(f"route {pattern!r} is not valid: {error}", remedy="Write host/path/*.") from error


def _hosts(value: object) -> tuple[str, ...]:
    """Return host names of custom domains, each once.

    Raises:
        BadRequest: One is none.
    """
    hosts = tuple(dict.fromkeys(host.lower() for host in _texts(value, "hostname")))
    for host in hosts:
        if "/" in host or "*" in host:
            raise BadRequest(f"custom domain {host!r} is no host name", remedy="Write shop.example.com.")
    return hosts


def _texts(value: object, name: str) -> Sequence[str]:
    if isinstance(value, list):
        texts: list[Any] = [item.get(name) if isinstance(item, Mapping) else item for item in value]
        if all(isinstance(text, str) and text for text in texts):
            return texts
    raise BadRequest(f"the body is no list of {name}s", remedy=f'Send [{{"{name}": "..."}}].')


def _schedules_shape(state: WorkerState) -> Json:
    return {
        "schedules": [
            {"cron": one.cron, "created_on": one.created_on, "modified_on": one.modified_on}
            for one in state.schedules
        ]
    }


def _zone_shape(name: str) -> Json:
    return {"id": zone_id(name), "name": name, "status": "active", "paused": False, "type": "full"}


def _zone_ids(host: str) -> set[str]:
    labels = host.removeprefix("*").strip(".").split(".")
    return {zone_id(".".join(labels[start:])) for start in range(len(labels))}
