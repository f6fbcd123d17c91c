"""Versions and deployments of all Workers, as stored; looked up by whatever people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from gateway.errors import AmbiguousReference, NoStableVersion, NotFound
from gateway.model.deployment import Deployment
from gateway.model.version import VERSION_ID, Version, VersionId, WorkerName
from gateway.model.worker import WorkerState
from gateway.model.worker_code import WorkerdRuntime

_SHORTEST_PREFIX = 4
FULL = 100.0
BY_SCENARIO = "scenario"
"""What triggered a deployment that lasts as long as a test."""


class WorkerRecord:
    """One Worker's history, in the order of numbers, and its unversioned state once something was uploaded."""

    def __init__(self, name: WorkerName) -> None:
        self.name = name
        self.versions: dict[VersionId, Version] = {}
        self.deployments: list[Deployment] = []
        self.state: WorkerState | None = None

    @property
    def active(self) -> Deployment | None:
        """The newest deployment is the active one (R15)."""
        return self.deployments[-1] if self.deployments else None

    @property
    def exists(self) -> bool:
        """Tell whether anything was uploaded or set for it; a name in the configuration alone is not enough."""
        return bool(self.versions) or self.state is not None

    @property
    def latest(self) -> Version | None:
        """The version uploaded last."""
        return next(reversed(self.versions.values()), None)

    @property
    def next_number(self) -> int:
        """The number of the next version."""
        return self.latest.number + 1 if self.latest is not None else 1

    def next_moment(self, now: float) -> datetime:
        """Return a time for the next version or deployment, later than that of every other.

        wrangler sorts by ``created_on`` (wrangler-api, section 3), and a clock may stand still or go back.
        """
        moment = datetime.fromtimestamp(now, UTC)
        known = [one.created_on for one in (self.latest, self.active) if one is not None]
        return max([moment, *(earlier + timedelta(microseconds=1) for earlier in known)])

    def deployable(self, limit: int) -> Sequence[Version]:
        """Return the last ``limit`` versions, the newest first (R12)."""
        return list(reversed(self.versions.values()))[:limit]

    def stable_version(self) -> VersionId:
        """Return the version of the newest earlier deployment that had one at 100% (R95).

        What scenarios have deployed for a test is passed over, and so is the deployment that one has made again.

        Raises:
            NoStableVersion: There is none.
        """
        made = [one for one in self.deployments if one.triggered_by != BY_SCENARIO]
        if self.active is not None and made and made[-1].versions == self.active.versions:
            made.pop()
        for deployment in reversed(made):
            for share in deployment.versions:
                if share.percentage == FULL:
                    return share.version_id
        raise NoStableVersion

    def find(self, reference: str) -> Version:
        """Return the version that an id, a unique prefix of one (4 characters or more), or a tag names.

        Raises:
            NotFound, AmbiguousReference: The API answers 404 or 400.
        """
        if VERSION_ID.fullmatch(reference) and VersionId(reference) in self.versions:
            return self.versions[VersionId(reference)]
        tagged = self._tagged(reference)
        matches = tagged or [
            version
            for version in self.versions.values()
            if len(reference) >= _SHORTEST_PREFIX and version.id.startswith(reference)
        ]
        if not matches:
            raise NotFound(
                f"Worker {self.name} has no version {reference!r}",
                remedy=f"gateway versions list --worker {self.name} shows them.",
            )
        if len(matches) > 1:
            raise AmbiguousReference(reference, [version.id for version in matches])
        return matches[0]

    def _tagged(self, tag: str) -> list[Version]:
        """Return the versions with a tag; of those that live reload left behind only the newest counts."""
        found = [version for version in self.versions.values() if tag and version.tag == tag]
        reloaded = [
            version
            for version in found
            if version.source == "config" and isinstance(version.runtime, WorkerdRuntime)
        ]
        return [version for version in found if version not in reloaded[:-1]]

    def find_deployment(self, reference: str) -> Deployment:
        """Return the deployment that an id, a number or ``active`` names.

        Raises:
            NotFound: The API answers 404.
        """
        if reference == "active" and self.active is not None:
            return self.active
        for deployment in self.deployments:
            if reference in (deployment.id, str(deployment.number)):
                return deployment
        raise NotFound(
            f"Worker {self.name} has no deployment {reference!r}",
            remedy=f"gateway deployments list --worker {self.name} shows them.",
        )


class Catalog:
    """All Workers that are stored or configured."""

    def __init__(
        self,
        versions: Iterable[Version],
        deployments: Iterable[Deployment],
        states: Iterable[WorkerState] = (),
    ) -> None:
        self._workers: dict[WorkerName, WorkerRecord] = {}
        for state in states:
            self.record(state.name).state = state
        for version in versions:
            self.record(version.worker).versions[version.id] = version
        for deployment in deployments:
            self.record(deployment.worker).deployments.append(deployment)

    @property
    def workers(self) -> Mapping[WorkerName, WorkerRecord]:
        """All Workers by name."""
        return self._workers

    def record(self, name: WorkerName) -> WorkerRecord:
        """Return a Worker's record, made at first sight."""
        return self._workers.setdefault(name, WorkerRecord(name))

    def forget(self, name: WorkerName) -> None:
        """Forget a Worker that was deleted."""
        self._workers.pop(name, None)

    def find(self, name: str) -> WorkerRecord:
        """Return a Worker's record.

        Raises:
            NotFound: The API answers 404.
        """
        record = self._workers.get(WorkerName(name))
        if record is None:
            known = ", ".join(self._workers) or "none"
            raise NotFound(f"there is no Worker {name!r} (there are: {known})", remedy="Name one of these.")
        return record

    def version(self, version_id: VersionId) -> Version | None:
        """Return any Worker's version."""
        for record in self._workers.values():
            if version_id in record.versions:
                return record.versions[version_id]
        return None
