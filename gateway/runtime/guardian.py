"""Sees to it that no child outlives the gateway, however the gateway ends.

A process of its own, started with the gateway's end of a pipe as its standard input. It reads ``+<pgid>`` and
``-<pgid>`` lines; when the pipe ends — the gateway stopped, or was killed with no chance to say so — it kills
every process group it still knows of, and ends. It works for grandchildren too, which a signal at the parent's
death would not reach, and on every Unix.

Run as a script by path, with nothing of this project imported: it must start quickly and stay small.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Watch until the pipe ends."""
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)  # Ctrl-C reaches us as well; we end after the gateway, not before
    groups: set[int] = set()
    for line in sys.stdin:
        change, group = line[:1], int(line[1:])
        (groups.add if change == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
