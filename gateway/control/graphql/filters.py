"""The ``filter`` of a query -> which rows it wants (R115); pure.

``{name: value, name_op: value, AND: [...], OR: [...]}``: all must hold, of ``OR`` one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from graphql import GraphQLError

from gateway.control.graphql.rows import DIMENSIONS, TIME_DIMENSIONS, Row, Value, moment_text
from gateway.observability.windows import MINUTE

Condition = Callable[[Row], bool]

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "": operator.eq,
    "_neq": operator.ne,
    "_gt": operator.gt,
    "_geq": operator.ge,
    "_lt": operator.lt,
    "_leq": operator.le,
}
_LISTS: Final[Mapping[str, bool]] = {"_in": True, "_notin": False}
OPERATORS: Final = (*_COMPARISONS, *_LISTS)
"""What may stand behind a dimension's name."""

_NUMBERS: Final = frozenset({"isDispatcher", "isPreview"})


MAX_CONDITIONS: Final = 200


def condition_of(wanted: Mapping[str, Any] | None) -> Condition:
    """Return what a filter asks of a row.

    Raises:
        GraphQLError: A value that cannot be compared with its dimension, or more than can be asked at once.
    """
    if _size(wanted or {}) > MAX_CONDITIONS:
        raise GraphQLError(f"number of filter conditions can't be more than {MAX_CONDITIONS}")
    return _condition(wanted or {})


def _size(wanted: Mapping[str, Any]) -> int:
    nested = [one for name in ("AND", "OR") for one in wanted.get(name) or ()]
    return len(wanted) + sum(map(_size, nested))


def _condition(wanted: Mapping[str, Any]) -> Condition:
    return _all_of([_member(name, value) for name, value in wanted.items() if value is not None])


def _member(name: str, value: Any) -> Condition:
    if name in ("AND", "OR"):
        parts = [_condition(one) for one in value]
        return _all_of(parts) if name == "AND" else _any_of(parts)
    dimension, suffix, rest = name.partition("_")
    suffix += rest
    if suffix in _LISTS:
        among = frozenset(_value(name, dimension, one) for one in value)
        holds = _LISTS[suffix]
        return lambda row: (row.dimension(dimension) in among) is holds
    if dimension == "datetime":
        return _moment_condition(suffix, _seconds(name, value))
    compare, compared = _COMPARISONS[suffix], _value(name, dimension, value)
    return lambda row: compare(row.dimension(dimension), compared)


def _moment_condition(suffix: str, seconds: float) -> Condition:
    """Compare with a minute's span: one that lies partly within counts, else the newest requests would not."""
    conditions: Mapping[str, Condition] = {
        "": lambda row: row.begin <= seconds < row.begin + MINUTE,
        "_neq": lambda row: not row.begin <= seconds < row.begin + MINUTE,
        "_gt": lambda row: row.begin + MINUTE > seconds,
        "_geq": lambda row: row.begin + MINUTE > seconds,
        "_lt": lambda row: row.begin < seconds,
        "_leq": lambda row: row.begin <= seconds,
    }
    return conditions[suffix]


def _value(name: str, dimension: str, value: Any) -> Value:
    """Return what a dimension is compared with, written as the dimension is."""
    if dimension in _NUMBERS:
        if isinstance(value, int):
            return int(value)
        raise _unreadable(name, value, "a whole number")
    if dimension in TIME_DIMENSIONS:
        return moment_text(_seconds(name, value))
    if dimension == "date":
        return moment_text(_seconds(name, value))[:10]
    if isinstance(value, str):
        return value
    raise _unreadable(name, value, "a text")


def _seconds(name: str, value: Any) -> float:
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError) as error:
        raise _unreadable(name, value, "a time such as 2026-01-31T12:00:00Z") from error


def _unreadable(name: str, value: object, wanted: str) -> GraphQLError:
    return GraphQLError(f"error parsing args: filter {name} is {value!r}, not {wanted}")


def _all_of(parts: Iterable[Condition]) -> Condition:
    conditions = tuple(parts)
    return lambda row: all(condition(row) for condition in conditions)


def _any_of(parts: Iterable[Condition]) -> Condition:
    conditions = tuple(parts)
    return lambda row: any(condition(row) for condition in conditions)


def filter_fields() -> Iterable[tuple[str, str]]:
    """Yield the name of every member that a filter may have but ``AND`` and ``OR``, and the dimension it is of."""
    return ((f"{dimension}{suffix}", dimension) for dimension in DIMENSIONS for suffix in OPERATORS)


def takes_list(name: str) -> bool:
    """Tell whether a member of a filter is a list of values."""
    return name.endswith(tuple(_LISTS))
