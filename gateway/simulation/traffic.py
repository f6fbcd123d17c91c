"""Sessions as values: what each asks for, with which signals, and which objects it uses."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from gateway.model.durable_object import object_id
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.simulation.scenario import KeySource, Scenario

NO_PAGE: Final = -1
"""In ``Session.page_of``: the request is no asset of a page."""

_CLASS: Final = "Object"


class Session(NamedTuple):
    """One visit of one user.

    Args:
        user: The same for the same user, at later steps too.
        facts: What routing sees of each request, in order.
        page_of: For each request the position of the page that asked for it, or ``NO_PAGE``.
        objects: Positions in ``Traffic.object_ids`` of the objects it uses, in order.
    """

    user: str
    facts: Sequence[RequestFacts]
    page_of: Sequence[int]
    objects: Sequence[int] = ()


class Traffic(NamedTuple):
    """All traffic under a plan.

    Args:
        users_before: Users who were there before the plan, and so have met the old version; each with its key's
            facts, or ``NO_SIGNALS``.
        object_ids: All objects; those of ``objects_before`` were in use before the plan.
        steps: The sessions of each step, made as they are asked for.
    """

    users_before: Sequence[tuple[str, RequestFacts]]
    object_ids: Sequence[bytes]
    objects_before: int
    steps: Iterable[Sequence[Session]]


class _User(NamedTuple):
    name: str
    facts: RequestFacts


def made_up_traffic(scenario: Scenario) -> Traffic:
    """Return the traffic that a scenario describes; the same seed gives the same, whatever the plan's order."""
    source = random.Random(f"traffic {scenario.seed}")  # noqa: S311 - made-up visitors, no secrets
    before = [_user(number, scenario, source) for number in range(scenario.sessions)]
    new_objects = round(scenario.objects * scenario.new_objects)
    return Traffic(
        users_before=[(user.name, user.facts) for user in before],
        object_ids=[object_id(scenario.worker, _CLASS, f"object-{one}") for one in range(scenario.objects)],
        objects_before=scenario.objects - new_objects,
        steps=_steps(scenario, before, new_objects, source),
    )


def page_positions(requests: int, assets: int) -> tuple[int, ...]:
    """Return ``page_of`` of a session that loads one page after another, each with its assets."""
    every = assets + 1
    return tuple(NO_PAGE if one % every == 0 else one - one % every for one in range(requests))


def _user(number: int, scenario: Scenario, source: random.Random) -> _User:
    name = f"user-{number}"
    return _User(name, RequestFacts(version_key=name) if source.random() < scenario.key_share else NO_SIGNALS)


def _steps(
    scenario: Scenario, users: list[_User], new_objects: int, source: random.Random
) -> Iterator[Sequence[Session]]:
    pages = page_positions(scenario.requests, scenario.assets)
    old_objects = scenario.objects - new_objects
    for position in range(len(scenario.plan)):
        in_use = old_objects + new_objects * (position + 1) // len(scenario.plan)
        known = len(users)
        sessions = []
        for _ in range(scenario.sessions):
            if known and source.random() < scenario.returning:
                user, first_visit = users[int(source.random() * known)], False
            else:
                user, first_visit = _user(len(users), scenario, source), True
                users.append(user)
            used = (int(source.random() * in_use),) if in_use else ()
            sessions.append(Session(user.name, _facts(user, scenario, first_visit=first_visit), pages, used))
        yield sessions


def _facts(user: _User, scenario: Scenario, *, first_visit: bool) -> tuple[RequestFacts, ...]:
    """Return the facts of a session's requests: a cookie's key comes with the first answer only (R42)."""
    if first_visit and scenario.key_source is KeySource.COOKIE:
        return (NO_SIGNALS, *(user.facts,) * (scenario.requests - 1))
    return (user.facts,) * scenario.requests
