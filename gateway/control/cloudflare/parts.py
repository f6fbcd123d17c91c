"""What the handlers stand on, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.control.catalog import WorkerRecord
from gateway.control.cloudflare.analytics import AnalyticsParts
from gateway.control.cloudflare.envelope import PREFIX
from gateway.control.cloudflare.multipart import ModuleFiles
from gateway.control.cloudflare.requests import author_of, source_of
from gateway.control.cloudflare.tails import TailParts
from gateway.control.deployments import Deployments
from gateway.control.logpush import LogpushJobs
from gateway.control.refusals import VersionNotFound
from gateway.control.uploads import Origin, Uploads
from gateway.control.workers import Workers
from gateway.model.version import VERSION_ID, Version, VersionId
from gateway.model.worker import WorkerState

ACCOUNT: Final = f"{PREFIX}/accounts/{{account:[A-Za-z0-9_-]{{1,64}}}}"
"""All accounts share the same Workers."""

WORKERS: Final = f"{ACCOUNT}/workers"
SCRIPT: Final = f"{WORKERS}/scripts/{{script}}"


@dataclass(frozen=True, slots=True)
class CloudflareParts:
    """What the API stands on; built by ``assembly``.

    Args:
        files: The module store.
        edge_port: Port of the data plane, for version URLs.
        tails: What live tails stand on.
        analytics: What GraphQL stands on.
    """

    workers: Workers
    uploads: Uploads
    deployments: Deployments
    files: ModuleFiles
    edge_port: Callable[[], int]
    tails: TailParts | None = None
    analytics: AnalyticsParts | None = None
    logpush: LogpushJobs | None = None


class Handlers:
    """What every group of handlers needs."""

    def __init__(self, parts: CloudflareParts) -> None:
        self.parts = parts

    def record(self, request: web.Request) -> WorkerRecord:
        """Return the Worker of the path.

        Raises:
            WorkerNotFound: 10007.
        """
        return self.parts.workers.find(request.match_info["script"])

    def state(self, record: WorkerRecord) -> WorkerState:
        """Return a Worker's state."""
        return self.parts.workers.state_of(record)


def origin_of(request: web.Request, triggered_by: str, message: str = "") -> Origin:
    """Return who asks, and how that makes a version."""
    return Origin(triggered_by, source_of(request), author_of(request), message)


def version_of(record: WorkerRecord, reference: object) -> Version:
    """Return a version by its id, which may come without hyphens.

    Raises:
        VersionNotFound: 100146.
    """
    text = str(reference).lower()
    if len(text) == 32:  # noqa: PLR2004 - hex digits of a UUID
        text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    version = record.versions.get(VersionId(text)) if VERSION_ID.fullmatch(text) else None
    if version is None:
        raise VersionNotFound(record.name, str(reference))
    return version
