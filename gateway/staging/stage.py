"""The running gateway as the stage of one scenario: what ``gateway.scenarios.player`` acts through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.control.catalog import BY_SCENARIO, WorkerRecord
from gateway.control.deployments import Deployments, WantedShare
from gateway.control.faults import Faults
from gateway.errors import GatewayError
from gateway.model.fault import Fault
from gateway.model.version import VersionId
from gateway.scenarios.exchange import Exchange, ObjectMoved, Outgoing, SkewFound
from gateway.skew.facts import Witness as SkewWitness
from gateway.skew.incident import Incident
from gateway.staging.caller import EdgeCaller
from gateway.staging.witness import Witness

OVERRIDES: Final = "Cloudflare-Workers-Version-Overrides"


class LiveStage:
    """A Worker of the running gateway.

    Args:
        name: Of the scenario, for the messages of its deployments.
        moves_told: Waits until all moves of objects that happened were told.
    """

    def __init__(
        self,
        name: str,
        record: WorkerRecord,
        deployments: Deployments,
        faults: Faults,
        caller: EdgeCaller,
        witness: Witness,
        moves_told: Callable[[], Awaitable[None]],
    ) -> None:
        self._name = name
        self._record = record
        self._deployments = deployments
        self._faults = faults
        self._caller = caller
        self._witness = witness
        self._moves_told = moves_told
        self._before = record.active

    async def deploy(self, shares: Sequence[tuple[str, float]]) -> Sequence[str]:
        """Make a deployment; see ``Stage``."""
        wanted = [WantedShare(tag, percentage) for tag, percentage in shares]
        created = await self._deployments.create(
            self._record, wanted, message=f"scenario {self._name}", triggered_by=BY_SCENARIO
        )
        return created.warnings

    async def send(self, request: Outgoing, *, racing: bool = False) -> Exchange:
        """Send a request; see ``Stage``."""
        came = await self._caller.call(
            request, request.host or f"{self._record.name}.localhost", self._override(request)
        )
        exchange = Exchange(
            request.method,
            request.path,
            came.host,
            came.status,
            came.headers,
            came.body,
            problem=came.problem,
            racing=racing,
        )
        ray = next(iter(exchange.values("CF-Ray")), "")
        event = await self._witness.claim(ray, look=not racing) if ray else None
        if event is None:
            return exchange
        return exchange._replace(
            version=event.label, version_id=event.version_id, reason=event.reason, point=event.point, ray=ray
        )

    def _override(self, request: Outgoing) -> tuple[tuple[str, str], ...]:
        if not request.override:
            return ()
        return ((OVERRIDES, f'{self._record.name}="{self._record.find(request.override).id}"'),)

    def add_fault(self, fault: Fault) -> None:
        """Make something go wrong; see ``Stage``."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Take all faults away; see ``Stage``."""
        self._faults.clear()

    async def skew(self) -> Sequence[SkewFound]:
        """Return the skew; see ``Stage``."""
        return [_found(incident) for incident in self._witness.incidents()]

    async def moved(self) -> Sequence[ObjectMoved]:
        """Return the objects of the Worker that moved; see ``Stage``."""
        await self._moves_told()
        paths: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        names: dict[tuple[str, str], str] = {}
        for reset in self._witness.resets:
            if reset.worker == self._record.name:
                key = reset.class_name, reset.id
                names[key] = names.get(key) or reset.name
                paths[key].append(f"{self._label(reset.from_version)} -> {self._label(reset.to_version)}")
        moved = [ObjectMoved(f"{key[0]}/{names[key] or key[1][:16]}", tuple(path)) for key, path in paths.items()]
        return sorted(moved)

    def _label(self, version_id: str) -> str:
        version = self._record.versions.get(VersionId(version_id))
        return version.label if version is not None else version_id[:8]

    async def restore(self) -> list[str]:
        """Make the deployment again that was active before; return why, where that cannot be."""
        before = self._before
        if self._record.active is before:
            return []
        if before is None:
            return ["nothing was deployed before, so that the scenario's last deployment stays"]
        try:
            await self._deployments.create(
                self._record,
                [WantedShare(share.version_id, share.percentage) for share in before.versions],
                message=before.message,
                cohorts={
                    cohort.name: {share.version_id: share.percentage for share in cohort.versions}
                    for cohort in before.cohorts
                },
                code_update=before.code_update,
                triggered_by=BY_SCENARIO,
            )
        except GatewayError as error:
            return [f"the deployment from before could not be made again: {error.message} {error.remedy}".rstrip()]
        return []


def _found(incident: Incident) -> SkewFound:
    cause = incident.cause
    return SkewFound(
        incident.kind.value,
        incident.what,
        cause.name,
        cause.sentence,
        cause.remedy,
        incident.count,
        tuple(sorted(incident.inferred)),
        _exchange(incident.before),
        _exchange(incident.after),
    )


def _exchange(witness: SkewWitness) -> Exchange:
    return Exchange(
        witness.method,
        witness.path,
        witness.host,
        witness.status,
        version=witness.label,
        version_id=witness.version_id,
        reason=witness.reason,
        point=witness.point,
        ray=witness.ray,
    )
