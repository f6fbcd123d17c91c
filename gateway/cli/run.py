"""``gateway run`` and ``gateway check``: the two commands that need no running gateway."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gateway.cli.session import Start, say
from gateway.cli.text import number, printable

if TYPE_CHECKING:
    from gateway.settings import Settings, WorkerSettings

DEFAULT_CONFIGS: Final = (Path("config/gateway.yaml"), Path("gateway.yaml"))
"""Looked for in this order, in the folder the command starts in."""

_PORT: Final = click.IntRange(0, 65_535)
# A file that is not there is told by the loader, with a remedy.
_CONFIG: Final = click.Path(path_type=Path)


def default_config(candidates: Sequence[Path] = DEFAULT_CONFIGS) -> Path | None:
    """Return the configuration file to use where none is named, or None where there is none."""
    return next((path for path in candidates if path.is_file()), None)


@click.command(short_help="Start the gateway; Ctrl-C drains and stops it.")
@click.option(
    "-c",
    "--config",
    type=_CONFIG,
    metavar="FILE",
    help="Configuration.  [default: config/gateway.yaml, gateway.yaml]",
)
@click.option("--port", type=_PORT, metavar="N", help="Port for requests; 0 takes a free one.")
@click.option("--control-port", type=_PORT, metavar="N", help="Port for the API; 0 takes a free one.")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="State folder.")
@click.option("--seed", type=int, metavar="N", help="Same seed, same order of requests, same decisions.")
@click.pass_context
def run(
    ctx: click.Context,
    *,
    config: Path | None,
    port: int | None,
    control_port: int | None,
    state: Path | None,
    seed: int | None,
) -> None:
    """Start the gateway, and print where it listens.

    Options win over the configuration file. Ctrl-C lets requests finish, then stops everything it started.
    """
    # The other commands start without loading the whole gateway.
    from gateway.serving import run as run_gateway  # noqa: PLC0415

    code = run_gateway(
        config if config is not None else default_config(),
        port=port,
        control_port=control_port,
        state=state if state is not None else Start.of(ctx).state,
        seed=seed,
    )
    ctx.exit(code)


@click.command(short_help="Check a configuration file without starting anything.")
@click.argument("file", type=_CONFIG)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def check(file: Path, *, as_json: bool) -> None:
    """Check a configuration FILE, with the same errors as `gateway run`."""
    from gateway.config_file import load_settings  # noqa: PLC0415

    settings = load_settings(file)
    if as_json:
        say(json.dumps(_summary(file, settings), indent=2))
        return
    say("\n".join([f"{printable(str(file))}: ok", *(f"  {_in_words(worker)}" for worker in settings.workers)]))


def _summary(file: Path, settings: Settings) -> dict[str, object]:
    return {
        "file": str(file),
        "ok": True,
        "workers": [
            {
                "name": worker.name,
                "routes": _patterns(worker),
                "versions": [{"id": version.id, "tag": version.tag} for version in worker.versions],
                "deployment": [
                    {"version_id": share.version_id, "tag": share.tag, "percentage": share.percentage}
                    for share in worker.deployment
                ],
            }
            for worker in settings.workers
        ],
    }


def _patterns(worker: WorkerSettings) -> list[str]:
    """Return the routes, each once: a Worker has its own host whether the file lists it or not."""
    return list(dict.fromkeys(route.pattern for route in worker.routes))


def _in_words(worker: WorkerSettings) -> str:
    versions = ", ".join(printable(version.tag) for version in worker.versions) or "none"
    routes = ", ".join(map(printable, _patterns(worker))) or "none"
    parts = [f"versions {versions}", f"routes {routes}"]
    if worker.deployment:
        shares = (f"{printable(share.tag)} {number(share.percentage)}%" for share in worker.deployment)
        parts.insert(1, f"deployment {', '.join(shares)}")
    return f"{printable(worker.name)}: {'; '.join(parts)}"
