"""``POST /graphql``: Workers analytics, from the gateway's own counters (R115, R116)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from aiohttp import web
from graphql import GraphQLError

from gateway.control.catalog import Catalog, WorkerRecord
from gateway.control.cloudflare.envelope import PREFIX
from gateway.control.cloudflare.requests import read_object
from gateway.control.graphql.answering import answer_query, error_answer
from gateway.control.graphql.rows import Row, rows_of
from gateway.control.graphql.schema import make_schema
from gateway.errors import BadRequest
from gateway.observability.metrics import Recorder


@dataclass(frozen=True, slots=True)
class AnalyticsParts:
    """What analytics stand on; built by ``assembly``.

    Args:
        tag_of: A Worker's id.
        colo: Name of the data centre that this edge stands for.
        clock: Seconds since the epoch.
    """

    recorder: Recorder
    catalog: Catalog
    tag_of: Callable[[WorkerRecord], str]
    colo: str
    clock: Callable[[], float]


def analytics_routes(parts: AnalyticsParts) -> list[web.RouteDef]:
    """Return the routes; some clients write a slash at the end."""
    analytics = _Analytics(parts)
    return [web.post(f"{PREFIX}/graphql", analytics.query), web.post(f"{PREFIX}/graphql/", analytics.query)]


class _Analytics:
    def __init__(self, parts: AnalyticsParts) -> None:
        self._parts = parts
        self._schema = make_schema()

    async def query(self, request: web.Request) -> web.Response:
        """Answer a query; whatever is wrong with it is told in GraphQL's own shape."""
        now = self._parts.clock()
        try:
            body = await read_object(request)
        except BadRequest as error:
            return web.json_response(error_answer([GraphQLError(error.message)], now), status=error.status)
        return web.json_response(answer_query(self._schema, body, cache(lambda: self._rows(now)), now))

    def _rows(self, now: float) -> Sequence[Row]:
        """Return all rows, worked out once for a query."""
        parts = self._parts
        parts.recorder.fold()
        return list(rows_of(parts.recorder, parts.catalog, parts.tag_of, parts.colo, now))
