"""Follows a configuration file, and the code it names, while the gateway runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from gateway.config_file import load_settings
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.sources import Sources

log = structlog.get_logger("gateway")

POLL_SECONDS: Final = 0.3
FileStamp = tuple[int, int]
"""When a file was changed last, and which file it is: editors replace it."""


def stamp_of(path: Path) -> FileStamp | None:
    """Return the stamp of a file, or ``None`` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


async def follow(
    path: Path,
    seen: FileStamp | None,
    sources: Sources,
    in_force: Callable[[], Settings],
    apply: Callable[[Settings], Awaitable[None]],
) -> None:
    """Apply the file whenever it changes, for ever; one with a mistake changes nothing and is told.

    Args:
        seen: Of the file that is applied already.
        in_force: Returns the settings that hold now.
    """
    while True:
        await asyncio.sleep(POLL_SECONDS)
        stamp = stamp_of(path)
        if stamp in (seen, None) and not await sources.changed():
            continue
        seen = stamp
        try:
            settings = await sources.resolve(await asyncio.to_thread(load_settings, path))
            await apply(replace(settings, **_given_on_command_line(in_force())))
        except GatewayError as error:
            log.error("config.not_applied", error=error.message, remedy=error.remedy)


def _given_on_command_line(settings: Settings) -> dict[str, Any]:
    """Return what a reload keeps: the command line may have said it, and it cannot change while running."""
    names = ("listen", "control", "state", "seed")
    return {name: getattr(settings, name) for name in names}
