"""What the detector is told: requests that are over, and deployments; values only."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

LONGEST_TEXT: Final = 256
"""Longer paths are cut, with a digest in the place of the rest: what clients send must not fill the memory."""

OK: Final = "ok"
FAILED_OUTCOMES: Final = frozenset({"worker_threw", "upstream_failed", "upstream_timed_out", "answer_cut"})
DRAWN: Final = frozenset({"percentage", "affinity"})
"""Reasons that leave the choice to the split; whoever names a version, or calls an object, gets just that."""

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})


class RequestSeen(NamedTuple):
    """One request that is over, as far as skew can be read from it.

    Args:
        at: Seconds since the epoch at which its head was complete.
        version_id: The version that answered; empty where the gateway did by itself.
        reason, point: As in ``RequestEvent``.
        target: Path and query.
        content_type: Of the answer, as sent.
        object: ``<class>/<name>`` of the Durable Object that answered, or empty.
        address: The client's.
        version_key: Its affinity key, or empty.
        session_cookie: Value of the cookie that the rules name, or empty.
        caller_ray: Ray id of the request during which a Worker made this one, where it says so.
    """

    at: float
    ray: str
    worker: str
    version_id: str
    label: str
    reason: str = "percentage"
    point: float | None = None
    method: str = "GET"
    host: str = ""
    target: str = "/"
    status: int = 200
    outcome: str = OK
    content_type: str = ""
    object: str = ""
    referer: str = ""
    origin: str = ""
    fetch_dest: str = ""
    fetch_mode: str = ""
    accept: str = ""
    user_agent: str = ""
    address: str = ""
    version_key: str = ""
    session_cookie: str = ""
    caller_ray: str = ""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        """Whether the answer is a page."""
        return self.media_type in _HTML


class ShareSeen(NamedTuple):
    """One version of a deployment."""

    version_id: str
    label: str
    percentage: float


class DeploymentSeen(NamedTuple):
    """A deployment that became active."""

    at: float
    worker: str
    number: int
    versions: tuple[ShareSeen, ...]
    triggered_by: str = "deployment"

    def holds(self, version_id: str) -> bool:
        """Return whether a version is deployed, be it at 0 % (R14)."""
        return any(share.version_id == version_id for share in self.versions)


class Witness(NamedTuple):
    """A request as evidence: what an incident keeps of it.

    Args:
        path: Without the query, which may hold what is secret.
        deployment: Number of the deployment in force, 0 where none is known.
        key: Digest of its affinity key, or empty.
    """

    at: float
    ray: str
    worker: str
    version_id: str
    label: str
    reason: str
    point: float | None
    method: str
    host: str
    path: str
    status: int
    content_type: str
    deployment: int
    key: str = ""
    object: str = ""


def witness_of(seen: RequestSeen, deployment: int) -> Witness:
    """Return what an incident keeps of a request."""
    return Witness(
        seen.at,
        seen.ray,
        seen.worker,
        seen.version_id,
        seen.label,
        seen.reason,
        seen.point,
        seen.method,
        short(seen.host),
        short(seen.path),
        seen.status,
        short(seen.content_type),
        deployment,
        digest(seen.version_key) if seen.version_key else "",
        short(seen.object),
    )


def digest(text: str) -> str:
    """Return a few characters that stand for a text: secrets such as session cookies are not kept."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def short(text: str) -> str:
    """Return a text that is never longer than ``LONGEST_TEXT``; two that differ still do."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 17]}#{digest(text)}"
