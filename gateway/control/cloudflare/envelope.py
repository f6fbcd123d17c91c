"""The one shape every answer of Cloudflare's API has (R97; wrangler-api, section 2); pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.control.refusals import Refusal, Refusals
from gateway.errors import GatewayError, InvalidCode

Json = dict[str, Any]

PREFIX: Final = "/client/v4"
"""What every path of this API begins with."""


class NotAuthenticated(Refusal):
    """A request without a token; any token will do."""

    status, code = 401, 10_000

    def __init__(self) -> None:
        super().__init__(
            "Authentication error: no credentials were sent",
            remedy="Set CLOUDFLARE_API_TOKEN to any text (sent as `Authorization: Bearer ...`).",
        )


class NoRoute(Refusal):
    """A path or method that nobody answers."""

    status, code = 404, 7_003

    def __init__(self, method: str, path: str) -> None:
        super().__init__(
            f"Could not route to {method} {path}, perhaps your object identifier is invalid?",
            remedy="docs/wrangler.md lists every path that is served.",
        )


def success(result: object, info: Mapping[str, Any] | None = None) -> Json:
    """Return the envelope of a result.

    Args:
        info: ``result_info`` of a page.
    """
    envelope: Json = {"success": True, "errors": [], "messages": [], "result": result}
    return envelope if info is None else {**envelope, "result_info": dict(info)}


def failure(error: GatewayError) -> Json:
    """Return the envelope of an error; the first of ``errors`` is what clients act on."""
    errors: Sequence[GatewayError] = error.errors if isinstance(error, Refusals) else [error]
    return {"success": False, "errors": [_shown(one) for one in errors], "messages": [], "result": None}


def _shown(error: GatewayError) -> Json:
    # workerd's own words end in lines of a stack that wrangler maps to the source; nothing goes behind them.
    remedy = "" if isinstance(error, InvalidCode) else error.remedy
    joint = " " if error.message.endswith((".", "?", ":")) else ". "
    message = f"{error.message}{joint}{remedy}" if remedy else error.message
    shown: Json = {"code": error.code, "message": message}
    if isinstance(error, Refusal):
        if error.documentation_url:
            shown["documentation_url"] = error.documentation_url
        if error.meta is not None:
            shown["meta"] = dict(error.meta)
    return shown
