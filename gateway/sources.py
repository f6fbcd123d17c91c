"""Versions whose code lies in files -> complete versions: modules kept, ids derived from the content.

The one place that joins the configuration, the reading of code and the module store; ``assembly`` calls it at
start, when the configuration changed, and when the code did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from gateway.control.bindings import Inheritance, own_class, resolve
from gateway.control.cloudflare.metadata import parse_upload
from gateway.control.upload_checks import check_modules
from gateway.errors import GatewayError
from gateway.model.version import (
    VersionDefinition,
    VersionId,
    derived_version_id,
)
from gateway.model.worker_code import Module, WorkerdRuntime
from gateway.runtime.workerd.sources import Code, UnreadableSource, bundle, project_files, read_code
from gateway.runtime.workerd.upload_form import CodeModule
from gateway.settings import (
    Settings,
    ShareSetting,
    VersionSource,
    WorkerdSource,
    WorkerSettings,
    WranglerSource,
    mixed_objects,
)

CLOCK_TICK_SECONDS: Final = 0.01
"""File systems take the time from a clock that ticks only so often, and so write times that are a little old."""


class Stamp(NamedTuple):
    """By what an edit of a file is noticed; ``changed`` in seconds since the epoch."""

    changed: float
    size_bytes: int
    inode: int


Stamps = Mapping[Path, Stamp | None]


class Kept(Protocol):
    """Content that the store has."""

    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def size_bytes(self) -> int: ...  # noqa: D102


class ModuleKeeper(Protocol):
    """Where modules are kept by their content."""

    async def keep_bytes(self, content: bytes) -> Kept:
        """Keep content that is there already."""


class Sources:
    """Reads the code that configurations name, and remembers what need not be bundled again.

    Args:
        folder: Where relative paths start.
        environment: Of the process, for wrangler.
        clock: Seconds since the epoch, as file systems count them.
    """

    def __init__(
        self, modules: ModuleKeeper, folder: Path, environment: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        self._modules = modules
        self._folder = folder.absolute()
        self._environment = environment
        self._clock = clock
        self._bundled: dict[WranglerSource, Code] = {}
        self._read: Stamps = {}
        self._unsure: set[Path] = set()

    async def resolve(self, settings: Settings) -> Settings:
        """Return settings in which every version is complete.

        The id of a version follows from Worker, tag, code and bindings: an edit makes another version.

        Raises:
            ConfigError: Code cannot be read or bundled, or asks for what is not served; names the file's place.
            StateUnavailable: Modules cannot be kept.
        """
        started, files = self._clock(), set[Path]()
        await self._forget_what_changed()
        try:
            workers = [await self._complete(worker, files) for worker in settings.workers]
        finally:
            self._read = self._trusted(await asyncio.to_thread(stamps_of, files), started)
        return replace(settings, workers=tuple(workers))

    async def changed(self) -> bool:
        """Tell whether a file that was read last changed since, whether it could be used or not."""
        return await asyncio.to_thread(stamps_of, self._read) != self._read

    def _trusted(self, stamps: Stamps, started: float) -> Stamps:
        """Return stamps without those of files that changed while they were read: so they are read once more.

        Nobody knows which content was read of such a file. One that changes at each reading is written by the
        project's own build step, and is believed the second time.
        """
        late = {path for path, stamp in stamps.items() if stamp and stamp.changed >= started - CLOCK_TICK_SECONDS}
        doubted, self._unsure = late - self._unsure, late
        return {path: None if path in doubted else stamp for path, stamp in stamps.items()}

    async def _forget_what_changed(self) -> None:
        now = await asyncio.to_thread(stamps_of, self._read)
        self._bundled = {
            source: code
            for source, code in self._bundled.items()
            if all(path in now and now[path] == self._read[path] for path in code.files)
        }

    async def _code(self, source: VersionSource, files: set[Path]) -> Code:
        """Return the code of a version; ``files`` gets what it depends on, also where it cannot be read."""
        try:
            if isinstance(source.code, WorkerdSource):
                files.add(self._folder / source.code.main)
                code = await asyncio.to_thread(read_code, source.code, self._folder)
            else:
                code = await self._bundle(source.code)
        except UnreadableSource as error:
            if isinstance(source.code, WranglerSource):  # which of its files is to blame only wrangler knows
                config = self._folder / source.code.config
                files |= {config, *await asyncio.to_thread(project_files, config.parent)}
            raise source.place.wrong(error.message, error.remedy) from error
        files |= code.files
        return code

    async def _bundle(self, source: WranglerSource) -> Code:
        if source not in self._bundled:
            self._bundled[source] = await bundle(self._folder / source.config, self._environment)
        return self._bundled[source]

    async def _complete(self, worker: WorkerSettings, files: set[Path]) -> WorkerSettings:
        versions = [
            one if isinstance(one, VersionDefinition) else await self._definition(one, files)
            for one in worker.listed
        ]
        _check_objects_run_alike(worker, versions)
        ids = {version.tag: version.id for version in versions}
        deployment = tuple(
            ShareSetting(share.tag, ids[share.tag], share.percentage) for share in worker.deployment
        )
        return replace(worker, versions=tuple(versions), sources=(), deployment=deployment)

    async def _definition(self, source: VersionSource, files: set[Path]) -> VersionDefinition:
        code = await self._code(source, files)
        modules = tuple([await self._keep(module) for module in code.form.modules])
        try:
            runtime = _runtime(source, code.form.metadata, modules)
        except GatewayError as error:
            raise source.place.wrong(error.message, error.remedy) from error
        id_ = source.id if source.id_given else derived_version_id(source.worker, source.tag, runtime)
        return VersionDefinition(source.worker, source.tag, runtime, VersionId(id_), source.message)

    async def _keep(self, module: CodeModule) -> Module:
        kept = await self._modules.keep_bytes(module.content)
        return Module(module.name, module.kind, kept.sha256, kept.size_bytes)


def _runtime(source: VersionSource, metadata: Mapping[str, Any], modules: tuple[Module, ...]) -> WorkerdRuntime:
    """Return what runs a version; code of a file is held to the same rules as an upload."""
    upload = parse_upload(metadata, modules, strict_inherit=True)
    check_modules(upload.main_module, upload.modules)
    bindings = resolve(upload.bindings, Inheritance(strict=True))
    return WorkerdRuntime(
        main_module=upload.main_module,
        modules=upload.modules,
        bindings=(
            source.code.bindings
            if isinstance(source.code, WorkerdSource)
            else tuple(own_class(binding, source.worker) for binding in bindings)
        ),
        compatibility_date=upload.compatibility_date,
        compatibility_flags=upload.compatibility_flags,
    )


def _check_objects_run_alike(worker: WorkerSettings, versions: Iterable[VersionDefinition]) -> None:
    """Check what the configuration could not yet tell of code that wrangler bundles."""
    runtimes = {version.tag: version.runtime for version in versions}
    others = [tag for tag, runtime in runtimes.items() if not isinstance(runtime, WorkerdRuntime)]
    for source in worker.sources:
        runtime = runtimes[source.tag]
        if others and isinstance(runtime, WorkerdRuntime) and runtime.durable_object_classes:
            raise source.place.wrong(*mixed_objects(others[0]))


def stamps_of(files: Iterable[Path]) -> Stamps:
    """Return when files were changed last, and which files they are; None for one that is gone."""
    return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime, found.st_size, found.st_ino)
