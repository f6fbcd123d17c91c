"""All that a Worker's decisions depend on besides the request; built once for each deployment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.model.deployment import Deployment
from gateway.model.version import Version, VersionId, WorkerName
from gateway.routing.affinity import worker_seed
from gateway.routing.percentages import Split, split_of


@dataclass(frozen=True, slots=True)
class RoutingPlan:
    """A deployment, laid out for quick decisions.

    Args:
        uploaded: Every version of the Worker; a version URL reaches them all (R20, R29).
        cohorts: Lower-case cohort name -> its split (R72).
        trust_cohort: Whether a client's cohort header counts (R75).
        key_seed: Seed of the affinity hash, from the Worker's name.
    """

    worker: WorkerName
    deployment: Deployment
    split: Split
    deployed: frozenset[VersionId]
    uploaded: frozenset[VersionId]
    cohorts: Mapping[str, Split]
    trust_cohort: bool
    key_seed: int


def plan_for(
    deployment: Deployment,
    versions: Iterable[Version],
    *,
    trust_cohort: bool = False,
    key_per_worker: bool = True,
) -> RoutingPlan:
    """Lay out a deployment.

    Args:
        versions: All versions of the Worker that can be reached.
        trust_cohort: Setting ``drafts.trust_client_cohort_header``.
        key_per_worker: Setting ``affinity.per_worker``.
    """
    return RoutingPlan(
        worker=deployment.worker,
        deployment=deployment,
        split=split_of(deployment.versions),
        deployed=deployment.version_ids,
        uploaded=frozenset(version.id for version in versions) | deployment.version_ids,
        cohorts={cohort.name.lower(): split_of(cohort.versions) for cohort in deployment.cohorts},
        trust_cohort=trust_cohort,
        key_seed=worker_seed(deployment.worker, per_worker=key_per_worker),
    )
