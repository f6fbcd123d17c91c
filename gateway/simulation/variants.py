"""The same plan and traffic under other choices: with and without key, ``sticky`` and ``hash``, order swapped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from gateway.model.durable_object import AssignmentRule
from gateway.simulation.recorded import Keys
from gateway.simulation.scenario import KeySource, Order, Scenario


class Variant(NamedTuple):
    """One choice that differs from what was given.

    Args:
        keys: For recorded traffic, whose keys the scenario does not make up.
    """

    name: str
    scenario: Scenario
    keys: Keys = Keys.AS_GIVEN


def variants_of(scenario: Scenario, *, recorded: bool = False) -> Iterator[Variant]:
    """Yield what was given, then each choice that differs from it; of objects only where there are some."""
    yield Variant("as given", scenario)
    if recorded or scenario.key_share:
        yield Variant("no key", replace(scenario, key_share=0.0), Keys.NONE)
    yield from _with_key(scenario, recorded=recorded)
    if scenario.objects:
        other = next(rule for rule in AssignmentRule if rule is not scenario.assignment)
        yield Variant(f"assignment {other}", replace(scenario, assignment=other))
    for order in (Order.NEW_FIRST, Order.SWAPPED):
        if order is not scenario.order:
            name = "order swapped at each step" if order is Order.SWAPPED else f"order {order}"
            yield Variant(name, replace(scenario, order=order))
            if order is Order.SWAPPED and scenario.objects and scenario.assignment is AssignmentRule.STICKY:
                hashed = replace(scenario, order=order, assignment=AssignmentRule.HASH)
                yield Variant("order swapped, assignment hash", hashed)


def _with_key(scenario: Scenario, *, recorded: bool) -> Iterator[Variant]:
    """Yield a key for every user: by cookie a first page is still drawn without it (R42), by the client not."""
    everyone = replace(scenario, key_share=1.0)
    if recorded:
        yield Variant("a key for every session", everyone, Keys.EVERYONE)
        return
    for source in KeySource:
        if (scenario.key_share, scenario.key_source) != (1.0, source):
            yield Variant(f"a key for every user, from the {source}", replace(everyone, key_source=source))
