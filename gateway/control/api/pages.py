"""Serves the dashboard: one page, and its files under an address that changes with their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from aiohttp import web

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}
_PAGE: Final = "index.html"
_PLACE: Final = "assets"
"""What the page calls the folder of its files; served as ``assets/<hash>``."""

FOR_EVER: Final = "public, max-age=31536000, immutable"


class PageFile(NamedTuple):
    """A file as it is served."""

    content_type: str
    body: bytes


class Dashboard:
    """The dashboard's files, read once: what is not among them cannot be asked for, whatever the path.

    Modules import each other by relative paths, so one hash over all files stands before every path: the files may
    be kept for ever, and the page alone is asked for each time.
    """

    def __init__(self) -> None:
        folder = files("gateway.control").joinpath("dashboard")
        self.files: Mapping[str, PageFile] = dict(_files(folder))
        digest = hashlib.sha256()
        for path, file in sorted(self.files.items()):
            digest.update(f"{path}\0{len(file.body)}\0".encode() + file.body)
        self.place = f"/{_PLACE}/{digest.hexdigest()[:16]}"
        self.page = self.files[_PAGE].body.replace(f'"/{_PLACE}/'.encode(), f'"{self.place}/'.encode())

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of page and files."""
        return [web.get("/", self._show_page), web.get(f"{self.place}/{{path:.+}}", self._show_file)]

    async def _show_page(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.page, content_type="text/html", charset="utf-8")

    async def _show_file(self, request: web.Request) -> web.Response:
        file = self.files.get(request.match_info["path"])
        if file is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": FOR_EVER}
        return web.Response(body=file.body, content_type=file.content_type, charset="utf-8", headers=headers)


def _files(folder: Traversable, above: str = "") -> Iterator[tuple[str, PageFile]]:
    for entry in folder.iterdir():
        path = f"{above}{entry.name}"
        if entry.is_dir():
            yield from _files(entry, f"{path}/")
        elif (content_type := _TYPES.get(f".{entry.name.rpartition('.')[2]}")) is not None:
            yield path, PageFile(content_type, entry.read_bytes())
