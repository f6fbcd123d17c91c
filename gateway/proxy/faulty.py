"""Faults on purpose: stands in the place of ``dispatch`` while there are any; without them nothing is paid.

A fault of a decision changes which version answers: a late propagation (R17) lets a request meet the deployment
before, an ignored override (R68) passes the header over. Any other happens on the way to the version and back,
and is made by ``suffering``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from gateway.model.decision import IgnoredSignal, Reason, Signal
from gateway.model.fault import DECISION_KINDS, Fault, FaultKind
from gateway.proxy.dispatch import Dispatched, Faulted, Forward, dispatch, facts_of
from gateway.proxy.edge import Edge
from gateway.proxy.messages import RequestHead
from gateway.proxy.suffering import Deeds, suffer
from gateway.routing.decide import decide
from gateway.routing.faults import FaultFacts

_ON_THE_WAY: Final = frozenset(FaultKind) - DECISION_KINDS


class MetFaults(Protocol):
    """Which faults there are."""

    draw: Callable[[], float]

    def meet(self, kinds: Collection[FaultKind], facts: FaultFacts) -> Fault | None:
        """Return the first fault of these kinds that a request meets, and count it."""


class FaultyDispatch:
    """See the module's first lines.

    Args:
        deeds: What faults do to processes and objects.
    """

    def __init__(self, faults: MetFaults, deeds: Deeds) -> None:
        self._faults = faults
        self._deeds = deeds

    def __call__(self, head: RequestHead, edge: Edge) -> Dispatched:
        """Return what becomes of a request."""
        outcome = dispatch(head, edge)
        if not isinstance(outcome, Forward):
            return outcome
        outcome = self._decided_anew(outcome, head, edge)
        fault = self._faults.meet(_ON_THE_WAY, self._facts(outcome, head, edge))
        if fault is None:
            return outcome
        told = f"{outcome.fault}, {fault.name}" if outcome.fault else fault.name
        jitter_ms = fault.jitter_ms * self._faults.draw() / 100 if fault.jitter_ms else 0.0
        return Faulted(outcome._replace(fault=told), partial(suffer, fault, jitter_ms, self._deeds))

    def _facts(self, forward: Forward, head: RequestHead, edge: Edge) -> FaultFacts:
        switch = edge.switches.get(forward.worker.name)
        since_ms = None if switch is None else (edge.monotonic() - switch.at) * 1000
        version = forward.live.pool.version
        return FaultFacts(version, forward.object, head.path, since_ms)

    def _decided_anew(self, forward: Forward, head: RequestHead, edge: Edge) -> Forward:
        """Return a request as it is decided under the fault of a decision that it meets, if any.

        A request that belongs to an object is let be: only one version runs an object at a time (R46).
        """
        kinds = _decision_faults(forward, edge)
        fault = self._faults.meet(kinds, self._facts(forward, head, edge)) if kinds else None
        if fault is None:
            return forward
        worker, facts = forward.worker, facts_of(head)
        ignored: tuple[IgnoredSignal, ...] = ()
        if fault.kind is FaultKind.IGNORED_OVERRIDE:
            facts = facts._replace(overrides=None)
            ignored = (passed_over(fault),)
        else:
            worker = edge.switches[worker.name].before
        assert worker.plan is not None  # noqa: S101 - it decided, or was switched from
        point = forward.decision.point
        decision = decide(facts, worker.plan, edge.draw if point is None else lambda: point)
        decision = decision._replace(ignored=(*decision.ignored, *ignored))
        # The deployment of then, the process of now: it may have been started anew since.
        now = forward.worker.versions[decision.version_id]
        live = replace(worker.versions[decision.version_id], pool=now.pool)
        return forward._replace(live=live, decision=decision, fault=fault.name)


def passed_over(fault: Fault) -> IgnoredSignal:
    """Return how an override is told of that a fault made the gateway pass over."""
    return IgnoredSignal(Signal.OVERRIDE, "fault", f"the fault {fault.name} passes it over", "R68")


def _decision_faults(forward: Forward, edge: Edge) -> set[FaultKind]:
    """Return the faults of a decision that a request can meet at all."""
    reason = forward.decision.reason
    if reason in (Reason.DURABLE_OBJECT, Reason.VERSION_URL):
        return set()
    kinds = {FaultKind.IGNORED_OVERRIDE} if reason is Reason.OVERRIDE else set()
    switch = edge.switches.get(forward.worker.name)
    plan = switch.before.plan if switch is not None else None
    if plan is not None and plan.deployed <= forward.worker.versions.keys():
        kinds.add(FaultKind.LATE_PROPAGATION)
    return kinds
