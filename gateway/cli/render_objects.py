"""Durable Objects -> text for people (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.cli.text import (
    NOTHING,
    Cell,
    Style,
    fields,
    label,
    moment,
    number,
    printable,
    short_id,
    short_label,
    table,
)
from gateway.control.client import (
    DurableObject,
    ObjectChange,
    ObjectDiff,
    ObjectEvent,
    ObjectPage,
    ObjectWithHistory,
)


def objects(page: ObjectPage, style: Style) -> str:
    """Return a page of Durable Objects, and how to get the next one."""
    if not page["objects"]:
        return f"No Durable Object here; the class has {page['total']}."
    past = any("resets" not in shown for shown in page["objects"])
    if past:
        headings: tuple[str, ...] = ("object", "version")
        rows = [(_known_as(shown), _assigned(shown)) for shown in page["objects"]]
        text = table(headings, rows, style)
    else:
        headings = ("object", "version", "point", "deployment", "resets", "last used (UTC)", "")
        text = table(
            headings, [_object_row(shown) for shown in page["objects"]], style, right="point deployment resets"
        )
    lines = [text, f"{len(page['objects'])} of {page['total']} objects."]
    if page["next"] is not None:
        lines.append(f"Next page: --after {printable(page['next'])}")
    return "\n".join(lines)


def object_with_history(shown: ObjectWithHistory, style: Style) -> str:
    """Return all of one object, and how it got its versions."""
    events = [
        (
            moment(event["at"]),
            str(event["deployment"]),
            label(event["tag"], event["version_id"]),
            event["cause"],
        )
        for event in shown["history"]
    ]
    return f"{durable_object(shown['object'], style)}\n\n{_history(events, shown['history'], style)}"


def _history(rows: Sequence[tuple[str, ...]], events: Sequence[ObjectEvent], style: Style) -> str:
    if not events:
        return "It has kept its first version."
    return table(("when (UTC)", "deployment", "version", "cause"), rows, style, right="deployment")


def durable_object(shown: DurableObject, style: Style) -> str:
    """Return one object and the version it keeps."""
    pairs = [
        ("object", "" if shown["name"] is None else printable(shown["name"])),
        ("class", printable(shown["class"])),
        ("id", printable(shown["id"])),
        ("version", _assigned(shown)),
    ]
    if (by := shown.get("assigned_by")) is not None:
        pairs.append(("since", f"deployment {by}"))
    if (running := shown.get("running")) is not None and running != shown["assigned"]:
        pairs.append(("still runs", f"{label(shown.get('running_tag', ''), running)}, until it is moved"))
    if (pinned := shown.get("pinned")) is not None:
        pairs.append(("pinned", f"to {short_id(pinned)}"))
    if (point := shown.get("point")) is not None:
        pairs.append(("point", f"{number(point)} of 100"))
    if (resets := shown.get("resets")) is not None:
        pairs.append(("resets", str(resets)))
    if (size := shown.get("storage_bytes")) is not None:
        pairs.append(("storage", f"{size:,} bytes"))
    for name, time in (("first used", shown.get("first_used")), ("last used", shown.get("last_used"))):
        if time:
            pairs.append((name, f"{moment(time)} UTC"))
    return fields(pairs, style)


def object_diff(diff: ObjectDiff, from_number: int, to_number: int, style: Style) -> str:
    """Return the objects whose version differs between two deployments."""
    between = f"between deployments {from_number} and {to_number}"
    if not diff["changes"]:
        return f"No object changes its version {between}."
    rows = [(_known_as(change), *_before_and_after(change)) for change in diff["changes"]]
    text = table(("object", "before", "after"), rows, style)
    return f"{text}\n{len(diff['changes'])} of {diff['total']} objects that change {between}."


def _before_and_after(change: ObjectChange) -> tuple[str, str]:
    before, after = change["before"], change["after"]
    return (
        "not used yet" if before is None else label(change["before_tag"], before),
        "not used yet" if after is None else label(change["after_tag"], after),
    )


def _object_row(shown: DurableObject) -> tuple[Cell | str, ...]:
    marks = []
    if shown.get("pinned") is not None:
        marks.append("pinned")
    if (running := shown.get("running")) is not None and running != shown["assigned"]:
        marks.append(f"runs {short_label(shown.get('running_tag', ''), running)}")
    return (
        _known_as(shown),
        short_label(shown["assigned_tag"], shown["assigned"]),
        number(shown.get("point", 0.0)),
        str(shown.get("assigned_by", NOTHING)),
        str(shown.get("resets", NOTHING)),
        moment(shown.get("last_used", NOTHING)),
        Cell(", ".join(marks), "yellow"),
    )


def _known_as(shown: DurableObject | ObjectChange) -> str:
    """Return what the object can be asked for by: its name, or its whole id where no name is known."""
    return printable(shown["id"] if shown["name"] is None else shown["name"])


def _assigned(shown: DurableObject) -> str:
    return label(shown["assigned_tag"], shown["assigned"])
