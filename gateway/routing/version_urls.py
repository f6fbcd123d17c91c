"""Host names that the gateway gives meaning to: ``<worker>.localhost`` and version URLs (R20, R89)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gateway.model.version import VERSION_PREFIX_LENGTH, Version, VersionId, WorkerName

LOCAL_DOMAIN = "localhost"
SUBDOMAIN = "local"
"""The account's name under workers.dev; there is one account here."""

WORKERS_DEV = f"{SUBDOMAIN}.workers.dev"
DOMAINS = (LOCAL_DOMAIN, WORKERS_DEV)
_VERSION_HOST = re.compile(rf"([0-9a-f]{{{VERSION_PREFIX_LENGTH}}})-(.+)\.{LOCAL_DOMAIN}")


def worker_host(worker: WorkerName) -> str:
    """Return the name under which a Worker is always found."""
    return f"{worker}.{LOCAL_DOMAIN}"


def version_host(worker: WorkerName, version_id: VersionId) -> str:
    """Return the host of a version URL: ``<first 8 of the id>-<worker>.localhost``."""
    return f"{version_id[:VERSION_PREFIX_LENGTH]}-{worker}.{LOCAL_DOMAIN}"


def version_hosts(
    worker: WorkerName, versions: Iterable[Version], domains: Iterable[str]
) -> Iterator[tuple[str, VersionId]]:
    """Yield the hosts of a Worker's version URLs, each with its version; an alias means its newest version (R90).

    Args:
        versions: In the order of their numbers.
    """
    for version in versions:
        for domain in domains:
            yield f"{version.prefix}-{worker}.{domain}", version.id
            if version.alias:
                yield f"{version.alias}-{worker}.{domain}", version.id


def parse_version_host(host: str) -> tuple[str, WorkerName] | None:
    """Return prefix and Worker of a version URL's host, or ``None`` for any other host.

    Args:
        host: Lower case, without port.
    """
    match = _VERSION_HOST.fullmatch(host)
    return (match[1], WorkerName(match[2])) if match else None
