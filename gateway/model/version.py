"""A version of a Worker, and how it can be run (R1-R3)."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from gateway.model.worker_code import WorkerdRuntime

WorkerName = NewType("WorkerName", str)
VersionId = NewType("VersionId", str)

VERSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""R3: a version id is a lower-case UUID."""

VERSION_PREFIX_LENGTH = 8
"""R89: a version URL starts with the first 8 characters of the version id."""

# Never change it: ids of versions that config files define are derived from it, and must hold over restarts.
_NAMESPACE = uuid.UUID("5d1f0d3e-6f0a-5c63-9a65-3c1f2b0c7a11")


@dataclass(frozen=True, slots=True)
class UrlRuntime:
    """A version that someone else runs already, reached at ``url`` (``http://host:port``)."""

    url: str


@dataclass(frozen=True, slots=True)
class CommandRuntime:
    """A version the gateway starts: a process that listens on ``$PORT``.

    Args:
        argv: The program and its arguments.
        cwd: Folder it starts in; the configuration file's folder when empty.
        env: Variables added to the gateway's own environment.
        ready_path: Path that must answer below 500 before traffic comes; only the open port when empty.
    """

    argv: tuple[str, ...]
    cwd: str = ""
    env: tuple[tuple[str, str], ...] = ()
    ready_path: str = ""


Runtime = UrlRuntime | CommandRuntime | WorkerdRuntime


@dataclass(frozen=True, slots=True)
class Version:
    """The whole state of a Worker at one moment, under an id that never changes (R1).

    Args:
        number: Position among the Worker's uploads, from 1; only the last 100 can be deployed (R12).
        tag: A name given at upload; not unique (R2).
        source: Where it came from: ``config``, ``api``, ``wrangler``.
        triggered_by: How it came to be (R7): ``upload``, ``version_upload``, ``secret``, ``config``.
        alias: Name of its aliased version URL (R90), or empty.
        migration_tag: The Worker's, at the time of the upload: a version from before a Durable Object migration
            cannot be deployed after it (R53, R94).
    """

    id: VersionId
    worker: WorkerName
    number: int
    runtime: Runtime
    created_on: datetime
    tag: str = ""
    message: str = ""
    source: str = "config"
    author: str = ""
    triggered_by: str = "config"
    alias: str = ""
    migration_tag: str = ""

    def __post_init__(self) -> None:
        if not VERSION_ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not a lower-case UUID (R3)")

    @property
    def prefix(self) -> str:
        """First 8 characters of the id: the name of its version URL (R89)."""
        return self.id[:VERSION_PREFIX_LENGTH]

    @property
    def label(self) -> str:
        """How people speak of it: the tag, or the short id."""
        return self.tag or self.prefix


@dataclass(frozen=True, slots=True)
class VersionDefinition:
    """A version as a configuration file or an upload defines it, before it has a number."""

    worker: WorkerName
    tag: str
    runtime: Runtime
    id: VersionId
    message: str = ""


def provisional_version_id(worker: WorkerName, tag: str) -> VersionId:
    """Return an id that stands for a version of a file until its code was read."""
    return VersionId(str(uuid.uuid5(_NAMESPACE, f"{worker}\n{tag}")))


def derived_version_id(worker: WorkerName, tag: str, runtime: Runtime) -> VersionId:
    """Return the id that Worker, tag and definition always lead to, so that it holds over restarts."""
    return VersionId(str(uuid.uuid5(_NAMESPACE, f"{worker}\n{tag}\n{runtime!r}")))
