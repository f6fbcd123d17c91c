"""Whole queries: names of the schema, errors in Cloudflare's shape, and bounds for hostile ones."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLSchema, get_introspection_query

from gateway.control.graphql.answering import answer_query
from gateway.control.graphql.schema import make_schema
from tests.control.graphql.test_graphql_groups import ROWS

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """Return the schema, made once."""
    return make_schema()


def asked(schema: GraphQLSchema, query: object, **variables: Any) -> Any:
    """Return the whole answer."""
    return answer_query(schema, {"query": query, "variables": variables}, lambda: ROWS, NOW)


def dataset(schema: GraphQLSchema, selection: str, arguments: str = "limit: 100") -> Any:
    """Return the rows of a query that succeeds."""
    query = f"{{ viewer {{ accounts {{ workersInvocationsAdaptive({arguments}) {{ {selection} }} }} }} }}"
    told = asked(schema, query)
    assert told["errors"] is None, told
    return told["data"]["viewer"]["accounts"][0]["workersInvocationsAdaptive"]


TUTORIAL = """
query GetWorkersAnalytics($accountTag: string, $datetimeStart: string, $datetimeEnd: string, $scriptName: string) {
  viewer {
    accounts(filter: {accountTag: $accountTag}) {
      workersInvocationsAdaptive(limit: 100, filter: {
        scriptName: $scriptName, datetime_geq: $datetimeStart, datetime_leq: $datetimeEnd
      }) {
        sum { subrequests requests errors }
        quantiles { cpuTimeP50 cpuTimeP99 }
        dimensions { datetime scriptName status }
      }
    }
  }
}
"""
"""The query of Cloudflare's tutorial, whose variables are declared as text where times are wanted."""


@pytest.mark.parametrize("declared", ["string", "String", "string!", "String!", "Time"])
def test_the_query_of_the_tutorial_is_answered(schema: GraphQLSchema, declared: str) -> None:
    """R115; Cloudflare docs, Querying Workers Metrics: scripts written for production run here."""
    query = TUTORIAL.replace("$datetimeStart: string", f"$datetimeStart: {declared}")
    told = asked(
        schema,
        query,
        accountTag="any",
        datetimeStart="2027-01-15T08:00:00Z",
        datetimeEnd="2027-01-15T08:00:30Z",
        scriptName="shop",
    )
    rows = told["data"]["viewer"]["accounts"][0]["workersInvocationsAdaptive"]

    assert told["errors"] is None
    assert [(row["dimensions"]["status"], row["sum"]["requests"]) for row in rows] == [
        ("clientDisconnected", 2),
        ("exceededResources", 1),
        ("scriptThrewException", 5),
        ("success", 90),
    ]
    assert rows[0]["dimensions"]["datetime"] == "2027-01-15T08:00:00Z"
    assert rows[0]["quantiles"] == {"cpuTimeP50": 0, "cpuTimeP99": 0}


def test_a_filter_and_an_order_may_be_variables(schema: GraphQLSchema) -> None:
    """Cloudflare's names of input types, as the dashboard's own queries use them."""
    query = """
    query Q($filter: AccountWorkersInvocationsAdaptiveFilter_InputObject!, $limit: uint64!,
            $order: [AccountWorkersInvocationsAdaptiveOrderBy!]) {
      viewer { accounts(filter: {accountTag: "x"}) { accountTag
        top: workersInvocationsAdaptive(filter: $filter, limit: $limit, orderBy: $order) {
          ...on AccountWorkersInvocationsAdaptive { count: sum { requests } }
          dimensions { ...D }
        } } } }
    fragment D on AccountWorkersInvocationsAdaptiveDimensions { version: scriptVersion status @include(if: false) }
    """
    told = asked(schema, query, filter={"OR": [{"status": "success"}]}, limit=1, order=["sum_requests_DESC"])

    assert told["errors"] is None
    (account,) = told["data"]["viewer"]["accounts"]
    assert account == {
        "accountTag": "x",
        "top": [{"count": {"requests": 100}, "dimensions": {"version": "v1"}}],
    }


def test_dimensions_are_found_wherever_they_are_asked_for(schema: GraphQLSchema) -> None:
    """A group must be told apart by what stands in two selections, too."""
    rows = dataset(schema, "dimensions { scriptVersion } ... { dimensions { status } } sum { requests }")

    assert len(rows) == 5
    assert all(set(row["dimensions"]) == {"scriptVersion", "status"} for row in rows)
    assert dataset(schema, "sum { requests }", 'limit: 1, filter: {scriptName: "api"}') == []


def test_the_schema_can_be_asked_for(schema: GraphQLSchema) -> None:
    """Issue C, GraphQL: introspection is on, for clients' tools."""
    told = asked(schema, get_introspection_query())
    names = {one["name"] for one in told["data"]["__schema"]["types"]}

    assert {"AccountWorkersInvocationsAdaptiveSum", "AccountWorkersInvocationsAdaptiveFilter_InputObject"} <= names


NESTED = "{ viewer " * 40 + "{ x }" + "}" * 40
WRONG: dict[str, tuple[object, str]] = {
    "no query": (None, "there is no query"),
    "no GraphQL": ("select requests", "Syntax Error"),
    "an unknown field": ("{ viewer { zones { x } } }", "Cannot query field 'zones'"),
    "an unknown dataset": ("{ viewer { accounts { workersSubrequests { x } } } }", "Cannot query field"),
    "no limit": ("{ viewer { accounts { workersInvocationsAdaptive { sum { requests } } } } }", "limit"),
    "too deep": (NESTED, "more than 30 deep"),
    "far too deep": ("{a" * 2_000 + "}" * 2_000, "nested"),
    "too many words": ("{ " + "a " * 10_000 + "}", "too many tokens|more than 5000 tokens|Syntax Error"),
    "too large": ("{ viewer { x } } #" + "x" * 200_000, "Syntax Error"),
    "too many fields": ("{ viewer { " + "a " * 2_000 + "} }", "number of fields"),
    "fragments that multiply": (
        "query { ...A ...A ...A } "
        + "".join(f"fragment {a} on Query {{ {('...' + b + ' ') * 20} }} " for a, b in ("AB", "BC", "CD"))
        + "fragment D on Query { viewer { accounts { accountTag } } }",
        "number of fields",
    ),
    "fragments in a ring": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "30 deep"),
    "too many datasets": (
        "{ viewer { accounts { "
        + " ".join(f"a{n}: workersInvocationsAdaptive(limit: 1) {{ sum {{ requests }} }}" for n in range(21))
        + " } } }",
        "number of datasets",
    ),
}


@pytest.mark.parametrize(("query", "says"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_answered_is_told_in_cloudflares_shape(
    schema: GraphQLSchema, query: object, says: str
) -> None:
    """Cloudflare docs, GraphQL errors: data null; message, path, extensions.timestamp."""
    told = asked(schema, query)

    assert told["data"] is None
    assert all(set(one) == {"message", "path", "extensions"} for one in told["errors"])
    assert told["errors"][0]["extensions"] == {"timestamp": "2027-01-15T08:00:00Z"}
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(told["errors"][0]["message"])


def test_an_error_of_a_value_has_its_path(schema: GraphQLSchema) -> None:
    """As above: where in the query it is."""
    query = "{ viewer { accounts { workersInvocationsAdaptive(limit: 0) { sum { requests } } } } }"
    (error,) = asked(schema, query)["errors"]

    assert error["path"] == ["viewer", "accounts", "0", "workersInvocationsAdaptive"]


@pytest.mark.parametrize(
    "body", [{"query": "{ cost }", "variables": []}, {"query": "{ cost }", "operationName": 5}]
)
def test_members_of_the_body_have_their_kind(schema: GraphQLSchema, body: dict[str, Any]) -> None:
    """GraphQL over HTTP: variables are an object, the operation's name is text."""
    assert answer_query(schema, body, lambda: ROWS, NOW)["data"] is None
    assert answer_query(schema, {"query": "{ cost }"}, lambda: ROWS, NOW)["data"] == {"cost": 1}
