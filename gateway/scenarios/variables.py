"""``${name}`` in the texts of a request: values that an earlier request saved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from gateway.scenarios.model import Body, Request

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_USE: Final = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")

CONTENT_TYPES: Final = {
    "body": "text/plain; charset=utf-8",
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
}
"""By the kind of a body."""


def names_used(request: Request) -> Iterator[str]:
    """Yield the names that a request wants values of."""
    texts = [request.path, request.key, request.session, *(value for _, value in request.headers)]
    for text in [*texts, *_texts(request.body.content if request.body else None)]:
        yield from (found[2] for found in _USE.finditer(text) if not found[1])


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its values; ``$${name}`` stands for ``${name}`` itself."""
    return _USE.sub(lambda found: found[0][1:] if found[1] else values[found[2]], text)


def filled_body(body: Body, values: Mapping[str, str]) -> bytes:
    """Return a body as it is sent."""
    content = _filled_value(body.content, values)
    if body.kind == "json":
        return json.dumps(content, ensure_ascii=False).encode()
    if body.kind == "form":
        return urlencode([(name, value) for name, value in content]).encode()
    return str(content).encode()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _filled_value(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return filled(value, values)
    if isinstance(value, Mapping):
        return {name: _filled_value(member, values) for name, member in value.items()}
    return [_filled_value(item, values) for item in value] if isinstance(value, list | tuple) else value
