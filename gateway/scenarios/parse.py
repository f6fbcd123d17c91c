"""A node of a scenario file -> ``Scenario``; what means nothing is refused, and its place told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.config_faults import read_fault
from gateway.config_place import Place
from gateway.model.deployment import SUM_TOLERANCE
from gateway.routing.percentages import FULL
from gateway.scenarios.model import (
    MAX_REQUESTS,
    MIN_MEANWHILE,
    AddFault,
    ClearFaults,
    Deploy,
    ExpectAll,
    Flow,
    Meanwhile,
    Request,
    Scenario,
    Send,
    SendMany,
    Step,
)
from gateway.scenarios.parse_request import REQUEST_KEYS, read_request
from gateway.scenarios.variables import names_used

SKEW_KINDS: Final = ("asset_skew", "session_skew", "flow_skew", "object_skew", "stale_tab")
SCENARIO_KEYS: Final = ("name", "seed", "worker", "restore", "steps")
STEP_KINDS: Final = (
    "deploy", "request", "requests", "flow", "meanwhile", "fault", "clear_faults", "expect",
)  # fmt: skip
_COUNTS: Final = ("resets_at_most", "errors_at_most", "broken_files_at_most")
ALL_KEYS: Final = ("split", "within", "no_skew", "skew", *_COUNTS)
"""What can be expected of all that was sent."""

_MANY_KEYS: Final = (*(key for key in REQUEST_KEYS if key != "save"), "count", "keys", "sessions")
_NAME_LENGTH: Final = 200


@dataclass
class _Known:
    """What the steps read so far have saved and sent, and the flow that they are in.

    Args:
        session, key: Those of the flow, or empty.
    """

    names: set[str] = field(default_factory=set)
    requests: int = 0
    session: str = ""
    key: str = ""

    def in_flow(self, request: Request) -> Request:
        """Return a request with the flow's session and key, where it has none of its own."""
        return replace(request, session=request.session or self.session, key=request.key or self.key)

    def use(self, place: Place, request: Request, count: int = 1, *, has_sessions: bool = False) -> None:
        """Note a request.

        Raises:
            ConfigError: It wants a value that nothing has saved before, or the version of no session, or is one
                too many.
        """
        if request.expected.same_version and not request.session and not has_sessions:
            place.wrong("same_version without a session compares nothing", "Add session: anna, or use a flow.")
        for name in names_used(request):
            if name not in self.names:
                saved = ", ".join(sorted(self.names)) or "nothing"
                place.wrong(
                    f"${{{name}}} was saved by no request before (saved: {saved})",
                    f"Save it: save: {{{name}: header:Location}}; for the text itself write $${{{name}}}.",
                )
        self.names |= {saved.name for saved in request.saved}
        self.requests += count
        if self.requests > MAX_REQUESTS:
            place.wrong(
                f"with these the scenario sends {self.requests:,} requests",
                f"Send {MAX_REQUESTS:,} at most in one scenario.",
            )


def read_scenario(place: Place) -> Scenario:
    """Return the scenario that stands somewhere.

    Raises:
        ConfigError: Says where something of it is wrong.
    """
    found = place.mapping(SCENARIO_KEYS)
    for name, example in (("name", "name: the key cures it"), ("steps", "steps: [...]")):
        if name not in found:
            place.wrong(f"a scenario has no {name}", f"Add `{example}`.")
    name = found["name"].full_text("what the scenario shows, in a few words")
    if len(name) > _NAME_LENGTH or not name.isprintable():
        found["name"].wrong("the name is too long, or has characters that cannot be shown", "Write a few words.")
    known = _Known()
    return Scenario(
        name,
        _steps(found["steps"], known),
        worker=found["worker"].full_text("a Worker's name") if "worker" in found else "",
        seed=found["seed"].whole_number() if "seed" in found else None,
        restore=found["restore"].switch() if "restore" in found else True,
    )


def _steps(place: Place, known: _Known) -> tuple[Step, ...]:
    items = place.items()
    if not items:
        place.wrong("the list is empty", "Write at least one step: - request: {path: /}.")
    return tuple(_step(item, known) for item in items)


def _step(place: Place, known: _Known) -> Step:
    found = place.mapping(STEP_KINDS)
    if len(found) != 1:
        place.wrong(f"a step does one thing, this one {len(found)}", f"Write one of: {', '.join(STEP_KINDS)}.")
    kind, inner = next(iter(found.items()))
    return _READERS[kind](inner, known)


def _deploy(place: Place, _known: _Known) -> Deploy:
    return Deploy(_shares(place))


def _shares(place: Place) -> tuple[tuple[str, float], ...]:
    shares = tuple((tag, _percentage(item)) for tag, item in place.entries())
    total = sum(percentage for _, percentage in shares)
    if abs(total - FULL) > SUM_TOLERANCE:
        place.wrong(f"the percentages add up to {total:g}, not 100", "Name every version: {v1: 90, v2: 10}.")
    return shares


def _percentage(place: Place) -> float:
    percentage = place.number()
    if not 0 <= percentage <= FULL:
        place.wrong(f"{place.shown()} is out of range", "Write a percentage from 0 to 100.")
    return percentage


def _send(place: Place, known: _Known) -> Send:
    request = known.in_flow(read_request(place, place.mapping(REQUEST_KEYS)))
    known.use(place, request)
    return Send(request)


def _send_many(place: Place, known: _Known) -> SendMany:
    found = place.mapping(_MANY_KEYS)
    request = read_request(place, found)
    count = _count(place, found, 1)
    for signal, many in (("key", "keys"), ("session", "sessions")):
        if signal in found and many in found:
            found[many].wrong(f"{signal} is given as well", f"Write {signal} or {many}.")
    keys, sessions = (_at_most_count(found[name], count) if name in found else 0 for name in ("keys", "sessions"))
    known.use(place, request, count, has_sessions=sessions > 0)
    return SendMany(request, count, keys, sessions)


def _at_most_count(place: Place, count: int) -> int:
    if place.text() == "none":
        return 0
    number = place.whole_number()
    if not 1 <= number <= count:
        place.wrong(f"{number} is out of range", f"Write 1 to {count} (count), or none.")
    return number


def _count(place: Place, found: dict[str, Place], least: int) -> int:
    if "count" not in found:
        place.wrong("count is missing", "Add how many requests: count: 100.")
    count = found["count"].whole_number()
    if not least <= count <= MAX_REQUESTS:
        found["count"].wrong(f"{count} is out of range", f"Write {least} to {MAX_REQUESTS:,}.")
    return count


def _flow(place: Place, known: _Known) -> Flow:
    found = place.mapping(("session", "key", "steps"))
    for name in ("session", "steps"):
        if name not in found:
            place.wrong(f"a flow has no {name}", "Write flow: {session: anna, steps: [...]}.")
    known.session = found["session"].full_text("who asks, such as anna")
    known.key = found["key"].full_text("an affinity key") if "key" in found else ""
    steps = _steps(found["steps"], known)
    for item, step in zip(found["steps"].items(), steps, strict=True):
        if isinstance(step, SendMany | Flow | Meanwhile):
            item.wrong("a flow holds no such step", "Write request, deploy, fault, clear_faults or expect.")
    session, known.session, known.key = known.session, "", ""
    return Flow(session, steps)


def _meanwhile(place: Place, known: _Known) -> Meanwhile:
    found = place.mapping(("deploy", "request", "count"))
    for name in ("deploy", "request"):
        if name not in found:
            place.wrong(f"{name} is missing", "Write {deploy: {v2: 100}, request: {path: /}, count: 50}.")
    count = _count(place, found, MIN_MEANWHILE)
    inner = found["request"]
    given = inner.mapping(tuple(key for key in REQUEST_KEYS if key not in ("save", "files")))
    request = read_request(inner, given)
    expected = request.expected
    if expected.versions or expected.same_version:
        inner.wrong(
            "which version answers while a deployment is made is chance",
            "Expect a status here, and a version in a request after it.",
        )
    known.use(inner, request, count)
    return Meanwhile(_deploy(found["deploy"], known), request, count)


def _fault(place: Place, _known: _Known) -> AddFault:
    return AddFault(read_fault(place))


def _clear_faults(place: Place, _known: _Known) -> ClearFaults:
    if not place.switch():
        place.wrong("false does nothing", "Write true, or leave the step out.")
    return ClearFaults()


def _expect(place: Place, _known: _Known) -> ExpectAll:
    found = place.mapping(ALL_KEYS)
    if not found:
        place.wrong("nothing is expected", "Write such as expect: {split: {v1: 90, v2: 10}}.")
    if "within" in found and "split" not in found:
        found["within"].wrong("there is no split beside it", "Add split: {v1: 90, v2: 10}.")
    limits = {name: _not_negative(found[name]) for name in _COUNTS if name in found}
    return ExpectAll(
        split=_shares(found["split"]) if "split" in found else (),
        within=_within(found["within"]) if "within" in found else None,
        skew=_skew(found),
        resets_at_most=limits.get("resets_at_most"),
        errors_at_most=limits.get("errors_at_most"),
        broken_files_at_most=limits.get("broken_files_at_most"),
    )


def _within(place: Place) -> float:
    points = place.number()
    if not 0 < points <= FULL:
        place.wrong(f"{place.shown()} is out of range", "Write percentage points above 0, up to 100.")
    return points


def _skew(found: dict[str, Place]) -> frozenset[str] | None:
    if "no_skew" in found and "skew" in found:
        found["no_skew"].wrong("skew is given as well", "Keep one of the two.")
    if "no_skew" in found:
        if not found["no_skew"].switch():
            found["no_skew"].wrong("false expects nothing", "Write true, or name kinds: skew: [asset_skew].")
        return frozenset()
    if "skew" not in found:
        return None
    kinds = frozenset(item.one_of(SKEW_KINDS) for item in found["skew"].items())
    if not kinds:
        found["skew"].wrong("the list is empty", "Write no_skew: true.")
    return kinds


def _not_negative(place: Place) -> int:
    number = place.whole_number()
    if number < 0:
        place.wrong(f"{number} is below 0", "Write 0 or more.")
    return number


_READERS: Final[dict[str, Callable[[Place, _Known], Step]]] = {
    "deploy": _deploy,
    "request": _send,
    "requests": _send_many,
    "flow": _flow,
    "meanwhile": _meanwhile,
    "fault": _fault,
    "clear_faults": _clear_faults,
    "expect": _expect,
}
