"""Members of JSON bodies, checked; each error names the member and what it should be."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import BadRequest


def text_of(body: Mapping[str, object], name: str, default: str | None = None) -> str:
    """Return a string of a body.

    Raises:
        BadRequest: It is missing without a default, or no string.
    """
    value = body.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"{name!r} is missing or not a string", remedy=f'Send "{name}": "...".')
    return value


def integer(value: object, name: str, low: int, high: int = 2**53) -> int:
    """Return a whole number within bounds; digits as text count, as they come in a query.

    Raises:
        BadRequest: It is none.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17:  # noqa: PLR2004 - 2**53
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(f"{name!r} is {value!r}", remedy=f"Give a whole number from {low} to {high}.")
    return value


def header_pairs(value: object) -> list[tuple[str, str]]:
    """Return headers, a list of ``[name, value]``.

    Raises:
        BadRequest: It is no such list.
    """
    if isinstance(value, list):
        pairs = [tuple(pair) for pair in value if isinstance(pair, list)]
        if len(pairs) == len(value) and all(len(p) == 2 and all(isinstance(t, str) for t in p) for p in pairs):  # noqa: PLR2004
            return [(name, text) for name, text in pairs]
    raise BadRequest("'headers' is no list of [name, value]", remedy='Send [["Name", "value"], ...].')
