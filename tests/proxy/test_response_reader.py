"""Versions' bytes: what is an answer, where it ends, and that no cut of the bytes changes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.proxy.memo import HeadMemo
from gateway.proxy.messages import ResponseHead
from gateway.proxy.response_reader import MAX_HEAD_BYTES, MAX_INTERIM_ANSWERS
from tests.proxy.reading import Answer, Answers, cut, read_answer

DATE = "Date: Mon, 23 Nov 2026 12:00:00 GMT"


def answer(*lines: str, status: str = "200 OK", version: str = "1.1", body: bytes = b"") -> bytes:
    """Return an answer with these lines."""
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode("latin-1") + body


MALFORMED = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "ICE": b"ICE/1.0 200 OK\r\n\r\n",
    "empty line first": b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    "lower-case http": b"http/1.1 200 OK\r\n\r\n",
    "HTTP/2.0": answer(version="2.0"),
    "HTTP/1.2": answer(version="1.2"),
    "no status": b"HTTP/1.1\r\n\r\n",
    "two digits": answer(status="20 OK"),
    "four digits": answer(status="2000 OK"),
    "letters": answer(status="OK OK"),
    "status 000": answer(status="000 no"),
    "status 099": answer(status="099 no"),
    "negative": answer(status="-20 no"),
    "NUL in the reason": answer(status="200 a\0b"),
    "control character in the reason": answer(status="200 a\x01b"),
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare CR in a value": answer("X: a\rb", "Content-Length: 0"),
    "NUL in a value": answer("X: a\0b", "Content-Length: 0"),
    "folded line": answer("X: a", " b", "Content-Length: 0"),
    "space before the colon": answer("X : a", "Content-Length: 0"),
    "no colon": answer("X a", "Content-Length: 0"),
    "empty name": answer(": a", "Content-Length: 0"),
    "two lengths": answer("Content-Length: 1", "Content-Length: 2", body=b"ab"),
    "length with plus": answer("Content-Length: +1", body=b"a"),
    "negative length": answer("Content-Length: -1"),
    "length list": answer("Content-Length: 1, 1", body=b"a"),
    "empty length": answer("Content-Length:"),
    "length beyond 64 bits": answer("Content-Length: 99999999999999999999"),
    "length and chunked": answer("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "gzip, chunked": answer("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunked twice": answer("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "xchunked": answer("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "identity": answer("Transfer-Encoding: identity"),
    "tab behind the coding": answer("Transfer-Encoding: chunked\t", body=b"0\r\n\r\n"),
    "chunked in HTTP/1.0": answer("Transfer-Encoding: chunked", version="1.0", body=b"0\r\n\r\n"),
    "bad chunk size": answer("Transfer-Encoding: chunked", body=b"zz\r\n"),
    "chunk longer than its size": answer("Transfer-Encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n"),
    "101 without Upgrade": answer("Connection: upgrade", status="101 Switching Protocols"),
    "101 without Connection": answer("Upgrade: websocket", status="101 Switching Protocols"),
    "101 in HTTP/1.0": answer(
        "Connection: upgrade", "Upgrade: x", status="101 Switching Protocols", version="1.0"
    ),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "byte by byte"])
def test_what_cannot_be_read_without_doubt_is_malformed(data: bytes, bytewise: bool) -> None:
    """RFC 9112 sections 2 to 7, design 3.6: 502, never passed to the client raw."""
    told = read_answer(*(bytes([byte]) for byte in data)) if bytewise else read_answer(data)

    assert told.malformed or not (told.complete or told.ends_with_the_stream)


def test_a_plain_answer() -> None:
    """RFC 9112 section 4: status, reason, fields in order as sent, body by its length."""
    told = read_answer(answer("X-B: 2", "x-a:1", "Content-Length: 5", DATE, status="404 Not Here", body=b"hello"))

    assert (told.head.status, told.head.reason, told.body) == (404, b"Not Here", b"hello")
    assert told.head.lines == [b"X-B: 2", b"x-a: 1", DATE.encode()]
    assert (told.complete, told.excess, told.keep_alive, told.head.has_date) == (True, False, True, True)


ENDS = {
    "length": (answer("Content-Length: 5", body=b"hello"), b"hello", True, True),
    "length cut": (answer("Content-Length: 5", body=b"hell"), b"hell", False, False),
    "length 0": (answer("Content-Length: 0"), b"", True, True),
    "chunked": (answer("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), b"hello", True, True),
    "chunked cut": (answer("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"), b"hello", False, False),
    "chunked, trailers cut": (answer("Transfer-Encoding: chunked", body=b"0\r\nX: 1\r\n"), b"", False, False),
    "until the end": (answer(body=b"hello"), b"hello", False, True),
    "HTTP/1.0 until the end": (answer(version="1.0", body=b"hello"), b"hello", False, True),
    "204": (answer(status="204 No Content"), b"", True, True),
    "304 with length": (answer("Content-Length: 5", status="304 Not Modified"), b"", True, True),
    "head cut": (b"HTTP/1.1 200 OK\r\nContent-Le", b"", False, False),
    "nothing": (b"H", b"", False, False),
    "only an interim answer": (answer(status="103 Early Hints"), b"", False, False),
}


@pytest.mark.parametrize(("data", "body", "complete", "complete_at_end"), ENDS.values(), ids=ENDS)
def test_where_an_answer_ends(data: bytes, body: bytes, complete: bool, complete_at_end: bool) -> None:
    """RFC 9112 section 6.3: by length, by chunks, by having none, or (rule 8) by the end of the stream."""
    told = read_answer(data)

    assert told.malformed == ""
    assert (told.body, told.complete, told.complete or told.ends_with_the_stream) == (
        body,
        complete,
        complete_at_end,
    )


HEADS_ONLY = {
    "length": answer("Content-Length: 5"),
    "chunked": answer("Transfer-Encoding: chunked"),
    "neither": answer(),
    "404": answer("Content-Length: 9", status="404 Not Found"),
}


@pytest.mark.parametrize("data", HEADS_ONLY.values(), ids=HEADS_ONLY)
def test_an_answer_to_head_has_no_body(data: bytes) -> None:
    """RFC 9110 section 9.3.2: whatever its fields say; the next answer is read from its start."""
    connection = Answers()

    first = connection.read(data, to_head=True)
    second = connection.read(answer("Content-Length: 2", body=b"ok"))

    assert (first.complete, first.body, first.excess) == (True, b"", False)
    assert (second.complete, second.body) == (True, b"ok")


EXCESS = {
    "second answer": answer("Content-Length: 0") + answer("Content-Length: 0"),
    "more than the length": answer("Content-Length: 1", body=b"ab"),
    "behind the last chunk": answer("Transfer-Encoding: chunked", body=b"0\r\n\r\nabc"),
    "body of a 204": answer(status="204 No Content", body=b"abc"),
    "body of a 304": answer("Content-Length: 3", status="304 Not Modified", body=b"abc"),
}


@pytest.mark.parametrize("data", EXCESS.values(), ids=EXCESS)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "byte by byte"])
def test_more_than_the_answer_spoils_the_connection_and_not_the_answer(data: bytes, bytewise: bool) -> None:
    """Reliability.md 1: a stale answer left on a pooled connection must never reach another request."""
    told = read_answer(*(bytes([byte]) for byte in data)) if bytewise else read_answer(data)

    assert (told.malformed, told.complete, told.excess, len(told.heads)) == ("", True, True, 1)
    assert told.body in {b"", b"a"}


@pytest.mark.parametrize(
    "data", [answer("Content-Length: 3", body=b"abc"), answer(body=b"abc")], ids=["length", "none"]
)
def test_a_body_behind_an_answer_to_head_spoils_the_connection(data: bytes) -> None:
    """RFC 9110 section 9.3.2: the version must not send one; where it does, the connection is spoilt."""
    told = read_answer(data, to_head=True)

    assert (told.complete, told.excess, told.body) == (True, True, b"")


def test_what_comes_before_any_request_spoils_the_connection() -> None:
    """RFC 9112 section 9.2: an answer without a request belongs to nobody."""
    connection = Answers()
    connection.reader.feed(answer("Content-Length: 0", status="408 Request Timeout"))

    assert connection.reader.excess


REUSE = {
    "HTTP/1.1": (answer("Content-Length: 0"), True),
    "close": (answer("Content-Length: 0", "Connection: close"), False),
    "Close among others": (answer("Content-Length: 0", "Connection: x, Close"), False),
    "HTTP/1.0": (answer("Content-Length: 0", version="1.0"), False),
    "HTTP/1.0 keep-alive": (answer("Content-Length: 0", "Connection: keep-alive", version="1.0"), True),
    "until the end": (answer(body=b"abc"), False),
    "close in a trailer": (answer("Transfer-Encoding: chunked", body=b"0\r\nConnection: close\r\n\r\n"), False),
    "Proxy-Connection": (answer("Content-Length: 0", "Proxy-Connection: close"), False),
}


@pytest.mark.parametrize(("data", "reuse"), REUSE.values(), ids=REUSE)
def test_whether_the_connection_can_serve_another_request(data: bytes, reuse: bool) -> None:
    """RFC 9112 section 9.3."""
    assert read_answer(data).keep_alive is reuse


def test_interim_answers_pass_and_do_not_alter_the_final_one() -> None:
    """RFC 9110 section 15.2, reliability.md 3: 1xx passed on, and not altering the final head."""
    told = read_answer(
        answer("X-Early: 1", status="103 Early Hints")
        + answer(status="100 Continue")
        + answer("X: 2", "Content-Length: 2", body=b"ok")
    )

    assert [(head.status, head.lines) for head in told.interim] == [(103, [b"X-Early: 1"]), (100, [])]
    assert (told.head.status, told.head.lines, told.body, told.complete) == (200, [b"X: 2"], b"ok", True)


def test_interim_answers_without_end_are_cut() -> None:
    """Design 3.1: nothing is read without a limit."""
    told = read_answer(answer(status="103 Early Hints") * (MAX_INTERIM_ANSWERS + 1))

    assert told.malformed


def test_a_head_without_end_is_cut() -> None:
    """Design 3.1: nothing is read without a limit."""
    line = b"X: " + b"a" * 1_000 + b"\r\n"
    told = read_answer(b"HTTP/1.1 200 OK\r\n", *[line] * (MAX_HEAD_BYTES // len(line) + 1))

    assert told.malformed


def test_a_switch_of_protocols_hands_over_what_follows() -> None:
    """RFC 9110 section 15.2.2: behind a 101 nothing is HTTP."""
    told = read_answer(
        answer("Connection: Upgrade", "Upgrade: websocket", status="101 Switching Protocols", body=b"\x81\x00")
    )

    assert told.switched == b"\x81\x00"
    assert told.heads == []


def test_fields_of_one_hop_and_of_the_gateway_do_not_pass() -> None:
    """RFC 9110 section 7.6.1, design 3.6: hop-by-hop fields go; ``Gateway-...`` and ``CF-Ray`` are ours."""
    told = read_answer(
        answer(
            "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Gateway-Version: x", "gateway-decision: y",
            "CF-Ray: z", "X-End: 2", "Content-Length: 0",
        )
    )  # fmt: skip

    assert told.head.lines == [b"X-End: 2"]


def test_trailers_pass_but_for_those_that_must_not() -> None:
    """RFC 9110 section 6.5.1."""
    body = b"2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nGateway-Version: x\r\n\r\n"

    assert read_answer(answer("Transfer-Encoding: chunked", body=body)).trailers == [b"X-Sum: 1"]


# The memory of heads.

WHOLE = answer("Content-Length: 2", "Set-Cookie: me=1", DATE, body=b"ok")
CACHED = {
    "the same again": [WHOLE, WHOLE],
    "other body of the same length": [WHOLE, WHOLE[:-2] + b"no"],
    "cut body": [WHOLE, WHOLE[:-1]],
    "more than the body": [WHOLE, WHOLE + b"x"],
    "empty answers": [answer("Content-Length: 0", DATE)] * 2,
    "the same in pieces": [WHOLE, WHOLE[:30], WHOLE],
    "interim answer, then alone": [
        answer(status="103 Early Hints") + answer("Content-Length: 0", "Set-Cookie: me=1", DATE),
        answer(status="103 Early Hints"),
    ],
    "100 and final in one piece, then 100 alone": [
        answer(status="100 Continue") + answer("Content-Length: 0", DATE),
        answer(status="100 Continue"),
    ],
    "100, then bytes as long as a body before": [
        answer(status="100 Continue") + WHOLE,
        answer(status="100 Continue") + b"HT",
    ],
}


@pytest.mark.parametrize("pieces", CACHED.values(), ids=CACHED)
def test_remembered_heads_never_stand_for_other_bytes(pieces: list[bytes]) -> None:
    """``proxy/memo.py``, reliability.md 1: each answer is what its own bytes say, whatever was read before."""
    memo: HeadMemo[ResponseHead] = HeadMemo()
    for data in pieces:
        assert read_answer(data, memo=memo).outcome == read_answer(data).outcome


# Whatever the bytes.

FRAGMENTS = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 199 Odd\r\n\r\n", b"HTTP/1.1 099 Odd\r\n", b"RTSP/1.0 200 OK\r\n", b"HTTP/", b"H",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Connection: close\r\n",
    b"Connection: keep-alive\r\n", b"Connection: upgrade, x\r\n", b"Upgrade: websocket\r\n", b"Date: x\r\n",
    b"X: 1\r\n", b"\r\n", b"\r", b"\n", b"\0", b"\xff", b":", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n",
    b"0\r\nX: 1\r\n\r\n", b"1;a=b\r\nx\r\n", b" ", b"\t",
]  # fmt: skip
STREAMS = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=20).map(b"".join)
CUTS = st.lists(st.integers(0, 2_000), max_size=12)


@given(data=STREAMS | st.binary(max_size=200), places=CUTS, to_head=st.booleans())
@example(data=answer("Content-Length: 0") + b"\r\n", places=[38], to_head=False)
def test_any_bytes_in_any_pieces_give_one_outcome(data: bytes, places: list[int], to_head: bool) -> None:
    """Design 11: only ``MalformedAnswer`` is ever raised, and TCP's cuts mean nothing."""
    check_same(
        read_answer(*([data] if data else []), to_head=to_head), read_answer(*cut(data, places), to_head=to_head)
    )


@given(data=STREAMS, to_head=st.booleans())
def test_byte_by_byte_gives_the_same_outcome(data: bytes, to_head: bool) -> None:
    """Design 11: as above, for the finest cut there is."""
    pieces = (bytes([byte]) for byte in data)

    check_same(read_answer(*([data] if data else []), to_head=to_head), read_answer(*pieces, to_head=to_head))


def check_same(whole: Answer, cut_up: Answer) -> None:
    """Check that both are one answer.

    Empty lines behind an answer, which llhttp skips, may be seen as excess only where they come by themselves:
    then the connection is used no more, which is always safe.
    """
    assert cut_up.excess >= whole.excess
    assert replace(cut_up, excess=whole.excess).outcome == whole.outcome


@given(streams=st.lists(STREAMS, max_size=6), places=CUTS, to_head=st.booleans())
def test_what_was_read_before_changes_nothing(streams: list[bytes], places: list[int], to_head: bool) -> None:
    """``proxy/memo.py``: nothing comes from memory that would not be read the same again, whatever came before."""
    memo: HeadMemo[ResponseHead] = HeadMemo()
    for data in (*streams, WHOLE, *streams):
        for pieces in ([data] if data else [], list(cut(data, places))):
            with_memo = read_answer(*pieces, to_head=to_head, memo=memo)
            assert with_memo.outcome == read_answer(*pieces, to_head=to_head).outcome
