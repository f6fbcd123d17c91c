"""Queries of the API: what is not known is refused, for a misspelt filter would let everything pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiohttp import web

from gateway.errors import BadRequest


def query_of(request: web.Request, known: Collection[str]) -> Mapping[str, str]:
    """Return the parameters of a request's query.

    Raises:
        BadRequest: One is not known, or given twice.
    """
    for name in request.query:
        if name not in known:
            raise BadRequest(f"there is no parameter {name!r}", remedy=f"Known: {', '.join(known)}.")
        if len(request.query.getall(name)) > 1:
            raise BadRequest(f"{name!r} is given more than once", remedy="Give it once.")
    return request.query
