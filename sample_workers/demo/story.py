"""The story, chapter by chapter: what happens is real, and so is every command and its output."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sample_workers.demo.stage import Stage
from sample_workers.demo.visitors import Visit, crowd, crowd_during

ROLL_BACK: Final = 4
"""Exit code of ``gateway health``."""

FEW: Final = 60
MANY: Final = 1_500


class NotAsTold(Exception):
    """Something came out otherwise than the story has it."""


class Story:
    """Tells the story on a stage.

    Args:
        pace: Returns after the time that somebody needs to read what was just shown.
    """

    def __init__(self, stage: Stage, console: Console, pace: Callable[[float], Awaitable[None]]) -> None:
        self._stage = stage
        self._console = console
        self._pace = pace

    async def tell(self) -> None:
        """Tell all of it.

        Raises:
            NotAsTold: Says what came out otherwise.
        """
        await self._a_rollout_breaks_pages()
        await self._a_key_cures_them()
        await self._a_bad_version_is_caught()
        await self._and_rolled_back()

    async def _a_rollout_breaks_pages(self) -> None:
        line = "Each page names a script that only its own version has."
        await self._chapter("1", "Half of the traffic to v2", line)
        await self._run("versions", "deploy", "v1@50%", "v2@50%", "--worker", "shop", "-y")
        visits = await self._visitors(FEW, "60 visitors open the shop", keyed=False)
        broken = sum(not one.is_whole for one in visits)
        _check(0 < broken < FEW, f"{broken} of {FEW} pages broke without a key")
        self._say(
            f"[bold red]{broken} of {FEW} pages are broken[/]: the script was asked of the other version, 404."
        )
        await self._run("skew", "--kind", "asset_skew")
        await self._pace(4)

    async def _a_key_cures_them(self) -> None:
        line = (
            "Each visitor sends Cloudflare-Workers-Version-Key, as a rule would set it from a cookie (R23, R26)."
        )
        await self._chapter("2", "The cure: an affinity key", line)
        await self._run("skew", "--forget")
        visits = await self._visitors(FEW, "the same 60 visitors, with a key", keyed=True)
        broken = sum(not one.is_whole for one in visits)
        _check(broken == 0, f"{broken} of {FEW} pages broke with a key")
        met = sorted({one.page_version for one in visits})
        self._say(f"[bold green]All {FEW} pages are whole[/], on {len(met)} versions: each visitor keeps to one.")
        await self._run("skew")

    async def _a_bad_version_is_caught(self) -> None:
        await self._chapter(
            "3", "v2 has a bug", "We make it fail: 6 % of its requests, and the rest 80 ms slower."
        )
        await self._run("versions", "deploy", "v1@80%", "v2@20%", "--worker", "shop", "-y")
        bug = ("--worker", "shop", "--version", "v2")
        await self._run("fault", "add", "status", "--status", "500", "--share", "6", *bug, "--as", "bug")
        await self._run("fault", "add", "latency", "--ms", "80", *bug, "--as", "slow")
        await self._visitors(MANY, "1,500 visitors", keyed=True, prefix="guest")
        code = await self._run("health", "--worker", "shop", "--window", "deployment", expected=ROLL_BACK)
        self._say(f"Exit code [bold]{code}[/]: a script knows what to do.")
        await self._pace(3)

    async def _and_rolled_back(self) -> None:
        await self._chapter("4", "Back to v1, with visitors in the shop", "Nothing is lost.")

        async def rollback() -> None:
            await self._run("rollback", "--worker", "shop", "-y", "--message", "v2 fails")

        _, after = await crowd_during(self._stage.url, rollback)
        lost = [one for one in after if not one.is_whole]
        _check(bool(after) and not lost, f"{len(lost)} of {len(after)} visits failed after the rollback")
        met = {one.page_version for one in after}
        _check(len(met) == 1, f"{len(met)} versions answered after the rollback")
        self._say(f"[bold green]{len(after)} visits since, all whole[/], all on v1.")
        await self._run("fault", "clear")

    async def _chapter(self, number: str, title: str, line: str) -> None:
        self._console.print()
        self._console.rule(f"[bold]{number} · {title}[/]", align="left")
        self._say(line)
        await self._pace(3)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)

    async def _visitors(self, count: int, what: str, *, keyed: bool, prefix: str = "visitor") -> list[Visit]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=count)
            return await crowd(
                self._stage.url, count, keyed=keyed, prefix=prefix, seen=lambda _visit: progress.advance(task)
            )

    async def _run(self, *arguments: str, expected: int = 0) -> int:
        self._console.print(f"[bold cyan]$ gateway {shlex.join(arguments)}[/]", highlight=False)
        code, out = await self._stage.gateway(*arguments)
        self._console.print(out, markup=False, highlight=False, style="dim", soft_wrap=True)
        _check(code == expected, f"gateway {shlex.join(arguments)} ended with {code}, not {expected}")
        await self._pace(4)
        return code


def _check(is_so: bool, what: str) -> None:
    if not is_so:
        raise NotAsTold(what)


async def no_pause(_seconds: float) -> None:
    """Go on at once."""
    await asyncio.sleep(0)
