"""Which rule wins: the whole order of precedence, as one list.

====  ================  ==========================================================================  =============
step  rule              what it does                                                                source
====  ================  ==========================================================================  =============
1     durable object    the request belongs to an object: the object's version, whatever else it    R46, R50
                        carries, since only one version of an object runs at a time
2     version URL       the request came to the URL of one version: that version                    R20
3     override          the header names this Worker and a deployed version: that version           R21, R28-R36
4     cohort            the cohort's list replaces the default list for steps 5 and 6 (draft)       R22, R71-R75
5     affinity key      a hash of the key is the point; the version whose range holds it            R23, R37-R43
6     percentages       an independent draw is the point                                            R24, R44
====  ================  ==========================================================================  =============

A rule returns a decision, or why a signal it found does not count, or ``None`` when there is nothing for it to do.
A signal that does not count is never an error (R25): it is noted, and the next rule is asked.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.decision import IgnoredSignal, Reason, RoutingDecision
from gateway.model.request import NO_SIGNALS, RequestFacts
from gateway.routing.affinity import point_of_key
from gateway.routing.cohorts import cohort_split
from gateway.routing.overrides import overridden_version
from gateway.routing.percentages import Split
from gateway.routing.plan import RoutingPlan

Draw = Callable[[], float]
"""Returns the next random point on [0, 100); passed in, so that a seed makes decisions repeatable."""

Rule = Callable[[RequestFacts, RoutingPlan, Draw], RoutingDecision | IgnoredSignal | None]


def durable_object(facts: RequestFacts, _plan: RoutingPlan, _draw: Draw) -> RoutingDecision | None:
    """R50: an object's version depends on the object alone, not on the caller's version, key or override."""
    target = facts.durable_object
    if target is None:
        return None
    return RoutingDecision(target.running, Reason.DURABLE_OBJECT, target.point)


def version_url(facts: RequestFacts, _plan: RoutingPlan, _draw: Draw) -> RoutingDecision | None:
    """R20: a version URL is answered by that version, deployed or not; no other rule applies."""
    if facts.addressed_version is None:
        return None
    return RoutingDecision(facts.addressed_version, Reason.VERSION_URL)


def override(facts: RequestFacts, plan: RoutingPlan, _draw: Draw) -> RoutingDecision | IgnoredSignal | None:
    """R21: a deployed version that the client names for this Worker answers, even at 0%."""
    if facts.overrides is None:
        return None
    wanted = overridden_version(facts.overrides, plan.worker, plan.deployed, plan.uploaded)
    if isinstance(wanted, IgnoredSignal):
        return wanted
    return RoutingDecision(wanted, Reason.OVERRIDE)


def cohort(facts: RequestFacts, plan: RoutingPlan, _draw: Draw) -> IgnoredSignal | None:
    """R22: a cohort never decides alone; here only a header that does not count is noted."""
    if facts.cohort is None:
        return None
    found = cohort_split(facts.cohort, plan.cohorts, trusted=plan.trust_cohort)
    return found if isinstance(found, IgnoredSignal) else None


def affinity_key(facts: RequestFacts, plan: RoutingPlan, _draw: Draw) -> RoutingDecision | None:
    """R23: the same key reaches the same version for as long as the deployment stands. Empty is absent (R43)."""
    if not facts.version_key:
        return None
    return _placed(facts, plan, Reason.AFFINITY, point_of_key(facts.version_key, plan.key_seed))


def percentages(facts: RequestFacts, plan: RoutingPlan, draw: Draw) -> RoutingDecision:
    """R24: without any signal each request is an independent draw."""
    return _placed(facts, plan, Reason.PERCENTAGE, draw())


PRECEDENCE: tuple[Rule, ...] = (durable_object, version_url, override, cohort, affinity_key, percentages)


def decide(facts: RequestFacts, plan: RoutingPlan, draw: Draw) -> RoutingDecision:
    """Return the version that answers this request, the reason, and the signals that did not count."""
    if facts is NO_SIGNALS:  # most requests: nothing for the rules before the last to look at
        return percentages(facts, plan, draw)
    ignored: tuple[IgnoredSignal, ...] = ()
    for rule in PRECEDENCE:
        outcome = rule(facts, plan, draw)
        if outcome is None:
            continue
        if isinstance(outcome, RoutingDecision):
            return outcome._replace(ignored=ignored) if ignored else outcome
        ignored = (*ignored, outcome)
    raise AssertionError("percentages always decide")


def _placed(facts: RequestFacts, plan: RoutingPlan, reason: Reason, point: float) -> RoutingDecision:
    split, name = _list_for(facts, plan) if plan.cohorts else (plan.split, "")
    version_id, low, high = split.at(point)
    return RoutingDecision(version_id, reason, point, low, high, name)


def _list_for(facts: RequestFacts, plan: RoutingPlan) -> tuple[Split, str]:
    """Return the list of versions that a point falls on, and the cohort it is of (R22, R74)."""
    if facts.cohort is not None:
        found = cohort_split(facts.cohort, plan.cohorts, trusted=plan.trust_cohort)
        if isinstance(found, Split):
            return found, facts.cohort.lower()
    return plan.split, ""
