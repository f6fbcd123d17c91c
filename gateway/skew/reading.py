"""Events of the edge -> facts of the detector; with ``watching`` the only file here that knows of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.model.deployment import Deployment
from gateway.model.skew_rules import SkewRules
from gateway.model.version import Version, VersionId
from gateway.observability.events import DeploymentEvent, RequestEvent
from gateway.skew.facts import DeploymentSeen, RequestSeen, ShareSeen

_WANTED: Final = frozenset(
    {
        b"referer", b"origin", b"sec-fetch-dest", b"sec-fetch-mode", b"accept", b"user-agent", b"cookie",
        b"cloudflare-workers-version-key",
    }
)  # fmt: skip


def request_seen(event: RequestEvent, rules: SkewRules) -> RequestSeen:
    """Return what the detector may know of a request."""
    sent = _sent(event)
    return RequestSeen(
        at=event.at,
        ray=event.ray,
        worker=event.worker,
        version_id=event.version_id,
        label=event.label,
        reason=event.reason,
        point=event.point,
        method=event.method,
        host=event.host,
        target=event.target,
        status=event.status,
        outcome=event.outcome,
        content_type=event.content_type,
        object=event.object,
        referer=sent.get(b"referer", ""),
        origin=sent.get(b"origin", ""),
        fetch_dest=sent.get(b"sec-fetch-dest", ""),
        fetch_mode=sent.get(b"sec-fetch-mode", ""),
        accept=sent.get(b"accept", ""),
        user_agent=sent.get(b"user-agent", ""),
        address=event.address,
        version_key=sent.get(b"cloudflare-workers-version-key", ""),
        session_cookie=_cookie(sent.get(b"cookie", ""), rules.session_cookie),
        caller_ray=event.caller_ray,
    )


def deployment_seen(event: DeploymentEvent) -> DeploymentSeen:
    """Return what the detector may know of a deployment."""
    shares = tuple(ShareSeen(share.version_id, share.label, share.percentage) for share in event.versions)
    return DeploymentSeen(event.at, event.worker, event.number, shares, event.triggered_by)


def deployment_known(deployment: Deployment, versions: Mapping[VersionId, Version]) -> DeploymentSeen:
    """Return a deployment of the store, made before anybody watched; what stands at 0 % is deployed too (R14)."""
    shares = tuple(
        ShareSeen(version_id, versions[version_id].label, percentage)
        for version_id, percentage in deployment.percentages.items()
        if version_id in versions
    )
    at = deployment.created_on.timestamp()
    return DeploymentSeen(at, deployment.worker, deployment.number, shares, deployment.triggered_by)


def _sent(event: RequestEvent) -> dict[bytes, str]:
    """Return the few fields that matter, by their names in lower case; of several lines all."""
    found: dict[bytes, str] = {}
    for line in event.header_lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _WANTED:
            text = value.strip(b" \t").decode("latin-1")
            found[name] = f"{found[name]}; {text}" if name in found else text
    return found


def _cookie(header: str, wanted: str) -> str:
    """Return a cookie's value, as it was sent (RFC 6265 section 4.2.1)."""
    if not wanted:
        return ""
    for pair in header.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and name == wanted:
            return value
    return ""
