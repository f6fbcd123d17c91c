"""Judges what was observed in a case: pure, from values to a verdict.

``unsafe`` is kept for what can hurt someone else or forge a result: two requests out of one, an answer that
is not the answer, a cut message that looks whole, bytes that two recipients read two ways. Everything else
that no RFC allows is ``fail``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from tests.conformance.http.cases import Delivery, FieldLine, Outcome, RequestCase, ResponseCase, Seen
from tests.conformance.http.client import Answer, Answers
from tests.conformance.http.origin import Recorded
from tests.conformance.http.syntax import Fields, Framing, Malformed
from tests.conformance.http.wire import Ended

SMUGGLED = b"smuggled"  # in a target: a request that nobody sent as a request
STALE = b"STALE"  # in bytes the origin sent beyond its answer
MARK = b"MARKED"  # in everything else the origin sent
_REPEATABLE = (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE")


class Word(Enum):
    """The verdict in one word."""

    PASS = "pass"
    FAIL = "fail"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one case and why."""

    word: Word
    why: str


class Innocent(Enum):
    """What became of a request that has nothing to do with the case."""

    RIGHT = "got its own right answer"
    WRONG = "got an answer that is not its own"
    REFUSED = "was refused"
    NONE = "got no answer"
    ENDED = "found the connection ended"
    SKIPPED = "was not sent"


@dataclass(slots=True)
class Observation:
    """Everything seen in one case.

    Args:
        answers: What the client got for the case's own bytes.
        ended: How the proxy ended the client's connection, if it did.
        closed_here: The client itself ended it.
        requests: The requests of the case at the origin.
        malformed: What the origin could not read strictly.
        unread: Bytes at the origin that begin no whole request, by connection.
        same: What became of the innocent request on the same connection.
        fresh: What became of the innocent requests on a new connection.
        missed: Steps that waited in vain.
        detail: What the innocent requests got, where it was wrong.
    """

    answers: Answers
    ended: Ended
    closed_here: bool
    requests: list[Recorded]
    malformed: list[Malformed]
    unread: list[bytes]
    same: Innocent
    fresh: list[Innocent]
    missed: list[str]
    detail: str = ""
    raw: bytes = field(default=b"", repr=False)

    @property
    def whole_requests(self) -> list[Recorded]:
        """The requests that came whole."""
        return [request for request in self.requests if request.complete]


def judge_request(case: RequestCase, seen: Observation) -> Verdict:
    """Judge what a proxy made of a client's bytes."""
    if why := _first(_dangers(seen), _too_much_read(case, seen)):
        return Verdict(Word.UNSAFE, why)
    if why := _first(_common_failures(seen)):
        return Verdict(Word.FAIL, why)
    if case.only_safety:
        why = _first(_answers_mixed_up(seen))
        return Verdict(Word.UNSAFE, why) if why else Verdict(Word.PASS, "")
    reasons = [_first(_outcome_missed(outcome, seen)) for outcome in case.outcomes]
    if None in reasons:
        return Verdict(Word.PASS, "")
    return Verdict(Word.FAIL, " / ".join(dict.fromkeys(str(reason) for reason in reasons)))


def judge_response(case: ResponseCase, seen: Observation) -> Verdict:
    """Judge what a proxy made of an origin's bytes."""
    if why := _first(_dangers(seen), _client_misled(case, seen)):
        return Verdict(Word.UNSAFE, why)
    if why := _first(_repeats(case, seen)):
        repeatable = all(request.method in _REPEATABLE for request in seen.requests)
        return Verdict(Word.FAIL if repeatable else Word.UNSAFE, why)
    why = _first(_common_failures(seen), () if case.only_safety else _answers_missed(case, seen))
    return Verdict(Word.FAIL, why) if why else Verdict(Word.PASS, "")


def _first(*checks: Iterable[str]) -> str | None:
    """Return the first thing that is wrong; checks behind it are not even made."""
    return next(itertools.chain(*checks), None)


def _shown(seen: Observation) -> str:
    return repr(seen.raw[:300])[1:] + f" ({seen.ended.value})"


def _dangers(seen: Observation) -> Iterator[str]:
    """What harms someone else, and what the origin could read otherwise than the proxy did."""
    if Innocent.WRONG in (*seen.fresh, seen.same):
        yield f"an innocent request {Innocent.WRONG.value}: {seen.detail}"
    for problem in seen.malformed:
        if problem.dangerous:
            yield f"sent to the origin: {problem.what}"
    for request in seen.requests:
        if SMUGGLED in request.target:
            yield f"smuggled to the origin: {request.method!r} {request.target!r}"
    for rest in seen.unread:
        yield f"stray bytes sent to the origin: {rest[:100]!r}"


def _too_much_read(case: RequestCase, seen: Observation) -> Iterator[str]:
    """More requests or answers than the client's bytes can mean."""
    whole = seen.whole_requests
    if len(whole) > case.most_requests:
        targets = [request.target[:60] for request in whole]
        yield f"the origin saw {len(whole)} whole requests, not {case.most_requests}: {targets}"
    if len(seen.answers.finals) > max(case.answer_count, case.most_requests):
        yield f"{len(seen.answers.finals)} answers, not {case.answer_count}: {_shown(seen)}"


def _client_misled(case: ResponseCase, seen: Observation) -> Iterator[str]:
    """What the client takes for an answer, a field or an end that it is not."""
    finals = seen.answers.finals
    if STALE in seen.raw:
        yield f"bytes behind the origin's answer reached a client: {_shown(seen)}"
    if any(name.lower().startswith(b"x-injected") for answer in finals for name, _ in answer.fields.lines):
        yield f"a field was injected: {_shown(seen)}"
    if len(finals) > len(case.outcomes):
        yield f"{len(finals)} answers to {len(case.outcomes)} requests: {_shown(seen)}"
    for answer, deliveries in zip(finals, case.outcomes, strict=False):
        statuses = {status for delivery in deliveries if delivery.cut for status in delivery.statuses}
        if case.truncated and answer.complete and answer.status in statuses:
            yield f"a cut answer looks whole: {_shown(seen)}"


def _repeats(case: ResponseCase, seen: Observation) -> Iterator[str]:
    if len(seen.requests) > case.most_requests:
        yield f"the origin saw {len(seen.requests)} requests, at most {case.most_requests} are right"


def _common_failures(seen: Observation) -> Iterator[str]:
    """What is wrong whatever the case is about."""
    for problem in seen.malformed:
        yield f"sent to the origin: {problem.what}"
    if seen.answers.malformed is not None:
        yield f"sent to the client: {seen.answers.malformed.what}"
    if seen.answers.rest:
        yield f"stray bytes sent to the client: {_shown(seen)}"
    for innocent in seen.fresh:
        if innocent is not Innocent.RIGHT:
            yield f"an innocent request on a new connection {innocent.value}: {seen.detail}"
    if seen.same in (Innocent.REFUSED, Innocent.NONE):
        yield f"an innocent request on the same connection {seen.same.value}: {seen.detail}, {_shown(seen)}"
    yield from seen.missed


def _outcome_missed(outcome: Outcome, seen: Observation) -> Iterator[str]:
    """Why this outcome is not what was seen."""
    requests, finals = seen.whole_requests, seen.answers.finals
    if not all(expected.whole for expected in outcome.seen):
        requests = seen.requests
    if len(requests) != len(outcome.seen):
        targets = [request.target[:60] for request in requests]
        yield f"the origin saw {len(requests)} requests, not {len(outcome.seen)}: {targets}; {_shown(seen)}"
    if outcome.own is None and len(seen.requests) > len(requests):
        yield "the origin saw a request cut short"
    for expected, request in zip(outcome.seen, requests, strict=True):
        yield from _seen_missed(expected, request)
    for index, request in enumerate(requests):
        yield from _answer_to_missed(request, index, seen)
    yield from _own_missed(outcome, finals[len(requests) :], seen)
    if outcome.interim is not None and finals:
        interim = tuple(answer.status for answer in finals[-1].interim)
        if interim != outcome.interim:
            yield f"interim answers {interim}, not {outcome.interim}"
    if outcome.ends and not seen.closed_here and seen.ended is Ended.OPEN:
        yield f"the connection goes on: {_shown(seen)}"


def _answer_to_missed(request: Recorded, index: int, seen: Observation) -> Iterator[str]:
    """Check that the answer at that place is the origin's to this request; who closed may miss it."""
    finals = seen.answers.finals
    if index >= len(finals):
        if not seen.closed_here:
            yield f"answer {index + 1} is missing: {_shown(seen)}"
    elif not finals[index].complete:
        if not seen.closed_here:
            yield f"answer {index + 1} is cut: {_shown(seen)}"
    elif finals[index].seen != request.serial:
        yield f"answer {index + 1} is not the origin's to request {index + 1}: {_shown(seen)}"


def _answers_mixed_up(seen: Observation) -> Iterator[str]:
    """Check that the origin's answers that came are those to the requests it saw, in order."""
    serials = [answer.seen for answer in seen.answers.finals if answer.seen is not None]
    asked = [request.serial for request in seen.requests]
    if serials != asked[: len(serials)]:
        yield f"answers {serials} to requests {asked}: {_shown(seen)}"


def _own_missed(outcome: Outcome, finals: list[Answer], seen: Observation) -> Iterator[str]:
    """Check the answer that the proxy gives itself, behind those of the origin."""
    if outcome.own is None:
        if finals:
            yield f"an answer too many: {_shown(seen)}"
    elif not finals:
        if not outcome.mute and not seen.closed_here:
            yield f"neither forwarded nor refused: {_shown(seen)}"
    elif finals[0].seen is not None or len(finals) > 1:
        yield f"answered for the origin: {_shown(seen)}"
    elif finals[0].status not in outcome.own:
        yield f"status {finals[0].status}"
    elif not finals[0].complete:
        yield f"the refusal is cut: {_shown(seen)}"


def _joined(values: Iterable[bytes]) -> list[bytes]:
    return [member.strip(b" \t") for value in values for member in value.split(b",")]


def _fields_missed(
    fields: Fields, has: tuple[FieldLine, ...], lacks: tuple[bytes, ...], *, loose_space: bool = False
) -> Iterator[str]:
    """Compare the lines of each name asked for, in order; any name but Set-Cookie may come joined."""
    for name in dict.fromkeys(name for name, _ in has):
        wanted = [value for each, value in has if each == name]
        got = fields.values(name)
        if loose_space:
            got = [re.sub(rb"[ \t]+", b" ", value) for value in got]
        may_join = name.lower() != b"set-cookie" and bool(got)
        if got != wanted and not (may_join and _joined(got) == _joined(wanted)):
            yield f"{name.decode('latin-1')} is {got!r:.200}, not {wanted!r:.200}"
    for name in lacks:
        if fields.has(name):
            yield f"{name.decode('latin-1')} came: {fields.values(name)!r:.200}"


def _trailers_missed(got: Fields, may: tuple[FieldLine, ...], *, must: bool) -> Iterator[str]:
    lines = [(name.lower(), value) for name, value in got.lines]
    allowed = [(name.lower(), value) for name, value in may]
    for line in lines:
        if line not in allowed:
            yield f"trailer {line!r} came"
    if must and lines != allowed:
        yield f"trailers {lines!r}, not {allowed!r}"


def _seen_missed(expected: Seen, request: Recorded) -> Iterator[str]:
    """Why this is not the request that was to come."""
    if request.method != expected.method:
        yield f"the origin saw the method {request.method!r}"
    if request.target not in expected.targets:
        yield f"the origin saw the target {request.target!r:.200}"
    if expected.body is not None and request.body != expected.body:
        yield f"the origin saw a body of {len(request.body)} bytes: {request.body[:60]!r}"
    for reason in _fields_missed(request.fields, expected.has, expected.lacks, loose_space=expected.loose_space):
        yield f"the origin saw: {reason}"
    for name, pattern in expected.matches:
        joined = b", ".join(request.fields.values(name))
        if not re.fullmatch(pattern, joined):
            yield f"the origin saw {name.decode()}: {joined!r}"
    for host in request.fields.values(b"host"):
        if host in expected.hosts_not:
            yield f"the origin saw Host {host!r}"
    for reason in _trailers_missed(request.trailers, expected.trailers, must=expected.must_trail):
        yield f"the origin saw: {reason}"


def _answers_missed(case: ResponseCase, seen: Observation) -> Iterator[str]:
    """Compare the answers with what may be delivered."""
    finals = seen.answers.finals
    if len(seen.requests) < case.least_requests:
        yield f"the origin saw {len(seen.requests)} requests, not {case.least_requests}: {_shown(seen)}"
    for index, deliveries in enumerate(case.outcomes):
        if index < len(finals):
            reasons = [_first(_delivery_missed(delivery, finals[index], seen)) for delivery in deliveries]
            if None not in reasons:
                yield " / ".join(dict.fromkeys(str(reason) for reason in reasons))
        elif seen.ended is Ended.OPEN or not (case.may_end or any(each.cut for each in deliveries)):
            yield f"answer {index + 1} is missing: {_shown(seen)}"


def _delivery_missed(delivery: Delivery, answer: Answer, seen: Observation) -> Iterator[str]:
    """Why this answer is not what may be delivered."""
    if answer.status not in delivery.statuses:
        yield f"status {answer.status}"
    if delivery.own:
        if MARK in answer.body or any(MARK in value for _, value in answer.fields.lines):
            yield f"an answer of the proxy's own has the origin's bytes: {_shown(seen)}"
        if not answer.complete:
            yield f"the proxy's own answer is cut: {_shown(seen)}"
        return
    if answer.complete == delivery.cut:
        yield f"{'looks whole' if delivery.cut else 'is cut'}: {_shown(seen)}"
    yield from _content_missed(delivery, answer)
    interim = tuple(each.status for each in answer.interim)
    if delivery.interim is not None and interim != delivery.interim:
        yield f"interim answers {interim}, not {delivery.interim}"
    if delivery.ends and seen.ended is Ended.OPEN:
        yield "the connection goes on"
    if delivery.chunked is not None and (answer.reader.framing is Framing.CHUNKED) != delivery.chunked:
        yield f"framed by {answer.reader.framing.value}"


def _content_missed(delivery: Delivery, answer: Answer) -> Iterator[str]:
    body = answer.body
    if delivery.body is not None:
        right = delivery.body.startswith(body) if delivery.cut else body == delivery.body
        if not right:
            yield f"the client saw a body of {len(body)} bytes, not {len(delivery.body)}: {body[:60]!r}"
    for reason in _fields_missed(answer.fields, delivery.has, delivery.lacks):
        yield f"the client saw: {reason}"
    for name in delivery.has_names:
        if not answer.fields.has(name):
            yield f"the client saw no {name.decode()}"
    for reason in _trailers_missed(answer.trailers, delivery.trailers, must=delivery.must_trail):
        yield f"the client saw: {reason}"
