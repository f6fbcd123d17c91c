"""Which requests belong to a Durable Object, and to which: ``path:``, ``header:``, ``query:``, ``cookie:``."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

RESERVED_PREFIX = "/cdn-cgi/gateway/"
STUB_PREFIX = RESERVED_PREFIX + "do/"
"""Address at which any code can call an object as a stub would: ``<prefix><worker>/<class>/<name>/<path>``."""

_PLACEHOLDER = "{name}"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH_PATTERN = re.compile(r"(/[^{}?#]*)?\{name\}([^{}?#]*)")


class NameSource(StrEnum):
    """Where in a request an object's name stands."""

    PATH = "path"
    HEADER = "header"
    QUERY = "query"
    COOKIE = "cookie"


class InvalidObjectSource(ValueError):
    """An ``object:`` setting that names no part of a request."""


class ObjectBinding(NamedTuple):
    """Requests of class ``class_name`` are those in which ``source`` has a name.

    Args:
        parameter: The header (lower case), query parameter or cookie; the pattern for ``path``.
        pattern: Compiled path pattern, else ``None``.
    """

    class_name: str
    source: NameSource
    parameter: str
    pattern: re.Pattern[str] | None


class StubAddress(NamedTuple):
    """A call by the stub address, taken apart; ``target`` is the path and query that the object sees."""

    worker: str
    class_name: str
    name: str
    target: str


def parse_binding(class_name: str, setting: str) -> ObjectBinding:
    """Read ``path:/cart/{name}``, ``header:X-Cart``, ``query:cart`` or ``cookie:cart``.

    ``{name}`` is one segment of the path; what follows it may follow (``/cart/42/items`` belongs to ``42``).

    Raises:
        InvalidObjectSource: Says what is wrong and what would do.
    """
    kind, colon, parameter = setting.partition(":")
    if not colon or kind not in set(NameSource) or not parameter:
        raise InvalidObjectSource("write path:/cart/{name}, header:X-Cart, query:cart or cookie:cart")
    source = NameSource(kind)
    if source in (NameSource.HEADER, NameSource.COOKIE) and not _TOKEN.fullmatch(parameter):
        raise InvalidObjectSource(f"{parameter!r} is no name of a {source} (RFC 9110 section 5.6.2)")
    if source is not NameSource.PATH:
        return ObjectBinding(
            class_name, source, parameter.lower() if source is NameSource.HEADER else parameter, None
        )
    match = _PATH_PATTERN.fullmatch(parameter)
    if not match or not parameter.startswith("/"):
        raise InvalidObjectSource(f"a path pattern starts with '/' and holds {_PLACEHOLDER} once")
    before, after = re.escape(match[1] or ""), re.escape(match[2].rstrip("/"))
    return ObjectBinding(
        class_name, source, parameter, re.compile(rf"{before}([^/?]+){after}(?:[/?].*)?", re.DOTALL)
    )


def name_in(binding: ObjectBinding, target: str, header: Callable[[str], str | None]) -> str | None:
    """Return the name of the object a request belongs to, or ``None``.

    Args:
        target: Path and query as sent.
        header: Lower-case header name -> its value, or ``None``.
    """
    match binding.source:
        case NameSource.PATH:
            assert binding.pattern is not None  # noqa: S101 - set for paths by parse_binding
            found = binding.pattern.fullmatch(target)
            return unquote(found[1], errors="surrogateescape") if found else None
        case NameSource.HEADER:
            return header(binding.parameter) or None
        case NameSource.QUERY:
            pairs = parse_qsl(target.partition("?")[2], errors="surrogateescape")
            return next((value for name, value in pairs if name == binding.parameter), None)
        case NameSource.COOKIE:
            return _cookie(header("cookie") or "", binding.parameter)


def parse_stub(target: str) -> StubAddress | None:
    """Take a stub address apart; ``None`` for any other target, and where a part is missing or empty."""
    if not target.startswith(STUB_PREFIX):
        return None
    path, mark, query = target.removeprefix(STUB_PREFIX).partition("?")
    parts = path.split("/", 3)
    if len(parts) < 3 or not all(parts[:3]):  # noqa: PLR2004 - Worker, class, name
        return None
    worker, class_name, name = (unquote(part, errors="surrogateescape") for part in parts[:3])
    rest = "/" + (parts[3] if len(parts) > 3 else "")  # noqa: PLR2004 - and the path
    return StubAddress(worker, class_name, name, rest + mark + query)


def _cookie(header: str, wanted: str) -> str | None:
    for pair in header.split(";"):
        name, equals, value = pair.strip(" \t").partition("=")
        if equals and name == wanted:
            return value.strip('"') or None
    return None
