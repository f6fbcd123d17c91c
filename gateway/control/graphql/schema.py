"""The part of Cloudflare's GraphQL schema that is served, with its names: scripts spell them out (R115)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLIncludeDirective,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLString,
    get_directive_values,
)
from graphql.language import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionNode, SelectionSetNode

from gateway.control.graphql.filters import condition_of, filter_fields, takes_list
from gateway.control.graphql.groups import AVERAGES, MAXIMA, QUANTILES, SUMS, Group, groups_of, order_names
from gateway.control.graphql.rows import DIMENSIONS, TIME_DIMENSIONS, Row, Value

DATASET: Final = "workersInvocationsAdaptive"
_PREFIX: Final = "AccountWorkersInvocationsAdaptive"

Rows = Callable[[], Sequence[Row]]
"""Gives all rows there are: the context of a query."""


def make_schema() -> GraphQLSchema:
    """Return the schema; its context is ``Rows``."""
    scalars = _Scalars()
    dataset = GraphQLField(
        GraphQLNonNull(GraphQLList(GraphQLNonNull(_dataset_type(scalars)))),
        {
            "filter": GraphQLArgument(_filter_type(scalars)),
            "limit": GraphQLArgument(GraphQLNonNull(scalars["uint64"])),
            "orderBy": GraphQLArgument(GraphQLList(_order_type())),
        },
        _resolve_dataset,
        description="Requests to Workers of the last hour, by the dimensions that are asked for.",
    )
    account_filter = GraphQLInputObjectType(
        "AccountFilter_InputObject",
        {name: GraphQLInputField(scalars["string"]) for name in ("accountTag", "accountTag_in")},
    )
    account = GraphQLObjectType("account", {"accountTag": _text_field(scalars), DATASET: dataset})
    viewer = GraphQLObjectType(
        "viewer",
        {
            "accounts": GraphQLField(
                GraphQLNonNull(GraphQLList(GraphQLNonNull(account))),
                {"filter": GraphQLArgument(account_filter)},
                _resolve_accounts,
            )
        },
    )
    query = GraphQLObjectType(
        "Query", {"viewer": GraphQLField(viewer, resolve=lambda *_: {}), "cost": _cost_field(scalars)}
    )
    standard = (GraphQLString, GraphQLInt, GraphQLFloat, GraphQLBoolean, GraphQLID)
    return GraphQLSchema(query, types=[*scalars.all(), *standard])


class _Scalars:
    """Cloudflare's scalars; what they hold is checked where it is used: ``string`` may stand for ``Time``."""

    _NAMES: Final = (
        "string",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int64",
        "float32",
        "float64",
        "Time",
        "Date",
    )

    def __init__(self) -> None:
        self._known = {name: GraphQLScalarType(name) for name in self._NAMES}

    def __getitem__(self, name: str) -> GraphQLScalarType:
        return self._known[name]

    def all(self) -> Iterable[GraphQLScalarType]:
        return self._known.values()

    def of_dimension(self, name: str) -> GraphQLScalarType:
        if name in TIME_DIMENSIONS:
            return self["Time"]
        return self["Date"] if name == "date" else self["uint8"] if name.startswith("is") else self["string"]


def _text_field(scalars: _Scalars) -> GraphQLField:
    return GraphQLField(GraphQLNonNull(scalars["string"]))


def _cost_field(scalars: _Scalars) -> GraphQLField:
    return GraphQLField(
        scalars["uint64"],
        resolve=lambda *_: 1,
        description="What the query costs of a budget; here there is none.",
    )


def _dataset_type(scalars: _Scalars) -> GraphQLObjectType:
    whole = scalars["uint64"]
    parts: Mapping[str, Mapping[str, GraphQLScalarType]] = {
        "sum": {name: scalars["float64"] if name == "duration" else whole for name in SUMS},
        "quantiles": dict.fromkeys(QUANTILES, scalars["float64"]),
        "max": dict.fromkeys(MAXIMA, scalars["float64"]),
        "avg": dict.fromkeys(AVERAGES, scalars["float64"]),
        "dimensions": {name: scalars.of_dimension(name) for name in DIMENSIONS},
    }
    return GraphQLObjectType(_PREFIX, {part: _part_field(part, members) for part, members in parts.items()})


def _part_field(part: str, members: Mapping[str, GraphQLScalarType]) -> GraphQLField:
    """Return a field whose members are worked out one by one: a query asks for few of the many quantiles."""
    fields = {
        name: GraphQLField(GraphQLNonNull(scalar), resolve=partial(_resolve_member, part, name))
        for name, scalar in members.items()
    }
    made = GraphQLObjectType(f"{_PREFIX}{part.capitalize()}", fields)
    return GraphQLField(made, resolve=lambda group, _info: group)


def _resolve_member(part: str, name: str, group: Group, _info: GraphQLResolveInfo[Any]) -> Value | float:
    return group.value(part, name)


def _filter_type(scalars: _Scalars) -> GraphQLInputObjectType:
    def members() -> dict[str, GraphQLInputField]:
        typed = {
            name: GraphQLInputField(
                GraphQLList(GraphQLNonNull(scalars.of_dimension(dimension)))
                if takes_list(name)
                else scalars.of_dimension(dimension)
            )
            for name, dimension in filter_fields()
        }
        nested = GraphQLInputField(GraphQLList(GraphQLNonNull(made)))
        return {**typed, "AND": nested, "OR": nested}

    made = GraphQLInputObjectType(f"{_PREFIX}Filter_InputObject", members)
    return made


def _order_type() -> GraphQLEnumType:
    names = [f"{name}_{direction}" for name in order_names() for direction in ("ASC", "DESC")]
    return GraphQLEnumType(f"{_PREFIX}OrderBy", {name: name for name in names})


def _resolve_accounts(_: Any, _info: GraphQLResolveInfo[Any], **given: Any) -> list[Mapping[str, str]]:
    """Return the account that is asked for: any one there is (docs/wrangler.md)."""
    return [{"accountTag": str((given.get("filter") or {}).get("accountTag") or "local")}]


def _resolve_dataset(_: Any, info: GraphQLResolveInfo[Any], **given: Any) -> list[Group]:
    rows: Rows = info.context
    condition = condition_of(given.get("filter"))
    wanted = [row for row in rows() if condition(row)]
    order = given.get("orderBy") or []
    limit = given["limit"]
    if not isinstance(limit, int):
        raise GraphQLError(f"error parsing args: limit is {limit!r}, not a whole number")
    return groups_of(wanted, _dimensions_asked(info), [one for one in order if one], limit)


def _dimensions_asked(info: GraphQLResolveInfo[Any]) -> list[str]:
    """Return which dimensions the query asks for: they tell the groups apart, so they must be known first."""
    nodes = [one for node in info.field_nodes for one in _fields(info, node.selection_set)]
    inner = [one for node in nodes if node.name.value == "dimensions" for one in _fields(info, node.selection_set)]
    asked = dict.fromkeys(node.name.value for node in inner)
    return [name for name in asked if name in DIMENSIONS]


def _fields(info: GraphQLResolveInfo[Any], selections: SelectionSetNode | None) -> Iterator[FieldNode]:
    """Yield the fields of a selection, those of its fragments too."""
    for node in selections.selections if selections is not None else ():
        if not _is_included(info, node):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(info, node.selection_set)
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(info, info.fragments[node.name.value].selection_set)


def _is_included(info: GraphQLResolveInfo[Any], node: SelectionNode) -> bool:
    skip = get_directive_values(GraphQLSkipDirective, node, info.variable_values)
    include = get_directive_values(GraphQLIncludeDirective, node, info.variable_values)
    return not (skip and skip["if"]) and not (include is not None and not include["if"])
