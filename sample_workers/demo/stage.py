"""The edge of the demo in a process of its own, and the real command line against it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

CONFIG: Final = Path("config/demo.yaml")
USUAL_PORTS: Final = (8787, 8788)
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0


class Stage(NamedTuple):
    """A running edge.

    Args:
        url, control: Base URLs of data plane and control plane.
    """

    url: str
    control: str

    async def gateway(self, *arguments: str) -> tuple[int, str]:
        """Run ``gateway ...`` against it; return exit code and what it printed."""
        environment = {**os.environ, "GATEWAY_CONTROL": self.control, "PYTHONWARNINGS": "ignore"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode("utf-8", "replace").rstrip("\n")


class DidNotStart(Exception):
    """The edge ended, or was not there in time; says what it printed."""


@contextlib.asynccontextmanager
async def running_edge(folder: Path, *, seed: int, free_ports: bool) -> AsyncIterator[Stage]:
    """Start the edge on the usual ports, or on free ones where those are taken; end it behind the body.

    Args:
        folder: Holds its state and its log.
        free_ports: Whether to leave the usual ones to others anyhow.

    Raises:
        DidNotStart: Says why.
    """
    state, log = folder / "state", folder / "gateway.log"
    port, control_port = (0, 0) if free_ports or not all(map(_is_free, USUAL_PORTS)) else USUAL_PORTS
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "run", "-c", str(CONFIG), "--state", str(state), "--seed", str(seed),
            "--port", str(port), "--control-port", str(control_port),
            stdout=asyncio.subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip
    try:
        told = await _wait_for_run_file(process, state / "run.json", log)
        yield Stage(f"{told['url']}/", told["control"])
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _wait_for_run_file(process: asyncio.subprocess.Process, path: Path, log: Path) -> dict[str, str]:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while process.returncode is None:
                if told := _read_run_file(path):
                    return told
                await asyncio.sleep(0.02)
    said = await asyncio.to_thread(log.read_text, "utf-8", "replace")
    raise DidNotStart(said or "the edge did not start in time")


def _read_run_file(path: Path) -> dict[str, str] | None:
    with contextlib.suppress(FileNotFoundError):
        told: dict[str, str] = json.loads(path.read_text("utf-8"))
        return told
    return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
