"""Assertions that explain themselves: what was asked, what was seen, how far chance may carry it, the seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

from gateway.model.decision import Reason
from gateway.model.deployment import SUM_TOLERANCE
from gateway.observability.events import RequestEvent, ResetEvent
from gateway.routing.percentages import FULL
from gateway.routing.split_bounds import (
    FALSE_ALARM,
    Range,
    allowed_by_chance,
    allowed_within,
    chance_of_false_alarm,
    independent_draws,
    requests_needed,
)
from gateway.skew.incident import Incident
from gateway.testing.answers import Decision, HasHeaders, decision_of
from gateway.testing.errors import EdgeMisused


class Watched(Protocol):
    """What an assertion asks of an edge, in the test's loop or in a thread."""

    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def requests(self) -> list[RequestEvent]: ...  # noqa: D102
    @property
    def resets(self) -> list[ResetEvent]: ...  # noqa: D102
    @property
    def skew(self) -> list[Incident]: ...  # noqa: D102

    def drawn_since_deployment(self, worker: str) -> list[RequestEvent]:
        """Return a Worker's requests since it was deployed last."""

    def label_of(self, worker: str, version_id: str) -> str:
        """Return what people call a version."""

    def check_tags(self, worker: str, tags: Iterable[str]) -> None:
        """Check that a Worker has versions of these tags."""


def seed_line(seed: int) -> str:
    """Return how a run is repeated."""
    return f"gateway seed {seed}: repeat with --gateway-seed {seed}"


# The version of an answer.


def assert_version(response: HasHeaders, version: str) -> None:
    """Assert that a version gave an answer.

    Args:
        response: Of any client: what counts are its ``headers``.
        version: Tag or id.
    """
    __tracebackhide__ = True
    decision = decision_of(response)
    if decision is None:
        raise AssertionError(
            f"expected version {version}, but no version gave this answer (it has no Gateway-Version"
            f"{_status(response)}): it did not come through the edge, or the gateway wrote it itself"
        )
    if version not in (decision.tag, decision.version):
        raise AssertionError(f"expected version {version}, answered by {decision.label}: {_why(decision)}")


def _status(response: HasHeaders) -> str:
    status = getattr(response, "status", None) or getattr(response, "status_code", None)
    return f"; status {status}" if status is not None else ""


def _why(decision: Decision) -> str:
    parts = [f"reason {decision.reason}"]
    if decision.point is not None:
        parts.append(f"point {decision.point:g}")
    if decision.cohort:
        parts.append(f"cohort {decision.cohort}")
    if decision.ignored:
        parts.append(f"ignored {' '.join(decision.ignored)}")
    return ", ".join(parts)


# The split of many.


def assert_split(edge: Watched, worker: str, /, *, within: float | None = None, **percentages: float) -> None:
    """Assert that a Worker's requests since its last deployment were split by these percentages.

    Counted are draws, and each affinity key once: an override, a version URL or a Durable Object says nothing of
    the split. A right split fails less often than once in a million runs, however many requests there were.

    Args:
        within: Instead of what chance allows, by how many percentage points each share may miss.
        percentages: By tag; they add up to 100.

    Raises:
        EdgeMisused: A tag is unknown, the percentages do not add up, or there were too few requests.
    """
    __tracebackhide__ = True
    edge.check_tags(worker, percentages)
    _check_percentages(worker, percentages, within)
    requests = edge.drawn_since_deployment(worker)
    drawn = list(independent_draws(requests))
    if not drawn:
        raise EdgeMisused(
            f"assert_split: no request to {worker} was drawn since its last deployment"
            f"{_left_out(requests, drawn)}",
            remedy="Send some without override, with different affinity keys or none.",
        )
    allowed = _allowed(len(drawn), percentages, within)
    counts = Counter(edge.label_of(worker, request.version_id) for request in drawn)
    wrong = {tag for tag, (low, high) in allowed.items() if not low <= counts[tag] <= high}
    wrong |= counts.keys() - percentages.keys()
    if wrong:
        asked = ", ".join(f"{tag}={percentage:g}" for tag, percentage in percentages.items())
        lines = [f"{worker}: {len(drawn)} requests were not split as {asked}"]
        lines += _table(percentages, counts, allowed, wrong, len(drawn))
        lines.append(_meaning(within) + _left_out(requests, drawn))
        raise AssertionError("\n".join([*lines, seed_line(edge.seed)]))


def _check_percentages(worker: str, percentages: Mapping[str, float], within: float | None) -> None:
    total = sum(percentages.values())
    if not percentages or abs(total - FULL) > SUM_TOLERANCE or min(percentages.values()) < 0:
        raise EdgeMisused(
            f"assert_split: the percentages of {worker} add up to {total:g}, not 100",
            remedy="Name each version of the deployment: assert_split(edge, 'shop', v1=90, v2=10).",
        )
    if within is not None and not 0 < within <= FULL:
        raise EdgeMisused(f"assert_split: within={within:g} is out of range", remedy="Give 0 to 100 points.")


def _allowed(total: int, percentages: Mapping[str, float], within: float | None) -> dict[str, Range]:
    if within is None:
        return allowed_by_chance(total, percentages)
    allowed = allowed_within(total, percentages, within)
    chance = chance_of_false_alarm(total, percentages, allowed)
    if chance > FALSE_ALARM:
        raise EdgeMisused(
            f"assert_split: {total} requests are too few for within={within:g}: "
            f"a right split could fail up to {chance:.2g} of all runs",
            remedy=f"Send about {requests_needed(percentages, within):,}, allow more points, or leave it out.",
        )
    return allowed


def _table(
    percentages: Mapping[str, float],
    counts: Counter[str],
    allowed: Mapping[str, Range],
    wrong: set[str],
    total: int,
) -> list[str]:
    tags = [*percentages, *sorted(counts.keys() - percentages.keys())]
    width = max(len("version"), *(len(tag) for tag in tags))
    lines = [f"  {'version':<{width}}  {'asked':>7}  {'counted':>8}  {'share':>6}  allowed"]
    for tag in tags:
        low, high = allowed.get(tag, Range(0, 0))
        asked = f"{percentages.get(tag, 0.0):g}%"
        mark = "   <-" if tag in wrong else ""
        share = f"{100 * counts[tag] / total:.1f}%"
        lines.append(f"  {tag:<{width}}  {asked:>7}  {counts[tag]:>8}  {share:>6}  {low} to {high}{mark}")
    return lines


def _meaning(within: float | None) -> str:
    if within is not None:
        return f"allowed is what lies within {within:g} percentage points"
    return f"allowed is what a right split leaves less than once in {round(1 / FALSE_ALARM):,} runs"


def _left_out(requests: list[RequestEvent], drawn: list[RequestEvent]) -> str:
    kept = set(map(id, drawn))
    others = Counter(
        "a key counted already" if request.reason == Reason.AFFINITY else request.reason or "no version"
        for request in requests
        if id(request) not in kept
    )
    told = ", ".join(f"{count} by {reason}" for reason, count in sorted(others.items()))
    return f" (not counted: {told})" if told else ""


# Resets of objects.


def assert_each_object_reset_at_most(edge: Watched, most: int) -> None:
    """Assert that no Durable Object went over to another version more than ``most`` times since the edge started.

    An object that lives outside workerd goes over with the first request after the deployment that moves it.
    """
    __tracebackhide__ = True
    resets: defaultdict[tuple[str, str, str], list[ResetEvent]] = defaultdict(list)
    for reset in edge.resets:
        resets[reset.worker, reset.class_name, reset.id].append(reset)
    wrong = [each for each in resets.values() if len(each) > most]
    if wrong:
        lines = [f"{len(wrong)} of {len(resets)} objects that moved were reset more than {most} times"]
        lines += [_resets_line(edge, each) for each in wrong]
        raise AssertionError("\n".join([*lines, seed_line(edge.seed)]))


def _resets_line(edge: Watched, resets: list[ResetEvent]) -> str:
    first = resets[0]
    name = next((reset.name for reset in resets if reset.name), first.id[:16])
    steps = ", ".join(
        f"{edge.label_of(first.worker, reset.from_version)} -> {edge.label_of(first.worker, reset.to_version)} "
        f"(deployment {reset.deployment})"
        for reset in resets
    )
    return f"  {first.worker} {first.class_name}/{name}: {len(resets)} resets: {steps}"
