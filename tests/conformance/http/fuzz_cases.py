"""Requests and answers made wrong at random, always the same ones: nothing about them may become unsafe.

No outcome is demanded here. The origin must never get what can be read two ways, every answer must go to its
own request, the client must never get what is no HTTP, and innocent requests must be unharmed.
"""

from __future__ import annotations

import random

from tests.conformance.http.cases import BAD, RequestCase, ResponseCase, refuse
from tests.conformance.http.messages import HELLO_CHUNKED, chunk, head, post
from tests.conformance.http.responses_head import BODY, answer
from tests.conformance.http.steps import Close, HalfClose, Pause, Reply, Send

REQUEST_COUNT = 500
ANSWER_COUNT = 300
_SEED = 9112
_INNER = b"GET /inner HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked"
_REQUESTS = (
    head(b"X-A: one", b"Connection: X-A", target=b"/a?b=c"),
    post(b"Content-Length: %d" % len(_INNER), body=_INNER),
    post(_CHUNKED, body=chunk(_INNER) + b"0\r\n\r\n"),
    post(_CHUNKED, b"Trailer: X-T", body=b'5;a="b"\r\nhello\r\n0\r\nX-T: 1\r\n\r\n'),
    post(b"Content-Length: 5", body=b"hello") + head(target=b"/next"),
    post(_CHUNKED, body=HELLO_CHUNKED) + head(target=b"/next"),
    post(b"Content-Length: %d" % len(HELLO_CHUNKED + _INNER), _CHUNKED, body=HELLO_CHUNKED + _INNER),
)
_ANSWERS = (
    answer(b"X-A: one", b"Set-Cookie: a=1"),
    answer(_CHUNKED, body=chunk(BODY) + chunk(BODY) + b"0\r\n\r\n", length=False),
    answer(_CHUNKED, body=b"b;a=b\r\n" + BODY + b"\r\n0\r\nX-T: 1\r\n\r\n", length=False),
    answer(b"Connection: close", length=False),
    answer(status=b"HTTP/1.1 204 No Content", body=b"", length=False),
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(),
)
_BYTES = (
    *(b"%c" % code for code in b'\x00\t\r\n\x0b\x0c\x1f \x7f\x80\x85\xa0\xff:;,="+-0159afx/%#@[]'),
    b"\r\n",
    b"\r\n\r\n",
)
_LINES = (
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"content-length:5",
    b"Content-Length: +5",
    _CHUNKED,
    b"transfer-encoding:chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding:",
    b"Connection: close",
    b"Connection: Content-Length, Transfer-Encoding, Host",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"X-Fold: 1\r\n 2",
    b" leading: 1",
    b"no colon",
    b": no name",
)


def _insert(data: bytearray, at: int, chance: random.Random) -> None:
    data[at:at] = chance.choice(_BYTES)


def _replace(data: bytearray, at: int, chance: random.Random) -> None:
    data[at : at + 1] = chance.choice(_BYTES)


def _delete(data: bytearray, at: int, chance: random.Random) -> None:
    del data[at : at + chance.choice((1, 1, 2, 4))]


def _insert_line(data: bytearray, at: int, chance: random.Random) -> None:
    ends = [i + 2 for i in range(len(data)) if data[i : i + 2] == b"\r\n"] or [at]
    at = chance.choice(ends)
    data[at:at] = chance.choice(_LINES) + b"\r\n"


def _insert_at_joint(data: bytearray, at: int, chance: random.Random) -> None:
    joints = [i for i in range(len(data)) if data[i] in b":\r\n0123456789"] or [at]
    _insert(data, chance.choice(joints), chance)


def _change_line_ends(data: bytearray, at: int, chance: random.Random) -> None:
    line_end, count = chance.choice((b"\n", b"\r", b"\r\r\n")), chance.choice((1, 2, 99))
    data[at:] = bytes(data[at:]).replace(b"\r\n", line_end, count)


def _swap_case(data: bytearray, at: int, _chance: random.Random) -> None:
    data[at : at + 20] = bytes(data[at : at + 20]).swapcase()


_WAYS = (
    _insert,
    _replace,
    _delete,
    _insert_line,
    _insert_line,
    _insert_at_joint,
    _change_line_ends,
    _swap_case,
)


def _spoiled(message: bytes, chance: random.Random) -> bytes:
    """Return the message with one to three things wrong (or, now and then, still right)."""
    data = bytearray(message)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        spoil = chance.choice(_WAYS)
        spoil(data, chance.randrange(len(data) + 1), chance)
    return bytes(data)


def _requests() -> list[RequestCase]:
    chance = random.Random(_SEED)  # noqa: S311 - a fixed seed, so that every run has the same cases
    return [
        RequestCase(
            f"fuzz/request-{number:03}",
            "9112 11.2: whatever comes, no request out of another",
            (Send(_spoiled(chance.choice(_REQUESTS), chance)), Pause(0.002), HalfClose()),
            (refuse(),),
            methods=(b"GET",) * 4,
            most=4,
            patience_seconds=0.3,
            reusable=False,
            only_safety=True,
        )
        for number in range(REQUEST_COUNT)
    ]


def _answers() -> list[ResponseCase]:
    chance = random.Random(_SEED)  # noqa: S311 - a fixed seed, so that every run has the same cases
    return [
        ResponseCase(
            f"fuzz/answer-{number:03}",
            "9112 11.1: whatever comes, no answer out of another",
            (Reply((Send(_spoiled(chance.choice(_ANSWERS), chance)), Pause(0.002), Close())),),
            ((BAD,),),
            most_requests=4,
            patience_seconds=0.3,
            only_safety=True,
        )
        for number in range(ANSWER_COUNT)
    ]


FUZZ_CASES: list[RequestCase | ResponseCase] = [*_requests(), *_answers()]
