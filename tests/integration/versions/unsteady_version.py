"""Versions that do not do well: ``python -m tests.integration.versions.unsteady_version HOW``.

``dies`` ends before it listens; ``falls`` listens and then ends; ``sleeps`` never listens; ``family`` serves
its own pid and those of a child and a grandchild, which ignore every polite signal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import NoReturn

from tests.integration.versions.small_server import Exchange, run, say

LIVES_SECONDS = 0.3
PIDS: list[int] = [os.getpid()]


async def tell_pids(exchange: Exchange) -> None:
    """Answer with the pids of the family."""
    await exchange.send_json({"pids": PIDS})


def die() -> NoReturn:
    """End with last words on both streams."""
    say("reading <settings> & more")
    say("fatal: no database", sys.stderr)
    sys.exit(7)


def fall() -> None:
    """Serve for a moment, then end as a crash does."""
    threading.Timer(LIVES_SECONDS, lambda: os._exit(9)).start()
    say("serving for a moment")
    run(tell_pids)


def start_family() -> None:
    """Serve, with a child and a grandchild that outlive polite signals."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.versions.unsteady_version", "child"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    PIDS.extend([child.pid, int(child.stdout.readline())])
    run(tell_pids)


def be_child() -> None:
    """Start a grandchild, tell its pid, and stay."""
    grandchild = subprocess.Popen([sys.executable, "-c", _STAY])
    say(str(grandchild.pid))
    exec(_STAY)  # noqa: S102 - our own line


_STAY = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
time.sleep(3600)
"""


def main() -> None:
    """Do as the first argument says."""
    match sys.argv[1]:
        case "dies":
            die()
        case "falls":
            fall()
        case "sleeps":
            time.sleep(3600)
        case "family":
            start_family()
        case "child":
            be_child()


if __name__ == "__main__":
    main()
