"""Results and errors -> text for people (pure: no stream, clock or environment)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.cli.text import (
    NOTHING,
    Cell,
    Style,
    fields,
    label,
    moment,
    number,
    percent,
    printable,
    short_id,
    short_label,
    table,
)
from gateway.control.client import CreatedDeployment, Deployment, FiredCron, Share, Version, VersionSpec

_STATE_COLOURS: Final[Mapping[str, str]] = {
    "running": "green",
    "starting": "yellow",
    "crashed": "red",
    "stopped": "bright_black",
}


def error(message: str, remedy: str, style: Style) -> str:
    """Return an error and, on its own line, what to do about it."""
    lines = [f"{style.paint('error:', 'red', bold=True)} {printable(message)}"]
    if remedy:
        lines.append(f"{style.paint('remedy:', bold=True)} {printable(remedy)}")
    return "\n".join(lines)


def warning(message: str, style: Style) -> str:
    """Return a warning, yellow where colours are allowed."""
    return style.paint(f"warning: {printable(message)}", "yellow")


def split(shares: Iterable[Share]) -> str:
    """Return a deployment's versions in order, as ``v1 (1a2b3c4d) 90%, v2 (5e6f7a8b) 10%``."""
    return ", ".join(
        f"{label(share['tag'], share['version_id'])} {percent(share['percentage'])}" for share in shares
    )


def short_split(shares: Iterable[Share]) -> str:
    """Return a deployment's versions in order, as ``v1 90%, v2 10%``; ids only where there is no tag."""
    return ", ".join(
        f"{short_label(share['tag'], share['version_id'])} {percent(share['percentage'])}" for share in shares
    )


def uploaded(version: Version, style: Style, *, deployed: bool) -> str:
    """Return what a new version is called, where it can be tried, and how it gets traffic."""
    name = label(version["tag"], version["id"])
    lines = [f"{style.paint('uploaded', 'green', bold=True)} {name} of {version['worker']}: {version['url']}"]
    if deployed:
        lines.append("It is the first version, so it has all traffic.")
    else:
        reference = version["tag"] or version["id"]
        lines.append(f"Nothing is routed to it yet: gateway versions deploy {printable(reference)}@10%")
    return "\n".join(lines)


def fired_cron(fired: FiredCron, style: Style) -> str:
    """Return what became of a cron that was fired by hand."""
    outcome = style.paint(fired["outcome"], "green" if fired["outcome"] == "ok" else "red", bold=True)
    return f"cron {printable(fired['cron'])!r} ran on {label(fired['tag'], fired['version_id'])}: {outcome}"


def wanted_split(shares: Iterable[VersionSpec], labels: Mapping[str, str]) -> str:
    """Return versions as the user named them; ``labels`` tells what to call those named by id."""
    return ", ".join(
        f"{labels.get(spec.version, printable(spec.version))} {percent(spec.percentage)}" for spec in shares
    )


def versions(shown: Sequence[Version], total: int, style: Style) -> str:
    """Return a list of versions; ``total`` is how many there are."""
    if not shown:
        return "The Worker has no versions."
    rows = [
        (
            str(version["number"]),
            version["tag"] or NOTHING,
            short_id(version["id"]),
            moment(version["created_on"]),
            version["source"],
            _state(version["state"]),
            Cell(percent(version["percentage"]), "green" if version["percentage"] else ""),
            version["message"],
        )
        for version in shown
    ]
    headings = ("number", "tag", "id", "created (UTC)", "source", "state", "percentage", "message")
    return table(headings, rows, style, right="number percentage") + _rest(len(shown), total, "versions")


def version(shown: Version, style: Style) -> str:
    """Return all of one version."""
    runtime = " ".join(
        f"{key}={_setting(value)}" for key, value in shown["runtime"].items() if key != "kind" and value
    )
    state = _state(shown["state"])
    lines = [
        fields(
            [
                ("version", printable(shown["id"])),
                ("worker", printable(shown["worker"])),
                ("number", str(shown["number"])),
                ("tag", printable(shown["tag"])),
                ("message", printable(shown["message"])),
                ("created", f"{moment(shown['created_on'])} UTC"),
                ("source", printable(shown["source"])),
                ("author", printable(shown["author"])),
                ("runtime", printable(f"{shown['runtime'].get('kind', '')} {runtime}".strip())),
                ("state", style.paint(printable(state.text), state.colour)),
                ("trouble", style.paint(printable(shown["trouble"]), "red")),
                ("percentage", "not deployed" if shown["percentage"] is None else percent(shown["percentage"])),
                ("url", printable(shown["url"])),
            ],
            style,
        )
    ]
    if shown["last_lines"]:
        lines += ["", style.paint("last lines it wrote:", bold=True)]
        lines += [f"  {printable(line)}" for line in shown["last_lines"]]
    return "\n".join(lines)


def deployments(shown: Sequence[Deployment], total: int, style: Style) -> str:
    """Return a list of deployments; ``total`` is how many there are."""
    if not shown:
        return "The Worker has no deployments."
    rows = [
        (
            str(deployment["number"]),
            short_id(deployment["id"]),
            moment(deployment["created_on"]),
            _made_by(deployment),
            Cell(short_split(deployment["versions"]), "green" if deployment["active"] else ""),
            Cell("active", "green") if deployment["active"] else "",
            deployment["message"],
        )
        for deployment in shown
    ]
    headings = ("number", "id", "created (UTC)", "made by", "versions", "", "message")
    return table(headings, rows, style, right="number") + _rest(len(shown), total, "deployments")


def deployment(shown: Deployment, style: Style) -> str:
    """Return all of one deployment."""
    head = fields(
        [
            ("deployment", f"{shown['number']} ({printable(shown['id'])})"),
            ("worker", printable(shown["worker"])),
            ("active", "yes" if shown["active"] else "no"),
            ("message", printable(shown["message"])),
            ("created", f"{moment(shown['created_on'])} UTC"),
            ("made by", printable(_made_by(shown))),
            ("author", printable(shown["author"])),
            ("code update", _code_update(shown)),
        ],
        style,
    )
    return "\n".join([head, "", *_ranges(shown["versions"], style), *_cohorts(shown, style)])


def created(answer: CreatedDeployment, style: Style) -> str:
    """Return what became of a deployment: its split, and how many keys moved."""
    new = answer["deployment"]
    moved = f"{percent(answer['moved_percentage'])} of all affinity keys"
    if answer["dry_run"]:
        if answer["moved_objects"]:
            moved += f" and {answer['moved_objects']:,} known objects"
        head = f"Dry run: {printable(new['worker'])} would get {split(new['versions'])}."
        return f"{head}\n{moved} would change their version. Nothing was changed."
    head = style.paint(f"Deployment {new['number']} of {printable(new['worker'])} is active:", "green")
    return f"{head} {split(new['versions'])}.\n{moved} changed their version."


def change(before: Deployment | None, preview: CreatedDeployment, style: Style) -> str:
    """Return the current and the new split side by side, to be confirmed."""
    objects = preview["moved_objects"]
    which = f" and {objects:,} known objects" if objects else ""
    moved = f"{percent(preview['moved_percentage'])} of all affinity keys{which} change their version"
    return fields(
        [
            ("now", split(before["versions"]) if before else "no deployment"),
            ("new", split(preview["deployment"]["versions"])),
            ("moves", moved),
        ],
        style,
    )


def choices(listed: Sequence[Version], style: Style) -> str:
    """Return a numbered list of versions to choose from; those of the active deployment are marked."""
    rows = [
        (
            str(position),
            version["tag"] or NOTHING,
            short_id(version["id"]),
            moment(version["created_on"]),
            _state(version["state"]),
            "" if version["percentage"] is None else Cell(f"active, {percent(version['percentage'])}", "green"),
            version["message"],
        )
        for position, version in enumerate(listed, 1)
    ]
    return table(("#", "tag", "id", "created (UTC)", "state", "", "message"), rows, style, right="#")


def _state(state: str) -> Cell:
    return Cell(state, _STATE_COLOURS.get(state, ""))


def _rest(shown: int, total: int, noun: str) -> str:
    return f"\n{shown} of {total} {noun}; --all lists them all." if shown < total else ""


def _setting(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _made_by(shown: Deployment) -> str:
    """Return who made a deployment, and through what where that says more."""
    source, cause = shown["source"], shown["triggered_by"]
    return source if cause in {source, "deployment"} else f"{source}, {cause}"


def _code_update(shown: Deployment) -> str:
    update = shown["code_update"]
    if update["mode"] == "immediate":
        return ""  # the usual case
    return f"{printable(update['mode'])}, within {number(update['max_delay_seconds'])} s"


def _ranges(shares: Sequence[Share], style: Style) -> list[str]:
    """Return a line for each version, with the range of points it holds (R39)."""
    rows = []
    low = 0.0
    for share in shares:
        high = low + share["percentage"]
        points = f"points {number(low)} to {number(high)}" if share["percentage"] else "only by override (R14)"
        rows.append(
            (Cell(percent(share["percentage"]), "green"), label(share["tag"], share["version_id"]), points)
        )
        low = high
    return table(("percentage", "version", "range"), rows, style, right="percentage").splitlines()


def _cohorts(shown: Deployment, style: Style) -> list[str]:
    return [
        line
        for cohort in shown["cohorts"]
        for line in (
            "",
            style.paint(f"cohort {printable(cohort['name'])}:", bold=True),
            *_ranges(cohort["versions"], style),
        )
    ]
