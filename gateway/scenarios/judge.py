"""Holds an answer against what was expected of it; each failure is one line that tells both, and the request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from gateway.scenarios.exchange import Exchange
from gateway.scenarios.model import Expected
from gateway.scenarios.values import NoSuchValue, member_of

_SHOWN: Final = 120
"""So many characters of a value stand in a failure."""


def failures_of(expected: Expected, exchange: Exchange, before: Exchange | None) -> Iterator[str]:
    """Yield what of an answer is not as expected.

    Args:
        before: The session's last request that a version answered.
    """
    for what, seen in _differences(expected, exchange, before):
        yield f"expected {what}, seen {seen}: {exchange.title} ({exchange.why})"


def _differences(expected: Expected, exchange: Exchange, before: Exchange | None) -> Iterator[tuple[str, str]]:
    if not exchange.status:
        yield _wanted_status(expected), exchange.problem
        return
    if expected.statuses and exchange.status not in expected.statuses:
        yield _wanted_status(expected), str(exchange.status)
    answered = exchange.version or "none"
    if expected.versions and not {exchange.version, exchange.version_id} & set(expected.versions):
        yield f"version {' or '.join(expected.versions)}", answered
    if expected.same_version and before is not None and before.version_id != exchange.version_id:
        yield f"the same version as of {before.title} before, {before.version}", answered
    if expected.reason and exchange.reason != expected.reason:
        yield f"reason {expected.reason}", exchange.reason or "none"
    yield from _in_headers(expected, exchange)
    yield from _in_body(expected, exchange)


def _wanted_status(expected: Expected) -> str:
    return f"status {' or '.join(map(str, expected.statuses))}" if expected.statuses else "an answer"


def _in_headers(expected: Expected, exchange: Exchange) -> Iterator[tuple[str, str]]:
    for name, value in expected.headers:
        found = exchange.values(name)
        pattern = ".*".join(map(re.escape, value.split("*")))
        if not any(re.fullmatch(pattern, one, re.DOTALL) for one in found):
            yield f"header {name}: {value}", cut(", ".join(found)) if found else "none"


def _in_body(expected: Expected, exchange: Exchange) -> Iterator[tuple[str, str]]:
    for text in expected.contains:
        if text not in exchange.text:
            yield f"a body with {text!r}", cut(repr(exchange.text))
    for pointer, value in expected.members:
        wanted = f"{cut(_as_json(value))} at {pointer or 'the root'}"
        try:
            found = member_of(exchange, pointer)
        except NoSuchValue as error:
            yield wanted, str(error)
            continue
        if not _same(found, value):
            yield wanted, cut(_as_json(found))


def _same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are one: in Python, unlike in JSON, true is 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def cut(text: str) -> str:
    """Return a text that is no longer than fits into a line."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
