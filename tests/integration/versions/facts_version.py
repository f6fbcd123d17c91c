"""Tells what reached it: ``python -m tests.integration.versions.facts_version``.

``/version`` answers with the tag, ``/crash`` ends the process, ``/print`` prints the body's lines, every
other path answers with facts in JSON. With ``$OPEN_WHEN`` it listens only once that file is there; with
``$READY_WHEN`` the path ``/ready`` answers 503 until then.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from pathlib import Path

from tests.integration.versions.small_server import Exchange, metadata, run, say

VARIABLES = ("PORT", "CF_VERSION_METADATA", "GATEWAY_URL", "EXTRA")
ME = metadata()


async def handle(exchange: Exchange) -> None:
    """Answer one request."""
    match exchange.path:
        case "/version":
            await exchange.send(ME.tag.encode())
        case "/crash":
            say("about to crash")
            os._exit(3)
        case "/print":
            pieces: list[bytes] = []
            await exchange.read_body(pieces.append)
            stream = sys.stderr if exchange.query.get("to") == "stderr" else sys.stdout
            stream.buffer.write(b"".join(pieces))
            stream.flush()
            await exchange.send(b"printed")
        case "/ready":
            ready = Path(os.environ["READY_WHEN"]).exists()
            await exchange.send(b"", 200 if ready else 503)
        case _:
            checksum = 0

            def add(piece: bytes) -> None:
                nonlocal checksum
                checksum = zlib.crc32(piece, checksum)

            length = await exchange.read_body(add)
            await exchange.send_json(
                {
                    "tag": ME.tag,
                    "id": ME.id,
                    "pid": os.getpid(),
                    "method": exchange.method,
                    "target": exchange.target,
                    "headers": exchange.headers,
                    "body_bytes": length,
                    "crc32": checksum,
                    "env": {name: os.environ.get(name) for name in VARIABLES},
                    "folder": str(Path.cwd()),
                }
            )


def wait_for_file(name: str) -> None:
    """Return once the file that a variable names is there."""
    if name in os.environ:
        while not Path(os.environ[name]).exists():
            time.sleep(0.01)


if __name__ == "__main__":
    say(f"{ME.tag} begins")
    wait_for_file("OPEN_WHEN")
    run(handle)
