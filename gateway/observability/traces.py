"""What versions tell of their invocations -> exceptions to the log, everything to the tails.

Stacks are mapped back to the sources that were written, by the maps that were uploaded with the version.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import structlog

from gateway.model.version import Version, VersionId, WorkerName
from gateway.model.worker_code import Module, ModuleKind, WorkerdRuntime
from gateway.observability.event_bus import EventBus
from gateway.observability.events import MESSAGE_CHARACTERS, ConsoleEvent, EventKind, ExceptionEvent
from gateway.observability.source_maps import (
    NoSourceMap,
    SourceMap,
    files_of,
    mapped_stack,
    parse_source_map,
)
from gateway.observability.tail import TailHub
from gateway.observability.tail_filters import said_words
from gateway.observability.trace_items import TraceItem, headers_of, ray_of, trace_item

log = structlog.get_logger("gateway.worker")

CACHED_MAPS: Final = 16
"""A map of a large bundle takes some 50 MB once it is decoded."""


class SourceMaps:
    """The source maps of versions, read when first needed.

    Args:
        read: Gives a module's content by its hash.
    """

    def __init__(self, read: Callable[[str], Awaitable[bytes]]) -> None:
        self._read = read
        self._maps: OrderedDict[str, SourceMap | None] = OrderedDict()

    async def mapped(self, stack: str, version: Version) -> str:
        """Return a stack of a version with the places that were written, as far as its maps tell them."""
        uploaded = _map_modules(version)
        wanted = {file: uploaded[_plain(file)] for file in files_of(stack) if _plain(file) in uploaded}
        found = {file: await self._map(module) for file, module in wanted.items()}
        return mapped_stack(stack, found.get) if found else stack

    async def _map(self, module: Module) -> SourceMap | None:
        if module.sha256 not in self._maps:
            self._maps[module.sha256] = await self._load(module)
            if len(self._maps) > CACHED_MAPS:
                self._maps.popitem(last=False)
        self._maps.move_to_end(module.sha256)
        return self._maps[module.sha256]

    async def _load(self, module: Module) -> SourceMap | None:
        try:
            content = await self._read(module.sha256)
            return await asyncio.to_thread(parse_source_map, content)
        except (NoSourceMap, OSError) as error:
            log.warning("source_map.not_read", module=module.name, error=str(error))
            return None


class TraceIntake:
    """Takes what the tail Worker of each version's process sends.

    Args:
        version_of: Finds a version by its id.
        tags_of: Gives a Worker's script tags.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        hub: TailHub,
        bus: EventBus,
        source_maps: SourceMaps,
        *,
        version_of: Callable[[VersionId], Version | None],
        tags_of: Callable[[WorkerName], Sequence[str]],
        clock: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._bus = bus
        self._source_maps = source_maps
        self._version_of = version_of
        self._tags_of = tags_of
        self._clock = clock

    async def take(self, version_id: VersionId, events: Sequence[Mapping[str, Any]]) -> None:
        """Log the exceptions of some invocations, and hand the invocations to whoever listens.

        Args:
            events: What a tail Worker gets, as JSON; of a Worker that nobody listens to, those with exceptions
                are enough.
        """
        version = self._version_of(version_id)
        if version is None:
            return  # deleted while it ran
        received_ms = self._clock() * 1000
        for raw in events:
            item = trace_item(raw, version, received_ms=received_ms, script_tags=self._tags_of(version.worker))
            if item is None:
                continue
            await self._map_stacks(item, version)
            _log_exceptions(item, version)
            self._publish(item, version)
            self._hub.publish(version.worker, item)

    def _publish(self, item: TraceItem, version: Version) -> None:
        """Tell of what was thrown and, where somebody asks for it, of what was said."""
        for thrown in exception_events(item, version, self._clock()):
            self._bus.publish(thrown)
        if self._bus.wants(EventKind.CONSOLE, version.worker):
            for said in console_events(item, version, self._clock()):
                self._bus.publish(said)

    async def _map_stacks(self, item: TraceItem, version: Version) -> None:
        for exception in item["exceptions"]:
            if isinstance(exception.get("stack"), str):
                exception["stack"] = await self._source_maps.mapped(exception["stack"], version)


def _log_exceptions(item: TraceItem, version: Version) -> None:
    for exception in item["exceptions"]:
        log.error(
            "worker.exception",
            worker=version.worker,
            version=version.label,
            version_id=version.id,
            entrypoint=item.get("entrypoint", "default"),
            object=item.get("durableObjectId", ""),
            ray=ray_of(item),
            name=exception.get("name"),
            message=exception.get("message"),
            stack=exception.get("stack", ""),
        )


def exception_events(item: TraceItem, version: Version, now: float) -> Iterator[ExceptionEvent]:
    """Yield the exceptions of an invocation.

    Args:
        now: For those that do not say when they were thrown.
    """
    for one in item["exceptions"]:
        yield ExceptionEvent(
            _seconds(one.get("timestamp"), now),
            version.worker,
            version.id,
            version.label,
            str(one.get("name") or "Error"),
            str(one.get("message") or ""),
            str(one.get("stack") or ""),
            headers_of(item).get("cf-ray", ""),
            str(item.get("entrypoint", "default")),
            str(item.get("durableObjectId", "")),
        )


def console_events(item: TraceItem, version: Version, now: float) -> Iterator[ConsoleEvent]:
    """Yield what an invocation's code gave ``console``; see ``exception_events``."""
    for one in item["logs"]:
        yield ConsoleEvent(
            _seconds(one.get("timestamp"), now),
            version.worker,
            version.id,
            version.label,
            str(one.get("level") or "log"),
            said_words(one.get("message"))[:MESSAGE_CHARACTERS],
            "console",
            headers_of(item).get("cf-ray", ""),
            str(item.get("durableObjectId", "")),
        )


def _seconds(milliseconds: object, now: float) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) and milliseconds else now


def _map_modules(version: Version) -> dict[str, Module]:
    """Return a version's source maps by the name of the file they are for."""
    runtime = version.runtime
    modules = runtime.modules if isinstance(runtime, WorkerdRuntime) else ()
    maps = (module for module in modules if module.kind is ModuleKind.SOURCE_MAP)
    return {_plain(module.name).removesuffix(".map"): module for module in maps}


def _plain(name: str) -> str:
    return name.removeprefix("./")
