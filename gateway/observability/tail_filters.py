"""Which events a tail wants: wrangler's ``filters`` -> a test of trace items; pure (wrangler-api, section 10)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.errors import BadRequest
from gateway.observability.trace_items import TraceItem, headers_of

SELF: Final = "self"
Condition = Callable[[TraceItem], bool]


@dataclass(frozen=True, slots=True)
class TailFilter:
    """What all must hold for an event to be sent; without conditions every event is.

    Args:
        sampling_rate: Share of the events that is sent, above 0 and at most 1.
    """

    conditions: tuple[Condition, ...] = ()
    sampling_rate: float = 1.0

    def passes(self, item: TraceItem, draw: Callable[[], float]) -> bool:
        """Return whether an event is wanted.

        Args:
            draw: Gives a random number on [0, 1); asked only where a part is wanted.
        """
        if not all(condition(item) for condition in self.conditions):
            return False
        return self.sampling_rate >= 1 or draw() < self.sampling_rate


def parse_filters(filters: object, own_ip: str) -> TailFilter:
    """Read the ``filters`` of a new tail.

    Args:
        filters: A list of objects with one member each, as wrangler sends it; None for no filter.
        own_ip: Address of who asks: what ``self`` stands for in ``client_ip``.

    Raises:
        BadRequest: Names the filter and what is wrong with it.
    """
    if filters is None:
        return TailFilter()
    if not isinstance(filters, list) or not all(isinstance(one, dict) for one in filters):
        raise BadRequest("'filters' is no list of objects", remedy='Send {"filters": [{"outcome": ["ok"]}]}.')
    conditions: list[Condition] = []
    rate = 1.0
    for name, value in (member for one in filters for member in one.items()):
        if name == "sampling_rate":
            rate = _rate(value)
        elif name not in _CONDITIONS:
            raise BadRequest(
                f"there is no filter {name!r}", remedy=f"Known: sampling_rate, {', '.join(_CONDITIONS)}."
            )
        else:
            conditions.append(_CONDITIONS[name](value, own_ip))
    return TailFilter(tuple(conditions), rate)


@dataclass(frozen=True, slots=True)
class _Outcome:
    outcomes: frozenset[str]

    def __call__(self, item: TraceItem) -> bool:
        return item["outcome"] in self.outcomes


@dataclass(frozen=True, slots=True)
class _Method:
    methods: frozenset[str]

    def __call__(self, item: TraceItem) -> bool:
        request = (item["event"] or {}).get("request") or {}
        return str(request.get("method", "")).upper() in self.methods


@dataclass(frozen=True, slots=True)
class _Header:
    key: str
    query: str

    def __call__(self, item: TraceItem) -> bool:
        value = headers_of(item).get(self.key)
        return value is not None and self.query in value


@dataclass(frozen=True, slots=True)
class _ClientIp:
    addresses: frozenset[str]

    def __call__(self, item: TraceItem) -> bool:
        return headers_of(item).get("cf-connecting-ip") in self.addresses


@dataclass(frozen=True, slots=True)
class _Query:
    text: str

    def __call__(self, item: TraceItem) -> bool:
        return any(self.text in said_words(log.get("message")) for log in item["logs"])


@dataclass(frozen=True, slots=True)
class _ScriptVersion:
    version_id: str

    def __call__(self, item: TraceItem) -> bool:
        return bool(item["scriptVersion"]["id"] == self.version_id)


def said_words(message: object) -> str:
    """Return what ``console.log`` was given as text: texts as they are, all else as JSON."""
    parts = message if isinstance(message, list) else [message]
    return " ".join(part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts)


def _rate(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
        raise BadRequest(f"'sampling_rate' is {value!r}", remedy="Give a number above 0, at most 1.")
    return float(value)


def _texts(name: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequest(f"{name!r} is {value!r}", remedy=f'Send {{"{name}": ["..."]}}.')
    return frozenset(value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{name!r} is {value!r}", remedy=f'Send {{"{name}": "..."}}.')
    return value


def _header(value: object, _own_ip: str) -> Condition:
    if not isinstance(value, Mapping) or not set(value) <= {"key", "query"}:
        raise BadRequest(f"'header' is {value!r}", remedy='Send {"header": {"key": "X-A", "query": "b"}}.')
    return _Header(_text("key", value.get("key")).lower(), _text("query", value.get("query", "")))


def _client_ip(value: object, own_ip: str) -> Condition:
    return _ClientIp(frozenset(own_ip if one == SELF else one for one in _texts("client_ip", value)))


_CONDITIONS: Final[Mapping[str, Callable[[Any, str], Condition]]] = {
    "outcome": lambda value, _: _Outcome(_texts("outcome", value)),
    "method": lambda value, _: _Method(frozenset(map(str.upper, _texts("method", value)))),
    "header": _header,
    "client_ip": _client_ip,
    "query": lambda value, _: _Query(_text("query", value)),
    "scriptVersion": lambda value, _: _ScriptVersion(_text("scriptVersion", value)),
}
