"""Talks to one workerd process: over its control socket, and by looking at its open files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.errors import GatewayError
from gateway.runtime.workerd.storage import StoredObject

ANSWER_SECONDS: Final = 10.0
BATCH: Final = 16
"""Objects that are ended in one go: a process has one thread, and who calls another object waits meanwhile."""

BATCH_SECONDS: Final = 30.0
_OK: Final = 200
_CONNECTED: Final = "03"
"""State of a connected socket in ``/proc/net/unix``."""

_OBJECT_FILE: Final = re.compile(r".*/([^/]+)/([0-9a-f]{64})\.sqlite")


class ProcessFailed(GatewayError):
    """A version's process did not do what it was told: it ended, hangs, or reports an error."""

    status, code, fault = 503, 90_141, "upstream"


def _session(socket: Path) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)))


async def call(socket: Path, message: Mapping[str, Any], *, seconds: float = ANSWER_SECONDS) -> Any:
    """Post a message to one of a process's sockets, and return the answer.

    Raises:
        ProcessFailed: There is no answer, in that time, or an error.
    """
    # workerd ends an idle connection by itself after 5 s: no session is kept.
    async with _session(socket) as session:
        return await _post(session, message, seconds)


async def _post(session: aiohttp.ClientSession, message: Mapping[str, Any], seconds: float) -> Any:
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with session.post("http://gateway/", json=message, timeout=timeout) as answer:
            if answer.status != _OK:
                raise ProcessFailed(f"its process answers {answer.status}: {(await answer.text())[:300]}")
            return await answer.json(content_type=None)
    except TimeoutError:
        raise ProcessFailed(f"its process does not answer within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise ProcessFailed(f"its process is gone: {error}") from error


class Control:
    """The control socket of one running process."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ping(self, seconds: float) -> None:
        """Return once the process answers; see ``call``."""
        await call(self._socket, {"op": "ping"}, seconds=seconds)

    async def collect(self) -> list[tuple[StoredObject, str | None]]:
        """Return the objects touched since the last call, with their names where known."""
        return _touched(await call(self._socket, {"op": "collect"}))

    async def prepare(
        self, next_table: Mapping[str, Any]
    ) -> tuple[list[tuple[StoredObject, str | None]], set[StoredObject]]:
        """Let calls to objects that move wait; return those touched, and those that hold WebSockets."""
        answer = await call(self._socket, {"op": "prepare", "next": next_table})
        return _touched(answer), {_object(whole) for whole in answer["sockets"]}

    async def release(self, objects: Sequence[StoredObject]) -> None:
        """End objects; callers in flight get Cloudflare's reset message (R56)."""
        await self._batches("release", [{"key": one.key, "id": one.id.hex()} for one in objects])

    async def abort(self, one: StoredObject) -> None:
        """End an object that is in memory; callers in flight get the reset message (R56)."""
        await self._batches("abort", [{"key": one.key, "id": one.id.hex()}])

    async def adopt(self, alarms: Mapping[StoredObject, int]) -> None:
        """Schedule the alarms of objects that moved here, in milliseconds."""
        await self._batches(
            "adopt", [{"key": one.key, "id": one.id.hex(), "alarm": alarm} for one, alarm in alarms.items()]
        )

    async def commit(self) -> None:
        """Follow the table of the last ``prepare``; calls that waited go on."""
        await call(self._socket, {"op": "commit"})

    async def cancel(self) -> None:
        """Forget the last ``prepare``."""
        await call(self._socket, {"op": "cancel"})

    async def follow(self, tables: Mapping[str, Any]) -> None:
        """Follow other tables: of this Worker's addresses, or of other Workers."""
        await call(self._socket, {"op": "tables", "tables": tables})

    async def _batches(self, op: str, objects: Sequence[Mapping[str, Any]]) -> None:
        async with _session(self._socket) as session:
            for start in range(0, len(objects), BATCH):
                message = {"op": op, "objects": objects[start : start + BATCH]}
                answer = await _post(session, message, BATCH_SECONDS)
                for whole, trouble in answer["trouble"].items():
                    raise ProcessFailed(f"object {whole} cannot be moved: {trouble}")


def _touched(answer: Mapping[str, Any]) -> list[tuple[StoredObject, str | None]]:
    return [(_object(whole), name) for whole, name in answer["touched"]]


def _object(whole: str) -> StoredObject:
    key, _, object_id = whole.rpartition(":")
    return StoredObject(key, bytes.fromhex(object_id))


def resident(pid: int) -> set[StoredObject]:
    """Return the objects in a process's memory: workerd closes an object's file when it leaves memory."""
    found = set()
    for path in _open_files(pid):
        match = _OBJECT_FILE.fullmatch(path)
        if match:
            found.add(StoredObject(match[1], bytes.fromhex(match[2])))
    return found


def _open_files(pid: int) -> Iterable[str]:
    if sys.platform != "linux":
        listed = subprocess.run(  # noqa: S603 - a fixed program and a number
            ["/usr/sbin/lsof", "-Fn", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        yield from (line[1:] for line in listed.stdout.splitlines() if line.startswith("n"))
        return
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(entry.path)  # noqa: PTH115 - thousands of them, while a move waits


def open_calls(socket: Path) -> int:
    """Return how many calls are under way on a process's debug port: each is a connection of its own.

    workerd does not wait for them when it is told to end. Where this cannot be seen, none is.
    """
    wanted = f" {socket}"
    with contextlib.suppress(FileNotFoundError):
        lines = Path("/proc/net/unix").read_text("utf-8").splitlines()
        return sum(line.endswith(wanted) and line.split()[5] == _CONNECTED for line in lines)
    return 0


async def until_closed(pid: int, objects: Iterable[StoredObject], *, seconds: float = ANSWER_SECONDS) -> None:
    """Return once a process has closed the files of all these objects.

    Raises:
        ProcessFailed: It has not, in that time.
    """
    wanted = set(objects)
    try:
        async with asyncio.timeout(seconds):
            while wanted and (wanted := wanted & await asyncio.to_thread(resident, pid)):
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise ProcessFailed(f"it keeps {len(wanted)} objects open") from None
