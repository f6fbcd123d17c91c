"""Tunnel cases: a conversation through an upgraded connection, with both ends held by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum

from tests.conformance.http.cases import FieldLine, ProxiedOrigin
from tests.conformance.http.client import Client
from tests.conformance.http.judge import Innocent, Verdict, Word
from tests.conformance.http.origin import Link, Origin
from tests.conformance.http.probes import fresh_innocents
from tests.conformance.http.steps import Pause, Reply
from tests.conformance.http.syntax import Fields
from tests.conformance.http.wire import Ended, Wire

_WAIT_SECONDS = 3.0


class How(Enum):
    """How a side ends its connection."""

    FIN = "half-close"
    CLOSE = "close"
    RESET = "reset"


class Side(Enum):
    """Who makes a move."""

    CLIENT = "client"
    ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class Says:
    """A side sends bytes; the other side must get just these, behind all before.

    Args:
        side: Who sends.
        data: What.
        piece_bytes: Sent in pieces of this size; 0 for one piece.
        awaited: Whether to wait until it has come before the next move.
    """

    side: Side
    data: bytes
    piece_bytes: int = 0
    awaited: bool = True


@dataclass(frozen=True, slots=True)
class Ends:
    """A side ends its connection; the other side must see an end, behind all bytes sent before."""

    side: Side
    how: How


@dataclass(frozen=True, slots=True)
class Waits:
    """Nothing happens for a while."""

    seconds: float


Move = Says | Ends | Waits


@dataclass(frozen=True, slots=True)
class TunnelCase:
    """A conversation through an upgraded connection.

    Args:
        id: Readable and unique; the part before the slash is its family.
        source: The rule behind it.
        request: What the client sends to open the tunnel.
        answer: What the origin sends to open it.
        moves: What happens then.
        behind_request: What the client sends in one segment with the request; it must reach the origin.
        behind_answer: What the origin sends in one segment with its answer; it must reach the client.
        asked: Fields that must reach the origin with the request.
        told: Fields that must reach the client with the answer.
        before: Whole requests that come first on the same client connection.
        may_refuse: The proxy may also refuse to open the tunnel, with any 4xx or 5xx.
        request_piece_bytes: The request is sent in pieces of this size; 0 for one piece.
        answer_piece_bytes: The answer is sent in pieces of this size; 0 for one piece.
        promise: Our own promise rather than a requirement of an RFC.
    """

    id: str
    source: str
    request: bytes
    answer: bytes
    moves: tuple[Move, ...]
    behind_request: bytes = b""
    behind_answer: bytes = b""
    asked: tuple[FieldLine, ...] = ()
    told: tuple[FieldLine, ...] = ()
    before: tuple[bytes, ...] = ()
    may_refuse: bool = False
    request_piece_bytes: int = 0
    answer_piece_bytes: int = 0
    promise: bool = False


class Missed(Exception):
    """Something that had to happen did not."""


@dataclass(slots=True)
class _Talk:
    """Both ends of an open tunnel, and what was said so far."""

    client: Client
    link: Link
    told_origin: bytearray
    told_client: bytearray
    sending: list[asyncio.Future[None]] = field(default_factory=list)

    def wire(self, side: Side) -> Wire:
        return self.client.wire if side is Side.CLIENT else self.link.wire

    def got(self, side: Side) -> bytes:
        """What that side has got through the tunnel."""
        if side is Side.ORIGIN:
            return self.link.tunnelled
        at = self.client.answers().tunnel_at
        return b"" if at is None else bytes(self.client.wire.received[at:])

    async def all_sent(self) -> None:
        """Wait until the kernel has taken all that is being sent."""
        if self.sending:
            await asyncio.wait(self.sending, timeout=_WAIT_SECONDS)
            self.sending.clear()

    async def check(self, side: Side) -> None:
        """Wait until that side has got all that was said to it, and check every byte."""
        wanted = bytes(self.told_client if side is Side.CLIENT else self.told_origin)
        wire = self.wire(side)
        await wire.watch.until(
            lambda: len(self.got(side)) >= len(wanted) or wire.ended is not Ended.OPEN, _WAIT_SECONDS
        )
        got = self.got(side)
        if got != wanted:
            at = next(
                (at for at, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b),
                min(len(got), len(wanted)),
            )
            shown = f"{got[at : at + 40]!r}, not {wanted[at : at + 40]!r}"
            sizes = f"{len(got)} of {len(wanted)} bytes ({wire.ended.value})"
            raise Missed(f"the {side.value} got {sizes}; at {at}: {shown}")


async def run_tunnel_case(proxied: ProxiedOrigin, case: TunnelCase) -> Verdict:
    """Play one conversation, then the innocent requests, and judge."""
    origin = proxied.origin
    await origin.begin((*[Reply()] * len(case.before), Reply((Pause(0),), at_head=True, tunnel=True)))
    client = await Client.connect(proxied.host, proxied.port, [b"GET"] * (len(case.before) + 1))
    why = ""
    try:
        await _converse(case, client, origin)
    except Missed as missed:
        why = str(missed)
    finally:
        await client.wire.close()
    lots, detail = await fresh_innocents(proxied)
    if Innocent.WRONG in lots:
        return Verdict(Word.UNSAFE, f"an innocent request {Innocent.WRONG.value}: {detail}")
    for problem in origin.malformed:
        return Verdict(Word.UNSAFE if problem.dangerous else Word.FAIL, f"sent to the origin: {problem.what}")
    if not why and any(lot is not Innocent.RIGHT for lot in lots):
        why = f"an innocent request {lots}: {detail}"
    return Verdict(Word.FAIL, why) if why else Verdict(Word.PASS, "")


async def _send(wire: Wire, data: bytes, piece_bytes: int) -> None:
    size = piece_bytes or max(len(data), 1)
    for at in range(0, len(data), size):
        await wire.send(data[at : at + size])
        if piece_bytes:
            await asyncio.sleep(0.0005)


async def _converse(case: TunnelCase, client: Client, origin: Origin) -> None:
    for index, plain in enumerate(case.before):
        await client.wire.send(plain)
        if not await client.until_answers(index + 1, _WAIT_SECONDS):
            raise Missed("a plain request before the upgrade was not answered")
    await _send(client.wire, case.request + case.behind_request, case.request_piece_bytes)
    wanted = len(case.before) + 1
    await asyncio.wait(
        [
            asyncio.ensure_future(origin.watch.until(lambda: len(origin.requests) >= wanted, _WAIT_SECONDS)),
            asyncio.ensure_future(client.until_answers(wanted, _WAIT_SECONDS)),
        ],
        return_when=asyncio.FIRST_COMPLETED,
    )
    if len(origin.requests) < wanted:
        await client.until_answers(wanted, _WAIT_SECONDS)
        _check_refusal(case, client)
        return
    request = origin.requests[-1]
    link = origin.link_of(request)
    _check_fields("the origin saw", request.fields, (*case.asked, (b"Upgrade", b"websocket")))
    if b"upgrade" not in request.fields.members(b"connection"):
        raise Missed(f"the origin saw Connection {request.fields.values(b'connection')}")
    await _send(link.wire, case.answer + case.behind_answer, case.answer_piece_bytes)
    await client.wire.watch.until(
        lambda: (
            client.answers().tunnel_at is not None
            or client.answers().complete_count >= wanted
            or client.wire.ended is not Ended.OPEN
        ),
        _WAIT_SECONDS,
    )
    if client.answers().tunnel_at is None:
        _check_refusal(case, client)
        return
    switched = client.answers().interim[-1]
    _check_fields("the client saw", switched.fields, (*case.told, (b"Upgrade", b"websocket")))
    if b"upgrade" not in switched.fields.members(b"connection"):
        raise Missed(f"the client saw Connection {switched.fields.values(b'connection')}")
    talk = _Talk(client, link, bytearray(case.behind_request), bytearray(case.behind_answer))
    await talk.check(Side.ORIGIN)
    await talk.check(Side.CLIENT)
    for move in case.moves:
        await _make(move, talk)
    await talk.all_sent()
    # Whoever is still connected must have got everything, also what was not waited for.
    for side in Side:
        if not talk.wire(side).closed_here:
            await talk.check(side)


async def _make(move: Move, talk: _Talk) -> None:
    match move:
        case Waits(seconds):
            await asyncio.sleep(seconds)
        case Says(side, data, piece_bytes, awaited):
            other = Side.ORIGIN if side is Side.CLIENT else Side.CLIENT
            if other is Side.ORIGIN:
                talk.told_origin += data
            else:
                talk.told_client += data
            # Where it is not awaited both sides can send at once, more than any buffer holds.
            talk.sending.append(asyncio.ensure_future(_send(talk.wire(side), data, piece_bytes)))
            await asyncio.sleep(0)
            if awaited:
                await talk.check(other)
        case Ends(side, how):
            await _end(side, how, talk)


async def _end(side: Side, how: How, talk: _Talk) -> None:
    other = Side.ORIGIN if side is Side.CLIENT else Side.CLIENT
    await talk.all_sent()
    if how is How.FIN:
        talk.wire(side).half_close()
    elif how is How.CLOSE:
        await talk.wire(side).close()
    else:
        await talk.wire(side).reset()
    if talk.wire(other).closed_here:
        return
    if not await talk.wire(other).until_ended(_WAIT_SECONDS):
        raise Missed(f"the {other.value} saw no end behind the {side.value}'s {how.value}")
    if how is not How.RESET:
        await talk.check(other)


def _check_refusal(case: TunnelCase, client: Client) -> None:
    """The tunnel did not open: that must be legal, and said properly."""
    answers = client.answers()
    finals = answers.finals[len(case.before) :]
    if case.may_refuse and len(finals) == 1 and finals[0].complete and finals[0].status >= 400:
        return
    raise Missed(f"the tunnel did not open: {bytes(client.wire.received[-200:])!r} ({client.wire.ended.value})")


def _check_fields(where: str, fields: Fields, wanted: tuple[FieldLine, ...]) -> None:
    for name in dict.fromkeys(name for name, _ in wanted):
        values = [value for each, value in wanted if each == name]
        got = fields.values(name)
        if name.lower() in (b"upgrade", b"connection"):
            values, got = [value.lower() for value in values], [value.lower() for value in got]
        split = name.lower() != b"set-cookie"
        if [part.strip() for value in got for part in (value.split(b",") if split else [value])] != [
            part.strip() for value in values for part in (value.split(b",") if split else [value])
        ]:
            raise Missed(f"{where} {name.decode()}: {got}, not {values}")
