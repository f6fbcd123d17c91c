"""``destination_conf`` -> where a job's batches go; of files it only looks whether a folder can be used."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from gateway.errors import BadRequest

DATE: Final = "{DATE}"
"""Stands for the day, as ``20260131``, in a folder's path (Cloudflare docs, Logpush, destinations)."""

_HEADER: Final = "header_"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS: Final = frozenset({"content-encoding", "content-length", "content-type", "host", "transfer-encoding"})
_REMEDY: Final = "Give file:///absolute/folder, folder://name (in the state folder) or https://host/path."


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """A local folder.

    Args:
        folder: May hold ``{DATE}`` in its last parts.
    """

    folder: Path

    @property
    def shown(self) -> str:
        """What people may see of it."""
        return str(self.folder)


@dataclass(frozen=True, slots=True)
class HttpDestination:
    """An HTTP endpoint.

    Args:
        url: Without the parameters that are headers.
        headers: Sent with each batch; may hold secrets.
    """

    url: str
    headers: Sequence[tuple[str, str]] = ()

    @property
    def shown(self) -> str:
        """What people may see of it: nothing behind ``?``, and no password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


Destination = FolderDestination | HttpDestination


def parse_destination(text: str, own_folder: Path) -> Destination:
    """Return the destination that a text names.

    Args:
        own_folder: Holds the folders of ``folder://``.

    Raises:
        BadRequest: It is none of the three kinds, or its folder is not there or cannot be written.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise _wrong(f"cannot be read: {error}") from error
    if not text.isprintable():
        raise _wrong("has control characters in it")
    match parts.scheme:
        case "file":
            return _file(parts)
        case "folder":
            return _folder(text.partition("://")[2], own_folder)
        case "http" | "https":
            return _http(parts)
        case _:
            raise _wrong(f"is of the kind {parts.scheme!r}, which is not served")


def dated(folder: Path, day: str) -> Path:
    """Return a folder with the day put in."""
    return Path(str(folder).replace(DATE, day))


def _file(parts: SplitResult) -> FolderDestination:
    folder = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not folder.is_absolute() or parts.query or parts.fragment:
        raise _wrong("is no absolute path")
    if "\0" in str(folder) or ".." in folder.parts:
        raise _wrong("has '..' or a zero byte in it")
    known = next((one for one in (folder, *folder.parents) if DATE not in str(one)), folder)
    if not known.is_dir():
        raise _wrong(f"names the folder {known}, which is not there", remedy=f"Make it: mkdir -p {known}")
    if not os.access(known, os.W_OK | os.X_OK):
        raise _wrong(f"names the folder {known}, which cannot be written", remedy="Change its mode or owner.")
    return FolderDestination(folder)


def _folder(rest: str, own_folder: Path) -> FolderDestination:
    names = [unquote(name) for name in rest.strip("/").split("/")]
    for name in names:
        if not name or name in (".", "..") or "/" in name or "\0" in name:
            raise _wrong(f"has {name!r} as a part of its path", remedy="Give folder://name or folder://name/name.")
    return FolderDestination(own_folder.joinpath(*names))


def _http(parts: SplitResult) -> HttpDestination:
    if not parts.hostname:
        raise _wrong("has no host")
    headers: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name.startswith(_HEADER):
            headers.append(_checked_header(name.removeprefix(_HEADER), value))
        else:
            others.append((name, value))
    url = parts._replace(query=urlencode(others, quote_via=quote), fragment="").geturl()
    return HttpDestination(url, tuple(headers))


def _checked_header(name: str, value: str) -> tuple[str, str]:
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        raise _wrong(f"has the header {name!r}, which cannot be set", remedy="Leave it out.")
    if not _VALUE.fullmatch(value):
        raise _wrong(f"has a value for the header {name!r} that no header can have", remedy="Use printable ASCII.")
    return name, value


def _wrong(problem: str, *, remedy: str = _REMEDY) -> BadRequest:
    return BadRequest(f"destination_conf {problem}", remedy=remedy)
