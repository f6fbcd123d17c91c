"""Installs the pinned workerd with npm into the user's cache, all of it or nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from gateway.errors import GatewayError, RuntimeUnavailable
from gateway.runtime.workerd.binary import WorkerdBinary, probe, this_platform
from gateway.runtime.workerd.places import PINNED_VERSION, Platform, binaries_below, installed_folder

PACKAGE: Final = f"workerd@{PINNED_VERSION}"
LAST_LINES: Final = 15
"""Of npm's output that an error carries."""

_POLL_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 5.0
_DRAFT: Final = ".draft-"
_LOCK_FILE: Final = ".lock"


class InstallFailed(GatewayError):
    """The pinned workerd was not installed; what was there before is still there.

    Args:
        output: npm's last lines, where npm was the one to fail.
    """

    status, code, fault = 503, 90_142, "client"

    def __init__(self, problem: str, *, remedy: str, output: tuple[str, ...] = ()) -> None:
        super().__init__(problem, remedy=remedy)
        self.output = output


@dataclass(frozen=True, slots=True)
class Progress:
    """How far npm is: the seconds it took, and the bytes that lie in its folder by now."""

    seconds: float
    installed_bytes: int


@dataclass(frozen=True, slots=True)
class Installed:
    """The pinned workerd, and whether it was there before."""

    binary: WorkerdBinary
    was_there: bool


def install_workerd(
    cache: Path, environment: Mapping[str, str], *, force: bool, on_progress: Callable[[Progress], None]
) -> Installed:
    """Install the pinned workerd, unless it is there and runs.

    It is installed beside its place, tried, and then renamed: whoever looks meanwhile finds the old one or none.

    Args:
        cache: Holds one folder for each version; made where it is missing.
        environment: Of npm; its ``PATH`` says where npm is.
        force: Install it again even if it is there.
        on_progress: Called every now and then while npm runs.

    Raises:
        InstallFailed: npm is missing or failed, or what it installed does not run here.
    """
    _check_platform(this_platform())
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache):
            _remove_drafts(cache)
            found = None if force else _working(installed_folder(cache))
            if found is not None:
                return Installed(found, was_there=True)
            return Installed(_install(cache, environment, on_progress), was_there=False)
    except OSError as error:
        raise InstallFailed(
            f"{cache} cannot be written: {error}",
            remedy="Free disk space or make the folder writable, or set XDG_CACHE_HOME to another one.",
        ) from error


def _check_platform(platform: Platform) -> None:
    if platform.package is None:
        raise InstallFailed(
            f"there is no workerd for {platform.system} on {platform.machine}",
            remedy="Build workerd for this machine and set gateway.workerd to its path.",
        )


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Let one process at a time work on the cache; the next one then finds what the first installed."""
    with (cache / _LOCK_FILE).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_drafts(cache: Path) -> None:
    """Remove what an installation left that was killed; the lock says that none is under way."""
    for draft in cache.glob(f"{_DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)


def _working(folder: Path) -> WorkerdBinary | None:
    for path in binaries_below(folder, this_platform()):
        try:
            return probe(path)
        except (FileNotFoundError, RuntimeUnavailable):
            continue
    return None


def _install(
    cache: Path, environment: Mapping[str, str], on_progress: Callable[[Progress], None]
) -> WorkerdBinary:
    npm = shutil.which("npm", path=environment.get("PATH", ""))
    if npm is None:
        raise InstallFailed(
            "npm was not found on PATH",
            remedy="Install Node.js, which brings npm; or set gateway.workerd to the path of a workerd.",
        )
    with tempfile.TemporaryDirectory(dir=cache, prefix=_DRAFT, ignore_cleanup_errors=True) as name:
        draft, old = Path(name) / "new", Path(name) / "old"
        draft.mkdir()
        _run_npm(npm, draft, environment, on_progress)
        _check_runs(draft)
        target = installed_folder(cache)
        if target.exists():
            target.rename(old)
        draft.rename(target)
    found = _working(target)
    if found is None:
        raise InstallFailed(f"{target} was taken away", remedy="Try again.")
    return found


def _check_runs(folder: Path) -> None:
    """Try the binary before it takes its place.

    Raises:
        InstallFailed: It is not there or does not run; says why.
    """
    problem = "npm installed no binary for this machine (are optional dependencies switched off?)"
    for path in binaries_below(folder, this_platform()):
        try:
            probe(path)
        except FileNotFoundError:
            continue
        except RuntimeUnavailable as error:
            problem = error.message
        else:
            return
    raise InstallFailed(
        f"{PACKAGE} was installed but cannot be used: {problem}",
        remedy="On Linux it needs glibc, not musl; or set gateway.workerd to the path of one that runs here.",
    )


def _run_npm(
    npm: str, folder: Path, environment: Mapping[str, str], on_progress: Callable[[Progress], None]
) -> None:
    """Run ``npm install`` for a folder to its end.

    Raises:
        InstallFailed: It ended with an error; carries its last lines.
    """
    # No install scripts: the package for the platform holds the binary, ready to run.
    command = [
        npm,
        "install",
        "--prefix",
        str(folder),
        "--location=project",
        "--ignore-scripts",
        "--include=optional",
    ]
    command += ["--no-audit", "--no-fund", "--no-update-notifier", "--save-exact", PACKAGE]
    with (folder.parent / "npm.log").open("w+b") as output:
        process = subprocess.Popen(  # noqa: S603 - npm as the user's PATH names it
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = _watch(process, folder, on_progress)
        finally:
            _end(process)
        if code != 0:
            raise InstallFailed(
                f"npm install {PACKAGE} ended with {code}",
                remedy="npm's lines above say why: often the network, a proxy or a registry (npm config list).",
                output=_last_lines(output),
            )


def _watch(process: subprocess.Popen[bytes], folder: Path, on_progress: Callable[[Progress], None]) -> int:
    started = time.monotonic()
    while True:
        on_progress(Progress(time.monotonic() - started, _size(folder)))
        try:
            return process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _end(process: subprocess.Popen[bytes]) -> None:
    """End npm where Ctrl-C ended us, so that it does not write on into a folder that is removed."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).lstat().st_size
            except FileNotFoundError:  # npm renames and removes while we look
                continue
    return total


def _last_lines(output: IO[bytes]) -> tuple[str, ...]:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").splitlines()
    return tuple([line for line in lines if line.strip()][-LAST_LINES:])
