"""Plays cases through a proxy and prints the verdicts.

``python -m tests.conformance.http.run --host 127.0.0.1 --port P --origin-port O`` starts the origin on port
O and plays every case against the proxy that listens on P and forwards to O. ``--only TEXT`` picks the ids
that contain the text, ``--failures`` prints only what did not pass, ``--rfc-only`` leaves out what only we
promise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.conformance.http.cases import ProxiedOrigin, RequestCase, ResponseCase
from tests.conformance.http.client import Client
from tests.conformance.http.fuzz_cases import FUZZ_CASES
from tests.conformance.http.judge import Innocent, Observation, Verdict, Word, judge_request, judge_response
from tests.conformance.http.origin import Origin
from tests.conformance.http.probes import fresh_innocents, innocent_on
from tests.conformance.http.request_cases import REQUEST_CASES
from tests.conformance.http.response_cases import RESPONSE_CASES
from tests.conformance.http.steps import (
    AwaitAnswers,
    AwaitBytes,
    AwaitEnd,
    AwaitInterim,
    AwaitOriginEnd,
    AwaitSignal,
    ClientStep,
    Close,
    Dribble,
    HalfClose,
    Pause,
    Reset,
    Send,
    Signal,
)
from tests.conformance.http.tunnels import TunnelCase, run_tunnel_case
from tests.conformance.http.websocket_cases import TUNNEL_CASES, UPGRADE_CASES
from tests.conformance.http.wire import Ended

Case = RequestCase | ResponseCase | TunnelCase
_PLAIN_GET = (Send(b"GET /case HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),)
_SOON_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """A proxy somewhere, with an origin behind it."""

    origin: Origin
    host: str
    port: int


async def run_case(proxied: ProxiedOrigin, case: Case) -> Verdict:
    """Play one case, then the innocent requests, and judge."""
    if isinstance(case, TunnelCase):
        return await run_tunnel_case(proxied, case)
    if isinstance(case, RequestCase):
        steps, methods, count = case.steps, case.asked_methods, case.answer_count
    else:
        steps, methods, count = case.steps or _PLAIN_GET, case.methods, len(case.outcomes)
    origin = proxied.origin
    await origin.begin(case.replies)
    client = await Client.connect(proxied.host, proxied.port, methods)
    try:
        missed = await _play(steps, client, origin)
        await client.until_answers(count, case.patience_seconds)
        answers = client.answers()
        if (
            answers.finals
            and answers.finals[-1].complete
            and answers.finals[-1].says_close
            and not client.wire.closed_here
        ):
            await client.wire.until_ended(_SOON_SECONDS)
            answers = client.answers()
        raw = bytes(client.wire.received)
        same, detail = await innocent_on(client, origin) if case.reusable else (Innocent.SKIPPED, "")
        ended, closed_here = client.wire.ended, client.wire.closed_here
    finally:
        await client.wire.close()
    fresh, fresh_detail = await fresh_innocents(proxied)
    seen = Observation(
        answers=answers,
        ended=ended,
        closed_here=closed_here,
        requests=list(origin.requests),
        malformed=list(origin.malformed),
        unread=[link.unread for link in origin.links if link.unread],
        same=same,
        fresh=fresh,
        missed=missed + origin.missed,
        detail=detail or fresh_detail,
        raw=raw,
    )
    return judge_request(case, seen) if isinstance(case, RequestCase) else judge_response(case, seen)


async def _play(steps: Sequence[ClientStep], client: Client, origin: Origin) -> list[str]:
    """Do the client's steps; what waited in vain comes back."""
    done = [(step, await _play_one(step, client, origin)) for step in steps]
    return [f"client: in vain {step!r:.100}" for step, came in done if not came]


# One branch for each step of the vocabulary.
async def _play_one(step: ClientStep, client: Client, origin: Origin) -> bool:  # noqa: C901, PLR0911, PLR0912
    wire = client.wire
    match step:
        case Send(data):
            await wire.send(data)
        case Dribble(data, piece_bytes, pause_seconds):
            for at in range(0, len(data), piece_bytes):
                await wire.send(data[at : at + piece_bytes])
                await asyncio.sleep(pause_seconds)
        case Pause(seconds):
            await asyncio.sleep(seconds)
        case HalfClose():
            wire.half_close()
        case Close():
            client.answers()
            await wire.close()
        case Reset():
            client.answers()
            await wire.reset()
        case Signal(name):
            origin.signal(name)
        case AwaitSignal(name, seconds):
            return await origin.await_signal(name, seconds)
        case AwaitEnd(seconds):
            return await wire.until_ended(seconds)
        case AwaitAnswers(count, seconds):
            return await client.until_answers(count, seconds)
        case AwaitInterim(seconds):
            return await wire.watch.until(
                lambda: bool(client.answers().finals or client.answers().interim), seconds
            )
        case AwaitBytes(data, seconds):
            return await wire.watch.until(lambda: data in wire.received, seconds)
        case AwaitOriginEnd(seconds):
            return await _origin_ended(origin, seconds)
    return True


async def _origin_ended(origin: Origin, seconds: float) -> bool:
    """Wait until the connection that serves the case's newest request has ended."""
    if not await origin.watch.until(lambda: bool(origin.requests), seconds):
        return False
    link = origin.link_of(origin.requests[-1])
    return await origin.watch.until(lambda: link.wire.ended is not Ended.OPEN or link.wire.closed_here, seconds)


def all_cases() -> list[Case]:
    """Every case of the tables, in order."""
    return [*REQUEST_CASES, *RESPONSE_CASES, *UPGRADE_CASES, *TUNNEL_CASES, *FUZZ_CASES]


async def run_all(
    host: str, port: int, origin_port: int, only: str, *, failures_only: bool, rfc_only: bool
) -> int:
    """Play the cases one after another and print the verdicts; returns how many did not pass."""
    origin = Origin(origin_port)
    await origin.start()
    target = Target(origin, host, port)
    words: Counter[str] = Counter()
    began = time.monotonic()
    for case in all_cases():
        if only not in case.id or (rfc_only and case.promise):
            continue
        case_began = time.monotonic()
        verdict = await run_case(target, case)
        words[verdict.word.value] += 1
        if verdict.word is not Word.PASS or not failures_only:
            duration_ms = (time.monotonic() - case_began) * 1000
            _say(f"{verdict.word.value:6} {case.id} [{case.source}] {duration_ms:.0f} ms {verdict.why}")
    await origin.stop()
    _say(f"{sum(words.values())} cases in {time.monotonic() - began:.1f} s: {dict(words)}")
    return words["fail"] + words["unsafe"]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Plays HTTP conformance cases through a proxy.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--origin-port", type=int, required=True)
    parser.add_argument("--only", default="", help="only ids that contain this text")
    parser.add_argument("--failures", action="store_true", help="print only what did not pass")
    parser.add_argument("--rfc-only", action="store_true", help="leave out what only we promise")
    given = parser.parse_args()
    code = asyncio.run(
        run_all(
            given.host,
            given.port,
            given.origin_port,
            given.only,
            failures_only=given.failures,
            rfc_only=given.rfc_only,
        )
    )
    raise SystemExit(min(code, 1))


if __name__ == "__main__":
    main()
