"""Visitors of the shop, as browsers are: a page, then the script that it names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import aiohttp

KEY_HEADER: Final = "Cloudflare-Workers-Version-Key"
AT_ONCE: Final = 24
_SCRIPT: Final = re.compile(r'<script[^>]* src="([^"]+)"')
_OK: Final = 200


class Visit(NamedTuple):
    """What one visitor met.

    Args:
        page, script: Status of each; 0 where the page named no script or did not come.
        page_version, script_version: Who answered, by id.
    """

    page: int
    script: int
    page_version: str = ""
    script_version: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the visitor sees the shop as it should be."""
        return self.page == self.script == _OK


async def visit(session: aiohttp.ClientSession, url: str, name: str, *, keyed: bool) -> Visit:
    """Open the shop as one visitor.

    Args:
        keyed: Whether an affinity key goes with each request, as a rule would set it from a cookie (R26).
    """
    who = {"User-Agent": f"Browser of {name}"} | ({KEY_HEADER: name} if keyed else {})
    async with session.get(url, headers=who | {"Sec-Fetch-Dest": "document"}) as page:
        text = await page.text()
        status, version = page.status, page.headers.get("Gateway-Version", "")
    found = _SCRIPT.search(text)
    if status != _OK or found is None:
        return Visit(status, 0, version)
    of_script = who | {"Sec-Fetch-Dest": "script", "Referer": url}
    async with session.get(url.rstrip("/") + found[1], headers=of_script) as script:
        await script.read()
        return Visit(status, script.status, version, script.headers.get("Gateway-Version", ""))


async def crowd(
    url: str, count: int, *, keyed: bool, prefix: str = "visitor", seen: Callable[[Visit], None] | None = None
) -> list[Visit]:
    """Let so many visitors open the shop, some at once, and return what each met, in their order.

    Args:
        seen: Told of each visit when it is over.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Visit:
        async with gate:
            met = await visit(session, url, f"{prefix}-{number}", keyed=keyed)
        if seen is not None:
            seen(met)
        return met

    async with aiohttp.ClientSession() as session:
        return await asyncio.gather(*(one(number) for number in range(count)))


async def crowd_during(url: str, deed: Callable[[], Awaitable[None]]) -> tuple[list[Visit], list[Visit]]:
    """Keep visitors coming while something is done; return the visits that began before its end, and after."""
    before: list[Visit] = []
    after: list[Visit] = []
    done = asyncio.Event()
    closing = asyncio.Event()

    async def keep_coming(session: aiohttp.ClientSession, number: int) -> None:
        turn = 0
        while not closing.is_set():
            turn += 1
            late = done.is_set()
            met = await visit(session, url, f"regular-{number}-{turn}", keyed=True)
            (after if late else before).append(met)

    async with aiohttp.ClientSession() as session:
        regulars = [asyncio.create_task(keep_coming(session, number)) for number in range(8)]
        await asyncio.sleep(0.5)
        await deed()
        done.set()
        await asyncio.sleep(1.5)
        closing.set()
        await asyncio.gather(*regulars)
    return before, after
