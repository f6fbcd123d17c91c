"""A query -> its answer, in the shape of Cloudflare's GraphQL API; errors too come with status 200."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    VariablesInAllowedPositionRule,
    execute,
    parse,
    specified_rules,
    validate,
)

from gateway.control.graphql.limits import MAX_CHARACTERS, MAX_TOKENS, check_limits
from gateway.control.graphql.rows import moment_text
from gateway.control.graphql.schema import Rows

Json = dict[str, Any]

# Cloudflare's own examples declare times as `$start: string` and hand them to `Time`.
_RULES: Final = tuple(rule for rule in specified_rules if rule is not VariablesInAllowedPositionRule)
_MAX_ERRORS: Final = 20


def answer_query(schema: GraphQLSchema, body: Mapping[str, Any], rows: Rows, now: float) -> Json:
    """Return the answer to the body of a request: ``{"query", "variables", "operationName"}``.

    Args:
        now: Seconds since the epoch, for the errors.
    """
    try:
        result = _execute(schema, body, rows)
    except GraphQLError as error:
        return error_answer([error], now)
    except RecursionError:
        return error_answer([GraphQLError("the query or its variables are nested too deep")], now)
    if result.errors:
        return error_answer(result.errors, now)
    return {"data": result.data, "errors": None}


def error_answer(errors: Sequence[GraphQLError], now: float) -> Json:
    """Return what a query gets that cannot be answered; no part of it is."""
    shown = [
        {
            "message": error.message,
            "path": [str(step) for step in error.path] if error.path else None,
            "extensions": {"timestamp": moment_text(now)},
        }
        for error in errors
    ]
    return {"data": None, "errors": shown}


def _execute(schema: GraphQLSchema, body: Mapping[str, Any], rows: Rows) -> ExecutionResult:
    query = body.get("query")
    if not isinstance(query, str):
        raise GraphQLError('there is no query: send {"query": "{ viewer { ... } }", "variables": {...}}')
    document = parse(
        query, no_location=True, max_tokens=MAX_TOKENS, max_source_length=MAX_CHARACTERS, max_comments=MAX_TOKENS
    )
    check_limits(document)
    if errors := validate(schema, document, _RULES, max_errors=_MAX_ERRORS):
        return ExecutionResult(None, errors)
    result = execute(
        schema,
        document,
        context_value=rows,
        variable_values=_mapping(body, "variables"),
        operation_name=_text(body, "operationName"),
    )
    assert isinstance(result, ExecutionResult)  # noqa: S101 - no resolver of ours waits
    return result


def _mapping(body: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise GraphQLError(f"{name} is {value!r}: send an object")
    return value


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise GraphQLError(f"{name} is {value!r}: send a text")
    return value
