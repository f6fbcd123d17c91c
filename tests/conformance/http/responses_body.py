"""Bodies of answers: lengths, chunks, trailers, answers cut short or too long, and the pooled connection."""

from __future__ import annotations

from tests.conformance.http.cases import BAD, BAD_GATEWAY, Delivery, ResponseCase
from tests.conformance.http.messages import HELLO_CHUNKED, chunk, head, post, readable
from tests.conformance.http.responses_head import BODY, OK, STALE_ANSWER, answer, case, cut, whole
from tests.conformance.http.steps import (
    AwaitAnswers,
    AwaitBytes,
    AwaitInterim,
    AwaitSignal,
    Close,
    Dribble,
    HalfClose,
    OriginStep,
    Pause,
    Reply,
    Reset,
    Send,
    Signal,
    Silence,
)

_CHUNKED = b"Transfer-Encoding: chunked"
_GOOD = Reply((Send(answer()),))
_GET = Send(head(target=b"/case"))
_POST = Send(post(b"Content-Length: 5", body=b"hello", target=b"/case"))
_ENDED = Delivery(BAD_GATEWAY, own=True)


def _chunked(body: bytes, *lines: bytes) -> bytes:
    return answer(_CHUNKED, *lines, body=body, length=False)


def _lengths() -> list[ResponseCase]:
    bad = "9112 6.3: an invalid Content-Length from the origin becomes 502"
    cases = [
        case(
            f"length-back/bad-{readable(value)}",
            bad,
            (Send(answer(b"Content-Length: " + value, length=False)), Close()),
            BAD,
        )
        for value in (
            b"+11",
            b"-11",
            b"-1",
            b"0xb",
            b"11 11",
            b"1 1",
            b"1_1",
            b"11.0",
            b"1.1e1",
            b"11;",
            b'"11"',
            b"eleven",
            b"x",
            b"11x",
            b"11\x00",
            b"\x0b11",
            b"11\x0c",
            b"\xa011",
            "\u0661\u0661".encode(),
            b"11, 12",
            b"12, 11",
            b"11, x",
            b"11,,12",
        )
    ]
    cases += [
        case(f"length-back/different-{name}", bad, (Send(answer(*lines, length=False)), Close()), BAD)
        for name, lines in (
            ("lines", (b"Content-Length: 11", b"Content-Length: 12")),
            ("lines-reversed", (b"Content-Length: 12", b"Content-Length: 11")),
            ("first-zero", (b"Content-Length: 0", b"Content-Length: 11")),
            ("second-zero", (b"Content-Length: 11", b"Content-Length: 0")),
            ("second-bad", (b"Content-Length: 11", b"Content-Length: x")),
            ("first-bad", (b"Content-Length: x", b"Content-Length: 11")),
        )
    ]
    same = "9112 6.3: the same number repeated may become one, or 502"
    cases += [
        case(f"length-back/same-{name}", same, (Send(answer(*lines, length=False)), Close()), whole(), BAD)
        for name, lines in (
            ("lines", (b"Content-Length: 11", b"Content-Length: 11")),
            ("list", (b"Content-Length: 11, 11",)),
            ("list-without-space", (b"Content-Length: 11,11",)),
            ("three-lines", (b"Content-Length: 11",) * 3),
        )
    ]
    cases += [
        case(f"length-back/good-{name}", "9110 8.6", answer(line, length=False), whole())
        for name, line in (
            ("plain", b"Content-Length: 11"),
            ("leading-zeros", b"Content-Length: 00011"),
            ("lower-case", b"content-length: 11"),
            ("white-space", b"Content-Length: \t 11 \t"),
        )
    ]
    cases += [
        case(
            f"length-back/empty-{name}",
            "9110 8.6: no number: 502, or read until the close",
            (Send(answer(line, length=False)), Close()),
            BAD,
            whole(),
        )
        for name, line in (("value", b"Content-Length:"), ("comma", b"Content-Length: ,"))
    ]
    cases += [
        case(
            f"length-back/overflow-{name}",
            "9110 8.6: no overflow may make a length smaller",
            (Send(answer(b"Content-Length: %d" % value, length=False)), Close()),
            BAD,
            cut(BODY),
        )
        for name, value in (
            ("2-to-32-plus-11", 2**32 + 11),
            ("2-to-63-plus-11", 2**63 + 11),
            ("2-to-64-plus-11", 2**64 + 11),
            ("2-to-64-less-1", 2**64 - 1),
            ("40-digits", 10**40),
        )
    ]
    return cases


def _codings() -> list[ResponseCase]:
    both = "9112 6.3: Transfer-Encoding overrules; the length goes, or 502"
    cases = [
        case(f"both-back/{name}", both, sent, BAD, Delivery(OK, BODY, has=()))
        for name, sent in (
            (
                "length-first",
                answer(b"Content-Length: 5", _CHUNKED, body=chunk(BODY) + b"0\r\n\r\n", length=False),
            ),
            (
                "chunked-first",
                answer(_CHUNKED, b"Content-Length: 5", body=chunk(BODY) + b"0\r\n\r\n", length=False),
            ),
            ("length-of-all", answer(_CHUNKED, body=chunk(BODY) + b"0\r\n\r\n")),
            (
                "length-hides-more",
                answer(
                    _CHUNKED,
                    b"Content-Length: 200",
                    body=chunk(BODY) + b"0\r\n\r\n" + STALE_ANSWER,
                    length=False,
                ),
            ),
            (
                "length-zero",
                answer(_CHUNKED, b"Content-Length: 0", body=chunk(BODY) + b"0\r\n\r\n", length=False),
            ),
            (
                "bad-length",
                answer(_CHUNKED, b"Content-Length: x", body=chunk(BODY) + b"0\r\n\r\n", length=False),
            ),
        )
    ]
    bad = "9112 6.1, 6.3: a coding not understood, or chunked not last: 502, never passed as content"
    content = chunk(BODY) + b"0\r\n\r\n"
    cases += [
        case(
            f"coding-back/bad-{readable(value)}",
            bad,
            (Send(answer(b"Transfer-Encoding: " + value, body=content, length=False)), Close()),
            BAD,
            cut(BODY),
            may_end=True,
        )
        for value in (
            b"xchunked",
            b"chunkedx",
            b"chunked-1",
            b"chun ked",
            b'"chunked"',
            b"chunked;q=1",
            b"chunked, gzip",
            b"chunked, chunked",
            b"chunked, identity",
            b"\x0bchunked",
            b"chunked\x00",
            b"\xa0chunked",
            "chun\u212aed".encode(),
            b"cow",
            b"gzip",
        )
    ]
    cases += [
        case(f"coding-back/good-{name}", "9112 6.1", answer(line, body=content, length=False), whole())
        for name, line in (
            ("plain", _CHUNKED),
            ("upper-case", b"TRANSFER-ENCODING: CHUNKED"),
            ("mixed-case", b"Transfer-Encoding: ChUnKeD"),
            # No tab: llhttp reads what follows one as another coding, so such an answer is refused here.
            ("white-space", b"Transfer-Encoding:   chunked  "),
        )
    ]
    cases += [
        case(
            f"coding-back/odd-{name}",
            "9112 6.1, 9110 5.6.1.2: tolerable, or 502",
            answer(*lines, body=content, length=False),
            whole(),
            BAD,
        )
        for name, lines in (
            ("empty-member-before", (b"Transfer-Encoding: , chunked",)),
            ("empty-member-after", (b"Transfer-Encoding: chunked,",)),
            ("empty-line-before", (b"Transfer-Encoding:", _CHUNKED)),
            ("twice", (_CHUNKED, _CHUNKED)),
        )
    ]
    cases += [
        case(
            "coding-back/identity-with-length",
            "9112 6.1, 7: identity is no coding any more: 502, or ignored",
            answer(b"Transfer-Encoding: identity"),
            whole(),
            BAD,
        ),
        case(
            "coding-back/in-1.0",
            "9112 6.1: faulty framing in HTTP/1.0: 502, or chunks taken off; never passed as content",
            (Send(answer(_CHUNKED, status=b"HTTP/1.0 200 OK", body=content, length=False)), Close()),
            BAD,
            whole(),
        ),
        case(
            "coding-back/in-1.0-with-length",
            "9112 6.1: faulty framing in HTTP/1.0",
            (
                Send(
                    answer(_CHUNKED, b"Content-Length: 11", status=b"HTTP/1.0 200 OK", body=content, length=False)
                ),
                Close(),
            ),
            BAD,
            whole(),
        ),
        case(
            "coding-back/gzip-chunked",
            "9112 6.1: kept with the chunks taken off and put on again, undone, or 502",
            answer(b"Transfer-Encoding: gzip, chunked", body=content, length=False),
            Delivery(OK, BODY, has=((b"Transfer-Encoding", b"gzip, chunked"),)),
            BAD,
            may_end=True,
        ),
    ]
    return cases


def _chunks() -> list[ResponseCase]:
    rule = "9112 7.1"
    big = b"MARKED0123456789" * 8192
    cases = [
        case(f"chunk-back/good-{name}", rule, _chunked(body), whole(content))
        for name, body, content in (
            ("one", chunk(BODY) + b"0\r\n\r\n", BODY),
            ("none", b"0\r\n\r\n", b""),
            ("many", b"".join(chunk(b"%c" % c) for c in BODY) + b"0\r\n\r\n", BODY),
            ("leading-zeros", b"000b\r\n" + BODY + b"\r\n000\r\n\r\n", BODY),
            ("upper-case-hex", b"B\r\n" + BODY + b"\r\n0\r\n\r\n", BODY),
            ("extension", b"b;a=b;c\r\n" + BODY + b"\r\n0;d\r\n\r\n", BODY),
            ("extension-quoted", b'b;a="b;c"\r\n' + BODY + b"\r\n0\r\n\r\n", BODY),
            ("large", chunk(big) * 4 + b"0\r\n\r\n", big * 4),
            (
                "content-like-answer",
                chunk(b"\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") + b"0\r\n\r\n",
                b"\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            ),
        )
    ]
    bad = "9112 7.1, 8: a broken chunk ends the answer so that the client sees it is cut"
    first = chunk(BODY)
    cases += [
        case(f"chunk-back/bad-{name}", bad, _chunked(first + rest), cut(), BAD, may_end=True)
        for name, rest in (
            ("size-letter", b"zz\r\nMARKED\r\n0\r\n\r\n"),
            ("size-empty", b"\r\nMARKED\r\n0\r\n\r\n"),
            ("size-sign", b"+6\r\nMARKED\r\n0\r\n\r\n"),
            ("size-minus", b"-6\r\nMARKED\r\n0\r\n\r\n"),
            ("size-prefix", b"0x6\r\nMARKED\r\n0\r\n\r\n"),
            ("size-leading-space", b" 6\r\nMARKED\r\n0\r\n\r\n"),
            ("size-nul", b"6\x00\r\nMARKED\r\n0\r\n\r\n"),
            ("size-overflow", b"10000000000000006\r\nMARKED\r\n0\r\n\r\n"),
            ("size-thousand-f", b"f" * 1000 + b"\r\nMARKED\r\n0\r\n\r\n"),
            ("size-cr-only", b"6\rMARKED\r\n0\r\n\r\n"),
            ("data-longer", b"5\r\nMARKED\r\n0\r\n\r\n"),
            ("data-without-crlf", b"6\r\nMARKED0\r\n\r\n"),
            ("data-wrong-crlf", b"6\r\nMARKEDXX0\r\n\r\n"),
            ("last-letter", b"0z\r\n\r\n"),
            ("last-minus", b"-0\r\n\r\n"),
            ("junk-in-place-of-last", b"MARKED MARKED\r\n\r\n"),
            ("answer-in-place-of-last", STALE_ANSWER.replace(b"STALE", b"MARKED")),
            ("lf-in-extension", b"6;a\nb\r\nMARKED\r\n0\r\n\r\n"),
            ("cr-in-extension", b"6;a\rb\r\nMARKED\r\n0\r\n\r\n"),
            ("nul-in-extension", b"6;a\x00b\r\nMARKED\r\n0\r\n\r\n"),
        )
    ]
    lf = "9112 7.1: only CRLF ends a chunk line"
    cases += [
        case(f"chunk-back/lf-{name}", lf, (Send(_chunked(body)), Close()), cut(), BAD, may_end=True)
        for name, body in (
            ("behind-size", b"b\n" + BODY + b"\r\n0\r\n\r\n"),
            ("behind-data", b"b\r\n" + BODY + b"\n0\r\n\r\n"),
            ("behind-last-size", first + b"0\n\r\n"),
            ("at-end", first + b"0\r\n\n"),
            ("everywhere", b"b\n" + BODY + b"\n0\n\n"),
        )
    ]
    return cases


def _trailers() -> list[ResponseCase]:
    section = b"X-T: 1\r\nX-U: 2\r\n"
    lines = ((b"X-T", b"1"), (b"X-U", b"2"))
    body = chunk(BODY) + b"0\r\n" + section + b"\r\n"
    asking = (Send(head(b"TE: trailers", b"Connection: TE", target=b"/case")),)
    merged = (b"X-T", b"X-U")
    cases = [
        case(
            "trailer-back/plain",
            "9110 6.5: kept as trailer or dropped, never merged",
            _chunked(body),
            Delivery(OK, BODY, trailers=lines, lacks=merged),
        ),
        case(
            "trailer-back/announced",
            "9110 6.5",
            _chunked(body, b"Trailer: X-T, X-U"),
            Delivery(OK, BODY, trailers=lines, lacks=merged),
        ),
        case(
            "trailer-back/asked-for",
            "design 3: trailers work",
            _chunked(body, b"Trailer: X-T, X-U"),
            Delivery(OK, BODY, trailers=lines, must_trail=True, lacks=merged),
            steps=asking,
            promise=True,
        ),
        case(
            "trailer-back/to-1.0-client",
            "9112 7.1.2: no place for them",
            _chunked(body),
            Delivery(OK, BODY, chunked=False, lacks=merged),
            steps=(Send(head(b"Connection: keep-alive", target=b"/case", version=b"HTTP/1.0")),),
        ),
        case(
            "trailer-back/large",
            "9110 5.4",
            _chunked(
                chunk(BODY) + b"0\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 500) for n in range(1000)) + b"\r\n"
            ),
            Delivery(OK, BODY, trailers=tuple((b"X-%d" % n, b"v" * 500) for n in range(1000))),
            cut(),
            BAD,
            may_end=True,
        ),
    ]
    cases += [
        case(
            f"trailer-back/forbidden-{name.decode()}",
            "9110 6.5.1: what frames must not come as a trailer; dropped, or the answer cut",
            _chunked(chunk(BODY) + b"0\r\n" + name + b": " + value + b"\r\n\r\n"),
            Delivery(OK, BODY, trailers=passed, lacks=lacks),
            cut(),
            BAD,
            may_end=True,
        )
        for name, value, lacks, passed in (
            (b"Content-Length", b"5", (b"Content-Length",), ()),
            (b"Transfer-Encoding", b"chunked", (), ()),
            (b"Connection", b"close", (), ()),
            (b"Set-Cookie", b"a=b", (b"Set-Cookie",), ((b"Set-Cookie", b"a=b"),)),
        )
    ]
    cases += [
        case(
            f"trailer-back/bad-{name}",
            "9112 5: a trailer section follows the syntax of fields; dropped, or the answer cut",
            (Send(_chunked(chunk(BODY) + b"0\r\n" + line + b"\r\n\r\n")), Close()),
            whole(),
            cut(),
            BAD,
            may_end=True,
        )
        for name, line in (
            ("space-before-colon", b"X-T : 1"),
            ("no-colon", b"X-T"),
            ("nul", b"X-T: a\x00b"),
            ("bare-cr", b"X-T: a\rX-Injected: 1"),
            ("bare-lf", b"X-T: a\nX-U: 1"),
            ("folded", b"X-T: a\r\n b"),
            ("bad-name", b"X(T: 1"),
        )
    ]
    cases.append(
        case(
            "trailer-back/answer-like",
            "9112 7.1.2: what follows the last chunk is trailers, never another answer",
            (Send(_chunked(chunk(BODY) + b"0\r\n" + STALE_ANSWER)), Close()),
            Delivery(OK, BODY),
            cut(),
            BAD,
            may_end=True,
        )
    )
    return cases


def _cut() -> list[ResponseCase]:
    rule = "9112 8: an incomplete answer must not look complete"
    long_body = BODY * 1000
    endings: tuple[tuple[str, OriginStep], ...] = (
        ("fin", Close()),
        ("half-close", HalfClose()),
        ("reset", Reset()),
    )
    cases = []
    for ending, step in endings:
        for name, sent in (
            ("head-only", answer(b"Content-Length: 1100", body=b"", length=False)),
            ("one-byte-missing", answer(b"Content-Length: 12", length=False)),
            ("half", answer(b"Content-Length: 1100", body=BODY * 50, length=False)),
            ("most-of-a-large-one", answer(b"Content-Length: 11001", body=long_body, length=False)),
        ):
            pauses: tuple[OriginStep, ...] = (Pause(0.01),) if ending == "reset" else ()
            cases.append(
                case(
                    f"cut-back/length-{name}-{ending}",
                    rule,
                    (Send(sent), *pauses, step),
                    cut(long_body),
                    BAD,
                    may_end=True,
                    truncated=True,
                )
            )
    whole_chunks = chunk(BODY) + chunk(BODY) + b"0\r\nX-T: 1\r\n\r\n"
    marks = {
        "before-any-chunk": 0,
        "in-size": 1,
        "after-size-cr": 2,
        "after-size-line": 3,
        "in-data": 8,
        "after-data": 14,
        "after-data-cr": 15,
        "after-first-chunk": 16,
        "after-second-chunk": 32,
        "after-last-size": 33,
        "after-last-size-cr": 34,
        "after-last-size-line": 35,
        "in-trailer": 38,
        "after-trailer-line": 43,
        "before-last-lf": 44,
    }
    for name, at in marks.items():
        for ending, step in endings[::2]:
            pauses = (Pause(0.01),) if ending == "reset" else ()
            cases.append(
                case(
                    f"cut-back/chunks-{name}-{ending}",
                    rule,
                    (Send(_chunked(whole_chunks[:at])), *pauses, step),
                    cut(),
                    BAD,
                    may_end=True,
                    truncated=True,
                )
            )
    for name, sent in (
        ("nothing", b""),
        ("in-status-line", b"HTTP/1.1 20"),
        ("after-status-line", b"HTTP/1.1 200 OK\r\n"),
        ("in-field-name", b"HTTP/1.1 200 OK\r\nContent-Le"),
        ("in-length", b"HTTP/1.1 200 OK\r\nContent-Length: 1"),
        ("before-empty-line", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
        ("before-last-lf", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r"),
    ):
        for ending, step in endings[::2]:
            for method in (b"GET", b"POST"):
                steps: tuple[OriginStep, ...] = (*([Send(sent)] if sent else []), Pause(0.005), step)
                cases.append(
                    case(
                        f"cut-back/head-{name}-{ending}-{method.decode()}",
                        "9110 15.6.3: no whole head is no answer: 502; a POST is not repeated",
                        steps,
                        _ENDED,
                        method=method,
                        most=1 if method == b"POST" else 4,
                        may_end=True,
                        truncated=True,
                    )
                )
    cases += [
        case(
            "cut-back/close-delimited-reset",
            "9112 8: a body until the close is cut by a reset",
            (Send(answer(b"Connection: close", length=False)), Pause(0.02), Reset()),
            cut(BODY),
            BAD,
            may_end=True,
            truncated=True,
        ),
        case(
            "cut-back/1.0-client-length",
            rule,
            (Send(answer(b"Content-Length: 1100", body=BODY * 50, length=False)), Close()),
            cut(),
            BAD,
            steps=(Send(head(target=b"/case", version=b"HTTP/1.0")),),
            may_end=True,
            truncated=True,
        ),
        case(
            "cut-back/POST-is-not-repeated",
            "9110 9.2.2: a proxy must not repeat a POST by itself",
            (Send(answer(b"Content-Length: 1100", body=BODY * 50, length=False)), Close()),
            cut(),
            BAD,
            method=b"POST",
            most=1,
            may_end=True,
            truncated=True,
        ),
        case(
            "cut-back/second-answer-inside-the-length",
            rule,
            (Send(answer(b"Content-Length: 1100", body=BODY, length=False)), Pause(0.02), Reset()),
            cut(BODY),
            BAD,
            may_end=True,
            truncated=True,
        ),
    ]
    return cases


def _excess() -> list[ResponseCase]:
    rule = "9112 6.3: bytes behind an answer are no part of it, and no answer to anyone else"
    cases = []
    first_then_wait = (_GET, AwaitAnswers(1), AwaitSignal("sent"), Pause(0.04))
    shapes = {
        "length": (answer(), BODY),
        "chunks": (_chunked(chunk(BODY) + b"0\r\n\r\n"), BODY),
        "zero-length": (answer(body=b""), b""),
        "304": (answer(status=b"HTTP/1.1 304 N", body=b"", length=False), b""),
        "204": (answer(status=b"HTTP/1.1 204 N", body=b"", length=False), b""),
    }
    for shape, (good, body) in shapes.items():
        status = 304 if shape == "304" else 204 if shape == "204" else 200
        delivered = whole(body, status)
        for name, more in (
            ("answer", STALE_ANSWER),
            ("half-an-answer", STALE_ANSWER[:30]),
            ("crlf", b"\r\n"),
            ("one-byte", b"H"),
            ("junk", b"STALE STALE STALE\r\n\r\n"),
        ):
            if shape not in ("length", "chunks") and name not in ("answer", "one-byte"):
                continue
            cases.append(
                case(
                    f"excess/{shape}-{name}-same-segment",
                    rule,
                    (Send(good + more), Signal("sent")),
                    delivered,
                    steps=first_then_wait,
                )
            )
            cases.append(
                case(
                    f"excess/{shape}-{name}-while-idle",
                    rule,
                    (Send(good), Pause(0.02), Send(more), Signal("sent")),
                    delivered,
                    steps=first_then_wait,
                )
            )
    cases += [
        case(
            "excess/408-while-idle",
            "9110 15.5.9: an unasked 408 on an idle connection answers nobody",
            (
                Send(answer()),
                Pause(0.02),
                Send(b"HTTP/1.1 408 Timeout\r\nConnection: close\r\nX-A: STALE\r\nContent-Length: 0\r\n\r\n"),
                Close(),
                Signal("sent"),
            ),
            whole(),
            steps=first_then_wait,
        ),
        case(
            "excess/two-answers-and-close",
            rule,
            (Send(answer() + STALE_ANSWER), Close(), Signal("sent")),
            whole(),
            steps=first_then_wait,
        ),
        case(
            "excess/large",
            rule,
            answer() + STALE_ANSWER * 5000,
            whole(),
            steps=(_GET, AwaitAnswers(1), Pause(0.06)),
        ),
        case(
            "excess/HEAD-answered-with-a-body-later",
            "9112 6.3: answers to HEAD have no body",
            (
                Send(answer(b"Content-Length: 90", body=b"", length=False)),
                Pause(0.02),
                Send(STALE_ANSWER),
                Signal("sent"),
            ),
            whole(b""),
            steps=(Send(head(method=b"HEAD", target=b"/case")), *first_then_wait[1:]),
            method=b"HEAD",
        ),
        case(
            "excess/POST-answered-twice",
            rule,
            (Send(answer(status=b"HTTP/1.1 201 Created") + STALE_ANSWER), Signal("sent")),
            whole(BODY, 201),
            steps=(_POST, *first_then_wait[1:]),
            method=b"POST",
            most=1,
        ),
    ]
    return cases


def _until_close() -> list[ResponseCase]:
    rule = "9112 6.3: without a length the body lasts until the close"
    long_body = BODY * 20_000
    http10 = b"HTTP/1.0 200 OK"
    cases = [
        case(f"until-close/{name}", rule, steps, whole(body))
        for name, steps, body in (
            ("plain", (Send(answer(b"Connection: close", length=False)), Close()), BODY),
            ("not-announced", (Send(answer(length=False)), Close()), BODY),
            ("keep-alive-announced", (Send(answer(b"Connection: keep-alive", length=False)), Close()), BODY),
            ("empty", (Send(answer(b"Connection: close", body=b"", length=False)), Close()), b""),
            ("1.0", (Send(answer(status=http10, length=False)), Close()), BODY),
            ("large", (Send(answer(body=long_body, length=False)), Close()), long_body),
            ("in-pieces", (Dribble(answer(length=False), 7), Close()), BODY),
            ("half-close", (Send(answer(length=False)), HalfClose(), Silence()), BODY),
            (
                "answer-like",
                (Send(answer(body=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", length=False)), Close()),
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ),
            ("chunk-like", (Send(answer(body=HELLO_CHUNKED, length=False)), Close()), HELLO_CHUNKED),
            (
                "later",
                (Send(answer(body=b"", length=False)), Pause(0.05), Send(BODY), Pause(0.02), Close()),
                BODY,
            ),
        )
    ]
    cases += [
        case(
            "until-close/1.0-with-length",
            "9112 9.3: an HTTP/1.0 origin without keep-alive ends the connection",
            (Send(answer(status=http10)), Close()),
            whole(),
        ),
        case(
            "until-close/1.0-without-close",
            "9112 9.3: the connection of an HTTP/1.0 answer is not used again",
            (Send(answer(status=http10)), Silence()),
            whole(),
        ),
        case(
            "until-close/close-announced-but-open",
            "9112 9.6: a connection that said close is not used again",
            (Send(answer(b"Connection: close")), Silence()),
            whole(),
        ),
        case(
            "until-close/close-announced-in-capitals",
            "9112 9.6, 9110 7.6.1",
            (Send(answer(b"CONNECTION: x, CLOSE")), Silence()),
            whole(),
        ),
        case(
            "until-close/chunked-close-announced",
            "9112 9.6",
            (Send(_chunked(chunk(BODY) + b"0\r\n\r\n", b"Connection: close")), Silence()),
            whole(),
        ),
        case(
            "until-close/HEAD-1.0",
            "9112 6.3, 9.3",
            (Send(answer(status=http10, body=b"", length=False)), Silence()),
            whole(b""),
            method=b"HEAD",
        ),
        case(
            "until-close/304-without-close",
            "9112 6.3: a 304 has no body to wait for",
            (Send(answer(status=b"HTTP/1.1 304 N", body=b"", length=False)),),
            whole(b"", 304),
        ),
    ]
    return cases


def _bodies() -> list[ResponseCase]:
    every = bytes(range(256)) * 4
    large = BODY * 100_000
    rule = "9112 6.2, 7.1: content is opaque"
    return [
        case("body/every-byte", rule, answer(body=every), whole(every)),
        case("body/every-byte-chunked", rule, _chunked(chunk(every) + b"0\r\n\r\n"), whole(every)),
        case("body/one-megabyte", rule, answer(body=large), whole(large)),
        case("body/one-megabyte-chunked", rule, _chunked(chunk(large) + b"0\r\n\r\n"), whole(large)),
        case(
            "body/answer-like",
            rule,
            answer(body=b"HTTP/1.1 500 No\r\n\r\n"),
            whole(b"HTTP/1.1 500 No\r\n\r\n"),
        ),
        case("slow/byte-by-byte-length", "9112 2", (Dribble(answer()),), whole()),
        case(
            "slow/byte-by-byte-chunks",
            "9112 2",
            (Dribble(_chunked(chunk(BODY) + b"0\r\nX-T: 1\r\n\r\n")),),
            Delivery(OK, BODY, trailers=((b"X-T", b"1"),)),
        ),
        case(
            "slow/byte-by-byte-204",
            "9112 2",
            (Dribble(answer(status=b"HTTP/1.1 204 N", body=b"", length=False)),),
            whole(b"", 204),
        ),
        case("slow/head-then-body", "9112 2", (Send(answer()[:-11]), Pause(0.05), Send(BODY)), whole()),
        case("slow/late-answer", "9112 2", (Pause(0.25), Send(answer())), whole()),
        case(
            "slow/first-bytes-pass-at-once",
            "design 3: bodies stream",
            (
                Send(_chunked(chunk(b"MARKED-FIRST"))),
                AwaitSignal("first came"),
                Send(chunk(b"-LAST") + b"0\r\n\r\n"),
            ),
            whole(b"MARKED-FIRST-LAST"),
            steps=(_GET, AwaitBytes(b"MARKED-FIRST"), Signal("first came")),
            promise=True,
        ),
        case(
            "slow/head-passes-at-once",
            "design 3: bodies stream",
            (Send(answer()[:-11]), AwaitSignal("head came"), Send(BODY)),
            whole(),
            steps=(_GET, AwaitInterim(), Signal("head came")),
            promise=True,
        ),
        *(
            case(
                f"slow/split-at-{at:03}",
                "9112 2",
                (Send(sent[:at]), Pause(0.004), Send(sent[at:])),
                Delivery(OK, BODY, trailers=((b"X-T", b"1"),)),
            )
            for sent in (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(BODY) + b"0\r\nX-T: 1\r\n\r\n",
            )
            for at in (
                1,
                8,
                9,
                12,
                15,
                16,
                17,
                30,
                44,
                45,
                46,
                47,
                48,
                49,
                50,
                51,
                52,
                60,
                62,
                63,
                64,
                65,
                66,
                67,
                70,
                74,
                75,
                76,
            )
        ),
    ]


def _clients_of_1_0() -> list[ResponseCase]:
    old = (Send(head(target=b"/case", version=b"HTTP/1.0")),)
    kept = (Send(head(b"Connection: keep-alive", target=b"/case", version=b"HTTP/1.0")),)
    rule = "9112 6.1, 7: no chunks to an HTTP/1.0 client"
    return [
        case("client-1.0/length", "9112 9.3", answer(), Delivery(OK, BODY, ends=True), steps=old),
        case(
            "client-1.0/chunks",
            rule,
            _chunked(chunk(BODY) + b"0\r\n\r\n"),
            Delivery(OK, BODY, chunked=False, ends=True),
            steps=old,
        ),
        case(
            "client-1.0/chunks-keep-alive",
            rule,
            _chunked(chunk(BODY) + b"0\r\n\r\n"),
            Delivery(OK, BODY, chunked=False),
            steps=kept,
        ),
        case(
            "client-1.0/until-close",
            rule,
            (Send(answer(length=False)), Close()),
            Delivery(OK, BODY, chunked=False, ends=True),
            steps=old,
        ),
        case(
            "client-1.0/until-close-keep-alive",
            rule,
            (Send(answer(length=False)), Close()),
            Delivery(OK, BODY, chunked=False),
            steps=kept,
        ),
        case("client-1.0/length-keep-alive", "9112 9.3", answer(), Delivery(OK, BODY), steps=kept),
        case(
            "client-1.0/204",
            "9112 9.3",
            answer(status=b"HTTP/1.1 204 N", body=b"", length=False),
            Delivery(frozenset({204}), b""),
            steps=kept,
        ),
        case(
            "client-1.0/large-chunks",
            rule,
            _chunked(chunk(BODY * 1000) * 20 + b"0\r\n\r\n"),
            Delivery(OK, BODY * 20_000, chunked=False),
            steps=old,
        ),
        case(
            "client-1.0/gets-no-chunks-where-cut",
            "9112 7, 8",
            (Send(_chunked(chunk(BODY))), Pause(0.02), Reset()),
            Delivery(OK, None, chunked=False),
            cut(),
            BAD,
            steps=old,
            may_end=True,
        ),
    ]


def _pool() -> list[ResponseCase]:
    """What happens to the connection to the origin between two requests."""
    closing = Reply((Send(answer()), Close(), Signal("ended")))
    resetting = Reply((Send(answer()), Pause(0.005), Reset(), Signal("ended")))
    drop = Reply((Close(),))
    drop_by_reset = Reply((Reset(),))
    begin_then_drop = Reply((Send(b"HTTP/1.1 2"), Pause(0.005), Close()))
    good = (whole(),)
    retry = "9112 9.3.1: a GET may be sent again on a new connection"
    no_retry = "9110 9.2.2: a proxy must not repeat a POST by itself"

    def two(
        name: str,
        source: str,
        replies: tuple[Reply, ...],
        second: Send,
        *deliveries: Delivery,
        method: bytes = b"GET",
        most: int = 4,
        promise: bool = False,
        may_end: bool = True,
    ) -> ResponseCase:
        ending = replies[0] in (closing, resetting)
        return ResponseCase(
            f"pool/{name}",
            source,
            replies,
            (good, deliveries),
            (_GET, AwaitAnswers(1), *((AwaitSignal("ended"),) if ending else ()), Pause(0.03), second),
            (b"GET", method),
            most_requests=most,
            may_end=may_end,
            promise=promise,
        )

    put = Send(head(b"Content-Length: 5", method=b"PUT", target=b"/case") + b"hello")
    return [
        two(
            "closed-while-idle-GET",
            "design 3: a dead pooled connection is no error",
            (closing, _GOOD),
            _GET,
            whole(),
            promise=True,
            may_end=False,
        ),
        two(
            "closed-while-idle-POST",
            "design 3: a dead pooled connection is no error",
            (closing, _GOOD),
            _POST,
            whole(),
            method=b"POST",
            most=2,
            promise=True,
            may_end=False,
        ),
        two("closed-while-idle-GET-safe", retry, (closing, _GOOD), _GET, whole(), BAD),
        two(
            "closed-while-idle-POST-safe",
            no_retry,
            (closing, _GOOD),
            _POST,
            whole(),
            BAD,
            method=b"POST",
            most=2,
        ),
        two("reset-while-idle-GET", retry, (resetting, _GOOD), _GET, whole(), BAD),
        two("reset-while-idle-POST", no_retry, (resetting, _GOOD), _POST, whole(), BAD, method=b"POST", most=2),
        two(
            "closed-at-second-GET",
            "design 3: a GET is tried again once",
            (_GOOD, drop, _GOOD),
            _GET,
            whole(),
            promise=True,
            may_end=False,
        ),
        two("closed-at-second-GET-safe", retry, (_GOOD, drop, _GOOD), _GET, whole(), BAD),
        two("closed-at-second-POST", no_retry, (_GOOD, drop, _GOOD), _POST, BAD, method=b"POST", most=2),
        two(
            "closed-at-second-PUT",
            "9110 9.2.2: idempotent methods may be repeated",
            (_GOOD, drop, _GOOD),
            put,
            whole(),
            BAD,
            method=b"PUT",
        ),
        two("reset-at-second-GET", retry, (_GOOD, drop_by_reset, _GOOD), _GET, whole(), BAD),
        two(
            "reset-at-second-POST",
            no_retry,
            (_GOOD, drop_by_reset, _GOOD),
            _POST,
            BAD,
            method=b"POST",
            most=2,
        ),
        two("begun-then-closed-at-second-GET", retry, (_GOOD, begin_then_drop, _GOOD), _GET, whole(), BAD),
        two(
            "begun-then-closed-at-second-POST",
            no_retry,
            (_GOOD, begin_then_drop, _GOOD),
            _POST,
            BAD,
            method=b"POST",
            most=2,
        ),
        two(
            "interim-then-closed-at-second-POST",
            no_retry,
            (_GOOD, Reply((Send(b"HTTP/1.1 103 E\r\n\r\n"), Close())), _GOOD),
            _POST,
            BAD,
            method=b"POST",
            most=2,
        ),
        two("kept-alive", "9112 9.3", (_GOOD,), _GET, whole(), most=2, may_end=False),
        two(
            "kept-alive-1.0-origin",
            "9112 9.3",
            (Reply((Send(answer(b"Connection: keep-alive", status=b"HTTP/1.0 200 OK")),)),),
            _GET,
            whole(),
            most=2,
            may_end=False,
        ),
        two("after-502", "9112 9.3", (_GOOD, Reply((Send(b"MARKED junk\r\n\r\n"), Close()))), _GET, BAD),
        case("pool/every-attempt-closed-GET", "9110 9.2.2: not without end", drop, _ENDED, most=4, may_end=True),
        case("pool/every-attempt-closed-POST", no_retry, drop, _ENDED, method=b"POST", most=1, may_end=True),
        case(
            "pool/every-attempt-reset-POST",
            no_retry,
            drop_by_reset,
            _ENDED,
            method=b"POST",
            most=1,
            may_end=True,
        ),
    ]


def _gone() -> list[ResponseCase]:
    """The client goes away while its answer is on the way: nobody else may get that answer or its rest."""
    rule = "9112 9.3, 9.6: the answer to a client that is gone is nobody else's"
    late = Reply(
        (Signal("got"), AwaitSignal("gone"), Pause(0.02), Send(STALE_ANSWER), Signal("sent")), at_head=True
    )
    half = answer(b"Content-Length: 2000", body=b"STALE" * 200, length=False)
    begun = Reply(
        (
            Send(half),
            Signal("got"),
            AwaitSignal("gone"),
            Pause(0.02),
            Send(b"STALE" * 200 + STALE_ANSWER),
            Signal("sent"),
        )
    )
    partial = Send(head(b"Content-Length: 50", method=b"POST", target=b"/case") + b"hello")
    return [
        ResponseCase(
            f"gone/{name}-{ending}-{moment}",
            rule,
            (reply,),
            (),
            (
                sent,
                AwaitSignal("got"),
                step,
                Signal("gone"),
                *((AwaitSignal("sent"), Pause(0.03)) if moment == "answer-first" else ()),
            ),
            (method,),
        )
        for name, method, reply, sent in (
            ("before-the-answer", b"GET", late, _GET),
            ("before-the-answer-to-a-POST", b"POST", late, _POST),
            ("during-the-answer", b"GET", begun, _GET),
            ("during-the-upload", b"POST", late, partial),
        )
        for ending, step in (("close", Close()), ("reset", Reset()))
        for moment in ("answer-first", "others-first")
    ]


def _in_a_row() -> list[ResponseCase]:
    """Several requests on one client connection, of which one goes wrong."""
    rule = "9112 9.3.2: each answer to its own request, whatever became of the one before"
    drop, junk = Reply((Reset(),)), Reply((Send(b"MARKED junk\r\n\r\n"), Close()))
    cut_short = Reply((Send(answer(b"Content-Length: 1100", length=False)), Close()))
    fine = answer(body=b"MARKED-SECOND")
    second = (whole(b"MARKED-SECOND"),)
    early = Reply((Send(answer()),), at_head=True)
    cases = [
        ResponseCase(
            f"in-a-row/{name}-then-GET",
            rule,
            (first, Reply((Send(fine),))),
            ((*firsts, BAD), second),
            (Send(post(b"Content-Length: 5", body=b"hello", target=b"/case") + head(target=b"/case")),),
            (b"POST", b"GET"),
            most_requests=2,
            may_end=True,
        )
        for name, first, firsts in (
            ("POST-reset", drop, ()),
            ("POST-answered-with-junk", junk, ()),
            ("POST-answer-cut", cut_short, (cut(),)),
        )
    ]
    cases += [
        ResponseCase(
            "in-a-row/early-answer-then-rest-then-GET",
            rule,
            (early, Reply((Send(fine),))),
            ((whole(),), second),
            (
                Send(head(b"Content-Length: 5", method=b"POST", target=b"/case")),
                AwaitAnswers(1),
                Send(b"hello" + head(target=b"/case")),
            ),
            (b"POST", b"GET"),
            most_requests=2,
            may_end=True,
        ),
        ResponseCase(
            "in-a-row/HEAD-with-length-then-GET",
            rule,
            (Reply((Send(answer(b"Content-Length: 99", body=b"", length=False)),)), Reply((Send(fine),))),
            ((whole(b""),), second),
            (Send(head(method=b"HEAD", target=b"/case") + head(target=b"/case")),),
            (b"HEAD", b"GET"),
            most_requests=2,
        ),
        ResponseCase(
            "in-a-row/304-with-length-then-GET",
            rule,
            (
                Reply((Send(answer(b"Content-Length: 9", status=b"HTTP/1.1 304 N", body=b"", length=False)),)),
                Reply((Send(fine),)),
            ),
            ((whole(b"", 304),), second),
            (Send(head(target=b"/case") * 2),),
            (b"GET", b"GET"),
            most_requests=2,
        ),
        ResponseCase(
            "in-a-row/until-close-then-GET",
            rule,
            (Reply((Send(answer(length=False)), Close())), Reply((Send(fine),))),
            ((whole(),), second),
            (Send(head(target=b"/case") * 2),),
            (b"GET", b"GET"),
            most_requests=2,
            may_end=True,
        ),
        ResponseCase(
            "in-a-row/origin-closes-after-each",
            rule,
            (Reply((Send(answer(b"Connection: close")), Close())),),
            ((whole(),), (whole(),), (whole(),)),
            (
                Send(
                    head(target=b"/case")
                    + post(b"Content-Length: 5", body=b"hello", target=b"/case")
                    + head(target=b"/case")
                ),
            ),
            (b"GET", b"POST", b"GET"),
            most_requests=3,
        ),
        ResponseCase(
            "in-a-row/excess-bytes-then-GET",
            rule,
            (Reply((Send(answer() + STALE_ANSWER),)), Reply((Send(fine),))),
            ((whole(),), second),
            (_GET, AwaitAnswers(1), Pause(0.02), _GET),
            (b"GET", b"GET"),
            most_requests=2,
        ),
        ResponseCase(
            "in-a-row/excess-bytes-then-pipelined-GET",
            rule,
            (Reply((Send(answer() + STALE_ANSWER),)), Reply((Send(fine),))),
            ((whole(),), second),
            (Send(head(target=b"/case") * 2),),
            (b"GET", b"GET"),
            most_requests=2,
        ),
    ]
    return cases


def _early() -> list[ResponseCase]:
    """Answers that come before the request is all there."""
    too_large = answer(b"Connection: close", status=b"HTTP/1.1 413 Too Large")
    big = Send(head(b"Content-Length: 3000000", method=b"POST", target=b"/case"))
    flood = tuple(Send(b"x" * 100_000) for _ in range(30))
    refused = (Delivery(frozenset({413}), BODY), Delivery(BAD_GATEWAY | {413}, own=True))
    rule = "9110 15.5.14, 9112 9.6: an early answer reaches the client"
    return [
        case(
            "early/413-then-close",
            rule,
            Reply((Send(too_large), Close()), at_head=True),
            *refused,
            cut(BODY, 413),
            steps=(big, Pause(0.03), *flood),
            method=b"POST",
            most=1,
            may_end=True,
            reusable=False,
        ),
        case(
            "early/413-then-half-close",
            rule,
            Reply((Send(too_large), HalfClose(), Silence()), at_head=True),
            *refused,
            steps=(big, Pause(0.03), *flood),
            method=b"POST",
            most=1,
            may_end=True,
            reusable=False,
        ),
        case(
            "early/413-while-the-client-waits",
            rule,
            Reply((Send(too_large), HalfClose(), Silence()), at_head=True),
            *refused,
            steps=(big, Send(b"x" * 1000), AwaitAnswers(1)),
            method=b"POST",
            most=1,
            reusable=False,
        ),
        case(
            "early/413-to-chunks",
            rule,
            Reply((Send(too_large), HalfClose(), Silence()), at_head=True),
            *refused,
            steps=(
                Send(head(_CHUNKED, method=b"POST", target=b"/case") + chunk(b"x" * 1000)),
                AwaitAnswers(1),
            ),
            method=b"POST",
            most=1,
            reusable=False,
        ),
        case(
            "early/200-and-the-body-goes-on",
            "9112 9.3: an early final answer does not end the request",
            Reply((Send(answer()),), at_head=True),
            whole(),
            cut(BODY),
            steps=(big, Pause(0.02), *flood),
            method=b"POST",
            most=1,
            may_end=True,
            reusable=False,
        ),
        case(
            "early/echo-both-ways",
            "design 3: bodies stream both ways",
            Reply(
                (Send(_chunked(chunk(b"MARKED-1"))), AwaitSignal("more"), Send(chunk(b"-2") + b"0\r\n\r\n")),
                at_head=True,
            ),
            whole(b"MARKED-1-2"),
            steps=(
                Send(head(_CHUNKED, method=b"POST", target=b"/case") + chunk(b"first")),
                AwaitBytes(b"MARKED-1"),
                Send(chunk(b"second") + b"0\r\n\r\n"),
                Signal("more"),
            ),
            method=b"POST",
            most=1,
            promise=True,
        ),
        case(
            "early/reset-during-upload",
            "9110 15.6.3",
            Reply((Pause(0.02), Reset()), at_head=True),
            _ENDED,
            steps=(big, Pause(0.05), *flood),
            method=b"POST",
            most=1,
            may_end=True,
            reusable=False,
        ),
        case(
            "early/close-during-upload",
            "9110 15.6.3",
            Reply((Pause(0.02), Close()), at_head=True),
            _ENDED,
            steps=(big, Pause(0.05), *flood),
            method=b"POST",
            most=1,
            may_end=True,
            reusable=False,
        ),
    ]


BODY_CASES: list[ResponseCase] = [
    *_lengths(),
    *_codings(),
    *_chunks(),
    *_trailers(),
    *_cut(),
    *_excess(),
    *_until_close(),
    *_bodies(),
    *_clients_of_1_0(),
    *_pool(),
    *_gone(),
    *_in_a_row(),
    *_early(),
]
