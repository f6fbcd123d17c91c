"""Who may speak to the control plane: a server on loopback can be reached by every page the user opens (design 8).

``check_source`` is pure; the middleware around all handlers acts by it, and turns every error into one shape.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.control.cloudflare.envelope import PREFIX, failure
from gateway.errors import BadRequest, Forbidden, GatewayError, NotFound, UnsupportedBody

log = structlog.get_logger("gateway.control")

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)
_SAFE_METHODS = frozenset({"GET", "HEAD"})
MAX_BODY_BYTES = 1_048_576
JSON_TYPE = "application/json"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""What the dashboard needs and nothing else: no inline script or style, nothing from elsewhere."""


def check_source(method: str, host: str, origin: str | None, content_type: str, allowed: Collection[str]) -> None:
    """Let a request pass that this machine's user can have meant.

    Args:
        host: Value of ``Host``: must be a loopback name, or the page that sent it may have rebound its own name.
        origin: Value of ``Origin``: where it is there at all, it must be one of ours; ``null`` is foreign.
        content_type: A write must be declared as JSON, which no form and no plain cross-site request can.
        allowed: Host names configured beside the loopback ones.

    Raises:
        Forbidden: 403. UnsupportedBody: 415.
    """
    if not _is_local(host, allowed):
        raise Forbidden(
            f"Host {host!r} is not a name of this machine",
            remedy="Use localhost, or list it in gateway.control_hosts.",
        )
    if origin is not None and not _is_local_origin(origin, allowed):
        raise Forbidden(f"Origin {origin!r} is foreign", remedy="Use the dashboard at the control address.")
    if method not in _SAFE_METHODS and content_type != JSON_TYPE:
        raise UnsupportedBody(
            f"Content-Type {content_type!r} is not application/json",
            remedy="Send the header Content-Type: application/json.",
        )


def _is_local(authority: str, allowed: Collection[str]) -> bool:
    """Compare the parsed host, never a prefix or suffix of the text."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return False
    name = match[1].strip("[]").lower()
    if name == "localhost" or name in allowed:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_local_origin(origin: str, allowed: Collection[str]) -> bool:
    scheme, separator, authority = origin.partition("://")
    return bool(separator) and scheme.lower() in ("http", "https") and _is_local(authority, allowed)


def guard(allowed: Collection[str]) -> Middleware:
    """Return the middleware that stands around every handler."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            check_source(
                request.method,
                request.headers.get("Host", ""),
                request.headers.get("Origin"),
                # Clients of Cloudflare's API send JSON by other names; it wants credentials, which no page has.
                JSON_TYPE if is_cloudflare(request) else request.content_type,
                allowed,
            )
            response = await handler(request)
        except GatewayError as error:
            if error.fault == "gateway":
                log.error("request.refused", path=request.path, error=error.message, remedy=error.remedy)
            response = (
                web.json_response(failure(error), status=error.status)
                if is_cloudflare(request)
                else error_response(error)
            )
        except web.HTTPException as error:
            response = _http_error(error)
        except Exception as error:  # the server's outer rim: no traceback goes out, all of it into the log
            log.exception("request.failed", path=request.path)
            response = error_response(GatewayError(f"the gateway failed: {type(error).__name__}"))
        harden(response)
        return response

    return guarded


def is_cloudflare(request: web.Request) -> bool:
    """Tell whether a request is one to Cloudflare's API."""
    return request.path == PREFIX or request.path.startswith(f"{PREFIX}/")


def error_response(error: GatewayError) -> web.Response:
    """Return the one shape that every error has."""
    content = {"error": {"code": error.code, "message": error.message, "remedy": error.remedy}}
    return web.json_response(content, status=error.status)


def _http_error(error: web.HTTPException) -> web.Response:
    if error.status == web.HTTPNotFound.status_code:
        return error_response(NotFound("nothing is here", remedy="GET /api/openapi.yaml lists all paths."))
    response = error_response(BadRequest(error.reason))
    response.set_status(error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def harden(response: web.StreamResponse) -> None:
    """Set what protects a browser that gets this answer; a stream must be told before it begins."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"


def _no_number(name: str) -> None:
    """Refuse what Python reads and JSON does not have (RFC 8259 section 6)."""
    raise ValueError(f"{name} is no number")


async def json_body(request: web.Request, known: Collection[str]) -> dict[str, object]:
    """Return the body, a JSON object with no other members than ``known``.

    Raises:
        BadRequest: Says what is wrong with it.
    """
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise BadRequest(f"charset {request.charset!r} is not utf-8", remedy="Send the body as UTF-8.")
    try:
        body = json.loads((await request.read()).decode("utf-8"), parse_constant=_no_number)
        json.dumps(body, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}", remedy="Send a JSON object.") from error
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object", remedy="Send {...}.")
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise BadRequest(
            f"the body has unknown members: {', '.join(unknown)}", remedy=f"Known: {', '.join(known)}."
        )
    return body
