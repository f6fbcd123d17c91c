"""A batch -> its destination: the one part of Logpush that writes files and speaks HTTP."""

from __future__ import annotations

import asyncio
import gzip
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp

from gateway.observability.logpush.batches import Batch
from gateway.observability.logpush.destinations import Destination, FolderDestination, HttpDestination, dated

SEND_SECONDS: Final = 30.0
_SUCCESS: Final = range(200, 300)
_FILE_MODE: Final = 0o600
"""Records hold what code gave to ``console``."""


class DeliveryFailed(Exception):
    """A batch did not arrive; the message says why, and holds no secret."""


class Deliverer:
    """Delivers batches; used within its own context, in which HTTP connections are kept."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, batch: Batch, destination: Destination) -> None:
        """Deliver a batch.

        Raises:
            DeliveryFailed: It did not arrive, or nobody said that it did.
        """
        if isinstance(destination, FolderDestination):
            await asyncio.to_thread(write_file, batch, destination.folder)
        else:
            await self._post(batch, destination)

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, batch: Batch, destination: HttpDestination) -> None:
        body = await asyncio.to_thread(gzip.compress, batch.content, 5)
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", **dict(destination.headers)}
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(SEND_SECONDS))
        try:
            # A redirect would take the headers' secrets to another host.
            async with self._session.post(
                destination.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DeliveryFailed(f"{destination.shown}: {_reason(error)}") from error
        if status not in _SUCCESS:
            raise DeliveryFailed(f"{destination.shown} answered {status}")


def write_file(batch: Batch, folder: Path) -> Path:
    """Write a batch to a file of its own, in one step: whoever watches the folder never sees half of one.

    Raises:
        DeliveryFailed: The folder cannot be written.
    """
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (batch.begin, batch.end))
    place = dated(folder, begin.strftime("%Y%m%d"))
    file = place / f"{begin:%Y%m%dT%H%M%SZ}_{end:%Y%m%dT%H%M%SZ}_{uuid.uuid4().hex[:8]}.ndjson"
    draft = file.with_name(f".{file.name}.new")
    try:
        place.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "wb") as out:
                out.write(batch.content)
            draft.rename(file)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DeliveryFailed(f"{place}: {error.strerror or error}") from error
    return file


def _reason(error: Exception) -> str:
    """Return what went wrong without the address, which may hold secrets."""
    match error:
        case TimeoutError():
            return f"no answer within {SEND_SECONDS:g} s"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or type(error.os_error).__name__}"
        case _:
            return type(error).__name__
