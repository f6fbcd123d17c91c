"""Finds the workerd to run versions on, and asks it what it is."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from gateway.errors import RuntimeUnavailable
from gateway.runtime.workerd.compatibility import newest_compatibility_date
from gateway.runtime.workerd.places import (
    Platform,
    binaries_below,
    cache_folder,
    folders_upwards,
    installed_folder,
)

OLDEST_RELEASE: Final = date(2026, 4, 26)
"""Older ones were never tried; what the gateway needs of workerd is in no release notes."""

_VERSION_SECONDS: Final = 30.0
"""Takes 20 ms; a binary of 160 MB that is read from a slow disk for the first time takes longer."""

_VERSION: Final = re.compile(r"workerd (\d{4}-\d{2}-\d{2})\s*")
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class WorkerdBinary:
    """A workerd that runs on this machine.

    Args:
        path: Absolute.
        release: The date it calls its version.
    """

    path: Path
    release: date

    @property
    def version(self) -> str:
        """As ``workerd --version`` tells it: ``2026-11-17``."""
        return self.release.isoformat()

    def newest_compatibility_date(self, today: date) -> date:
        """Return the newest compatibility date it takes; see ``compatibility``."""
        return newest_compatibility_date(self.release, today)


def this_platform() -> Platform:
    """Return the machine this process runs on."""
    return Platform(sys.platform, platform.machine())


def find_workerd(setting: Path | None, folders: Iterable[Path], environment: Mapping[str, str]) -> WorkerdBinary:
    """Return the workerd to use: the one set, the project's own, or the one installed on request.

    Blocks for as long as ``workerd --version`` takes; call it before the event loop or in a thread.

    Args:
        setting: ``gateway.workerd`` of the configuration; then nothing else is looked at.
        folders: Where a project may be: the folder the gateway was started in, that of its configuration. The
            ``node_modules`` of each and of all above it are looked at.
        environment: Of the process; names the cache.

    Raises:
        RuntimeUnavailable: There is none that runs; names each place and what was wrong there.
    """
    if setting is not None:
        return _set_by_hand(setting)
    searched = folders_upwards(folder.absolute() for folder in folders)
    cache = installed_folder(cache_folder(environment, Path.home()))
    refused: dict[Path, str] = {}
    for folder in (*searched, cache):
        for path in binaries_below(folder, this_platform()):
            try:
                return probe(path)
            except FileNotFoundError:
                continue
            except RuntimeUnavailable as error:
                refused.setdefault(path.resolve(), error.message)
    raise RuntimeUnavailable(_nothing_found(searched, cache, refused.values()))


def _set_by_hand(path: Path) -> WorkerdBinary:
    try:
        return probe(path)
    except FileNotFoundError:
        raise RuntimeUnavailable(f"gateway.workerd: there is no file {path}") from None
    except RuntimeUnavailable as error:
        raise RuntimeUnavailable(f"gateway.workerd: {error.message}") from None


def _nothing_found(searched: Iterable[Path], cache: Path, refused: Iterable[str]) -> str:
    places = ", ".join(map(str, searched))
    return "; ".join(
        [f"no workerd to run versions on: gateway.workerd is not set, none in node_modules of {places} or {cache}"]
        + [f"passed over: {problem}" for problem in refused]
    )


def probe(path: Path) -> WorkerdBinary:
    """Ask a binary for its version.

    Raises:
        FileNotFoundError: There is no such file.
        RuntimeUnavailable: It is no workerd, does not run on this machine, or is older than ``OLDEST_RELEASE``.
    """
    path = _existing(path)
    try:
        if _is_node_script(path):
            raise RuntimeUnavailable(
                f"{path} is a script for Node that starts workerd, not workerd itself, which lies in "
                f"node_modules/@cloudflare/{this_platform().package}/bin/workerd"
            )
        answer = subprocess.run(  # noqa: S603 - the path is the user's own
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeUnavailable(f"{path} --version did not answer in {_VERSION_SECONDS:g} s") from None
    except OSError as error:
        # A binary that asks for a loader which is not there (musl instead of glibc) is "not found" too.
        raise RuntimeUnavailable(f"{path} does not run: {error.strerror}") from error
    found = _VERSION.fullmatch(answer.stdout)
    if answer.returncode != 0 or found is None:
        said = " ".join((answer.stderr or answer.stdout).split())[:_SHOWN_CHARACTERS]
        raise RuntimeUnavailable(f"{path} --version ended with {answer.returncode} and said {said!r}")
    return _new_enough(WorkerdBinary(path, date.fromisoformat(found[1])))


def _existing(path: Path) -> Path:
    """Return the path without links and ``..``; a way through what is no folder leads nowhere."""
    try:
        return path.resolve(strict=True)
    except NotADirectoryError as error:
        raise FileNotFoundError(path) from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        # pathlib of Python 3.12 and older tells a loop of links by a RuntimeError.
        raise RuntimeUnavailable(f"{path} cannot be read: {error}") from error


def _is_node_script(path: Path) -> bool:
    with path.open("rb") as file:
        first_line = file.readline(256)
    return first_line.startswith(b"#!") and b"node" in first_line


def _new_enough(binary: WorkerdBinary) -> WorkerdBinary:
    if binary.release < OLDEST_RELEASE:
        raise RuntimeUnavailable(
            f"{binary.path} is workerd {binary.version}; the gateway needs {OLDEST_RELEASE} or newer"
        )
    return binary
