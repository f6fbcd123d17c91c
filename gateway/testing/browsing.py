"""A page as a browser loads it: with its files, each asked for with the fields that browsers send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from gateway.comparison import answers
from gateway.comparison.browser_fields import PAGE_FIELDS, call_fields, file_fields
from gateway.comparison.subresources import Subresource, lack_of, subresources_of
from gateway.testing.answers import Answer

Send = Callable[..., Awaitable[Answer]]
"""``send(method, path, headers=…)``: ``Client.request``."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and what it asked for.

    Args:
        answer: The page itself, after redirects.
        files: By path, in the order in which the page names them; what its scripts fetch, ``get`` does.
        missing: Of the files those that did not come, each with what came instead: ``404``, ``200 text/html``.
    """

    answer: Answer
    files: Mapping[str, Answer]
    missing: Mapping[str, str]

    _send: Send = field(repr=False)

    @property
    def tag(self) -> str:
        """Tag of the version that the page is of."""
        return self.answer.tag

    async def follow(self, path: str, **more: Any) -> Page:
        """Go on to another page by a link, or by a form: ``method="POST"``, ``data=``; see ``load_page``."""
        headers = {"Referer": self.answer.url, **(more.pop("headers", None) or {})}
        return await load_page(self._send, path, headers=headers, **more)

    async def request(self, method: str, path: str, **more: Any) -> Answer:
        """Send what a script of the page sends with ``fetch``; arguments as those of ``Client.request``."""
        fields = call_fields(self.answer.url)
        return await self._send(method, path, **{**more, "headers": {**fields, **(more.get("headers") or {})}})

    async def get(self, path: str, **more: Any) -> Answer:
        """Send a GET; see ``request``."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, **more: Any) -> Answer:
        """Send a POST; see ``request``."""
        return await self.request("POST", path, **more)


async def load_page(send: Send, path: str, **more: Any) -> Page:
    """Load a page, then each of its files, one after the other: a seed repeats the draws of all of them.

    Args:
        send: Sends a request.
        more: Arguments of the page's own request; ``method`` is GET unless told otherwise.
    """
    fields = {**PAGE_FIELDS, **(more.pop("headers", None) or {})}
    answer = await send(more.pop("method", "GET"), path, headers=fields, **more)
    files: dict[str, Answer] = {}
    missing: dict[str, str] = {}
    for file in _files_of(answer):
        sent = file_fields(file.kind, answer.url)
        got = files[file.target] = await send("GET", file.target, headers=sent)
        if lack := lack_of(_compared(got), file.kind):
            missing[file.target] = lack
    return Page(answer, files, missing, send)


def _files_of(page: Answer) -> list[Subresource]:
    if not _compared(page).is_html:
        return []
    parts = urlsplit(page.url)
    return subresources_of(page.text, answers.Request("GET", parts.netloc, parts.path or "/"))


def _compared(answer: Answer) -> answers.Answer:
    return answers.Answer(answer.status, tuple(answer.headers.items()))
