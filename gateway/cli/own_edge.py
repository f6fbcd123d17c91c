"""An edge that one command starts for itself, with a state that ends with it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.control.client import ControlAddress, GatewayNotRunning, find_gateway
from gateway.errors import GatewayError

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02
SHOWN_LINES: Final = 20


class EdgeDidNotStart(GatewayError):
    """The edge that a command wanted for itself does not run; the message holds what it printed."""

    status, code, fault = 500, 90_182, "client"


@contextmanager
def own_edge(
    config: Path, *, ports: tuple[int, int] = (0, 0), seed: int | None = None
) -> Iterator[ControlAddress]:
    """Run an edge for as long as the context lasts, and say where its API is.

    Args:
        config: Its configuration; ports and state folder of it do not count.
        ports: Of data plane and API; 0 takes a free one.
        seed: In the place of the configuration's.

    Raises:
        EdgeDidNotStart: Tells what it printed.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as folder:
        state, log = Path(folder) / "state", Path(folder) / "log"
        words = [sys.executable, "-m", "gateway", "run", "-c", str(config), "--state", str(state)]
        words += ["--port", str(ports[0]), "--control-port", str(ports[1])]
        words += [] if seed is None else ["--seed", str(seed)]
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603 - ourselves
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            yield _address(process, state, log)
        finally:
            _stop(process)


def _address(process: subprocess.Popen[bytes], state: Path, log: Path) -> ControlAddress:
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at:
        try:
            return find_gateway({}, state=state)
        except GatewayNotRunning:
            if process.poll() is not None:
                raise EdgeDidNotStart(f"the edge ended by itself:\n{_last(log)}", remedy=_REMEDY) from None
        time.sleep(POLL_SECONDS)
    raise EdgeDidNotStart(f"the edge did not start in {START_SECONDS:g} s:\n{_last(log)}", remedy=_REMEDY)


_REMEDY: Final = "See with `gateway run -c CONFIG` what is wrong with it."


def _last(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-SHOWN_LINES:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
