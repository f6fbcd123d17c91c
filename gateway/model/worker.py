"""What belongs to a Worker rather than to one of its versions (R5, R6): namespaces, triggers, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.model.version import WorkerName

EXPORTS_TAG: Final = "exports-"
"""What migration tags begin with that stand for declarative ``exports``, which have none of their own."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Durable Object namespace: the objects of one class, over all versions.

    Args:
        id: 32 hex digits, as the API shows it.
        class_name: The class's name now; a ``renamed_classes`` migration changes it.
        unique_key: What ids are derived from and where storage lies; never changes, so that objects keep both.
        sqlite: Whether ``ctx.storage.sql`` works (``new_sqlite_classes``).
    """

    id: str
    class_name: str
    unique_key: str
    sqlite: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron trigger; times are ISO 8601, UTC."""

    cron: str
    created_on: str
    modified_on: str


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One Worker's unversioned state; replaced as a whole.

    Args:
        tag: 32 hex digits: the id that the API shows beside the name.
        created_on, modified_on: ISO 8601, UTC.
        migration_tag: Tag of the last Durable Object migration that was applied; empty before the first.
        retired_keys: Unique keys of namespaces that were deleted or given away: never used again.
        subdomain_enabled, previews_enabled: Whether workers.dev and version URLs are on.
        settings: ``logpush``, ``observability``, ``tail_consumers``, ``tags`` and the like, as the API wrote them.
        routes: Patterns given by ``PUT routes``, beside those of the configuration file.
        domains: Custom domains: host names that are the Worker's with every path.
        deleted_deployments: Ids that the API no longer shows (R16); the object table still judges by them.
    """

    name: WorkerName
    tag: str
    created_on: str
    modified_on: str
    migration_tag: str = ""
    namespaces: tuple[Namespace, ...] = ()
    retired_keys: tuple[str, ...] = ()
    subdomain_enabled: bool = True
    previews_enabled: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()
    routes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    deleted_deployments: tuple[str, ...] = ()

    @property
    def route_patterns(self) -> tuple[str, ...]:
        """All patterns given through the API: its routes, and each custom domain with every path."""
        return (*self.routes, *(f"{domain}/*" for domain in self.domains))

    def namespace_of(self, class_name: str) -> Namespace | None:
        """Return the namespace of a class."""
        return next((one for one in self.namespaces if one.class_name == class_name), None)
