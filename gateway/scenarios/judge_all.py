"""Holds all that a scenario has sent so far against what was expected of it as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.comparison.answers import Answer
from gateway.comparison.subresources import lack_of
from gateway.routing.split_bounds import (
    FALSE_ALARM,
    Range,
    allowed_by_chance,
    allowed_within,
    chance_of_false_alarm,
    independent_draws,
    requests_needed,
)
from gateway.scenarios.exchange import Exchange, ObjectMoved, SkewFound
from gateway.scenarios.model import ExpectAll


class Evidence(NamedTuple):
    """What a scenario has seen so far.

    Args:
        since_deployment: Of ``exchanges``, those since its last deployment.
    """

    exchanges: Sequence[Exchange]
    since_deployment: Sequence[Exchange]
    skew: Sequence[SkewFound] = ()
    moved: Sequence[ObjectMoved] = ()


def failures_of_all(expected: ExpectAll, evidence: Evidence) -> Iterator[str]:
    """Yield what is not as expected, each in one line."""
    if expected.split:
        yield from _split(expected, evidence.since_deployment)
    if expected.skew is not None:
        yield from _skew(expected.skew, evidence.skew)
    if expected.resets_at_most is not None:
        yield from _resets(expected.resets_at_most, evidence.moved)
    if expected.errors_at_most is not None:
        wrong = [one for one in evidence.exchanges if one.is_error]
        yield from _too_many("errors", expected.errors_at_most, wrong)
    if expected.broken_files_at_most is not None:
        wrong = [one for one in evidence.exchanges if is_broken_file(one)]
        yield from _too_many("broken files", expected.broken_files_at_most, wrong)


def is_broken_file(exchange: Exchange) -> bool:
    """Tell whether a page asked for a file that did not come (R82, R83)."""
    if not exchange.kind:
        return False
    return not exchange.status or bool(lack_of(Answer(exchange.status, exchange.headers), exchange.kind))


def _too_many(what: str, most: int, wrong: Sequence[Exchange]) -> Iterator[str]:
    if len(wrong) > most:
        first = wrong[0]
        status = first.status or "no answer"
        yield f"expected {most} {what} at most, seen {len(wrong)}: first {first.title} {status} ({first.why})"


def _split(expected: ExpectAll, exchanges: Sequence[Exchange]) -> Iterator[str]:
    percentages = dict(expected.split)
    drawn = list(independent_draws(one for one in exchanges if not one.racing))
    asked = ", ".join(f"{tag} {percentage:g}%" for tag, percentage in expected.split)
    if not drawn:
        yield (
            f"expected a split of {asked}, seen no request that was drawn since the last deployment: "
            "send some without override, with different affinity keys or none"
        )
        return
    total = len(drawn)
    allowed = _allowed(total, percentages, expected.within)
    if isinstance(allowed, str):
        yield f"expected a split of {asked}, seen {allowed}"
        return
    counts = Counter(one.version for one in drawn)
    wrong = [tag for tag, (low, high) in allowed.items() if not low <= counts[tag] <= high]
    wrong += sorted(counts.keys() - percentages.keys())
    if wrong:
        seen = ", ".join(
            f"{tag} {counts[tag]} ({_range(allowed.get(tag))})" for tag in dict.fromkeys([*percentages, *counts])
        )
        yield f"expected a split of {asked}, seen in {total} draws: {seen}"


def _range(allowed: Range | None) -> str:
    return f"allowed {allowed.low} to {allowed.high}" if allowed is not None else "allowed none"


def _allowed(total: int, percentages: dict[str, float], within: float | None) -> dict[str, Range] | str:
    """Return the counts that are allowed, or why so few draws cannot tell."""
    if within is None:
        return allowed_by_chance(total, percentages)
    allowed = allowed_within(total, percentages, within)
    if chance_of_false_alarm(total, percentages, allowed) > FALSE_ALARM:
        needed = requests_needed(percentages, within)
        return f"{total} draws, too few to tell it to within {within:g} points: send about {needed:,}"
    return allowed


def _skew(wanted: frozenset[str], found: Sequence[SkewFound]) -> Iterator[str]:
    for kind in sorted(wanted - {one.kind for one in found}):
        others = ", ".join(sorted({one.kind for one in found})) or "none"
        yield f"expected {kind}, seen {others}"
    for one in found:
        if one.kind not in wanted:
            yield (
                f"expected no {one.kind}, seen {one.count}: {one.before.title} {one.before.status} "
                f"({one.before.why}), then {one.after.title} {one.after.status} ({one.after.why}): "
                f"{one.cause}. {one.remedy}"
            )


def _resets(most: int, moved: Sequence[ObjectMoved]) -> Iterator[str]:
    for one in moved:
        if len(one.path) > most:
            resets = "reset" if most == 1 else "resets"
            yield f"expected {most} {resets} at most of {one.name}, seen {len(one.path)}: {', '.join(one.path)}"
