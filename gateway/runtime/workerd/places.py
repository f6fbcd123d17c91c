"""Where a workerd may lie: paths only, nothing is looked at (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

PINNED_VERSION: Final = "1.20261117.1"
"""Of npm's ``workerd``: what ``gateway setup workerd`` installs; the only place that names it."""

PLATFORM_PACKAGES: Final = MappingProxyType(
    {
        ("linux", "x86_64"): "workerd-linux-64",
        ("linux", "aarch64"): "workerd-linux-arm64",
        ("darwin", "x86_64"): "workerd-darwin-64",
        ("darwin", "arm64"): "workerd-darwin-arm64",
    }
)
"""By ``sys.platform`` and ``platform.machine()``; npm's scope ``@cloudflare`` holds one package for each."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The machine a binary must be made for: ``sys.platform`` and ``platform.machine()``."""

    system: str
    machine: str

    @property
    def package(self) -> str | None:
        """Name in the scope ``@cloudflare`` of the package with its binary, or None where there is none."""
        return PLATFORM_PACKAGES.get((self.system, self.machine))


def cache_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Return the folder that holds one folder for each workerd that was installed on request.

    Source: XDG Base Directory Specification; a relative ``XDG_CACHE_HOME`` is to be ignored.
    """
    given = Path(environment.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else home / ".cache") / "gradual-gateway" / "workerd"


def installed_folder(cache: Path) -> Path:
    """Return where the pinned workerd lies once it is installed: a folder with ``node_modules``."""
    return cache / PINNED_VERSION


def folders_upwards(starts: Iterable[Path]) -> tuple[Path, ...]:
    """Return these folders, each followed by all above it, each once: Node's order of search.

    Args:
        starts: Absolute.
    """
    return tuple(dict.fromkeys(folder for start in starts for folder in (start, *start.parents)))


def binaries_below(folder: Path, platform: Platform) -> tuple[Path, ...]:
    """Return where a binary may lie in the ``node_modules`` of a folder, the likeliest first.

    The package ``workerd`` holds the binary, or, if its install script did not run, only a script that starts it;
    the binary itself is in a package for each platform. npm and yarn put them side by side, pnpm behind links:
    there ``..`` leads to where the link points, which is why these paths are not made shorter.
    """
    modules = folder / "node_modules"
    packages = (
        modules / "workerd",
        modules / "wrangler" / "node_modules" / "workerd",
        modules / "wrangler" / ".." / "workerd",
    )
    return tuple(path for package in packages for path in _binaries_of(package, platform))


def _binaries_of(package: Path, platform: Platform) -> Iterator[Path]:
    if platform.package is not None:
        yield package / "node_modules" / "@cloudflare" / platform.package / "bin" / "workerd"
        yield package / ".." / "@cloudflare" / platform.package / "bin" / "workerd"
    yield package / "bin" / "workerd"
