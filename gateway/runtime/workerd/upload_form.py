"""The upload that wrangler writes with ``--outfile``, as metadata and modules; pure (wrangler-api, section 4)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from gateway.model.worker_code import ModuleKind

_NAME: Final = re.compile(rb'\bname="([^"]*)"')
_FILE_NAME: Final = re.compile(rb'\bfilename="([^"]*)"')
_TYPE: Final = re.compile(rb"^content-type:\s*([^;\r\n]+)", re.IGNORECASE | re.MULTILINE)


class NoUploadForm(ValueError):
    """Some bytes are no upload."""


@dataclass(frozen=True, slots=True)
class CodeModule:
    """One module with its content."""

    name: str
    kind: ModuleKind
    content: bytes


@dataclass(frozen=True, slots=True)
class UploadForm:
    """What a version is uploaded as."""

    metadata: dict[str, Any]
    modules: tuple[CodeModule, ...]


def parse_upload_form(content: bytes) -> UploadForm:
    """Read ``multipart/form-data`` of which nothing but the body is known; its first line is the boundary.

    Raises:
        NoUploadForm: It is none, lacks the metadata, or has a module of a kind that is not known.
    """
    boundary, line_end, rest = content.partition(b"\r\n")
    if not boundary.startswith(b"--") or not line_end:
        raise NoUploadForm("it does not begin with a boundary")
    metadata: dict[str, Any] | None = None
    modules = []
    *parts, end = (line_end + rest).split(b"\r\n" + boundary)
    if not end.startswith(b"--"):
        raise NoUploadForm("it ends in the middle")
    for part in parts:
        head, blank, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not blank:
            raise NoUploadForm("a part has no end of its head")
        if _FILE_NAME.search(head) is None and _first(_NAME, head) == "metadata":
            metadata = _metadata(body)
        else:
            modules.append(CodeModule(_first(_FILE_NAME, head), _kind(head), body))
    if metadata is None:
        raise NoUploadForm("it has no metadata")
    return UploadForm(metadata, tuple(modules))


def build_upload_form(form: UploadForm, boundary: str) -> tuple[bytes, str]:
    """Return an upload as bytes, and its Content-Type.

    Args:
        boundary: What stands in none of the modules.
    """
    start = b"--" + boundary.encode("ascii") + b"\r\nContent-Disposition: form-data; "
    parts = [start + b'name="metadata"\r\n\r\n' + json.dumps(form.metadata).encode("ascii")]
    for module in form.modules:
        name = module.name.encode()
        head = b'name="%s"; filename="%s"\r\nContent-Type: %s\r\n\r\n' % (name, name, module.kind.encode("ascii"))
        parts.append(start + head + module.content)
    return b"\r\n".join([*parts, b"--" + boundary.encode("ascii") + b"--\r\n"]), (
        f"multipart/form-data; boundary={boundary}"
    )


def _first(pattern: re.Pattern[bytes], head: bytes) -> str:
    match = pattern.search(head)
    if match is None:
        raise NoUploadForm("a part has no name")
    return match[1].decode()


def _metadata(body: bytes) -> dict[str, Any]:
    try:
        metadata = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoUploadForm(f"its metadata is not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise NoUploadForm("its metadata is no object")
    return metadata


def _kind(head: bytes) -> ModuleKind:
    try:
        return ModuleKind(_first(_TYPE, head).strip().lower())
    except ValueError as error:
        raise NoUploadForm(f"a module of a kind that does not run here: {error}") from error
