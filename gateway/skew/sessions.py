"""Sessions that met more than one version, and flows in mid-way; bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from gateway.model.skew_rules import SkewRules
from gateway.routing.path_patterns import path_fits
from gateway.skew.bounded import Bounded
from gateway.skew.facts import DRAWN, RequestSeen, Witness
from gateway.skew.incident import Inferred
from gateway.skew.pages import Asker, Identity, identities_of

MAX_SESSIONS: Final = 4_096
MAX_FLOWS: Final = 4_096
VISIT_SECONDS: Final = 1_800.0
"""After a pause as long as this a session begins anew: what comes then goes on with nothing."""

_SAFE: Final = frozenset({"GET", "HEAD"})


class Change(NamedTuple):
    """Two requests of one session that met different versions, the earlier first.

    Args:
        what: The steps of the flow, or empty.
    """

    before: Witness
    after: Witness
    inferred: frozenset[Inferred]
    what: str = ""


class _Step(NamedTuple):
    """How far a session has come in a flow."""

    number: int
    witness: Witness


class SessionMemory:
    """The last request of each session, and the last step of each in its flows.

    A session that is inferred from address and user agent is followed along ``Referer`` alone: programs, and
    people behind one address, must not be taken for one person who changes versions.

    Args:
        rules_of: What the configuration says of a Worker.
    """

    def __init__(self, rules_of: Callable[[str], SkewRules], sessions: int = MAX_SESSIONS) -> None:
        self._rules_of = rules_of
        self._last: Bounded[tuple[Identity, str], Witness] = Bounded(sessions)
        self._steps: Bounded[tuple[Identity, str, tuple[str, ...]], _Step] = Bounded(MAX_FLOWS)

    def __len__(self) -> int:
        return len(self._last) + len(self._steps)

    def follow(self, seen: RequestSeen, witness: Witness, askers: Sequence[Asker]) -> Iterator[Change]:
        """Note a request, and yield how its session changed versions."""
        if seen.reason not in DRAWN:
            return  # who names a version wants it; an object's version says nothing of the session
        identity = identities_of(seen)[0]
        if identity.is_known:
            before = self._before(identity, witness)
            inferred: frozenset[Inferred] = frozenset()
        else:
            before, inferred = _asked(witness, askers), frozenset({Inferred.SESSION})
        if before is not None and before.version_id != witness.version_id:
            yield Change(*_in_order(before, witness), inferred)
        yield from self._flows(identity, seen, witness, askers)

    def _before(self, identity: Identity, witness: Witness) -> Witness | None:
        place = (identity, witness.worker)
        before = self._last.get(place)
        if before is None or before.at <= witness.at:
            self._last.put(place, witness)
        return before if before is not None and _is_one_visit(before, witness) else None

    def _flows(
        self, identity: Identity, seen: RequestSeen, witness: Witness, askers: Sequence[Asker]
    ) -> Iterator[Change]:
        for flow in self._rules_of(seen.worker).flows:
            number = _step_of(flow, seen.path)
            if number is None:
                continue
            place = (identity, seen.worker, flow)
            last = self._steps.get(place)
            self._steps.put(place, _Step(number, witness))
            if last is None or not _goes_on(last, number, witness):
                continue
            if last.witness.version_id == witness.version_id or not _is_one_visit(last.witness, witness):
                continue
            what = f"{flow[last.number]} → {flow[number]}"
            if identity.is_known:
                yield Change(last.witness, witness, frozenset(), what)
            elif _asked(witness, askers) is not None:
                yield Change(last.witness, witness, frozenset({Inferred.SESSION}), what)


def _asked(witness: Witness, askers: Sequence[Asker]) -> Witness | None:
    """Return the page that a request certainly came from, if it was of another version, whatever tab it is in."""
    if not askers or Inferred.PAGE in askers[0].inferred or askers[0].page.reason not in DRAWN:
        return None
    if any(asker.page.version_id == witness.version_id for asker in askers):
        return None
    return askers[0].page


def _goes_on(last: _Step, number: int, witness: Witness) -> bool:
    """Return whether a step goes on with a flow; to look at its first page again begins it anew."""
    if last.witness.at > witness.at or number < last.number:
        return False
    return number > 0 or witness.method not in _SAFE


def _is_one_visit(one: Witness, other: Witness) -> bool:
    return abs(one.at - other.at) <= VISIT_SECONDS


def _in_order(one: Witness, other: Witness) -> tuple[Witness, Witness]:
    return (one, other) if (one.at, one.ray) <= (other.at, other.ray) else (other, one)


def _step_of(flow: Sequence[str], path: str) -> int | None:
    """Return which step of a flow a path is: the last that it fits."""
    found = [number for number, pattern in enumerate(flow) if path_fits(pattern, path)]
    return found[-1] if found else None
