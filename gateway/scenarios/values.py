"""Values in answers: by header, by JSON pointer (RFC 6901), by the field of a form."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any, Final

from gateway.scenarios.exchange import Exchange
from gateway.scenarios.model import Saved

_ESCAPED: Final = re.compile(r"~[01]")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")


class NoSuchValue(Exception):
    """The answer has no such value; the text says what is there instead."""


def saved_value(saved: Saved, exchange: Exchange) -> str:
    """Return a value of an answer as text.

    Raises:
        NoSuchValue: It is not there.
    """
    match saved.place:
        case "header":
            found = exchange.values(saved.what)
            if not found:
                raise NoSuchValue(f"there is no header {saved.what}")
            return found[0]
        case "json":
            value = member_of(exchange, saved.what)
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        case _:
            return _field_of(exchange, saved.what)


def member_of(exchange: Exchange, pointer: str) -> Any:
    """Return what a JSON pointer finds in an answer.

    Raises:
        NoSuchValue: The body is no JSON, or has nothing there.
    """
    try:
        value = json.loads(exchange.body)
    except (ValueError, RecursionError):
        raise NoSuchValue("the body is no JSON") from None
    for part in pointer.split("/")[1:]:
        name = _ESCAPED.sub(lambda found: "~" if found[0] == "~0" else "/", part)
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            raise NoSuchValue(f"the body has nothing at {name!r}")
    return value


def _field_of(exchange: Exchange, name: str) -> str:
    reader = _Fields()
    reader.feed(exchange.text)
    reader.close()
    if name not in reader.found:
        there = ", ".join(reader.found) or "none"
        raise NoSuchValue(f"the page has no form field {name!r} (it has: {there})")
    return reader.found[name]


class _Fields(HTMLParser):
    """Collects the values of a page's ``input`` elements by name; the first of two counts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an ``input``."""
        given = {name: value or "" for name, value in reversed(attrs)}
        if tag == "input" and given.get("name"):
            self.found.setdefault(given["name"], given.get("value", ""))
