"""The skew detector: facts of requests in, incidents out. Pure: no clock, no I/O; time is that of the facts.

What each request does here::

    version, deployment  -> a witness                                     (facts, deployments)
    Referer, Origin      -> the pages that may have asked for it          (pages)
    cookie, key, address -> its session; another version than before?     (sessions)  session_skew, flow_skew
    a file, found or not -> which version has it                          (files)
    a file not found, an object's failure, a call of a page that is not
    deployed             -> a question, judged once late facts are in     (here)      asset_skew, object_skew,
                                                                                      stale_tab

A question waits for ``SETTLE_SECONDS`` of the facts' time: requests are told when their answers end, so a page
that is streamed is told after the files that it asked for. ``incidents`` judges what still waits by what is known
so far. Whether a page, or what other versions answered for a file, is told before or after the file itself makes
no difference within that span, as long as nothing had to be forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.model.skew_rules import SkewRules
from gateway.skew.bounded import Bounded
from gateway.skew.causes import cause_of, not_deployed
from gateway.skew.deployments import DeploymentMemory
from gateway.skew.facts import DeploymentSeen, RequestSeen, Witness, short, witness_of
from gateway.skew.files import FileMemory, file_of
from gateway.skew.findings import Findings
from gateway.skew.incident import Incident, Inferred, Kind, occurrence
from gateway.skew.pages import Asker, PageMemory, joined
from gateway.skew.requests import (
    Answer,
    answer_for,
    has_failed,
    is_file,
    is_navigation,
    is_unasked,
    may_ask_for_others,
)
from gateway.skew.sessions import SessionMemory

SETTLE_SECONDS: Final = 5.0
MAX_QUESTIONS: Final = 1_024
MAX_RAYS: Final = 4_096
MAX_FAILURES: Final = 1_024

_OBJECT: Final = "durable-object"


class _Question(NamedTuple):
    """A request that may be an incident.

    Args:
        askers: The pages that may have asked, those that were told late among them.
    """

    kind: Kind
    seen: RequestSeen
    witness: Witness
    askers: list[Asker]


class _Verdict(NamedTuple):
    incident: Incident
    held: bool = False


class Detector:
    """See the module's first lines.

    Args:
        rules_of: What the configuration says of a Worker.
    """

    def __init__(self, rules_of: Callable[[str], SkewRules]) -> None:
        self._rules_of = rules_of
        self._deployments = DeploymentMemory()
        self.forget()

    def forget(self) -> None:
        """Forget all traffic; deployments stay known."""
        self._pages = PageMemory()
        self._files = FileMemory()
        self._sessions = SessionMemory(self._rules_of)
        self._findings = Findings()
        self._rays: Bounded[str, Witness] = Bounded(MAX_RAYS)
        self._alike: Bounded[tuple[str, str, str], bool] = Bounded(MAX_FAILURES)
        self._open: deque[_Question] = deque()
        self._latest = self._last_asked = 0.0

    @property
    def remembered(self) -> int:
        """How many entries all memories hold together; bounded, whatever the traffic."""
        memories = (self._pages, self._files, self._sessions, self._findings, self._rays, self._alike, self._open)
        return len(self._deployments) + sum(len(memory) for memory in memories)

    def deployed(self, deployment: DeploymentSeen) -> None:
        """Note a deployment; every later request follows it."""
        self._deployments.add(deployment)

    def saw(self, seen: RequestSeen) -> None:
        """Note a request that is over."""
        if not seen.version_id or seen.method == "OPTIONS":
            return  # the gateway's own answers have no version; a preflight carries no sign of its session
        deployment = self._deployments.at(seen.worker, seen.at)
        witness = witness_of(seen, deployment.number if deployment is not None else 0)
        self._note_file(seen)
        askers = self._pages.askers(seen)
        self._rays.put(seen.ray, witness)
        self._follow(seen, witness, askers)
        kind = self._question_of(seen, askers, deployment)
        if kind is not None:
            self._open.append(_Question(kind, seen, witness, askers))
            self._last_asked = max(self._last_asked, seen.at)
        if may_ask_for_others(seen):
            self._pages.remember(seen, witness)
            self._tell_late_page(witness)
        self._settle(seen.at)

    def incidents(self) -> list[Incident]:
        """Return what was found so far, in the order in which it was seen first."""
        findings = self._findings.copy()
        for question in self._open:
            self._answer(question, findings)
        return findings.told()

    # What each request tells.

    def _note_file(self, seen: RequestSeen) -> None:
        file = file_of(seen)
        if seen.reason == _OBJECT or seen.method not in ("GET", "HEAD"):
            return
        if not (is_file(seen) or (self._files.knows(file) and not is_navigation(seen))):
            return
        if self._files.note(seen):
            told = self._files.answer(file, seen.version_id)
            tell = self._findings.file_exists if told is Answer.HAS else self._findings.file_is_missing
            tell(*file, seen.version_id)

    def _follow(self, seen: RequestSeen, witness: Witness, askers: list[Asker]) -> None:
        for change in self._sessions.follow(seen, witness, askers):
            kind = Kind.FLOW_SKEW if change.what else Kind.SESSION_SKEW
            cause = cause_of(change.before, change.after, self._deployment_at(change.after))
            self._findings.add(occurrence(kind, change.what, cause, change.before, change.after, change.inferred))

    def _question_of(
        self, seen: RequestSeen, askers: list[Asker], deployment: DeploymentSeen | None
    ) -> Kind | None:
        if seen.object and seen.reason == _OBJECT and has_failed(seen):
            return Kind.OBJECT_SKEW
        if is_file(seen):
            is_missed = seen.method == "GET" and answer_for(seen) is Answer.LACKS
            return Kind.ASSET_SKEW if is_missed else None
        if deployment is None or not askers or (is_navigation(seen) and seen.method in ("GET", "HEAD")):
            return None  # going on to another page is how a stale tab ends
        stale = all(not deployment.holds(asker.page.version_id) for asker in askers)
        return Kind.STALE_TAB if stale else None

    def _deployment_at(self, witness: Witness) -> DeploymentSeen | None:
        return self._deployments.at(witness.worker, witness.at)

    # Questions.

    def _tell_late_page(self, page: Witness) -> None:
        """Let questions know of a page that is older than they are, and told only now."""
        if self._open and page.at < self._last_asked:
            self._open = deque(
                question._replace(askers=joined(question.askers, self._pages.askers(question.seen, 0.0)))
                for question in self._open
            )

    def _settle(self, now: float) -> None:
        """Judge for good what waited long enough."""
        self._latest = max(self._latest, now)
        while self._open and (
            len(self._open) > MAX_QUESTIONS or self._latest - self._open[0].seen.at >= SETTLE_SECONDS
        ):
            self._answer(self._open.popleft(), self._findings)

    def _answer(self, question: _Question, findings: Findings) -> None:
        askers = question.askers
        match question.kind:
            case Kind.ASSET_SKEW:
                verdict = self._judge_file(question, askers)
            case Kind.OBJECT_SKEW:
                verdict = self._judge_call(question, askers, findings)
            case _:
                verdict = self._judge_stale(question, askers)
        if verdict is not None:
            findings.add(verdict.incident, held=verdict.held)

    def _judge_file(self, question: _Question, askers: list[Asker]) -> _Verdict | None:
        """A file was not found (R82, R83): is it one that a page's own version has?"""
        worker, path = file_of(question.seen)
        answered = question.witness.version_id
        unknown: list[Asker] = []
        for asker in askers:
            version_id = asker.page.version_id
            told = self._files.answer((worker, path), version_id)
            if version_id == answered or told is Answer.LACKS:
                continue
            if told is Answer.HAS:
                return _Verdict(self._found(question, path, asker.page, asker.inferred))
            unknown.append(asker)
        if not unknown:
            return None
        first = unknown[0]
        others = {asker.page.version_id for asker in askers} - {first.page.version_id}
        is_sure = not others and Inferred.PAGE not in first.inferred and not is_unasked(question.seen.path)
        incident = self._found(question, path, first.page, first.inferred | {Inferred.FILE})
        return _Verdict(incident, held=not is_sure)

    def _judge_call(self, question: _Question, askers: list[Asker], findings: Findings) -> _Verdict | None:
        """A Durable Object failed: was it called by another version (R50), and is it that?"""
        seen, witness = question.seen, question.witness
        caller, inferred = self._caller(seen, askers)
        if caller is None or caller.worker != seen.worker:
            return None
        what = _call_of(seen)
        place = (seen.worker, what, witness.version_id)
        if caller.version_id == witness.version_id:
            self._alike.put(place, value=True)
            findings.call_fails_alike(*place)
            return None
        if self._alike.get(place):
            return None
        return _Verdict(self._found(question, what, caller, inferred))

    def _caller(self, seen: RequestSeen, askers: list[Asker]) -> tuple[Witness | None, frozenset[Inferred]]:
        if seen.caller_ray:
            return self._rays.get(seen.caller_ray), frozenset()
        versions = {asker.page.version_id for asker in askers}
        if len(versions) != 1:
            return None, frozenset()
        return askers[0].page, askers[0].inferred | {Inferred.CALLER}

    def _judge_stale(self, question: _Question, askers: list[Asker]) -> _Verdict | None:
        """A page called whose version was deployed once: is every page that may have called so?"""
        deployment = self._deployment_at(question.witness)
        if deployment is None or any(deployment.holds(asker.page.version_id) for asker in askers):
            return None
        page, inferred = askers[0]
        if page.version_id == question.witness.version_id or page.at > deployment.at:
            return None  # it named its version, so it got what it was made for
        return _Verdict(self._found(question, "", page, inferred))

    def _found(self, question: _Question, what: str, before: Witness, inferred: frozenset[Inferred]) -> Incident:
        deployment = self._deployment_at(question.witness)
        if question.kind is Kind.STALE_TAB and deployment is not None:
            cause = not_deployed(before, deployment)
        else:
            cause = cause_of(before, question.witness, deployment)
        return occurrence(question.kind, what, cause, before, question.witness, inferred)


def _call_of(seen: RequestSeen) -> str:
    """Return what kind of call an object got: its own name stands for that of all objects of the class."""
    class_name, _, name = seen.object.partition("/")
    path = seen.path.replace(f"/{name}", "/*", 1) if name else seen.path
    return short(f"{class_name} {seen.method} {path}")
