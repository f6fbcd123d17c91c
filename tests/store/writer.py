"""A program that writes to a state folder in a loop and prints what was acknowledged, until it is killed.

``python -m tests.store.writer FOLDER [LIMIT]``: with LIMIT no file may grow beyond so many bytes, as on a full disk;
the program then goes on until a write fails, prints ``failed: <error>``, frees the space, and ends after one more of
each.
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


async def write_one_of_each(table: Table, number: int) -> None:
    """Make a deployment, use an object and pin another one, and print each once it is acknowledged."""
    await table.deploy((B, number % 100), (A, 100 - number % 100))
    print(f"deployment {len(table.deployments)}", flush=True)
    key = ObjectKey(SHOP, "Cart", f"cart-{number}" + "x" * 200)
    found = table.use(key, START + number)
    await table.objects.flush()
    print(f"object {key.name} {found.assigned}", flush=True)
    pinned = ObjectKey(SHOP, "Cart", f"pinned-{number}")
    await table.objects.pin(pinned, A, START + number)
    print(f"pin {pinned.name}", flush=True)


async def write(folder: Path, limit: int | None) -> None:
    """Write for ever, or until the disk was full once."""
    async with opened(folder, AssignmentRule.STICKY) as table:
        print("open", flush=True)
        number = len(table.deployments)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        while True:
            number += 1
            try:
                await write_one_of_each(table, number)
            except StateUnavailable as error:
                print(f"failed: {error}", flush=True)
                break
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await table.objects.activation_over()  # nobody waits for ever
        await write_one_of_each(table, number + 1)
        print("done", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
