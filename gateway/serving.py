"""One gateway as a process of its own: started from a configuration, served until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from gateway.assembly import Gateway
from gateway.config_file import load_settings
from gateway.config_watch import FileStamp, stamp_of
from gateway.control.catalog import WorkerRecord
from gateway.errors import GatewayError
from gateway.observability.logging import set_up_logging
from gateway.settings import Settings

log = structlog.get_logger("gateway")

GC_ALLOCATIONS: Final = 20_000


def run(
    config: Path | None,
    *,
    port: int | None = None,
    control_port: int | None = None,
    state: Path | None = None,
    seed: int | None = None,
) -> int:
    """Run a gateway until Ctrl-C or SIGTERM, and return the exit code."""
    stamp = stamp_of(config) if config else None
    try:
        settings = _with_overrides(
            load_settings(config) if config else Settings(), port, control_port, state, seed
        )
        set_up_logging(settings.log_level)
        _run_loop(_serve(settings, stamp))
    except GatewayError as error:
        print(f"gateway: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"  {error.remedy}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"gateway: cannot listen: {error}", file=sys.stderr)
        print("  Choose another port with --port N and --control-port N; 0 takes a free one.", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings, file_stamp: FileStamp | None) -> None:
    gateway = Gateway(settings, file_stamp)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        await gateway.start()
        # What was built until now stays: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS)
        print(welcome(gateway), flush=True)
        await stopping.wait()
        log.info("gateway.stopping")
    finally:
        await gateway.close()


def welcome(gateway: Gateway) -> str:
    """Return what ``gateway run`` prints once it serves."""
    lines = [f"edge     {gateway.url}", f"control  {gateway.control_url}"]
    workers = gateway.plane.all_workers()
    if not workers:
        lines.append("no Worker yet; deploy one with wrangler:")
        lines.append(f"  export CLOUDFLARE_API_BASE_URL={gateway.control_url}/client/v4")
        lines.append("  export CLOUDFLARE_API_TOKEN=local CLOUDFLARE_ACCOUNT_ID=local")
    for worker in workers:
        record: WorkerRecord = gateway.catalog.record(worker.name)
        split = "nothing deployed"
        if record.active is not None:
            split = ", ".join(
                f"{record.versions[share.version_id].label} {share.percentage:g}%"
                for share in record.active.versions
            )
        lines.append(f"{worker.name:<8} http://{worker.name}.localhost:{gateway.address.port}/   {split}")
    return "\n".join(lines)


def _run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it exists, else on the standard event loop."""
    try:
        import uvloop  # noqa: PLC0415 - it does not exist everywhere
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def _with_overrides(
    settings: Settings, port: int | None, control_port: int | None, state: Path | None, seed: int | None
) -> Settings:
    """Return the settings with what the command line says instead."""
    if port is not None:
        settings = replace(settings, listen=replace(settings.listen, port=port))
    if control_port is not None:
        listen = replace(settings.control.listen, port=control_port)
        settings = replace(settings, control=replace(settings.control, listen=listen))
    if state is not None:
        settings = replace(settings, state=state)
    return replace(settings, seed=seed) if seed is not None else settings
