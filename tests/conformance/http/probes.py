"""Innocent requests: whatever a case did, they must get their own right answers."""

from __future__ import annotations

import itertools

from tests.conformance.http.cases import ProxiedOrigin
from tests.conformance.http.client import Answers, Client
from tests.conformance.http.judge import Innocent
from tests.conformance.http.origin import INNOCENT, Origin, Recorded
from tests.conformance.http.wire import Ended

_SOON_SECONDS = 2.0
_tokens = itertools.count(1)


def _innocent() -> tuple[bytes, bytes]:
    token = INNOCENT + b"%d" % next(_tokens)
    return token, b"GET %s HTTP/1.1\r\nHost: www.example.com\r\n\r\n" % token


async def innocent_on(client: Client, origin: Origin) -> tuple[Innocent, str]:
    """Send an innocent request where the case ended, if the connection is still there."""
    if client.wire.ended is not Ended.OPEN or client.wire.closed_here:
        return Innocent.SKIPPED, ""
    before = len(client.answers().finals)
    if client.answers().complete_count < before or client.answers().malformed is not None or before == 0:
        return Innocent.SKIPPED, ""
    token, request = _innocent()
    client.methods = [*client.methods[:before], *[b"GET"] * (before - len(client.methods)), b"GET"]
    await client.wire.send(request)
    await client.until_answers(before + 1, _SOON_SECONDS)
    return _lot(client.answers(), before, token, origin.innocents, ended=client.wire.ended is not Ended.OPEN)


async def fresh_innocents(proxied: ProxiedOrigin) -> tuple[list[Innocent], str]:
    """Send two innocent requests, one after the other, on a new connection."""
    lots: list[Innocent] = []
    details = ""
    client = await Client.connect(proxied.host, proxied.port)
    try:
        for index in range(2):
            token, request = _innocent()
            await client.wire.send(request)
            await client.until_answers(index + 1, _SOON_SECONDS)
            ended = client.wire.ended is not Ended.OPEN
            lot, detail = _lot(client.answers(), index, token, proxied.origin.innocents, ended=ended)
            lots.append(lot)
            details += detail
    finally:
        await client.wire.close()
    return lots, details


def _lot(
    answers: Answers, index: int, token: bytes, innocents: list[Recorded], *, ended: bool
) -> tuple[Innocent, str]:
    if len(answers.finals) <= index:
        if answers.malformed is not None:
            return Innocent.WRONG, f"{token!r}: {answers.malformed.what}"
        return (Innocent.ENDED if ended else Innocent.NONE), repr(token)
    answer = answers.finals[index]
    shown = f"{token!r}: {answer.status} {answer.body[:80]!r}"
    if answer.seen is None:
        return (Innocent.REFUSED if answer.status >= 400 else Innocent.WRONG), shown
    asked = [request for request in innocents if request.serial == answer.seen]
    right = len(asked) == 1 and asked[0].target == token and asked[0].method == b"GET" and answer.complete
    return (Innocent.RIGHT, "") if right and answer.status == 200 else (Innocent.WRONG, shown)
