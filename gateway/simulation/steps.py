"""A plan -> the deployments it stands for, laid out as the edge lays out its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from gateway.model.deployment import Deployment, DeploymentId, VersionShare
from gateway.model.version import VersionId, WorkerName
from gateway.routing.durable_objects import DeploymentStep, step_of
from gateway.routing.plan import RoutingPlan, plan_for
from gateway.simulation.scenario import FULL, Order

OLD: Final = VersionId("old")
NEW: Final = VersionId("new")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Step(NamedTuple):
    """One deployment of the plan.

    Args:
        percentage: The new version's.
        routing: What requests are decided by.
        objects: What objects are assigned by.
    """

    percentage: float
    routing: RoutingPlan
    objects: DeploymentStep


def before_plan(worker: WorkerName) -> Step:
    """Return the deployment that every plan starts from: all on the old version, the new one not yet deployed."""
    return _step(worker, 1, 0.0, (VersionShare(OLD, FULL),))


def steps_of(plan: Sequence[float], worker: WorkerName, order: Order) -> list[Step]:
    """Return the plan's deployments; one that has all traffic stands alone, as wrangler deploys it."""
    steps = []
    for position, percentage in enumerate(plan):
        new_first = order is Order.NEW_FIRST or (order is Order.SWAPPED and position % 2 == 0)
        both = (VersionShare(NEW, percentage), VersionShare(OLD, FULL - percentage))
        alone = tuple(share for share in both if share.percentage == FULL)
        steps.append(_step(worker, position + 2, percentage, alone or (both if new_first else both[::-1])))
    return steps


def _step(worker: WorkerName, number: int, percentage: float, shares: tuple[VersionShare, ...]) -> Step:
    deployment = Deployment(
        id=DeploymentId(str(number)),
        worker=worker,
        number=number,
        versions=shares,
        created_on=_EPOCH,
    )
    return Step(percentage, plan_for(deployment, ()), step_of(deployment))
