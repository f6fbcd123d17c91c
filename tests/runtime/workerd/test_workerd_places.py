"""Where a workerd may lie: paths only."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.runtime.workerd.places import (
    PINNED_VERSION,
    Platform,
    binaries_below,
    cache_folder,
    folders_upwards,
    installed_folder,
)

LINUX = Platform("linux", "x86_64")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/home/ann/.cache/gradual-gateway/workerd"),
        ({"XDG_CACHE_HOME": "/var/cache/ann"}, "/var/cache/ann/gradual-gateway/workerd"),
        ({"XDG_CACHE_HOME": ""}, "/home/ann/.cache/gradual-gateway/workerd"),
        ({"XDG_CACHE_HOME": "cache"}, "/home/ann/.cache/gradual-gateway/workerd"),
    ],
)
def test_the_cache_is_where_the_specification_says(environment: dict[str, str], folder: str) -> None:
    """XDG Base Directory: unset or empty means ~/.cache, and a relative path is to be ignored."""
    assert cache_folder(environment, Path("/home/ann")) == Path(folder)


def test_each_pinned_version_has_a_folder_of_its_own() -> None:
    """A newer gateway installs a newer workerd beside the one that an older gateway still runs."""
    assert installed_folder(Path("/cache")) == Path("/cache", PINNED_VERSION)


def test_folders_are_searched_upwards_each_once() -> None:
    """Node's order: the nearest first; what two starts have in common is not looked at twice."""
    assert folders_upwards([Path("/home/ann/shop"), Path("/home/ann/config")]) == tuple(
        map(Path, ("/home/ann/shop", "/home/ann", "/home", "/", "/home/ann/config"))
    )


@pytest.mark.parametrize(
    ("platform", "package"),
    [
        (LINUX, "workerd-linux-64"),
        (Platform("linux", "aarch64"), "workerd-linux-arm64"),
        (Platform("darwin", "arm64"), "workerd-darwin-arm64"),
        (Platform("darwin", "x86_64"), "workerd-darwin-64"),
    ],
)
def test_each_platform_has_its_package(platform: Platform, package: str) -> None:
    """The names are those of npm's scope @cloudflare."""
    assert platform.package == package
    assert any(package in str(path) for path in binaries_below(Path("/shop"), platform))


def test_an_unknown_platform_is_left_with_what_the_user_built() -> None:
    """Only the package's own binary may be there."""
    assert {path.parts[-3:] for path in binaries_below(Path("/shop"), Platform("sunos", "sparc"))} == {
        ("workerd", "bin", "workerd")
    }
