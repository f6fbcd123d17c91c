"""Tells the story of ``make demo``: ``python -m sample_workers.demo [--no-pause] [--no-browser] ...``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import webbrowser
from typing import Final

from rich.console import Console

from gateway.cli.own_edge import EdgeDidNotStart
from sample_workers.demo.stage import Stage, running_stage
from sample_workers.demo.story import NotAsTold, Story, no_pause

SEED: Final = 7
INTERRUPTED: Final = 130


async def demo(stage: Stage, arguments: argparse.Namespace, console: Console) -> None:
    """Tell the story, and leave the edge to whoever watches.

    Raises:
        NotAsTold: Says what went otherwise.
    """
    console.print(f"The shop: {stage.url}   the dashboard, live: {stage.control}", highlight=False)
    if arguments.browser:
        await asyncio.to_thread(webbrowser.open, stage.control)
    await Story(stage, console, no_pause if arguments.no_pause else asyncio.sleep).tell()
    if sys.stdin.isatty() and not arguments.no_pause:
        told = f"\nThe edge runs on: {stage.control} shows what happened. Ctrl-C ends it."
        console.print(told, highlight=False)
        await asyncio.Event().wait()


def main() -> int:
    """Return the exit code: 0 where the story went as told."""
    parser = argparse.ArgumentParser(prog="make demo", description="A rollout that goes wrong, in two minutes.")
    parser.add_argument("--no-pause", action="store_true", help="do not wait for somebody to read")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="do not open the dashboard")
    parser.add_argument("--free-ports", action="store_true", help="leave the usual ports to others")
    arguments = parser.parse_args()
    arguments.browser = arguments.browser and sys.stdout.isatty()
    try:
        with running_stage(seed=SEED, free_ports=arguments.free_ports) as stage:
            asyncio.run(demo(stage, arguments, Console()))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (EdgeDidNotStart, NotAsTold) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
