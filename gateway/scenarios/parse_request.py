"""What stands under ``request`` -> ``Request``: what is sent, and what is expected and kept of the answer."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

from gateway.config_place import Place
from gateway.model.decision import Reason
from gateway.scenarios.model import Body, BodyKind, Expected, Request, Saved
from gateway.scenarios.variables import NAME

REQUEST_KEYS: Final = (
    "path", "method", "host", "headers", "body", "json", "form", "key", "override", "cohort", "session", "files",
    "expect", "save",
)  # fmt: skip
EXPECT_KEYS: Final = ("status", "version", "same_version", "reason", "contains", "headers", "json")
PLACES: Final = ("header", "json", "field")

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_PATH: Final = re.compile(r"(/|\$\{)[!-~]*")
_SENDABLE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OURS: Final = frozenset(
    {
        "connection", "content-length", "cookie", "expect", "host", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade", "cloudflare-workers-version-key",
        "cloudflare-workers-version-overrides", "cloudflare-workers-cohort",
    }
)  # fmt: skip
"""Headers that are made of what stands beside them, or of the connection."""

_LOWEST_STATUS, _HIGHEST_STATUS = 100, 599


def read_request(place: Place, found: dict[str, Place]) -> Request:
    """Return a request.

    Args:
        place: Where it stands.
        found: Its keys, already known to mean something here.

    Raises:
        ConfigError: Says where something of it is wrong.
    """
    if "path" not in found:
        place.wrong("path is missing", "Add the path to ask for: path: /.")
    method = found["method"].text() if "method" in found else "GET"
    if not _TOKEN.fullmatch(method) or method.upper() == "CONNECT":
        found["method"].wrong(f"{method!r} cannot be sent", "Write a method such as GET or POST.")
    session = found["session"].full_text("who asks, such as anna") if "session" in found else ""
    expected = _expected(found["expect"]) if "expect" in found else Expected()
    return Request(
        path=_path(found["path"]),
        method=method,
        host=_host(found["host"]) if "host" in found else "",
        headers=tuple(_header(name, item) for name, item in found["headers"].entries())
        if "headers" in found
        else (),
        body=_body(found),
        key=_signal(found["key"], "an affinity key") if "key" in found else "",
        override=found["override"].full_text("a version's tag or id") if "override" in found else "",
        cohort=_signal(found["cohort"], "a cohort's name") if "cohort" in found else "",
        session=session,
        files=found["files"].switch() if "files" in found else False,
        expected=expected,
        saved=tuple(_saved(name, item) for name, item in found["save"].entries()) if "save" in found else (),
    )


def _path(place: Place) -> str:
    path = place.text()
    if not _PATH.fullmatch(path):
        place.wrong(
            f"{path!r} is no path", "Write it as /cart?item=1, percent-encoded; the host stands in `host`."
        )
    return path


def _host(place: Place) -> str:
    host = place.text().lower()
    # By an address one could reach others than the edge.
    if not _HOST.fullmatch(host) or _is_address(host):
        place.wrong(f"{host!r} is no host name", "Write a name without port, such as shop.example.com.")
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _header(name: str, place: Place) -> tuple[str, str]:
    if not _TOKEN.fullmatch(name) or not _SENDABLE.fullmatch(place.text()):
        place.wrong(f"header {name!r} cannot be sent", "Leave out spaces in its name and control characters.")
    if name.lower() in _OURS:
        place.wrong(
            "this header is made by the gateway's client",
            "Use key, override, cohort, session and host, which stand beside headers.",
        )
    return name, place.text()


def _signal(place: Place, what: str) -> str:
    text = place.full_text(what)
    if not _SENDABLE.fullmatch(text):
        place.wrong(f"{text!r} cannot be sent in a header", "Leave out control characters.")
    return text


def _body(found: dict[str, Place]) -> Body | None:
    kinds: list[BodyKind] = [kind for kind in ("body", "json", "form") if kind in found]
    if not kinds:
        return None
    kind, place = kinds[-1], found[kinds[-1]]
    if len(kinds) > 1:
        place.wrong(f"{kinds[0]} is given as well", "Keep one of body, json and form.")
    content: Any
    match kind:
        case "body":
            content = place.text()
        case "json":
            content = place.json_value()
        case "form":
            content = [(name, item.text()) for name, item in place.entries()]
    return Body(kind, content)


def _expected(place: Place) -> Expected:
    found = place.mapping(EXPECT_KEYS)
    if not found:
        place.wrong("nothing is expected", "Write such as expect: {status: 200}.")
    same = found["same_version"].switch() if "same_version" in found else False
    if "same_version" in found and not same:
        found["same_version"].wrong("false expects nothing", "Write true, or leave it out.")
    return Expected(
        statuses=tuple(_status(item) for item in _one_or_more(found["status"])) if "status" in found else (),
        versions=_texts(found["version"], "a version's tag") if "version" in found else (),
        same_version=same,
        reason=found["reason"].one_of(tuple(Reason)) if "reason" in found else "",
        contains=_texts(found["contains"], "a text of the body") if "contains" in found else (),
        headers=tuple((name, item.text()) for name, item in found["headers"].entries())
        if "headers" in found
        else (),
        members=tuple(_member(name, item) for name, item in found["json"].entries()) if "json" in found else (),
    )


def _one_or_more(place: Place) -> list[Place]:
    return place.items() if place.is_list else [place]


def _texts(place: Place, what: str) -> tuple[str, ...]:
    texts = tuple(item.full_text(what) for item in _one_or_more(place))
    if not texts:
        place.wrong("the list is empty", f"Write {what}.")
    return texts


def _status(place: Place) -> int:
    status = place.whole_number()
    if not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        place.wrong(f"{status} is no status", "Write a number such as 200.")
    return status


def _member(pointer: str, place: Place) -> tuple[str, Any]:
    if pointer and not pointer.startswith("/"):
        place.wrong(f"{pointer!r} is no JSON pointer", f"Write it as /{pointer.replace('.', '/')} (RFC 6901).")
    return pointer, place.json_value()


def _saved(name: str, place: Place) -> Saved:
    if not NAME.fullmatch(name):
        place.wrong(f"{name!r} is no name", "Use letters, digits and _, no digit first.")
    where, _, what = place.text().partition(":")
    if where not in PLACES or not (what or where == "json"):
        place.wrong(
            f"{place.shown()} is no place in an answer", "Write header:Location, json:/items/0/id or field:state."
        )
    if where == "json" and what and not what.startswith("/"):
        place.wrong(f"{what!r} is no JSON pointer", f"Write it as json:/{what} (RFC 6901).")
    return Saved(name, where, what)
