"""How a request reaches one certain version: by the overrides header, else by its version URL."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.comparison.answers import Answer, Request
from gateway.model.version import VersionId, WorkerName
from gateway.routing.overrides import can_be_overridden
from gateway.routing.version_urls import version_host

OVERRIDES: Final = "Cloudflare-Workers-Version-Overrides"
_STEERING: Final = frozenset({OVERRIDES.lower(), "cloudflare-workers-version-key", "cloudflare-workers-cohort"})
"""Signals of the original request, which would compete with ours or change what is compared."""


class Way(NamedTuple):
    """The way to a version.

    Args:
        version_host: Host of its version URL, with the edge's port; empty where the header does.
    """

    worker: WorkerName
    version_id: VersionId
    version_host: str

    def applied(self, request: Request) -> Request:
        """Return the request so that this version, and no other, answers it."""
        kept = tuple(header for header in request.headers if header[0].lower() not in _STEERING)
        if self.version_host:
            return request._replace(host=self.version_host, headers=kept)
        return request._replace(headers=(*kept, (OVERRIDES, f'{self.worker}="{self.version_id}"')))

    def as_if_direct(self, answer: Answer, request: Request) -> Answer:
        """Return an answer as if it had come under the request's own host: only real differences are left."""
        if not self.version_host:
            return answer
        headers = tuple((name, value.replace(self.version_host, request.host)) for name, value in answer.headers)
        body = answer.body
        if answer.is_html:
            body = body.replace(self.version_host.encode("ascii"), request.host.encode("latin-1", "replace"))
        return Answer(answer.status, headers, body)


def way_to(worker: WorkerName, version_id: VersionId, port: int, *, deployed: bool) -> Way:
    """Return the way to a version: a header counts if it can name the Worker (R33), for deployed ones (R29).

    Args:
        port: Of the edge.
    """
    if deployed and can_be_overridden(worker):
        return Way(worker, version_id, "")
    return Way(worker, version_id, f"{version_host(worker, version_id)}:{port}")
