"""The edge of the demo in a process of its own, and the real command line against it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from gateway.cli.own_edge import own_edge
from gateway.control.client import GatewayClient

CONFIG: Final = Path("config/demo.yaml")
USUAL_PORTS: Final = (8787, 8788)


class Stage(NamedTuple):
    """A running edge.

    Args:
        url, control: Base URLs of data plane and control plane.
    """

    url: str
    control: str

    async def gateway(self, *arguments: str) -> tuple[int, str]:
        """Run ``gateway ...`` against it; return exit code and what it printed."""
        environment = {**os.environ, "GATEWAY_CONTROL": self.control}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode("utf-8", "replace").rstrip("\n")


@contextlib.contextmanager
def running_stage(*, seed: int, free_ports: bool) -> Iterator[Stage]:
    """Start the edge on the usual ports, or on free ones where those are taken; end it behind the body.

    Args:
        free_ports: Whether to leave the usual ones to others anyhow.

    Raises:
        EdgeDidNotStart: Says why.
    """
    ports = (0, 0) if free_ports or not all(map(_is_free, USUAL_PORTS)) else USUAL_PORTS
    with own_edge(CONFIG, ports=ports, seed=seed) as address:
        yield Stage(f"{GatewayClient(address).status()['url']}/", address.url)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
