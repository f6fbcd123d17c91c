"""Which version a call through a service binding meets: processes on workerd ask for each (R64, R65)."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.control.faults import Faults
from gateway.model.decision import Reason
from gateway.model.fault import FaultKind
from gateway.model.request import RequestFacts
from gateway.model.version import VersionId, WorkerName
from gateway.proxy.edge import Edge
from gateway.routing.decide import decide
from gateway.routing.faults import FaultFacts


def version_for_call(
    edge: Edge, faults: Faults, worker: WorkerName, headers: Mapping[str, str]
) -> VersionId | None:
    """Return the version of the called Worker; ``None`` where there is none.

    Args:
        headers: Of the call, by names in lower case.
    """
    live = edge.table.workers.get(worker)
    if live is None or live.plan is None:
        return None
    facts = RequestFacts(
        headers.get("cloudflare-workers-version-overrides"),
        headers.get("cloudflare-workers-version-key"),
        headers.get("cloudflare-workers-cohort"),
    )
    decision = decide(facts, live.plan, edge.draw)
    if faults.known and decision.reason is Reason.OVERRIDE:
        version = live.versions[decision.version_id].pool.version
        called = FaultFacts(version, None, "", None, by_binding=True)
        if faults.meet({FaultKind.IGNORED_OVERRIDE}, called) is not None:
            decision = decide(facts._replace(overrides=None), live.plan, edge.draw)
    return decision.version_id
