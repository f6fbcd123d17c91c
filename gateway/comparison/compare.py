"""Two answers -> their differences; two versions' files -> what each page would miss from the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from gateway.comparison.answers import Answer, Difference, Kind, Request
from gateway.comparison.header_differences import header_differences
from gateway.comparison.json_shape import json_differences
from gateway.comparison.subresources import lack_of, subresources_of

_SUCCESS: Final = range(200, 300)


class Pair(NamedTuple):
    """What each of the two versions answered."""

    before: Answer
    after: Answer


Ask = Callable[[Request], Pair]
"""Sends a request to both versions."""


def answer_differences(pair: Pair) -> Iterator[Difference]:
    """Yield in which fields two answers differ: status, headers, shape of JSON."""
    before, after = pair
    if before.status != after.status:
        yield Difference("status", Kind.CHANGED, str(before.status), str(after.status))
    yield from header_differences(before, after)
    if before.is_json and after.is_json and (before.body or after.body):
        yield from json_differences(before.body, after.body)


def subresource_differences(request: Request, pair: Pair, ask: Ask) -> Iterator[Difference]:
    """Yield the files that one version's page asks for and only that version has (R82, R83).

    What both lack is no skew: it would be missing without a split, too.
    """
    own_is_before = (True, False)
    for answer, is_before in zip(pair, own_is_before, strict=True):
        if not (answer.is_html and answer.status in _SUCCESS):
            continue
        for one in subresources_of(answer.body.decode("utf-8", "replace"), request):
            answers = ask(Request("GET", one.host, one.target, _context(request)))
            own, other = answers if is_before else reversed(answers)
            lack = lack_of(other, one.kind)
            if lack and not lack_of(own, one.kind):
                told = (f"{own.status}, page asks for it ({one.kind})", lack)
                yield Difference(f"subresource:{one.target}", Kind.LACKING, *(told if is_before else told[::-1]))


def _context(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the headers that a browser would send with a page's files too: who the user is."""
    return tuple(one for one in request.headers if one[0].lower() in {"cookie", "authorization", "user-agent"})
