"""A program that writes to a state folder in a loop and prints what was acknowledged, until it is killed.

``python -m tests.store.writer FOLDER [LIMIT]``: with LIMIT no file may grow beyond so many bytes, as on a full
disk; the program then goes on until a write fails, prints ``failed: <error>``, frees the space, and ends after one
more of each.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

from gateway.errors import StateUnavailable
from gateway.model.durable_object import AssignmentRule, ObjectKey
from tests.model.examples import SHOP, A, B
from tests.store.tables import START, Table, opened


def tell(line: str) -> None:
    """Print a line at once: what comes after it may never happen."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def write_one_of_each(table: Table, number: int) -> None:
    """Make a deployment, use an object and pin another one, and print each once it is acknowledged."""
    await table.deploy((B, number % 100), (A, 100 - number % 100))
    tell(f"deployment {len(table.deployments)}")
    key = ObjectKey(SHOP, "Cart", f"cart-{number}" + "x" * 200)
    found = table.use(key, START + number)
    await table.objects.flush()
    tell(f"object {key.name} {found.assigned}")
    pinned = ObjectKey(SHOP, "Cart", f"pinned-{number}")
    await table.objects.pin(pinned, A, START + number)
    tell(f"pin {pinned.name}")


async def write(folder: Path, limit: int | None) -> None:
    """Write for ever, or until the disk was full once."""
    async with opened(folder, AssignmentRule.STICKY) as table:
        tell("open")
        number = len(table.deployments)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        while True:
            number += 1
            try:
                await write_one_of_each(table, number)
            except StateUnavailable as error:
                tell(f"failed: {error}")
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await table.objects.activation_over()  # nobody waits for ever
        await write_one_of_each(table, number + 1)
        tell("done")


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
