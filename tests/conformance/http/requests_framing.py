"""Where a request ends: Content-Length, Transfer-Encoding, chunks and trailers, and bodies cut short."""

from __future__ import annotations

from tests.conformance.http.cases import Outcome, RequestCase, Seen, forward, refuse
from tests.conformance.http.messages import (
    HELLO_CHUNKED,
    REFUSED,
    REFUSED_AND_ENDED,
    SMUGGLE,
    case,
    chunk,
    head,
    post,
    posted,
    readable,
)
from tests.conformance.http.steps import Close, Dribble, HalfClose, Pause, Reset, Send

_CHUNKED = b"Transfer-Encoding: chunked"
_ROUGHLY = 0.3  # how long to listen where the proxy may rightly wait for more bytes


def _lengths() -> list[RequestCase]:
    bad = "9112 6.3: an invalid Content-Length gets 400 and the connection ends"
    cases = [
        case(
            f"length/bad-{readable(value)}",
            bad,
            post(b"Content-Length: " + value, body=b"hello" + SMUGGLE),
            REFUSED_AND_ENDED,
        )
        for value in (
            b"+5",
            b"-5",
            b"-0",
            b"+0",
            b"- 5",
            b"0x5",
            b"0x05",
            b"x5",
            b"5x",
            b"0_5",
            b"5_0",
            b"5 5",
            b"5 0",
            b"5\t5",
            b"5.0",
            b"5.",
            b".5",
            b"5e0",
            b"5e1",
            b"1e1",
            b"5;",
            b"5; q=1",
            b"5 bytes",
            b"five",
            b"0b101",
            b"0o5",
            b"05h",
            b"h",
            b'"5"',
            b"'5'",
            b"(5)",
            b"5\x00",
            b"\x005",
            b"5\x0b",
            b"\x0b5",
            b"5\x0c",
            b"\x0c5",
            b"\x1f5",
            b"5\x7f",
            b"\xa05",
            b"5\xa0",
            b"\x855",
            b"\xb2",
            "\u0665".encode(),
            "\uff15".encode(),
            "5\u0665".encode(),
            "\u2075".encode(),
            b"infinity",
            b"nan",
            b"null",
            b"true",
            b"5/1",
            b"5,6",
            b"5, 6",
            b"6, 5",
            b"5, 5, 6",
            b"0, 5",
            b"5, 0",
            b"5, x",
            b"5 ,+5",
            b"5;5",
        )
    ]
    cases += [
        case(
            f"length/overflow-{name}",
            "9110 8.6: no overflow may make a length smaller",
            (Send(post(b"Content-Length: %d" % value, body=b"hello" + SMUGGLE)), Pause(0.02), HalfClose()),
            REFUSED,
            most=0,
            patience=_ROUGHLY,
            reusable=False,
        )
        for name, value in (
            ("2-to-64-plus-5", 2**64 + 5),
            ("2-to-64", 2**64),
            ("2-to-64-less-1", 2**64 - 1),
            ("2-to-63-plus-5", 2**63 + 5),
            ("2-to-63", 2**63),
            ("2-to-63-less-1", 2**63 - 1),
            ("2-to-32-plus-5", 2**32 + 5),
            ("2-to-31-plus-5", 2**31 + 5),
            ("2-to-128-plus-5", 2**128 + 5),
            ("1000-digits", 10**999),
        )
    ]
    empty = "9110 8.6: an empty value is no number"
    cases += [
        case(f"length/{name}", empty, post(line, body=b""), REFUSED)
        for name, line in (
            ("empty", b"Content-Length:"),
            ("only-spaces", b"Content-Length:   "),
            ("only-comma", b"Content-Length: ,"),
        )
    ]
    cases += [
        case(f"length/good-{name}", "9110 8.6: 1*DIGIT", post(line, body=b"hello"), forward(posted()))
        for name, line in (
            ("plain", b"Content-Length: 5"),
            ("no-space", b"Content-Length:5"),
            ("many-spaces", b"Content-Length:     5    "),
            ("tabs", b"Content-Length:\t5\t"),
            ("leading-zero", b"Content-Length: 05"),
            ("leading-zeros", b"Content-Length: 0000005"),
            ("lower-case", b"content-length: 5"),
            ("upper-case", b"CONTENT-LENGTH: 5"),
            ("mixed-case", b"cOnTeNt-LeNgTh: 5"),
        )
    ]
    same = "9112 6.3: the same number repeated may become one, or is refused"
    cases += [
        case(f"length/same-{name}", same, post(*lines, body=b"hello"), forward(posted()), REFUSED)
        for name, lines in (
            ("list", (b"Content-Length: 5, 5",)),
            ("list-without-space", (b"Content-Length: 5,5",)),
            ("list-of-three", (b"Content-Length: 5, 5, 5",)),
            ("lines", (b"Content-Length: 5", b"Content-Length: 5")),
            ("lines-apart", (b"Content-Length: 5", b"X-A: 1", b"content-length: 5")),
            ("lines-of-three", (b"Content-Length: 5",) * 3),
            ("list-and-line", (b"Content-Length: 5, 5", b"Content-Length: 5")),
            ("with-empty-members", (b"Content-Length: , 5",)),
            ("with-trailing-comma", (b"Content-Length: 5,",)),
            ("many-zeros", (b"Content-Length: " + b"0" * 40 + b"5",)),
        )
    ]
    cases += [
        case(
            f"length/different-{name}",
            "9112 6.3: different lengths get 400",
            post(*lines, body=b"hello" + SMUGGLE),
            REFUSED_AND_ENDED,
        )
        for name, lines in (
            ("lines", (b"Content-Length: 5", b"Content-Length: 6")),
            ("lines-reversed", (b"Content-Length: 6", b"Content-Length: 5")),
            ("first-zero", (b"Content-Length: 0", b"Content-Length: 5")),
            ("second-zero", (b"Content-Length: 5", b"Content-Length: 0")),
            ("lines-apart", (b"Content-Length: 5", b"X-A: 1", b"X-B: 2", b"content-length: 60")),
            ("second-bad", (b"Content-Length: 5", b"Content-Length: x")),
            ("first-bad", (b"Content-Length: x", b"Content-Length: 5")),
            ("second-signed", (b"Content-Length: 5", b"Content-Length: +5")),
            ("second-empty", (b"Content-Length: 5", b"Content-Length:")),
            ("first-empty", (b"Content-Length:", b"Content-Length: 5")),
            ("third", (b"Content-Length: 5", b"Content-Length: 5", b"Content-Length: 6")),
            ("hex-look", (b"Content-Length: 10", b"Content-Length: 0x10")),
        )
    ]
    cases += [
        case(
            f"length/{name}",
            source,
            head(*lines, method=b"POST") + b"hello",
            refuse(400, ends=True, mute=False),
            reusable=False,
        )
        for name, source, lines in (
            ("space-before-colon", "9112 5.1", (b"Content-Length : 5",)),
            ("tab-before-colon", "9112 5.1", (b"Content-Length\t: 5",)),
        )
    ]
    cases += [
        case(
            f"length/name-{name}",
            "9110 5.1: another name, or none at all: not our length",
            head(line, b"Content-Length: 0", method=b"POST"),
            forward(posted(b"")),
            REFUSED,
        )
        for name, line in (
            ("underscore", b"Content_Length: 5"),
            ("vt-after", b"Content-Length\x0b: 5"),
            ("nul-after", b"Content-Length\x00: 5"),
            ("nul-before", b"\x00Content-Length: 5"),
            ("space-inside", b"Content Length: 5"),
            ("soft-hyphen", b"Content\xadLength: 5"),
            ("kelvin-like", "Content-Len\u0261th: 5".encode()),
            ("no-hyphen", b"ContentLength: 5"),
            ("prefix", b"X-Content-Length: 5"),
            ("suffix", b"Content-Length-X: 5"),
        )
    ]
    cases += [
        case("length/zero-POST", "9110 8.6", post(b"Content-Length: 0"), forward(posted(b""))),
        case("length/zero-GET", "9110 8.6", head(b"Content-Length: 0"), forward(Seen())),
        case("length/none-POST", "9112 6.3: no body", post(), forward(posted(b"")), refuse(411)),
        case(
            "length/large-body",
            "9112 6.2",
            post(b"Content-Length: 1000000", body=b"0123456789" * 100_000),
            forward(posted(b"0123456789" * 100_000)),
        ),
        case(
            "length/body-of-every-byte",
            "9110 6.4: content is opaque",
            post(b"Content-Length: 512", body=bytes(range(256)) * 2),
            forward(posted(bytes(range(256)) * 2)),
        ),
        case(
            "length/body-looks-like-requests",
            "9112 6.2: content is no request",
            post(b"Content-Length: %d" % (3 * len(SMUGGLE)), body=SMUGGLE * 3),
            forward(posted(SMUGGLE * 3)),
        ),
        case(
            "length/body-looks-like-chunks",
            "9112 6.2",
            post(b"Content-Length: %d" % len(HELLO_CHUNKED + SMUGGLE), body=HELLO_CHUNKED + SMUGGLE),
            forward(posted(HELLO_CHUNKED + SMUGGLE)),
        ),
    ]
    return cases


def _codings() -> list[RequestCase]:
    """Transfer-Encoding that is not plainly chunked, alone and beside a Content-Length that hides more."""
    cases = []
    bad = "9112 6.1, 6.3: refused, and the connection ends"
    for value in (
        b"xchunked",
        b"chunkedx",
        b"chunked123",
        b"chunked-x",
        b"x-chunked",
        b"chun ked",
        b"chun\tked",
        b"chunke",
        b"hunked",
        b"c",
        b"1",
        b"true",
        b"identity",
        b"Identity",
        b"gzip",
        b"deflate",
        b"compress",
        b"br",
        b"cow",
        b"chunked, identity",
        b"identity, chunked",
        b"chunked, gzip",
        b"chunked,gzip",
        b"chunked, cow",
        b"cow, chunked, gzip",
        b"chunked, chunked",
        b"chunked,chunked",
        b"chunked, chunked, chunked",
        b"chunked, gzip, chunked",
        b"chunked;q=1",
        b"chunked; foo",
        b"chunked;",
        b"chunked=1",
        b"chunked gzip",
        b"gzip chunked",
        b'"chunked"',
        b"'chunked'",
        b"(chunked)",
        b"<chunked>",
        b"[chunked]",
        b"chunked.",
        b"chunked:",
        b":chunked",
        b"-chunked",
        b"chunked/1",
        b"\x0bchunked",
        b"chunked\x0b",
        b"\x0cchunked",
        b"chunked\x0c",
        b"\x00chunked",
        b"chunked\x00",
        b"chun\x00ked",
        b"\x01chunked",
        b"chunked\x1f",
        b"chunked\x7f",
        b"\xa0chunked",
        b"chunked\xa0",
        b"\x85chunked",
        b"chunked\x85",
        b"\xffchunked",
        b"\xef\xbb\xbfchunked",
        "chun\u212aed".encode(),
        "chun\u212aed".encode().replace(b"n", b"N"),
        "\uff43hunked".encode(),
        "chunked\u2028".encode(),
        b"chunked\r",
        b"\rchunked",
        b"chun\rked",
        b"%63hunked",
        b"chunked%20",
        b"chunked\\",
        b"=?utf-8?q?chunked?=",
    ):
        name = readable(value)
        # RFC 9112 2.2 lets a bare CR become SP, and then white space round the value is no part of it.
        healed = [forward(posted())] if value in (b"chunked\r", b"\rchunked") else []
        healed_closed = [forward(posted(), ends=True)] if healed else []
        cases.append(
            case(
                f"coding/bad-{name}",
                bad,
                post(b"Transfer-Encoding: " + value, body=HELLO_CHUNKED),
                REFUSED_AND_ENDED,
                *healed,
            )
        )
        body = HELLO_CHUNKED + SMUGGLE
        line = b"Content-Length: %d" % len(body)
        cases.append(
            case(
                f"coding/bad-with-length-{name}",
                bad,
                post(line, b"Transfer-Encoding: " + value, body=body),
                REFUSED_AND_ENDED,
                *healed_closed,
            )
        )
    for name, lines in (
        ("chunked-twice", (_CHUNKED, _CHUNKED)),
        ("chunked-and-identity", (_CHUNKED, b"Transfer-Encoding: identity")),
        ("identity-and-chunked", (b"Transfer-Encoding: identity", _CHUNKED)),
        ("chunked-and-cow", (_CHUNKED, b"Transfer-Encoding: cow")),
        ("cow-and-chunked", (b"Transfer-Encoding: cow", _CHUNKED)),
        ("chunked-and-gzip", (_CHUNKED, b"Transfer-Encoding: gzip")),
        ("chunked-and-xchunked", (_CHUNKED, b"Transfer-Encoding: xchunked")),
        ("chunked-twice-apart", (_CHUNKED, b"X-A: 1", b"transfer-encoding: chunked")),
    ):
        allowed = [REFUSED_AND_ENDED]
        cases.append(case(f"coding/lines-{name}", bad, post(*lines, body=HELLO_CHUNKED), *allowed))
        length = b"Content-Length: %d" % len(HELLO_CHUNKED + SMUGGLE)
        cases.append(
            case(
                f"coding/lines-with-length-{name}",
                bad,
                post(length, *lines, body=HELLO_CHUNKED + SMUGGLE),
                *allowed,
            )
        )
    return cases


def _legal_codings() -> list[RequestCase]:
    legal = "9112 6.1, 9110 5.6.1: codings are case-insensitive, white space round them is none of theirs"
    cases = [
        case(f"coding/good-{name}", legal, post(line, body=HELLO_CHUNKED), forward(posted()))
        for name, line in (
            ("plain", _CHUNKED),
            ("capital", b"Transfer-Encoding: Chunked"),
            ("upper-case", b"TRANSFER-ENCODING: CHUNKED"),
            ("mixed-case", b"tRaNsFeR-eNcOdInG: cHuNkEd"),
            ("no-space", b"Transfer-Encoding:chunked"),
            ("spaces", b"Transfer-Encoding:    chunked   "),
            ("tab", b"Transfer-Encoding:\tchunked"),
        )
    ]
    lists = "9110 5.6.1.2: empty list members are to be ignored; refusing them is safe"
    cases += [
        case(
            f"coding/empty-members-{name}",
            lists,
            post(*lines, body=HELLO_CHUNKED),
            forward(posted()),
            REFUSED_AND_ENDED,
        )
        for name, lines in (
            ("before", (b"Transfer-Encoding: , chunked",)),
            ("after", (b"Transfer-Encoding: chunked,",)),
            ("both", (b"Transfer-Encoding: ,,chunked,,",)),
            ("line-before", (b"Transfer-Encoding:", _CHUNKED)),
            ("line-after", (_CHUNKED, b"Transfer-Encoding:")),
        )
    ]
    cases += [
        case(
            f"coding/empty-{name}",
            "9112 6.1: a coding that is none: refused, or no coding at all",
            post(*lines, body=body),
            forward(posted(seen)),
            REFUSED,
        )
        for name, lines, body, seen in (
            ("alone", (b"Transfer-Encoding:",), b"", b""),
            ("comma", (b"Transfer-Encoding: ,",), b"", b""),
        )
    ]
    cases += [
        case(
            f"coding/empty-with-length-{name}",
            "9112 6.1, 6.3: a Transfer-Encoding line next to a Content-Length",
            post(*lines, body=b"hello"),
            forward(posted()),
            REFUSED,
        )
        for name, lines in (
            ("before", (b"Transfer-Encoding:", b"Content-Length: 5")),
            ("after", (b"Content-Length: 5", b"Transfer-Encoding:")),
        )
    ]
    gzipped = bytes.fromhex("1f8b08000000000000ffcb48cdc9c9070086a6103605000000")
    cases += [
        case(
            "coding/gzip-chunked",
            "9112 6.1, 7: a coding not understood should get 501; else it is kept or undone",
            post(b"Transfer-Encoding: gzip, chunked", body=chunk(gzipped) + b"0\r\n\r\n"),
            REFUSED,
            forward(Seen(b"POST", body=gzipped, has=((b"Transfer-Encoding", b"gzip, chunked"),))),
            forward(posted(b"hello")),
        ),
        case(
            "coding/gzip-line-chunked-line",
            "9112 6.1: the same on two lines",
            post(b"Transfer-Encoding: gzip", _CHUNKED, body=chunk(gzipped) + b"0\r\n\r\n"),
            REFUSED,
            forward(Seen(b"POST", body=gzipped, has=((b"Transfer-Encoding", b"gzip, chunked"),))),
            forward(posted(b"hello")),
        ),
        case(
            "coding/GET-chunked-empty",
            "9112 6.3",
            head(_CHUNKED) + b"0\r\n\r\n",
            forward(Seen()),
            REFUSED,
        ),
        case(
            "coding/in-HTTP-1.0",
            "9112 6.1: faulty framing; the connection ends behind it",
            post(_CHUNKED, body=HELLO_CHUNKED, version=b"HTTP/1.0"),
            REFUSED_AND_ENDED,
            forward(posted(), ends=True),
        ),
        case(
            "coding/in-HTTP-1.0-keep-alive",
            "9112 6.1: faulty framing; the connection ends behind it",
            post(_CHUNKED, b"Connection: keep-alive", body=HELLO_CHUNKED + SMUGGLE, version=b"HTTP/1.0"),
            REFUSED_AND_ENDED,
            forward(posted(), ends=True),
        ),
        case(
            "coding/in-HTTP-1.0-with-length",
            "9112 6.1: faulty framing even with a Content-Length",
            post(
                _CHUNKED,
                b"Connection: keep-alive",
                b"Content-Length: %d" % len(HELLO_CHUNKED + SMUGGLE),
                body=HELLO_CHUNKED + SMUGGLE,
                version=b"HTTP/1.0",
            ),
            REFUSED_AND_ENDED,
            forward(posted(), ends=True),
            forward(posted(HELLO_CHUNKED + SMUGGLE), ends=True),
        ),
    ]
    cases += [
        case(
            f"coding/name-{name}",
            "9110 5.1: not the field that frames; never passed on so that it could be",
            head(line, b"Content-Length: 5", method=b"POST") + b"hello",
            forward(posted()),
            REFUSED,
        )
        for name, line in (
            ("underscore", b"Transfer_Encoding: chunked"),
            ("space-inside", b"Transfer Encoding: chunked"),
            ("vt-after", b"Transfer-Encoding\x0b: chunked"),
            ("nul-after", b"Transfer-Encoding\x00: chunked"),
            ("nul-before", b"\x00Transfer-Encoding: chunked"),
            ("ff-before", b"\x0cTransfer-Encoding: chunked"),
            ("prefix", b"X-Transfer-Encoding: chunked"),
            ("suffix", b"Transfer-Encoding-X: chunked"),
            ("colon-first", b":Transfer-Encoding: chunked"),
            ("kelvin-like", "Transfer-En\u0441oding: chunked".encode()),
            ("content-encoding", b"Content-Encoding: chunked"),
        )
    ]
    cases += [
        case(
            f"coding/name-{name}",
            "9112 5.1: white space before the colon gets 400",
            head(line, b"Content-Length: %d" % len(HELLO_CHUNKED + SMUGGLE), method=b"POST")
            + HELLO_CHUNKED
            + SMUGGLE,
            refuse(400, ends=True, mute=False),
        )
        for name, line in (
            ("space-before-colon", b"Transfer-Encoding : chunked"),
            ("tab-before-colon", b"Transfer-Encoding\t: chunked"),
        )
    ]
    return cases


def _both() -> list[RequestCase]:
    """Content-Length and Transfer-Encoding together: the classic hole."""
    source = "9112 6.1, 6.3: refuse, or take the chunks, drop the length and end the connection"
    covering = b"Content-Length: %d" % len(HELLO_CHUNKED + SMUGGLE)
    cases = []
    for name, lines, body, seen in (
        ("length-covers-more", (covering, _CHUNKED), HELLO_CHUNKED + SMUGGLE, b"hello"),
        ("length-covers-more-chunked-first", (_CHUNKED, covering), HELLO_CHUNKED + SMUGGLE, b"hello"),
        ("length-covers-less", (b"Content-Length: 4", _CHUNKED), chunk(SMUGGLE) + b"0\r\n\r\n", SMUGGLE),
        (
            "length-covers-less-chunked-first",
            (_CHUNKED, b"Content-Length: 4"),
            chunk(SMUGGLE) + b"0\r\n\r\n",
            SMUGGLE,
        ),
        ("length-zero", (b"Content-Length: 0", _CHUNKED), HELLO_CHUNKED, b"hello"),
        ("length-fits", (b"Content-Length: 15", _CHUNKED), HELLO_CHUNKED, b"hello"),
        ("length-of-content", (b"Content-Length: 5", _CHUNKED), HELLO_CHUNKED, b"hello"),
        (
            "empty-chunks-then-request",
            (b"Content-Length: %d" % (5 + len(SMUGGLE)), _CHUNKED),
            b"0\r\n\r\n" + SMUGGLE,
            b"",
        ),
        ("chunked-upper-case", (covering, b"Transfer-Encoding: CHUNKED"), HELLO_CHUNKED + SMUGGLE, b"hello"),
        ("two-lengths", (b"Content-Length: 15", b"Content-Length: 15", _CHUNKED), HELLO_CHUNKED, b"hello"),
        ("bad-length", (b"Content-Length: x", _CHUNKED), HELLO_CHUNKED, b"hello"),
        (
            "far-apart",
            (covering, *(b"X-%d: 1" % number for number in range(20)), _CHUNKED),
            HELLO_CHUNKED + SMUGGLE,
            b"hello",
        ),
        (
            "chunked-named-in-connection",
            (covering, _CHUNKED, b"Connection: Transfer-Encoding"),
            HELLO_CHUNKED + SMUGGLE,
            b"hello",
        ),
        (
            "length-named-in-connection",
            (covering, _CHUNKED, b"Connection: Content-Length"),
            HELLO_CHUNKED + SMUGGLE,
            b"hello",
        ),
        (
            "keep-alive-asked",
            (covering, _CHUNKED, b"Connection: keep-alive"),
            HELLO_CHUNKED + SMUGGLE,
            b"hello",
        ),
    ):
        cases.append(
            case(
                f"both/{name}",
                source,
                post(*lines, body=body),
                REFUSED_AND_ENDED,
                forward(posted(seen), ends=True),
            )
        )
    cases.append(
        case(
            "both/GET",
            source,
            head(covering, _CHUNKED) + HELLO_CHUNKED + SMUGGLE,
            REFUSED_AND_ENDED,
            forward(Seen(body=b"hello"), ends=True),
        )
    )
    cases.append(
        case(
            "both/second-request-follows-at-once",
            source,
            post(b"Content-Length: 15", _CHUNKED, body=HELLO_CHUNKED) + SMUGGLE,
            REFUSED_AND_ENDED,
            forward(posted(), ends=True),
        )
    )
    cases.append(
        case(
            "both/second-request-follows-later",
            source,
            (
                Send(post(b"Content-Length: 15", _CHUNKED, body=HELLO_CHUNKED)),
                Pause(0.05),
                Send(SMUGGLE),
            ),
            REFUSED_AND_ENDED,
            forward(posted(), ends=True),
        )
    )
    return cases


def _chunks() -> list[RequestCase]:
    legal = "9112 7.1"

    def chunked(body: bytes, *lines: bytes) -> bytes:
        return post(_CHUNKED, *lines, body=body)

    big = b"0123456789abcdef" * 4096
    cases = [
        case(f"chunk/good-{name}", legal, chunked(body), forward(posted(content)))
        for name, body, content in (
            ("one", HELLO_CHUNKED, b"hello"),
            ("none", b"0\r\n\r\n", b""),
            ("two", b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
            ("leading-zero", b"05\r\nhello\r\n0\r\n\r\n", b"hello"),
            ("leading-zeros", b"0000005\r\nhello\r\n0\r\n\r\n", b"hello"),
            ("zeros-at-last", b"5\r\nhello\r\n0000\r\n\r\n", b"hello"),
            ("lower-case-hex", b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
            ("upper-case-hex", b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
            ("two-digits", b"1B\r\n" + b"x" * 27 + b"\r\n0\r\n\r\n", b"x" * 27),
            ("bytes-one-by-one", b"".join(chunk(b"%c" % c) for c in b"x" * 500) + b"0\r\n\r\n", b"x" * 500),
            ("large", chunk(big) + b"0\r\n\r\n", big),
            ("many-large", chunk(big) * 8 + b"0\r\n\r\n", big * 8),
            ("content-of-crlf", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
            ("content-like-last-chunk", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
            ("content-like-request", chunk(SMUGGLE) + b"0\r\n\r\n", SMUGGLE),
            ("extension", b"5;a\r\nhello\r\n0\r\n\r\n", b"hello"),
            ("extension-with-value", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
            ("extensions", b"5;a=b;c;d=e\r\nhello\r\n0;f=g\r\n\r\n", b"hello"),
            ("extension-quoted", b'5;a="b"\r\nhello\r\n0\r\n\r\n', b"hello"),
            ("extension-quoted-empty", b'5;a=""\r\nhello\r\n0\r\n\r\n', b"hello"),
            ("extension-quoted-semicolon", b'5;a="b;c=d"\r\nhello\r\n0\r\n\r\n', b"hello"),
            ("extension-quoted-quote", b'5;a="b\\"c"\r\nhello\r\n0\r\n\r\n', b"hello"),
            ("extension-quoted-obs-text", b'5;a="\xe4"\r\nhello\r\n0\r\n\r\n', b"hello"),
            ("extension-on-last", b"5\r\nhello\r\n0;a=b\r\n\r\n", b"hello"),
        )
    ]
    cases += [
        case(
            f"chunk/extension-{name}",
            "9112 7.1.1: BWS is to be removed; refusing it is safe",
            chunked(body),
            forward(posted()),
            REFUSED_AND_ENDED,
        )
        for name, body in (
            ("space-before", b"5 ;a\r\nhello\r\n0\r\n\r\n"),
            ("spaces-everywhere", b"5 ; a = b\r\nhello\r\n0\r\n\r\n"),
            ("tabs-everywhere", b"5\t;\ta\t=\tb\r\nhello\r\n0\r\n\r\n"),
        )
    ]
    cases += [
        case(
            f"chunk/odd-{name}",
            "9112 7.1: outside of the grammar, yet with one reading only",
            chunked(body),
            REFUSED_AND_ENDED,
            forward(posted()),
        )
        for name, body in (
            ("trailing-space", b"5 \r\nhello\r\n0\r\n\r\n"),
            ("trailing-spaces", b"5   \r\nhello\r\n0\r\n\r\n"),
            ("trailing-tab", b"5\t\r\nhello\r\n0\r\n\r\n"),
            ("trailing-space-on-last", b"5\r\nhello\r\n0 \r\n\r\n"),
            ("extension-empty", b"5;\r\nhello\r\n0\r\n\r\n"),
            ("extension-no-name", b"5;=b\r\nhello\r\n0\r\n\r\n"),
            ("extension-no-value", b"5;a=\r\nhello\r\n0\r\n\r\n"),
            ("extension-two-semicolons", b"5;;a\r\nhello\r\n0\r\n\r\n"),
            ("extension-open-quote", b'5;a="b\r\nhello\r\n0\r\n\r\n'),
            ("extension-name-no-token", b"5;a@b=c\r\nhello\r\n0\r\n\r\n"),
            ("extension-control", b"5;a=\x01\r\nhello\r\n0\r\n\r\n"),
            ("extension-high-byte", b"5;a=\xff\r\nhello\r\n0\r\n\r\n"),
            ("thousand-leading-zeros", b"0" * 1000 + b"5\r\nhello\r\n0\r\n\r\n"),
            ("seventeen-digits", b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
            ("extension-of-20-KB", b"5;a=" + b"b" * 20_000 + b"\r\nhello\r\n0\r\n\r\n"),
        )
    ]
    bad = "9112 7.1: no chunk; refused, and the connection ends"
    cases += [
        case(f"chunk/bad-{name}", bad, chunked(body), REFUSED_AND_ENDED, patience=_ROUGHLY, reusable=False)
        for name, body in (
            ("plus-sign", b"+5\r\nhello\r\n0\r\n\r\n"),
            ("minus-sign", b"-5\r\nhello\r\n0\r\n\r\n"),
            ("minus-zero-at-last", b"5\r\nhello\r\n-0\r\n\r\n"),
            ("minus-one", b"-1\r\nhello\r\n0\r\n\r\n"),
            ("hex-prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
            ("hex-prefix-at-last", b"5\r\nhello\r\n0x0\r\n\r\n"),
            ("hex-suffix", b"5h\r\nhello\r\n0\r\n\r\n"),
            ("underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
            ("point", b"5.0\r\nhello\r\n0\r\n\r\n"),
            ("comma", b"5,5\r\nhello\r\n0\r\n\r\n"),
            ("leading-space", b" 5\r\nhello\r\n0\r\n\r\n"),
            ("leading-tab", b"\t5\r\nhello\r\n0\r\n\r\n"),
            ("inner-space", b"0 5\r\nhello\r\n0\r\n\r\n"),
            ("two-sizes", b"5 5\r\nhello\r\n0\r\n\r\n"),
            ("letter-g", b"g\r\nhello\r\n0\r\n\r\n"),
            ("size-then-g", b"5g\r\nhello\r\n0\r\n\r\n"),
            ("zero-then-g", b"5\r\nhello\r\n0g\r\n\r\n"),
            ("empty-size", b"\r\nhello\r\n0\r\n\r\n"),
            ("empty-size-with-extension", b";a\r\nhello\r\n0\r\n\r\n"),
            ("empty-size-at-last", b"5\r\nhello\r\n\r\n\r\n"),
            ("quoted-size", b'"5"\r\nhello\r\n0\r\n\r\n'),
            ("arabic-digit", "\u0665\r\nhello\r\n0\r\n\r\n".encode()),
            ("full-width-digit", "\uff15\r\nhello\r\n0\r\n\r\n".encode()),
            ("superscript", b"\xb2\r\nhello\r\n0\r\n\r\n"),
            ("nul-before-size", b"\x005\r\nhello\r\n0\r\n\r\n"),
            ("nul-after-size", b"5\x00\r\nhello\r\n0\r\n\r\n"),
            ("vt-after-size", b"5\x0b\r\nhello\r\n0\r\n\r\n"),
            ("ff-after-size", b"5\x0c\r\nhello\r\n0\r\n\r\n"),
            ("nbsp-after-size", b"5\xa0\r\nhello\r\n0\r\n\r\n"),
            ("nul-in-extension", b"5;a\x00b\r\nhello\r\n0\r\n\r\n"),
            ("lf-in-extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
            ("cr-in-extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
            ("lf-in-quoted-extension", b'5;a="\n"\r\nhello\r\n0\r\n\r\n'),
            ("crlf-in-quoted-extension", b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n'),
            ("lf-behind-size", b"5\nhello\r\n0\r\n\r\n"),
            ("cr-behind-size", b"5\rhello\r\n0\r\n\r\n"),
            ("cr-cr-lf-behind-size", b"5\r\r\nhello\r\n0\r\n\r\n"),
            ("lf-behind-extension", b"5;a\nhello\r\n0\r\n\r\n"),
            ("lf-behind-data", b"5\r\nhello\n0\r\n\r\n"),
            ("cr-behind-data", b"5\r\nhello\r0\r\n\r\n"),
            ("lf-behind-last-size", b"5\r\nhello\r\n0\n\r\n"),
            ("lf-at-end", b"5\r\nhello\r\n0\r\n\n"),
            ("lf-only-at-end", b"5\r\nhello\r\n0\n\n"),
            ("lf-everywhere", b"5\nhello\n0\n\n"),
            ("cr-only-at-end", b"5\r\nhello\r\n0\r\r"),
            ("nothing-behind-data", b"5\r\nhello0\r\n\r\n"),
            ("two-bytes-behind-data", b"5\r\nhelloXX0\r\n\r\n"),
            ("space-behind-data", b"5\r\nhello \r\n0\r\n\r\n"),
            ("lf-cr-behind-data", b"5\r\nhello\n\r0\r\n\r\n"),
            ("cr-cr-behind-data", b"5\r\nhello\r\r0\r\n\r\n"),
            ("crlf-crlf-behind-data", b"5\r\nhello\r\n\r\n0\r\n\r\n"),
            ("data-longer", b"4\r\nhello\r\n0\r\n\r\n"),
            ("data-shorter", b"6\r\nhello\r\n0\r\n\r\n"),
            ("data-much-longer", b"1\r\nhello\r\n0\r\n\r\n"),
            ("not-chunked-at-all", b"hello" * 5),
            ("request-in-place-of-size", SMUGGLE),
            ("overflow-2-to-64-plus-5", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
            ("overflow-2-to-64", b"5\r\nhello\r\n10000000000000000\r\n\r\n"),
            ("overflow-many-digits", b"1" + b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n"),
            ("overflow-thousand-f", b"f" * 1000 + b"\r\nhello\r\n0\r\n\r\n"),
        )
    ]
    cases += [
        case(
            f"chunk/huge-{name}",
            "9112 7.1: recipients must anticipate huge sizes and prevent overflow",
            (Send(chunked(size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLE)), Pause(0.02), HalfClose()),
            REFUSED,
            most=0,
            patience=_ROUGHLY,
            reusable=False,
        )
        for name, size in (
            ("2-to-32-plus-5", b"100000005"),
            ("2-to-31-plus-5", b"80000005"),
            ("2-to-63-plus-5", b"8000000000000005"),
            ("2-to-64-less-1", b"ffffffffffffffff"),
            ("2-to-64-less-5", b"fffffffffffffffb"),
            ("2-to-63-less-1", b"7fffffffffffffff"),
        )
    ]
    # The chunks end, and what follows is another request: it must be read as such, once.
    cases += [
        case(
            f"chunk/next-request-behind-{name}",
            "9112 7.1, 9.3.2",
            chunked(body) + head(target=b"/next"),
            forward(posted(), Seen(targets=(b"/next",))),
        )
        for name, body in (
            ("last-chunk", HELLO_CHUNKED),
            ("extension", b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
        )
    ]
    cases.append(
        case(
            "chunk/hidden-in-extension",
            "9112 7.1.1: a line end in an extension must not start a request",
            chunked(b"2;\nxx\r\n" + chunk(b"0\r\n\r\n" + SMUGGLE) + b"0\r\n\r\n"),
            REFUSED_AND_ENDED,
            patience=_ROUGHLY,
            reusable=False,
        )
    )
    cases.append(
        case(
            "chunk/extensions-without-end",
            "9112 7.1.1: the total length of extensions ought to be limited",
            (Send(chunked(b"5;")), Dribble(b"a=b;" * 200_000, 40_000, 0.001)),
            REFUSED,
            most=0,
            patience=_ROUGHLY,
            reusable=False,
        )
    )
    return cases


def _trailers() -> list[RequestCase]:
    def trailed(section: bytes, *lines: bytes) -> bytes:
        return post(_CHUNKED, *lines, body=b"5\r\nhello\r\n0\r\n" + section + b"\r\n")

    one = ((b"X-T", b"1"),)
    cases = [
        case(
            "trailer/plain",
            "9110 6.5: kept as trailer or dropped, never merged",
            trailed(b"X-T: 1\r\n"),
            forward(Seen(b"POST", body=b"hello", trailers=one, lacks=(b"X-T",))),
        ),
        case(
            "trailer/announced",
            "9110 6.5, 6.6.2",
            trailed(b"X-T: 1\r\n", b"Trailer: X-T"),
            forward(Seen(b"POST", body=b"hello", trailers=one, lacks=(b"X-T",))),
        ),
        case(
            "trailer/announced-and-forwarded",
            "design 3: trailers work",
            trailed(b"X-T: 1\r\n", b"Trailer: X-T", b"TE: trailers"),
            forward(Seen(b"POST", body=b"hello", trailers=one, must_trail=True, lacks=(b"X-T",))),
            promise=True,
        ),
        case(
            "trailer/several",
            "9110 6.5",
            trailed(b"X-T: 1\r\nX-U: 2\r\nX-T: 3\r\n"),
            forward(
                Seen(
                    b"POST",
                    body=b"hello",
                    trailers=((b"X-T", b"1"), (b"X-U", b"2"), (b"X-T", b"3")),
                    lacks=(b"X-T",),
                )
            ),
        ),
        case(
            "trailer/then-next-request",
            "9112 7.1.2: behind the trailers a request begins",
            trailed(b"X-T: 1\r\n") + head(target=b"/next"),
            forward(Seen(b"POST", body=b"hello", trailers=one), Seen(targets=(b"/next",))),
        ),
        case(
            "trailer/looks-like-a-request",
            "9112 7.1.2: a line without a colon is no field; never a request",
            trailed(b"GET /smuggled HTTP/1.1\r\nHost: www.example.com\r\n"),
            REFUSED_AND_ENDED,
            forward(Seen(b"POST", body=b"hello", trailers=((b"Host", b"www.example.com"),))),
            reusable=False,
        ),
        case(
            "trailer/too-large",
            "9110 5.4: limited like a head",
            trailed(b"".join(b"X-%d: %s\r\n" % (number, b"v" * 1000) for number in range(500))),
            REFUSED_AND_ENDED,
            forward(
                Seen(
                    b"POST",
                    body=b"hello",
                    trailers=tuple((b"X-%d" % number, b"v" * 1000) for number in range(500)),
                )
            ),
            reusable=False,
        ),
    ]
    cases += [
        case(
            f"trailer/forbidden-{name.decode()}",
            "9110 6.5.1: must not frame, route or authenticate: dropped or refused, never merged",
            trailed(name + b": " + value + b"\r\n"),
            forward(Seen(b"POST", body=b"hello", lacks=lacks, trailers=passed)),
            REFUSED,
        )
        for name, value, lacks, passed in (
            (b"Content-Length", b"100", (), ()),
            (b"Transfer-Encoding", b"chunked", (), ()),
            (b"Host", b"www.example.org", (), ()),
            (b"Connection", b"close", (), ()),
            (b"Authorization", b"Basic eA==", (b"Authorization",), ((b"Authorization", b"Basic eA=="),)),
            (b"Cookie", b"a=b", (b"Cookie",), ((b"Cookie", b"a=b"),)),
            (b"Expect", b"100-continue", (b"Expect",), ((b"Expect", b"100-continue"),)),
            (b"Content-Type", b"text/evil", (b"Content-Type",), ((b"Content-Type", b"text/evil"),)),
            (b"Trailer", b"X-A", (), ((b"Trailer", b"X-A"),)),
        )
    ]
    malformed = "9112 7.1.2, 5: a trailer section follows the syntax of fields"
    cases += [
        case(
            f"trailer/bad-{name}",
            malformed,
            trailed(section),
            REFUSED_AND_ENDED,
            *([forward(Seen(b"POST", body=b"hello"))] if safe_to_drop else []),
            patience=_ROUGHLY,
            reusable=safe_to_drop,
            most=1 if safe_to_drop else 0,
        )
        for name, section, safe_to_drop in (
            ("space-before-colon", b"X-T : 1\r\n", True),
            ("no-colon", b"X-T\r\n", True),
            ("empty-name", b": 1\r\n", True),
            ("nul-in-value", b"X-T: a\x00b\r\n", True),
            ("nul-in-name", b"X\x00T: 1\r\n", True),
            ("folded", b"X-T: 1\r\n 2\r\n", True),
            ("leading-space", b" X-T: 1\r\n", True),
            ("bare-cr", b"X-T: 1\r2\r\n", True),
            ("bad-name", b"X(T: 1\r\n", True),
            ("high-byte-in-name", b"X\xffT: 1\r\n", True),
        )
    ]
    cases += [
        case(
            f"trailer/line-end-{name}",
            "9112 2.2: LF may be recognised in field lines, a bare CR never",
            post(_CHUNKED, body=b"5\r\nhello\r\n0\r\n" + section),
            REFUSED_AND_ENDED,
            *([forward(Seen(b"POST", body=b"hello", trailers=one))] if tolerable else []),
            patience=_ROUGHLY,
            reusable=tolerable,
            most=1 if tolerable else 0,
        )
        for name, section, tolerable in (
            ("lf-field", b"X-T: 1\n\r\n", True),
            ("lf-field-and-end", b"X-T: 1\n\n", True),
            ("crlf-field-lf-end", b"X-T: 1\r\n\n", True),
            ("cr-field", b"X-T: 1\r\r\n", False),
            ("cr-only", b"X-T: 1\r\r", False),
        )
    ]
    return cases


def _cut() -> list[RequestCase]:
    """A message that ends too early must not reach the origin as a whole one."""
    by_length = post(b"Content-Length: 50", body=b"hello")
    whole = post(_CHUNKED, body=b"5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
    body_at = whole.index(b"\r\n\r\n") + 4
    nothing = refuse(*range(400, 600))
    source = "9112 8: an incomplete message must not be taken for a complete one"
    cases = []
    for ending, steps in (("fin", HalfClose()), ("close", Close()), ("reset", Reset())):
        cases.append(
            case(
                f"cut/length-{ending}",
                source,
                (Send(by_length), Pause(0.02), steps),
                nothing,
                most=0,
                patience=0.2,
                reusable=False,
            )
        )
    marks = {
        "before-body": 0,
        "in-size": 1,
        "in-extension": 3,
        "after-extension-cr": 6,
        "after-size-line": 7,
        "in-data": 10,
        "after-data": 12,
        "after-data-cr": 13,
        "after-first-chunk": 14,
        "after-second-chunk": 22,
        "after-last-size": 23,
        "after-last-size-cr": 24,
        "after-last-size-line": 25,
        "in-trailer-name": 27,
        "in-trailer-value": 31,
        "after-trailer-cr": 32,
        "after-trailer-line": 33,
        "before-last-lf": 34,
    }
    for name, at in marks.items():
        for ending, step in (("fin", HalfClose()), ("close", Close())):
            cases.append(
                case(
                    f"cut/chunks-{name}-{ending}",
                    source,
                    (Send(whole[: body_at + at]), Pause(0.01), step),
                    nothing,
                    most=0,
                    patience=0.2,
                    reusable=False,
                )
            )
    request = head(b"X-A: 1", target=b"/cut")
    for name, at in (
        ("in-method", 2),
        ("in-target", 6),
        ("in-version", 15),
        ("after-request-line", request.index(b"\r\n") + 2),
        ("in-host", request.index(b"www") + 3),
        ("after-a-field", request.index(b"X-A")),
        ("before-last-crlf", len(request) - 2),
        ("before-last-lf", len(request) - 1),
    ):
        for ending, step in (("fin", HalfClose()), ("close", Close())):
            cases.append(
                case(
                    f"cut/head-{name}-{ending}",
                    source,
                    (Send(request[:at]), Pause(0.01), step),
                    nothing,
                    most=0,
                    patience=0.2,
                    reusable=False,
                )
            )
    cases.append(
        case(
            "cut/nothing-sent-fin",
            "9112 9.6",
            (HalfClose(),),
            Outcome((), nothing.own, mute=True),
            most=0,
            patience=0.2,
            reusable=False,
        )
    )
    cases.append(
        case("cut/nothing-sent-close", "9112 9.6", (Close(),), nothing, most=0, patience=0.2, reusable=False)
    )
    return cases


FRAMING_CASES: list[RequestCase] = [
    *_lengths(),
    *_codings(),
    *_legal_codings(),
    *_both(),
    *_chunks(),
    *_trailers(),
    *_cut(),
]
