"""Rows -> what a query answers: grouped by the dimensions that it asks for, in order, so many of them; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from graphql import GraphQLError

from gateway.control.graphql.rows import DIMENSIONS, Row, Value
from gateway.observability.statuses import ERRORS, InvocationStatus
from gateway.observability.windows import Tally, total_of

MAX_LIMIT: Final = 10_000
_PERCENTILES: Final = ("25", "50", "75", "90", "95", "99", "999")
_UNKNOWN: Final = 0
"""What Cloudflare never gives as null and the gateway cannot know; docs/logpush-and-graphql.md lists it."""


class Group:
    """Rows with the same dimensions.

    Args:
        dimensions: Those that the query asks for, with their values.
    """

    def __init__(self, dimensions: Mapping[str, Value], rows: Sequence[Row]) -> None:
        self.dimensions = dimensions
        self._rows = rows

    @cached_property
    def _total(self) -> Tally:
        """All as one: only quantiles need it, and it costs more than sums."""
        return total_of(row.tally for row in self._rows)

    def value(self, part: str, name: str) -> Value | float:
        """Return a member of ``sum``, ``quantiles``, ``max``, ``avg`` or ``dimensions``; times in microseconds."""
        match part:
            case "dimensions":
                return self.dimensions[name]
            case "sum":
                return SUMS[name](self._rows)
            case "avg":
                return 1  # nothing is sampled
            case _:
                return self._quantile(name, QUANTILES.get(name, 1.0))

    def _quantile(self, name: str, quantile: float) -> float:
        milliseconds = self._total.quantile_ms(quantile) if name.startswith(_MEASURED) else None
        return _UNKNOWN if milliseconds is None else round(milliseconds * 1000, 3)


def _requests(rows: Iterable[Row], statuses: Iterable[InvocationStatus] = InvocationStatus) -> int:
    wanted = frozenset(statuses)
    return sum(row.tally.requests for row in rows if row.status in wanted)


def _duration_us(rows: Iterable[Row]) -> int:
    return sum(row.tally.duration_us for row in rows)


SUMS: Final[Mapping[str, Callable[[Sequence[Row]], float]]] = {
    "requests": _requests,
    "errors": lambda rows: _requests(rows, ERRORS),
    "clientDisconnects": lambda rows: _requests(rows, [InvocationStatus.CLIENT_DISCONNECTED]),
    "responseBodySize": lambda rows: sum(row.tally.response_bytes for row in rows),
    "wallTime": _duration_us,
    "requestDuration": _duration_us,
    "subrequests": lambda _: _UNKNOWN,
    "cpuTimeUs": lambda _: _UNKNOWN,
    "duration": lambda _: _UNKNOWN,
}
_MEASURED: Final = ("wallTime", "requestDuration")
_TIMES: Final = ("cpuTime", "duration", "requestDuration", "responseBodySize", "wallTime")
QUANTILES: Final[Mapping[str, float]] = {
    f"{name}P{digits}": float(f"0.{digits}") for name in _TIMES for digits in _PERCENTILES
}
MAXIMA: Final = ("cpuTime", "duration", "requestDuration", "wallTime")
AVERAGES: Final = ("sampleInterval",)


def order_names() -> Iterable[str]:
    """Yield all that a query can be ordered by, without the direction."""
    yield from DIMENSIONS
    yield from (f"sum_{name}" for name in SUMS)
    yield from (f"quantiles_{name}" for name in QUANTILES)
    yield from (f"max_{name}" for name in MAXIMA)
    yield from (f"avg_{name}" for name in AVERAGES)


def groups_of(rows: Iterable[Row], dimensions: Sequence[str], order: Sequence[str], limit: int) -> list[Group]:
    """Return the groups of some rows.

    Args:
        dimensions: Names of those that tell groups apart.
        order: ``<name>_ASC`` or ``_DESC``, the first one counting most; else by the dimensions.

    Raises:
        GraphQLError: The limit is out of bounds, or the order is by a dimension that is not asked for.
    """
    if not 0 < limit <= MAX_LIMIT:
        raise GraphQLError(f"limit must be positive number and not greater than {MAX_LIMIT}")
    grouped: dict[tuple[Value, ...], list[Row]] = {}
    for row in rows:
        grouped.setdefault(tuple(row.dimension(name) for name in dimensions), []).append(row)
    groups = [
        Group(dict(zip(dimensions, values, strict=True)), grouped[values])
        for values in sorted(grouped, key=lambda values: [str(value) for value in values])
    ]
    for by in reversed(order):
        name, _, direction = by.rpartition("_")
        groups.sort(key=_order_key(name, dimensions), reverse=direction == "DESC")
    return groups[:limit]


def _order_key(name: str, dimensions: Sequence[str]) -> Callable[[Group], Any]:
    if name in DIMENSIONS:
        if name not in dimensions:
            raise GraphQLError(f"cannot order by {name}: ask for it under dimensions")
        return lambda group: group.value("dimensions", name)
    part, _, member = name.partition("_")
    return lambda group: group.value(part, member)
