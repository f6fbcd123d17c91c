"""``gateway test``: plays declared scenarios, for CI."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.session import Start

# A file that is not there is told with a remedy.
_FILE = click.Path(path_type=Path)


@click.command(short_help="Play declared scenarios against the gateway, for CI.")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option(
    "-c",
    "--config",
    type=_FILE,
    metavar="CONFIG",
    help="Play them on an edge of their own, started with this file.",
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit XML.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
@click.option("--seed", type=int, metavar="N", help="In the place of the scenarios' own seeds.")
@click.option(
    "--name", "pattern", metavar="PATTERN", help="Only scenarios whose name fits; * stands for anything."
)
@click.option("--timings", is_flag=True, help="Also tell how long steps took; reports are then no longer alike.")
@click.option("--state", type=click.Path(path_type=Path), metavar="DIR", hidden=True)
@click.option("--control", metavar="URL", hidden=True)
@click.pass_context
def test(
    ctx: click.Context,
    /,
    *,
    files: tuple[Path, ...],
    config: Path | None,
    junit: Path | None,
    as_json: bool,
    seed: int | None,
    pattern: str | None,
    timings: bool,
    state: Path | None,
    control: str | None,
) -> None:
    """Play the scenarios of each FILE (YAML or JSON), one after the other, and tell which expectations failed.

    Exit code 0: all passed. 1: one failed, or the gateway refused. 2: a file or an option makes no sense.
    """
    # What reads and plays scenarios takes longer to import than `gateway --help` may.
    from gateway.cli.testing import Wanted, play_and_tell  # noqa: PLC0415

    start = Start.of(ctx).located(state, control)
    ctx.exit(play_and_tell(Wanted(files, config, junit, as_json, seed, pattern, timings), start))
