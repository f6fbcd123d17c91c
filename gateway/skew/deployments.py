"""Which deployment was in force when; bounded."""

from __future__ import annotations

from typing import Final

from gateway.skew.bounded import Bounded
from gateway.skew.facts import DeploymentSeen

MAX_WORKERS: Final = 1_024
MAX_DEPLOYMENTS: Final = 16
"""So many of each Worker are remembered: those before them are too old for a request to be told late."""


class DeploymentMemory:
    """The last deployments of each Worker."""

    def __init__(self, workers: int = MAX_WORKERS) -> None:
        self._known: Bounded[str, tuple[DeploymentSeen, ...]] = Bounded(workers)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, deployment: DeploymentSeen) -> None:
        """Note a deployment; the same one again changes nothing."""
        others = [one for one in self._known.get(deployment.worker) or () if one.number != deployment.number]
        ordered = sorted([*others, deployment], key=lambda one: one.number)
        self._known.put(deployment.worker, tuple(ordered[-MAX_DEPLOYMENTS:]))

    def at(self, worker: str, moment: float) -> DeploymentSeen | None:
        """Return the deployment in force at a moment; None before the first that is known."""
        for deployment in reversed(self._known.get(worker) or ()):
            if deployment.at <= moment:
                return deployment
        return None
