"""Reads the code of versions that run on workerd: files as they lie, or what wrangler bundles of a project."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from gateway.errors import GatewayError
from gateway.model.worker_code import ModuleKind
from gateway.runtime.workerd.places import folders_upwards
from gateway.runtime.workerd.upload_form import CodeModule, NoUploadForm, UploadForm, parse_upload_form
from gateway.settings import WorkerdSource

BUNDLE_SECONDS: Final = 120.0
"""wrangler takes one second; a project's own build step (``build.command``) may take many."""

_KINDS: Final[Mapping[str, ModuleKind]] = {
    ".js": ModuleKind.ES_MODULE,
    ".mjs": ModuleKind.ES_MODULE,
    ".cjs": ModuleKind.COMMON_JS,
    ".wasm": ModuleKind.WASM,
    ".txt": ModuleKind.TEXT,
    ".html": ModuleKind.TEXT,
    ".sql": ModuleKind.TEXT,
    ".bin": ModuleKind.DATA,
    ".json": ModuleKind.JSON,
    ".map": ModuleKind.SOURCE_MAP,
}
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_HASHED_NAME: Final = re.compile(r"(?:\./)?([0-9a-f]{40})-(.+)")
_SHOWN_LINES: Final = 12
_QUIET: Final = {
    "WRANGLER_HIDE_BANNER": "true",
    "WRANGLER_SEND_METRICS": "false",
    "WRANGLER_SEND_ERROR_REPORTS": "false",
    "NO_COLOR": "1",
}


class UnreadableSource(GatewayError):
    """Code that cannot be read or bundled."""

    status, code, fault = 400, 90_011, "client"


@dataclass(frozen=True, slots=True)
class Code:
    """The code of one version, and what it was read from.

    Args:
        files: Absolute; a change in one may change the code. Folders stand for what comes and goes in them.
    """

    form: UploadForm
    files: frozenset[Path]


def read_code(source: WorkerdSource, folder: Path) -> Code:
    """Read code that lies ready; blocks.

    Args:
        folder: Where relative paths start.

    Raises:
        UnreadableSource: Names the file.
    """
    main = (folder / source.main).absolute()
    found = [main, *(path for pattern in source.modules for path in sorted(main.parent.glob(pattern)))]
    paths = [path for path in dict.fromkeys(found) if path == main or path.is_file()]
    modules = tuple(_module(path, main.parent) for path in paths)
    metadata = {
        "main_module": main.name,
        "compatibility_date": source.compatibility_date,
        "compatibility_flags": list(source.compatibility_flags),
    }
    folders = {path.parent for path in paths} if source.modules else set()
    return Code(UploadForm(metadata, modules), frozenset({*paths, *folders}))


def _module(path: Path, root: Path) -> CodeModule:
    name = PurePosixPath(path.relative_to(root)).as_posix()
    kind = _KINDS.get(path.suffix)
    if kind is None:
        raise UnreadableSource(
            f"{path} is no kind of module that runs here", remedy=f"Known are: {', '.join(_KINDS)}."
        )
    try:
        return CodeModule(name, kind, path.read_bytes())
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror}", remedy="Correct the path.") from error


async def bundle(config: Path, environment: Mapping[str, str]) -> Code:
    """Let the project's own wrangler bundle it, as for an upload, without uploading anything.

    Args:
        config: A ``wrangler.toml``, ``.json`` or ``.jsonc``, absolute.
        environment: Of the process; wrangler and the project's build step get it.

    Raises:
        UnreadableSource: There is no such file, no wrangler, or it refused; with its own words.
    """
    wrangler = await asyncio.to_thread(_wrangler_for, config, environment)
    with tempfile.TemporaryDirectory(prefix="gateway-") as name:
        scratch = Path(name)
        form, meta = scratch / "upload", scratch / "meta.json"
        await _run(
            [
                str(wrangler), "deploy", "--dry-run", "--config", str(config), "--outdir", str(scratch / "out"),
                "--outfile", str(form), "--metafile", str(meta),
            ],
            config.parent,
            {**environment, **_QUIET, "WRANGLER_LOG_PATH": str(scratch)},
        )  # fmt: skip
        return await asyncio.to_thread(_bundled, form, meta, config)


def _wrangler_for(config: Path, environment: Mapping[str, str]) -> Path:
    if not config.is_file():
        raise UnreadableSource(f"there is no file {config}", remedy="Correct the path.")
    return find_wrangler(config.parent, environment)


def find_wrangler(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return the wrangler that ``npx wrangler`` would run in a folder.

    Raises:
        UnreadableSource: There is none.
    """
    for above in folders_upwards([folder]):
        path = above / "node_modules" / ".bin" / "wrangler"
        if path.is_file():
            return path
    everywhere = shutil.which("wrangler", path=environment.get("PATH"))
    if everywhere is None:
        raise UnreadableSource(
            f"no wrangler was found: none in node_modules of {folder} or above, none on PATH",
            remedy="Install it in the project: npm install --save-dev wrangler",
        )
    return Path(everywhere)


async def _run(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise UnreadableSource(f"{argv[0]} does not start: {error}", remedy="Install it anew.") from error
    try:
        async with asyncio.timeout(BUNDLE_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        raise UnreadableSource(
            f"wrangler took longer than {BUNDLE_SECONDS:g} s in {folder}",
            remedy="See what hangs: npx wrangler deploy --dry-run",
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        raise UnreadableSource(
            f"wrangler cannot bundle it:\n{_last_lines(output)}",
            remedy=f"Mend it; the same is told by `npx wrangler deploy --dry-run` in {folder}.",
        )


def _last_lines(output: bytes) -> str:
    text = _COLOUR.sub("", output.decode("utf-8", "replace"))
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and "Logs were written to" not in line]
    return "\n".join(lines[:_SHOWN_LINES])


def _bundled(form: Path, meta: Path, config: Path) -> Code:
    try:
        upload = parse_upload_form(form.read_bytes())
        inputs: Any = json.loads(meta.read_bytes())["inputs"]
        files = {config, *(path for name in inputs if (path := _written(config.parent, name)) is not None)}
    except (OSError, NoUploadForm, ValueError, KeyError, TypeError) as error:
        raise UnreadableSource(
            f"wrangler wrote no upload that can be read: {error}",
            remedy="Use wrangler 4, and an ES module as main; older kinds of Workers do not run here.",
        ) from error
    return Code(upload, frozenset({*files, *_hashed_files(upload.modules, config.parent)}))


def _written(folder: Path, name: str) -> Path | None:
    """Return a file of the project; what was installed does not change while someone edits."""
    path = Path(os.path.normpath(folder / name))
    return path if "node_modules" not in path.parts and path.is_file() else None


def _hashed_files(modules: Iterable[CodeModule], folder: Path) -> Iterator[Path]:
    """Yield the files behind modules that wrangler names ``<sha1>-<file name>``: texts, wasm, data."""
    wanted = {match[2]: match[1] for module in modules if (match := _HASHED_NAME.fullmatch(module.name))}
    if not wanted:
        return
    for path in project_files(folder):
        hash_ = wanted.get(path.name)
        if hash_ and hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest() == hash_:
            yield path


def project_files(folder: Path) -> list[Path]:
    """Return the files of a project, without what was installed or built by tools."""
    found = []
    for above, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one != "node_modules" and not one.startswith(".")]
        found += [Path(above, name) for name in names if not name.startswith(".")]
    return found
