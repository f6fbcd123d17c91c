"""What handlers read of a request: JSON whatever its content type, pages, flags, who sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from aiohttp import web

from gateway.control.cloudflare.envelope import Json, NotAuthenticated, success
from gateway.errors import BadRequest

AUTHOR: Final = "developer@localhost"
"""Who did it, where no ``X-Auth-Email`` says."""

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 1000
_CLIENTS: Final = (("wrangler/", "wrangler"), ("terraform", "terraform"))

Item = TypeVar("Item")


def check_credentials(request: web.Request) -> None:
    """Let a request pass that carries any credentials: a page in the browser cannot send these headers.

    Raises:
        NotAuthenticated: 10000.
    """
    headers = request.headers
    if not headers.get("Authorization", "").strip() and not (
        headers.get("X-Auth-Key") and headers.get("X-Auth-Email")
    ):
        raise NotAuthenticated


def source_of(request: web.Request) -> str:
    """Return which client sends this, in the words of the API: ``wrangler``, ``terraform`` or ``api``."""
    agent = request.headers.get("User-Agent", "").lower()
    return next((name for start, name in _CLIENTS if agent.startswith(start)), "api")


def author_of(request: web.Request) -> str:
    """Return the e-mail address of who sends this."""
    return request.headers.get("X-Auth-Email") or AUTHOR


async def read_json(request: web.Request, limit_bytes: int | None = None) -> Any:
    """Return the body, read as JSON: clients call it ``text/plain`` and ``merge-patch+json`` too; empty is None.

    Args:
        limit_bytes: More than the server allows by default.

    Raises:
        BadRequest: It is no JSON.
    """
    body = await (request.read() if limit_bytes is None else _read(request, limit_bytes))
    if not body.strip():
        return None
    try:
        value = json.loads(body.decode("utf-8"))
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}", remedy="Send JSON in UTF-8.") from error
    return value


async def _read(request: web.Request, limit_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > limit_bytes:
            raise web.HTTPRequestEntityTooLarge(limit_bytes, len(body))
    return bytes(body)


async def read_object(request: web.Request, limit_bytes: int | None = None) -> Json:
    """Return the body, a JSON object; an empty body is an empty one.

    Raises:
        BadRequest: It is something else.
    """
    value = await read_json(request, limit_bytes)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object", remedy="Send {...}.")
    return value


async def read_list(request: web.Request) -> list[Any]:
    """Return the body, a JSON list.

    Raises:
        BadRequest: It is something else.
    """
    value = await read_json(request)
    if not isinstance(value, list):
        raise BadRequest("the body is not a JSON list", remedy="Send [...].")
    return value


def text_of(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text member of a body.

    Raises:
        BadRequest: It is missing without a default, or no text.
    """
    value = body.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name!r} is {value!r}, no string", remedy=f'Send "{name}": "...".')
    return value


def flag_of(body: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a boolean member of a body.

    Raises:
        BadRequest: It is no boolean.
    """
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadRequest(f"{name!r} is {value!r}", remedy="Send true or false.")
    return value


def asked(request: web.Request, name: str) -> bool:
    """Tell whether a query parameter says ``true``."""
    return request.query.get(name, "").lower() in ("true", "1")


def answer(result: object, info: Mapping[str, Any] | None = None) -> web.Response:
    """Return a result in its envelope."""
    return web.json_response(success(result, info))


def paged(request: web.Request, items: Sequence[Item]) -> tuple[Sequence[Item], Json]:
    """Return the page that was asked for and its ``result_info``; behind the last page there is an empty one.

    The SDKs turn pages until one is empty (wrangler-api, section 11).
    """
    page = _number(request, "page", 1)
    size = _number(request, "per_page", DEFAULT_PAGE, MAX_PAGE)
    start = (page - 1) * size
    listed = items[start : start + size]
    return listed, {
        "page": page,
        "per_page": size,
        "count": len(listed),
        "total_count": len(items),
        "total_pages": -(-len(items) // size),
    }


def _number(request: web.Request, name: str, default: int, most: int = 10**9) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9:  # noqa: PLR2004 - 10**9
        raise BadRequest(f"{name} is {text!r}", remedy=f"Give a whole number from 1 to {most}.")
    return min(max(int(text), 1), most)
