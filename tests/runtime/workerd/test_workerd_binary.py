"""Finding workerd: in a project's node_modules as each package manager lays it out, by setting, in the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import RuntimeUnavailable
from gateway.runtime.workerd.binary import find_workerd, this_platform
from gateway.runtime.workerd.places import PINNED_VERSION
from tests.node import tools

PLATFORM_PACKAGE = this_platform().package or ""
NODE_SCRIPT = "#!/usr/bin/env node\n"


def program(path: Path, text: str = "workerd 2026-11-17", *, code: int = 0) -> Path:
    """Write a program that answers as ``workerd --version`` would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{text}'\nexit {code}\n", "utf-8")
    path.chmod(0o755)
    return path


def by_npm(project: Path) -> Path:
    """All packages side by side; the script in ``workerd`` was not replaced by the binary."""
    modules = project / "node_modules"
    program(modules / "workerd/bin/workerd").write_text(NODE_SCRIPT, "utf-8")
    return program(modules / "@cloudflare" / PLATFORM_PACKAGE / "bin/workerd")


def by_npm_below_wrangler(project: Path) -> Path:
    """Another workerd lies on top, so wrangler has its own."""
    modules = project / "node_modules/wrangler/node_modules"
    (modules / "workerd").mkdir(parents=True)
    return program(modules / "@cloudflare" / PLATFORM_PACKAGE / "bin/workerd")


def by_npm_with_scripts(project: Path) -> Path:
    """The install script put the binary in the place of the script."""
    return program(project / "node_modules/workerd/bin/workerd")


def by_pnpm(project: Path) -> Path:
    """Each package in a folder of its own beside links to what it needs; the project sees only wrangler."""
    store = project / "node_modules/.pnpm"
    wrangler, workerd, binary = (store / name / "node_modules" for name in ("wrangler@4", "workerd@1", "linux@1"))
    found = program(binary / "@cloudflare" / PLATFORM_PACKAGE / "bin/workerd")
    (wrangler / "wrangler").mkdir(parents=True)
    program(workerd / "workerd/bin/workerd").write_text(NODE_SCRIPT, "utf-8")
    (workerd / "@cloudflare").mkdir()
    (workerd / "@cloudflare" / PLATFORM_PACKAGE).symlink_to(found.parents[1])
    (wrangler / "workerd").symlink_to(workerd / "workerd")
    (project / "node_modules/wrangler").symlink_to(wrangler / "wrangler")
    return found


@pytest.mark.parametrize("lay_out", [by_npm, by_npm_below_wrangler, by_npm_with_scripts, by_pnpm])
def test_a_projects_own_workerd_is_found(lay_out: Callable[[Path], Path], tmp_path: Path) -> None:
    """From the project's folder and from any below it, without Node."""
    binary = lay_out(tmp_path)
    below = tmp_path / "config/edge"
    below.mkdir(parents=True)

    for folder in (tmp_path, below):
        found = find_workerd(None, [folder], {})
        assert (found.path, found.version) == (binary, "2026-11-17")


@pytest.mark.parametrize(
    ("folder", "version"),
    [(tools.folder_of_newest_workerd, "2026-11-17"), (tools.folder_of_older_workerd, "2026-04-26")],
)
def test_the_real_ones_are_found(folder: Callable[[], Path], version: str) -> None:
    """As npm lays them out when it may run no install scripts."""
    assert find_workerd(None, [folder()], {}).version == version


def test_the_order_is_setting_start_folder_configuration_cache(tmp_path: Path) -> None:
    """Each of them counts only where those before it hold none."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    start, config = tmp_path / "start", tmp_path / "config"
    cached = by_npm(tmp_path / "cache/gradual-gateway/workerd" / PINNED_VERSION)

    def found(setting: Path | None = None) -> Path:
        return find_workerd(setting, [start, config], environment).path

    assert found() == cached
    assert found() != (in_config := by_npm(config))
    assert found() == in_config
    in_start = by_npm(start)
    assert found() == in_start
    by_hand = program(tmp_path / "built/workerd")
    assert found(by_hand) == by_hand


def test_one_that_cannot_be_used_is_passed_over(tmp_path: Path) -> None:
    """A project may pin an old wrangler, or come from another kind of machine."""
    program(tmp_path / "shop/node_modules/workerd/bin/workerd", "workerd 2023-02-28")
    good = by_npm(tmp_path)

    assert find_workerd(None, [tmp_path / "shop"], {}).path == good


def test_nothing_found_names_every_place_and_the_command(tmp_path: Path) -> None:
    """House rule: an error says what to do next."""
    old = program(tmp_path / "shop/node_modules/workerd/bin/workerd", "workerd 2023-02-28")

    with pytest.raises(RuntimeUnavailable) as caught:
        find_workerd(None, [tmp_path / "shop"], {"XDG_CACHE_HOME": str(tmp_path / "cache")})

    for place in (tmp_path / "shop", tmp_path, "/", tmp_path / "cache/gradual-gateway/workerd" / PINNED_VERSION):
        assert str(place) in caught.value.message
    assert "gateway.workerd is not set" in caught.value.message
    assert f"{old} is workerd 2023-02-28" in caught.value.message
    assert "gateway setup workerd" in caught.value.remedy


def missing(path: Path) -> None:
    """Nothing is there."""


def below_a_file(path: Path) -> None:
    """What should be a folder is none."""
    path.parent.write_text("", "utf-8")


def a_folder(path: Path) -> None:
    """The path of the package instead of the binary."""
    path.mkdir(parents=True)


def a_loop(path: Path) -> None:
    """Leads to itself."""
    path.parent.mkdir()
    path.symlink_to(path)


def not_executable(path: Path) -> None:
    """Unpacked without its mode."""
    program(path).chmod(0o644)


def of_another_machine(path: Path) -> None:
    """Not a program here."""
    program(path).write_bytes(b"\x7fELF\x02\x01\x01")


def a_script_for_node(path: Path) -> None:
    """What node_modules/.bin/workerd leads to."""
    program(path).write_text(NODE_SCRIPT, "utf-8")


def another_program(path: Path) -> None:
    """Runs, and says something else."""
    program(path, "wrangler 4.164.0")


def one_that_fails(path: Path) -> None:
    """A library is missing, say."""
    program(path, "error while loading shared libraries", code=127)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (missing, "there is no file"),
        (below_a_file, "there is no file"),
        (a_folder, "Is a directory"),
        (a_loop, "cannot be read"),
        (not_executable, "does not run: Permission denied"),
        (of_another_machine, "does not run: Exec format error"),
        (a_script_for_node, f"is a script for Node .* node_modules/@cloudflare/{PLATFORM_PACKAGE}/bin/workerd"),
        (another_program, "ended with 0 and said 'wrangler 4.164.0'"),
        (one_that_fails, "ended with 127 and said 'error while loading shared libraries'"),
    ],
)
def test_a_setting_that_leads_to_no_workerd_says_why(
    make: Callable[[Path], None], problem: str, tmp_path: Path
) -> None:
    """The user chose it, so nothing else is taken in its place."""
    by_npm(tmp_path)
    path = tmp_path / "built/workerd"
    make(path)

    with pytest.raises(RuntimeUnavailable, match=problem) as caught:
        find_workerd(path, [tmp_path], {})

    assert caught.value.message.startswith("gateway.workerd: ")
    assert str(path) in caught.value.message
