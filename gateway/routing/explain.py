"""The chain behind a decision, told rule by rule, by the very rules that decide."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from gateway.model.decision import IgnoredSignal, Reason, RoutingDecision
from gateway.model.request import RequestFacts
from gateway.routing.affinity import HASH_NAME
from gateway.routing.decide import PRECEDENCE, Draw
from gateway.routing.plan import RoutingPlan


class Outcome(StrEnum):
    """What became of one rule."""

    DECIDED = "decided"
    IGNORED = "ignored"
    APPLIED = "applied"
    ABSENT = "absent"
    NOT_REACHED = "not reached"


class Step(NamedTuple):
    """One rule of the order of precedence, in the words of the person who asks why."""

    rule: str
    outcome: Outcome
    detail: str
    cites: str


class Explanation(NamedTuple):
    """All steps in order, and the decision they led to."""

    steps: tuple[Step, ...]
    decision: RoutingDecision


_CITES = {
    "durable_object": "R50",
    "version_url": "R20",
    "override": "R21",
    "cohort": "R22",
    "affinity_key": "R23",
    "percentages": "R24",
}

_ABSENT = {
    "durable_object": "the request belongs to no Durable Object",
    "version_url": "the host is no version URL",
    "override": "no Cloudflare-Workers-Version-Overrides header",
    "cohort": "no cohort",
    "affinity_key": "no Cloudflare-Workers-Version-Key header, or an empty one",
}


def explain(facts: RequestFacts, plan: RoutingPlan, draw: Draw) -> Explanation:
    """Decide as ``decide`` does, and say for each rule what it found."""
    steps: list[Step] = []
    decision: RoutingDecision | None = None
    ignored: list[IgnoredSignal] = []
    for rule in PRECEDENCE:
        name = rule.__name__
        if decision is not None:
            steps.append(Step(name, Outcome.NOT_REACHED, "an earlier rule decided", _CITES[name]))
            continue
        outcome = rule(facts, plan, draw)
        if isinstance(outcome, RoutingDecision):
            decision = outcome
            steps.append(Step(name, Outcome.DECIDED, _why(outcome, facts, plan), _CITES[name]))
        elif outcome is not None:
            ignored.append(outcome)
            steps.append(Step(name, Outcome.IGNORED, f"{outcome.cause}: {outcome.detail}", outcome.rule))
        elif name == "cohort" and facts.cohort is not None and plan.cohorts:
            detail = f"the list of cohort {facts.cohort.lower()!r} replaces the default list"
            steps.append(Step(name, Outcome.APPLIED, detail, _CITES[name]))
        else:
            steps.append(Step(name, Outcome.ABSENT, _ABSENT[name], _CITES[name]))
    assert decision is not None  # noqa: S101 - the last rule always decides
    return Explanation(tuple(steps), decision._replace(ignored=tuple(ignored)))


def _why(decision: RoutingDecision, facts: RequestFacts, plan: RoutingPlan) -> str:
    match decision.reason:
        case Reason.DURABLE_OBJECT:
            return _why_object(facts)
        case Reason.VERSION_URL:
            return "the host names this version; no other rule applies"
        case Reason.OVERRIDE:
            return f"the header names {plan.worker!r} and a version of the active deployment"
        case Reason.AFFINITY:
            return f"key {facts.version_key!r} lies at {_range(decision)} ({HASH_NAME})"
        case Reason.PERCENTAGE:
            return f"this request's draw is {_range(decision)}; the next draw is independent"


def _why_object(facts: RequestFacts) -> str:
    target = facts.durable_object
    assert target is not None  # noqa: S101 - the rule decided by it
    who = f"object {target.key.class_name}/{target.key.name} (point {target.point:.2f})"
    if target.running != target.assigned:
        return f"{who} is assigned {target.assigned} and still runs the version before, until its update is due"
    by = "pinned" if target.pinned else f"assigned by deployment {target.deployment_number}"
    return f"{who} was {by}; caller, key and override do not count"


def _range(decision: RoutingDecision) -> str:
    return f"{decision.point:.4f}, in the range [{decision.low:g}, {decision.high:g})"
