"""Events -> text for people (pure); what they hold comes from anywhere, so all of it is made printable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from gateway.cli.text import Style, number, percent, printable, short_id

Content = Mapping[str, Any]
_LEVELS: Final = {"error": "red", "warn": "yellow", "debug": "bright_black"}
_STATES: Final = {"started": "green", "crashed": "red", "starting": "yellow"}
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400


def event_text(kind: str, content: Content, style: Style) -> str:
    """Return one event as a line; an exception's stack follows on lines of its own.

    Args:
        kind: One that is not known is shown as it came, for a newer gateway may tell more.
    """
    told = _KINDS.get(kind, _other)(content, style)
    who = " ".join(printable(str(content.get(name))) for name in ("worker", "label") if content.get(name))
    return (
        f"{style.paint(_clock(str(content.get('at', ''))), 'bright_black')} {style.paint(who, bold=True)} {told}"
    )


def missed_text(content: Content, style: Style) -> str:
    """Return that events came too fast to be shown."""
    count = content.get("count", 0)
    return style.paint(f"warning: {count} events came too fast and are not shown; add filters", "yellow")


def _request(content: Content, style: Style) -> str:
    status, outcome = content["status"], content["outcome"]
    failed = outcome != "ok" or status >= _SERVER_ERROR
    colour = "red" if failed else "yellow" if status >= _CLIENT_ERROR else "green"
    parts = [
        printable(f"{content['method']} {content['host']}{content['target']}"),
        style.paint(str(status), colour),
        f"{number(content['duration_ms'])} ms",
    ]
    if outcome != "ok":
        parts.append(style.paint(printable(outcome), colour))
    if content["reason"]:
        point = content["point"]
        parts.append(printable(content["reason"]) + ("" if point is None else f" at {number(point)}"))
    if content["object"]:
        parts.append(printable(content["object"]))
    parts += [
        style.paint(printable(f"ignored {one['signal']}:{one['cause']}"), "yellow") for one in content["ignored"]
    ]
    if content["fault"]:
        parts.append(style.paint(printable(f"fault {content['fault']}"), "magenta"))
    return "  ".join([*parts, style.paint(printable(content["ray"]), "bright_black")])


def _websocket(content: Content, _style: Style) -> str:
    seconds = number(content["duration_ms"] / 1000)
    return f"WebSocket {printable(content['host'] + content['target'])} ended after {seconds} s"


def _console(content: Content, style: Style) -> str:
    level = str(content["level"])
    said = "\n    ".join(map(printable, str(content["message"]).splitlines() or [""]))
    return style.paint(f"[{printable(level)}] {said}", _LEVELS.get(level, ""))


def _exception(content: Content, style: Style) -> str:
    lines = [style.paint(printable(f"{content['name']}: {content['message']}"), "red", bold=True)]
    lines += [f"    {printable(line.strip())}" for line in str(content["stack"]).splitlines()]
    return "\n".join(lines)


def _reset(content: Content, style: Style) -> str:
    name = f"{content['class']}/{content['name'] or content['id'][:16]}"
    way = f"from {short_id(content['from_version'])} to {short_id(content['to_version'])}"
    return style.paint(f"reset {printable(name)} {way}, deployment {content['deployment']}", "magenta")


def _deployment(content: Content, style: Style) -> str:
    split = ", ".join(f"{printable(one['label'])} {percent(one['percentage'])}" for one in content["versions"])
    why = f" ({printable(content['message'])})" if content["message"] else ""
    return style.paint(f"deployment {content['number']}: {split}{why}", "cyan", bold=True)


def _version(content: Content, style: Style) -> str:
    trouble = f": {printable(content['trouble'])}" if content["trouble"] else ""
    pid = f" (pid {content['pid']})" if content["pid"] else ""
    state = printable(str(content["state"]))
    return style.paint(f"{state}{pid}{trouble}", _STATES.get(state, ""))


def _other(content: Content, _style: Style) -> str:
    return printable(str(dict(content)))


_KINDS: Final[Mapping[str, Callable[[Content, Style], str]]] = {
    "request": _request,
    "websocket": _websocket,
    "console": _console,
    "exception": _exception,
    "reset": _reset,
    "deployment": _deployment,
    "version": _version,
}


def _clock(at: str) -> str:
    """Return the time of day, in the user's own zone."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except ValueError:
        return printable(at)
