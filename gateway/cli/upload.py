"""``gateway versions upload``: what ``wrangler versions upload`` sends, without wrangler or with its bundle."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli import render
from gateway.cli.session import Session, connected
from gateway.control.client import ApiError
from gateway.runtime.workerd.upload_form import UploadForm, build_upload_form

KEPT_BINDINGS: Final = (
    "plain_text", "json", "secret_text", "secret_key", "durable_object_namespace", "service", "version_metadata",
)  # fmt: skip
"""A bare file says nothing of bindings, so the new version has those of the one before."""


@click.command(short_help="Upload a version; the percentages stay as they are.")
@click.argument("main", metavar="[PATH]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--wrangler",
    "config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A wrangler.jsonc, .json or .toml: the project's own wrangler bundles it, TypeScript and all.",
)
@click.option("--tag", default="", metavar="TEXT", help="A name for the version; else its id.")
@click.option("-m", "--message", default="", metavar="TEXT", help="What is new.")
@click.option(
    "--alias", "--preview-alias", "alias", default="", metavar="NAME", help="A name for its version URL (R90)."
)
@click.option(
    "--module", "modules", multiple=True, metavar="GLOB", help="Further modules, relative to the folder of PATH."
)
@click.option("--compatibility-date", default="", metavar="DATE", help="Else that of the version before.")
@click.option(
    "--compatibility-flag", "flags", multiple=True, metavar="FLAG", help="Else those of the version before."
)
@connected
def upload(
    session: Session,
    *,
    main: Path | None,
    config: Path | None,
    tag: str,
    message: str,
    alias: str,
    modules: tuple[str, ...],
    compatibility_date: str,
    flags: tuple[str, ...],
) -> None:
    """Upload the ES module PATH, or the project of --wrangler FILE, as a new version.

    It serves nothing until `gateway versions deploy` gives it a percentage; its version URL works at once. The
    first version of a new Worker, named by --worker, is deployed too (R8). PATH gets the bindings, secrets and
    compatibility date of the version before.
    """
    if (main is None) == (config is None):
        raise click.UsageError("Give either PATH or --wrangler FILE.")
    worker = session.worker()
    if config is not None:
        form = _bundled(config, session.start.environment)
    else:
        before = _latest_runtime(session, worker)
        date = compatibility_date or before.get("compatibility_date", "")
        form = _read(str(main), modules, date, flags or tuple(before.get("compatibility_flags", ())))
    uploaded = session.client.upload(worker, *_annotated(form, tag, message, alias))
    version = session.client.version(worker, uploaded["version_id"])
    session.answer(version, lambda style: render.uploaded(version, style, deployed=uploaded["deployed"]))


def _bundled(config: Path, environment: Mapping[str, str]) -> UploadForm:
    import asyncio  # noqa: PLC0415 - costs more to import than all that other commands need

    from gateway.runtime.workerd.sources import bundle  # noqa: PLC0415 - as asyncio

    return asyncio.run(bundle(config.absolute(), environment)).form


def _read(main: str, modules: tuple[str, ...], date: str, flags: tuple[str, ...]) -> UploadForm:
    from gateway.runtime.workerd.sources import read_code  # noqa: PLC0415 - imports asyncio
    from gateway.settings import WorkerdSource  # noqa: PLC0415 - as above

    if not date:
        raise click.UsageError("There is no version before it: give --compatibility-date YYYY-MM-DD.")
    form = read_code(WorkerdSource(main, modules, (), date, flags), Path.cwd()).form
    return replace(form, metadata={**form.metadata, "bindings": [], "keep_bindings": list(KEPT_BINDINGS)})


def _annotated(form: UploadForm, tag: str, message: str, alias: str) -> tuple[bytes, str]:
    """Return the body of the upload and its Content-Type."""
    given = {"workers/tag": tag, "workers/message": message, "workers/alias": alias}
    annotations = {name: text for name, text in given.items() if text}
    return build_upload_form(
        replace(form, metadata={**form.metadata, "annotations": annotations}), uuid.uuid4().hex
    )


def _latest_runtime(session: Session, worker: str) -> dict[str, Any]:
    try:
        versions = session.client.versions(worker)
    except ApiError as error:
        if error.status == 404:  # noqa: PLR2004 - a Worker that is new
            return {}
        raise
    return next((one["runtime"] for one in versions if one["runtime"].get("kind") == "workerd"), {})
