"""All routes of Cloudflare's API, with what stands around each: credentials, and one shape for every error."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.control.cloudflare import (
    accounts,
    beta_workers,
    deployments,
    scripts,
    secrets,
    settings,
    triggers,
    unserved,
    versions,
)
from gateway.control.cloudflare.analytics import analytics_routes
from gateway.control.cloudflare.envelope import PREFIX, NoRoute, failure
from gateway.control.cloudflare.logpush import logpush_routes
from gateway.control.cloudflare.parts import CloudflareParts
from gateway.control.cloudflare.requests import check_credentials
from gateway.control.cloudflare.tails import tail_routes
from gateway.errors import BadRequest, GatewayError

log = structlog.get_logger("gateway.cloudflare")


def cloudflare_routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return every route of the API; what is under its prefix and none of these is told so in an envelope."""
    groups = (accounts, scripts, versions, deployments, secrets, settings, triggers, beta_workers)
    listed = [route for group in groups for route in group.routes(parts)]
    if parts.tails is not None:
        listed += tail_routes(parts.tails)
    if parts.analytics is not None:
        listed += analytics_routes(parts.analytics)
    if parts.logpush is not None:
        listed += logpush_routes(parts.logpush)
    listed += unserved.routes()
    listed.append(web.route("*", f"{PREFIX}{{rest:(/.*)?}}", _no_route))
    return list(_enveloped_all(listed))


async def _no_route(request: web.Request) -> web.StreamResponse:
    raise NoRoute(request.method, request.path.removeprefix(PREFIX))


def _enveloped_all(listed: Iterable[web.RouteDef]) -> Iterable[web.RouteDef]:
    for route in listed:
        if route.path.startswith(PREFIX):
            yield web.RouteDef(route.method, route.path, _enveloped(route.handler), route.kwargs)
        else:
            yield route  # the WebSocket of a tail: its address is the secret, and no envelope fits on it


def _enveloped(handler: Handler) -> Handler:
    """Return a handler that wants credentials, and whose errors come in an envelope."""

    async def enveloped(request: web.Request) -> web.StreamResponse:
        try:
            check_credentials(request)
            return await handler(request)
        except GatewayError as error:
            if error.fault == "gateway":
                log.error("request.refused", path=request.path, error=error.message, remedy=error.remedy)
            return error_answer(error)
        except web.HTTPException as error:
            return error_answer(BadRequest(error.reason), error.status)
        except Exception as error:  # the server's outer rim: no traceback goes out, all of it into the log
            log.exception("request.failed", path=request.path)
            return error_answer(GatewayError(f"the gateway failed: {type(error).__name__}"))

    return enveloped


def error_answer(error: GatewayError, status: int | None = None) -> web.Response:
    """Return an error in its envelope.

    wrangler sends an upload again on 5xx: what only its user can mend is 4xx, a missing workerd for one.
    """
    status = status or error.status
    if error.fault == "client" and status >= web.HTTPInternalServerError.status_code:
        status = web.HTTPFailedDependency.status_code
    return web.json_response(failure(error), status=status)
