"""Host names that the gateway gives meaning to: ``<worker>.localhost`` and version URLs (R20, R89)."""

from __future__ import annotations

import re

from gateway.model.version import VERSION_PREFIX_LENGTH, VersionId, WorkerName

LOCAL_DOMAIN = "localhost"
_VERSION_HOST = re.compile(rf"([0-9a-f]{{{VERSION_PREFIX_LENGTH}}})-(.+)\.{LOCAL_DOMAIN}")


def worker_host(worker: WorkerName) -> str:
    """Return the name under which a Worker is always found."""
    return f"{worker}.{LOCAL_DOMAIN}"


def version_host(worker: WorkerName, version_id: VersionId) -> str:
    """Return the host of a version URL: ``<first 8 of the id>-<worker>.localhost``."""
    return f"{version_id[:VERSION_PREFIX_LENGTH]}-{worker}.{LOCAL_DOMAIN}"


def parse_version_host(host: str) -> tuple[str, WorkerName] | None:
    """Return prefix and Worker of a version URL's host, or ``None`` for any other host.

    Args:
        host: Lower case, without port.
    """
    match = _VERSION_HOST.fullmatch(host)
    return (match[1], WorkerName(match[2])) if match else None
