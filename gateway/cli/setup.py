"""``gateway setup workerd``: installs, on request, what the gateway runs Workers on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gateway.cli.session import OrderedGroup, Start, say
from gateway.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.runtime.workerd.install import Progress

_MEGABYTE: Final = 1_000_000


@click.group(cls=OrderedGroup, short_help="Install what Workers run on.")
def setup() -> None:
    """Install what the gateway needs beside itself."""


@setup.command("workerd", short_help="Install workerd with npm, for this user.")
@click.option("--force", is_flag=True, help="Install it again even if it is there.")
@click.pass_context
def workerd(ctx: click.Context, *, force: bool) -> None:
    """Install the workerd this gateway was tested with into the user's cache, with npm.

    Only needed where a project has none of its own in node_modules: wrangler brings one.
    """
    # The other commands start without loading any of this.
    from gateway.runtime.workerd.install import PACKAGE, InstallFailed, install_workerd  # noqa: PLC0415
    from gateway.runtime.workerd.places import cache_folder  # noqa: PLC0415

    environment = Start.of(ctx).environment
    cache = cache_folder(environment, Path.home())
    try:
        with _progress_shown(f"Installing {PACKAGE} with npm") as on_progress:
            installed = install_workerd(cache, environment, force=force, on_progress=on_progress)
    except InstallFailed as error:
        for line in error.output:
            say(f"  {printable(line)}", err=True)
        raise
    what = "is installed already" if installed.was_there else "is installed"
    say(f"workerd {installed.binary.version} {what}: {printable(str(installed.binary.path))}")


@contextmanager
def _progress_shown(title: str) -> Iterator[Callable[[Progress], None]]:
    """Show on stderr how npm gets on: a line that changes on a terminal, else one line at the start."""
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(title) as status:
            yield lambda progress: status.update(f"{title}: {_in_words(progress)}")
    else:
        yield _once(title)


def _in_words(progress: Progress) -> str:
    return f"{progress.seconds:.0f} s, {progress.installed_bytes / _MEGABYTE:.0f} MB"


def _once(title: str) -> Callable[[Progress], None]:
    """Return what prints the title when it is first called: not at all where nothing needs installing."""
    told = False

    def tell(_progress: Progress) -> None:
        nonlocal told
        if not told:
            told = True
            say(f"{title} ...", err=True)

    return tell
