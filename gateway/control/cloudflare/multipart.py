"""Reads upload forms: modules go to the module store as they come, so that no upload ever sits in memory."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, Protocol

from aiohttp import BodyPartReader, web
from aiohttp.helpers import parse_mimetype

from gateway.control.refusals import InvalidUpload, NotServed, UploadTooLarge
from gateway.errors import BadRequest
from gateway.model.worker_code import Module, ModuleKind

MAX_UPLOAD_BYTES: Final = 256 * 2**20
MAX_FIELD_BYTES: Final = 8 * 2**20
_PIECE_BYTES: Final = 256 * 2**10
_LINE_END: Final = b"\r\n"
_ESCAPES: Final = (('"', "%22"), ("\r", "%0D"), ("\n", "%0A"))
_FIELDS: Final = frozenset({"metadata", "settings"})

_KINDS: Final[Mapping[str, ModuleKind]] = {
    **{kind.value: kind for kind in ModuleKind},
    "text/javascript+module": ModuleKind.ES_MODULE,
    "text/javascript": ModuleKind.COMMON_JS,
    "application/x-javascript": ModuleKind.COMMON_JS,
}
_KINDS_BY_SUFFIX: Final[Mapping[str, ModuleKind]] = {
    ".js": ModuleKind.ES_MODULE,
    ".mjs": ModuleKind.ES_MODULE,
    ".cjs": ModuleKind.COMMON_JS,
    ".wasm": ModuleKind.WASM,
    ".txt": ModuleKind.TEXT,
    ".json": ModuleKind.JSON,
    ".map": ModuleKind.SOURCE_MAP,
}


class Stored(Protocol):
    """A content in the module store."""

    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def size_bytes(self) -> int: ...  # noqa: D102


class ModuleFiles(Protocol):
    """Where modules lie, by the hash of their content."""

    async def keep(self, pieces: AsyncIterable[bytes]) -> Stored: ...  # noqa: D102
    async def keep_bytes(self, content: bytes) -> Stored: ...  # noqa: D102
    async def read(self, sha256: str) -> bytes: ...  # noqa: D102
    def path_of(self, sha256: str) -> Path: ...  # noqa: D102


class Form(NamedTuple):
    """An upload form: its JSON parts by name, and the modules among its parts."""

    fields: Mapping[str, Any]
    modules: tuple[Module, ...]


@dataclass(slots=True)
class _Budget:
    """How much of an upload has come, and how much may."""

    limit_bytes: int
    spent_bytes: int = 0

    def spend(self, size_bytes: int) -> None:
        self.spent_bytes += size_bytes
        if self.spent_bytes > self.limit_bytes:
            raise UploadTooLarge(self.limit_bytes)


async def read_form(request: web.Request, files: ModuleFiles) -> Form:
    """Read a form whatever the order of its parts.

    A part is a module where it has a file name; SDKs name every part ``files`` (wrangler-api, section 4).

    Raises:
        BadRequest: It is no form. UploadTooLarge: 10027. InvalidUpload, NotServed: A part that cannot be.
        StateUnavailable: The disk is full.
    """
    if not request.content_type.startswith("multipart/"):
        raise BadRequest(
            f"Content-Type {request.content_type!r} is no multipart/form-data",
            remedy="Send a form with a part `metadata` and one part a module; a bare script is not served.",
        )
    fields: dict[str, Any] = {}
    modules: list[Module] = []
    budget = _Budget(MAX_UPLOAD_BYTES)
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise BadRequest("a part of the form is itself a form", remedy="Send one flat form.")
            name, file_name = _unescaped(part.name), _unescaped(part.filename)
            if name in _FIELDS and not file_name:
                fields[name] = await _read_field(part, name)
            else:
                modules.append(await _keep_module(part, file_name or name, files, budget))
    except ValueError as error:
        raise BadRequest(f"the form cannot be read: {error}", remedy="Send multipart/form-data.") from error
    return Form(fields, tuple(modules))


async def _read_field(part: BodyPartReader, name: str) -> object:
    text = bytearray()
    async for piece in _pieces(part, _Budget(MAX_FIELD_BYTES).spend):
        text += piece
    try:
        return json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"form part {name!r} is not JSON: {error}", remedy="Send a JSON object.") from error


async def _keep_module(part: BodyPartReader, name: str, files: ModuleFiles, budget: _Budget) -> Module:
    if not name:
        raise InvalidUpload("a part of the form has no name", remedy="Give each module its file name.")
    kind = kind_of(name, part.headers.get("Content-Type", ""))
    kept = await files.keep(_pieces(part, budget.spend))
    return Module(name, kind, kept.sha256, kept.size_bytes)


async def _pieces(part: BodyPartReader, spend: Callable[[int], None]) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(_PIECE_BYTES):
        spend(len(piece))
        yield piece


def kind_of(name: str, content_type: str) -> ModuleKind:
    """Return what a module is by its media type, or by its name where it has none.

    Raises:
        NotServed: Python. InvalidUpload: A type no module has.
    """
    suffix = PurePosixPath(name).suffix
    if not content_type:
        return _KINDS_BY_SUFFIX.get(suffix, ModuleKind.DATA)
    mime = parse_mimetype(content_type)
    essence = f"{mime.type}/{mime.subtype}" + (f"+{mime.suffix}" if mime.suffix else "")
    if essence.startswith("text/x-python"):
        raise NotServed(f"module {name!r} in Python", remedy="Write the Worker in JavaScript or TypeScript.")
    if essence not in _KINDS:
        raise InvalidUpload(
            f"module {name!r} has media type {essence!r}", remedy=f"Use one of {', '.join(sorted(_KINDS))}."
        )
    kind = _KINDS[essence]
    # SDKs guess the type by the file name, and know no type for ES modules.
    return ModuleKind.ES_MODULE if kind is ModuleKind.COMMON_JS and suffix == ".mjs" else kind


async def send_form(
    request: web.Request, modules: Sequence[Module], files: ModuleFiles, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with modules as a form, from disk as they are."""
    boundary = uuid.uuid4().hex
    response = web.StreamResponse(headers={**headers, "Content-Type": f"multipart/form-data; boundary={boundary}"})
    heads = [_part_head(module, boundary) for module in modules]
    end = f"--{boundary}--\r\n".encode()
    response.content_length = len(end) + sum(
        len(head) + module.size_bytes + len(_LINE_END) for head, module in zip(heads, modules, strict=True)
    )
    await response.prepare(request)
    for head, module in zip(heads, modules, strict=True):
        await response.write(head)
        with await asyncio.to_thread(files.path_of(module.sha256).open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                await response.write(piece)
        await response.write(_LINE_END)
    await response.write(end)
    return response


def _unescaped(name: str | None) -> str:
    """Return a name of a form as it was before it was escaped as browsers do (HTML, multipart/form-data)."""
    name = name or ""
    for character, escape in _ESCAPES:
        name = name.replace(escape, character)
    return name


def _part_head(module: Module, boundary: str) -> bytes:
    """Return what stands before a module's content."""
    name = module.name
    for character, escape in _ESCAPES:
        name = name.replace(character, escape)
    return (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        f"Content-Type: {module.kind.value}\r\n\r\n"
    ).encode()
