"""Heads of answers: status lines, fields, hop-by-hop fields, interim answers, and statuses without a body."""

from __future__ import annotations

from collections.abc import Iterable

from tests.conformance.http.cases import BAD, BAD_GATEWAY, Delivery, FieldLine, ResponseCase
from tests.conformance.http.messages import head, readable
from tests.conformance.http.origin import SEEN
from tests.conformance.http.steps import ClientStep, Close, Dribble, OriginStep, Pause, Reply, Send, Silence

BODY = b"MARKED-BODY"
STALE_ANSWER = b"HTTP/1.1 200 OK\r\nX-Stale: STALE\r\nContent-Length: 5\r\n\r\nSTALE"
OK = frozenset({200})


def answer(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", body: bytes = BODY, length: bool = True) -> bytes:
    """Return an answer with these lines; Content-Length of the body is added unless told otherwise."""
    every = [status, b"X-Seen: " + SEEN, *lines]
    if length:
        every.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(every) + b"\r\n\r\n" + body


def whole(
    body: bytes | None = BODY,
    status: int = 200,
    has: tuple[FieldLine, ...] = (),
    lacks: tuple[bytes, ...] = (),
) -> Delivery:
    """The answer comes whole."""
    return Delivery(frozenset({status}), body, has=has, lacks=lacks)


def cut(body: bytes = BODY * 100, status: int = 200) -> Delivery:
    """The answer comes so that the client can see that it is cut."""
    return Delivery(frozenset({status}), body, cut=True)


def case(
    name: str,
    source: str,
    sent: bytes | Iterable[OriginStep] | Reply | tuple[Reply, ...],
    *deliveries: Delivery,
    steps: tuple[ClientStep, ...] = (),
    method: bytes = b"GET",
    most: int = 3,
    least: int = 1,
    may_end: bool = False,
    reusable: bool = True,
    promise: bool = False,
    truncated: bool = False,
) -> ResponseCase:
    """Return a response case with one answer to wait for."""
    replies: tuple[Reply, ...]
    if isinstance(sent, bytes):
        replies = (Reply((Send(sent),)),)
    elif isinstance(sent, Reply):
        replies = (sent,)
    else:
        items = tuple(sent)
        replies = tuple(item for item in items if isinstance(item, Reply))
        if not replies:
            replies = (Reply(tuple(item for item in items if not isinstance(item, Reply))),)
    if not steps and method != b"GET":
        lines = (b"Content-Length: 5",) if method == b"POST" else ()
        steps = (Send(head(*lines, method=method, target=b"/case") + (b"hello" if lines else b"")),)
    return ResponseCase(
        name,
        source,
        replies,
        (deliveries,),
        steps,
        (method,),
        most_requests=most,
        least_requests=least,
        may_end=may_end,
        reusable=reusable,
        promise=promise,
        truncated=truncated,
    )


def _status_lines() -> list[ResponseCase]:
    rule = "9112 4"
    cases = [
        case(f"status-line/{name}", rule, answer(status=line), whole(status=status))
        for name, status, line in (
            ("plain", 200, b"HTTP/1.1 200 OK"),
            ("no-reason", 200, b"HTTP/1.1 200 "),
            ("other-reason", 200, b"HTTP/1.1 200 All is well, 404 not"),
            ("reason-obs-text", 200, b"HTTP/1.1 200 \xe4\xff"),
            ("reason-tab", 200, b"HTTP/1.1 200 a\tb"),
            ("reason-long", 200, b"HTTP/1.1 200 " + b"r" * 1000),
            ("1.0", 200, b"HTTP/1.0 200 OK"),
            ("206", 206, b"HTTP/1.1 206 Partial Content"),
            ("416", 416, b"HTTP/1.1 416 Range Not Satisfiable"),
            ("421", 421, b"HTTP/1.1 421 Misdirected Request"),
            ("451", 451, b"HTTP/1.1 451 Unavailable"),
            ("502", 502, b"HTTP/1.1 502 Bad Gateway"),
            ("504", 504, b"HTTP/1.1 504 Gateway Timeout"),
            ("201", 201, b"HTTP/1.1 201 Created"),
            ("299", 299, b"HTTP/1.1 299 Odd"),
            ("301", 301, b"HTTP/1.1 301 Moved"),
            ("399", 399, b"HTTP/1.1 399 Odd"),
            ("401", 401, b"HTTP/1.1 401 Unauthorized"),
            ("404", 404, b"HTTP/1.1 404 Not Found"),
            ("407", 407, b"HTTP/1.1 407 Proxy Authentication Required"),
            ("418", 418, b"HTTP/1.1 418 Teapot"),
            ("426", 426, b"HTTP/1.1 426 Upgrade Required"),
            ("499", 499, b"HTTP/1.1 499 Odd"),
            ("500", 500, b"HTTP/1.1 500 Internal Server Error"),
            ("599", 599, b"HTTP/1.1 599 Odd"),
        )
    ]
    cases += [
        case(
            f"status-line/{name}",
            "9110 15: outside of 100 to 599 is invalid",
            answer(status=line),
            whole(status=status),
            BAD,
        )
        for name, status, line in (("600", 600, b"HTTP/1.1 600 Odd"), ("999", 999, b"HTTP/1.1 999 Odd"))
    ]
    cases += [
        case(f"status-line/{name}", "9112 4: lenient splitting is allowed", answer(status=line), whole(), BAD)
        for name, line in (
            ("no-space-no-reason", b"HTTP/1.1 200"),
            ("two-spaces", b"HTTP/1.1  200 OK"),
            ("tab", b"HTTP/1.1\t200\tOK"),
            ("leading-space", b" HTTP/1.1 200 OK"),
            ("minor-version-2", b"HTTP/1.2 200 OK"),
            ("reason-cr", b"HTTP/1.1 200 O\rK"),
            ("reason-cr-before-lf", b"HTTP/1.1 200 OK\r"),
            ("reason-control", b"HTTP/1.1 200 O\x01K"),
            ("reason-delete", b"HTTP/1.1 200 O\x7fK"),
        )
    ]
    cases += [
        case(f"status-line/bad-{readable(line)}", rule, answer(status=line), BAD)
        for line in (
            b"HTTP/2.0 200 OK",
            b"HTTP/0.9 200 OK",
            b"HTTP/3 200 OK",
            b"http/1.1 200 OK",
            b"HTTP/1.10 200 OK",
            b"HTTP/11.1 200 OK",
            b"HTTP/1 200 OK",
            b"HTTP/1. 200 OK",
            b"HTTP/1.1.1 200 OK",
            b"HTTP/1,1 200 OK",
            b"HTTP/x.y 200 OK",
            b"HTTPS/1.1 200 OK",
            b"ICY 200 OK",
            b"RTSP/1.0 200 OK",
            b"200 OK",
            b"HTTP/1.1200 OK",
            b"HTTP/1.1",
            b"HTTP/1.1 ",
            b"HTTP/1.1 OK",
            b"HTTP/1.1 OK 200",
            b"HTTP/1.1 99 Odd",
            b"HTTP/1.1 000 Odd",
            b"HTTP/1.1 0 Odd",
            b"HTTP/1.1 2 Odd",
            b"HTTP/1.1 20 Odd",
            b"HTTP/1.1 020 Odd",
            b"HTTP/1.1 0200 OK",
            b"HTTP/1.1 1000 Odd",
            b"HTTP/1.1 2000 Odd",
            b"HTTP/1.1 20a Odd",
            b"HTTP/1.1 2xx Odd",
            b"HTTP/1.1 0xC8 OK",
            b"HTTP/1.1 -200 OK",
            b"HTTP/1.1 +200 OK",
            b"HTTP/1.1 200.0 OK",
            b"HTTP/1.1 2 00 OK",
            b"HTTP/1.1 200OK",
            b"HTTP/1.1 \xb200 OK",
            "HTTP/1.1 \u0662\u0660\u0660 OK".encode(),
            b"HTTP/1.1 200 O\x00K",
            b"HTTP/1.1 20\x000 OK",
            b"\x00HTTP/1.1 200 OK",
            b"X-A: b",
            b"GET / HTTP/1.1",
            b"<html>MARKED</html>",
            b"SSH-2.0-MARKED",
            b"\x15\x03\x01\x00\x02\x02\x0a",
        )
    ]
    cases += [
        case(
            "status-line/empty-line-first",
            "9112 2.2: only servers skip empty lines",
            b"\r\n" + answer(),
            whole(),
            BAD,
        ),
        case("status-line/lf-first", "9112 2.2: only servers skip empty lines", b"\n" + answer(), whole(), BAD),
        case(
            "status-line/ends-in-lf",
            "9112 2.2: LF may be recognised",
            answer().replace(b"OK\r\n", b"OK\n", 1),
            whole(),
            BAD,
        ),
        case(
            "status-line/all-lines-end-in-lf",
            "9112 2.2: LF may be recognised",
            answer().replace(b"\r\n", b"\n"),
            whole(),
            BAD,
        ),
        case("status-line/ends-in-cr", rule, answer().replace(b"OK\r\n", b"OK\r", 1), BAD),
        case(
            "status-line/only-a-body",
            "9112 4: HTTP/0.9 is no more",
            (Send(b"<html>MARKED</html>"), Close()),
            BAD,
        ),
        case("status-line/only-newlines", rule, (Send(b"\r\n\r\n\r\n"), Close()), BAD),
        case("status-line/only-junk", rule, (Send(bytes(range(256))), Close()), BAD),
        case("status-line/junk-without-end", rule, (Send(b"MARKED" * 100_000), Close()), BAD),
    ]
    return cases


def _fields() -> list[ResponseCase]:
    kept = "9110 5.3, 5.5: kept as it is"
    cases = [
        case(f"field/{name}", kept, answer(*lines), whole(has=has))
        for name, lines, has in (
            ("plain", (b"X-A: one two",), ((b"X-A", b"one two"),)),
            ("no-space", (b"X-A:v",), ((b"X-A", b"v"),)),
            ("white-space-around", (b"X-A: \t  v \t ",), ((b"X-A", b"v"),)),
            ("obs-text", (b"X-A: \x80\xe4\xff",), ((b"X-A", b"\x80\xe4\xff"),)),
            ("inner-tab", (b"X-A: a\tb",), ((b"X-A", b"a\tb"),)),
            (
                "order-kept",
                (b"X-A: 1", b"X-B: x", b"x-a: 2", b"X-A: 3"),
                ((b"X-A", b"1"), (b"X-A", b"2"), (b"X-A", b"3")),
            ),
            (
                "two-cookies",
                (b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2, 3"),
                ((b"Set-Cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2, 3")),
            ),
            (
                "same-cookie-twice",
                (b"Set-Cookie: a=1", b"Set-Cookie: a=1"),
                ((b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"a=1")),
            ),
            (
                "twenty-cookies",
                tuple(b"Set-Cookie: c%d=%d" % (n, n) for n in range(20)),
                tuple((b"Set-Cookie", b"c%d=%d" % (n, n)) for n in range(20)),
            ),
            (
                "cookie-with-date",
                (b"Set-Cookie: a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT",),
                ((b"Set-Cookie", b"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),),
            ),
            (
                "www-authenticate-twice",
                (b'WWW-Authenticate: Basic realm="a, b"', b"WWW-Authenticate: Negotiate"),
                ((b"WWW-Authenticate", b'Basic realm="a, b"'), (b"WWW-Authenticate", b"Negotiate")),
            ),
            ("quoted", (b'X-A: "a, \\"b\\"; c"',), ((b"X-A", b'"a, \\"b\\"; c"'),)),
            ("8000-bytes", (b"X-A: " + b"v" * 3800,), ((b"X-A", b"v" * 3800),)),
            (
                "sixty-names",
                tuple(b"X-%d: %d" % (n, n) for n in range(60)),
                tuple((b"X-%d" % n, b"%d" % n) for n in range(60)),
            ),
            (
                "content-type-and-etag",
                (
                    b"Content-Type: text/x",
                    b'ETag: W/"a"',
                    b"Cache-Control: no-store",
                    b"Last-Modified: Wed, 21 Oct 2020 07:28:00 GMT",
                ),
                ((b"Content-Type", b"text/x"), (b"ETag", b'W/"a"'), (b"Cache-Control", b"no-store")),
            ),
            (
                "location",
                (b"Location: http://www.example.org/a%2Fb?c#d",),
                ((b"Location", b"http://www.example.org/a%2Fb?c#d"),),
            ),
            ("every-token-character", (b"X!#$%&'*+-.^_`|~09: v",), ((b"X!#$%&'*+-.^_`|~09", b"v"),)),
            ("content-encoding", (b"Content-Encoding: gzip",), ((b"Content-Encoding", b"gzip"),)),
            ("vary-and-age", (b"Vary: Accept", b"Age: 5"), ((b"Vary", b"Accept"), (b"Age", b"5"))),
        )
    ]
    cases += [
        case("field/empty-value", kept, answer(b"X-A:"), whole(has=((b"X-A", b""),)), whole(lacks=(b"X-A",))),
        case(
            "field/date-kept",
            "design 3: an origin's Date is its own (9110 6.6.1)",
            answer(b"Date: Wed, 21 Oct 2020 07:28:00 GMT"),
            whole(has=((b"Date", b"Wed, 21 Oct 2020 07:28:00 GMT"),)),
            promise=True,
        ),
        case(
            "field/date-added",
            "9110 6.6.1: a recipient with a clock adds the Date that is missing when it forwards",
            answer(),
            Delivery(OK, BODY, has_names=(b"Date",)),
        ),
        case(
            "field/large-head",
            "9110 5.4: within common limits",
            answer(*(b"X-%d: %s" % (n, b"v" * 500) for n in range(6))),
            whole(has=tuple((b"X-%d" % n, b"v" * 500) for n in range(6))),
        ),
        *(
            case(f"field/{name}", "9110 5.4: too large: 502, or passed on", sent, BAD, whole())
            for name, sent in (
                ("head-of-500-KB", answer(*(b"X-%d: %s" % (n, b"v" * 500) for n in range(1000)))),
                ("one-value-of-300-KB", answer(b"X-A: " + b"v" * 300_000)),
                ("5000-cookies", answer(*(b"Set-Cookie: c%d=%d" % (n, n) for n in range(5000)))),
            )
        ),
        case(
            "field/head-without-end",
            "9110 5.4: refused without waiting for an end",
            (Send(b"HTTP/1.1 200 OK\r\n" + b"X-A: MARKED\r\n" * 200_000), Silence()),
            BAD,
        ),
    ]
    white_space = "9112 5.1: a proxy must remove white space before the colon"
    cases += [
        case(
            f"field/{name}",
            white_space,
            answer(line),
            whole(has=((b"X-A", b"v"),)),
            BAD,
            whole(lacks=(b"X-A",)),
        )
        for name, line in (
            ("space-before-colon", b"X-A : v"),
            ("tab-before-colon", b"X-A\t: v"),
            ("spaces-before-colon", b"X-A   : v"),
        )
    ]
    cases += [
        case(
            "field/space-before-colon-of-length",
            white_space,
            answer(b"Content-Length : 11", length=False) + STALE_ANSWER,
            whole(),
            BAD,
        ),
    ]
    folded = "9112 5.2: a folded line becomes SP, or the answer 502"
    cases += [
        case(
            f"field/folded-{name}",
            folded,
            answer(line),
            *(whole(has=((b"X-A", b"1" + b" " * count + rest),), lacks=(b"X-Injected",)) for count in range(1, 6)),
            BAD,
        )
        for name, line, rest in (
            ("space", b"X-A: 1\r\n 2", b"2"),
            ("tab", b"X-A: 1\r\n\t2", b"2"),
            ("field-like", b"X-A: 1\r\n X-Injected: 2", b"X-Injected: 2"),
        )
    ]
    cases += [
        case(
            "field/folded-first",
            "9112 2.2, 5.2: white space before the first field",
            answer().replace(b"X-Seen", b" X-Ghost: 1\r\nX-Seen", 1),
            whole(lacks=(b"X-Ghost",)),
            BAD,
        ),
        case(
            "field/folded-length",
            folded,
            answer(b"Content-Length:\r\n 11", length=False),
            whole(),
            BAD,
        ),
    ]
    bad_name = "9110 5.1: a field name is a token"
    cases += [
        case(
            f"field/bad-name-{readable(name)}",
            bad_name,
            answer(name + b": v"),
            whole(lacks=(name.strip(b"\x00"), b"X", b"A")),
            BAD,
        )
        for name in (
            b"X A",
            b"X(A",
            b"X@A",
            b"X/A",
            b'"X"',
            b"X\x00A",
            b"X\x01A",
            b"X\x7fA",
            b"X\xe4A",
            b"",
            b"X\x0bA",
            b"[X]",
        )
    ]
    cases += [
        case(f"field/{name}", "9112 5: no field line", answer(line), whole(), BAD)
        for name, line in (
            ("no-colon", b"X-A"),
            ("no-colon-but-words", b"a line of words"),
            ("only-colon", b":"),
        )
    ]
    value = "9110 5.5: CR, LF and NUL are refused or become SP"
    cases += [
        case(
            "field/nul-in-value",
            value,
            answer(b"X-A: a\x00b"),
            BAD,
            whole(has=((b"X-A", b"a b"),)),
            whole(lacks=(b"X-A",)),
        ),
        case(
            "field/nul-behind-value",
            value,
            answer(b"X-A: v\x00"),
            BAD,
            whole(has=((b"X-A", b"v"),)),
            whole(lacks=(b"X-A",)),
        ),
        case(
            "field/cr-in-value",
            value,
            answer(b"X-A: a\rb"),
            BAD,
            whole(has=((b"X-A", b"a b"),)),
            whole(lacks=(b"X-A",)),
        ),
        case(
            "field/cr-starts-a-field",
            value,
            answer(b"X-A: a\rX-Injected: 1"),
            BAD,
            whole(has=((b"X-A", b"a X-Injected: 1"),)),
            whole(lacks=(b"X-A",)),
        ),
        case("field/cr-cr-lf", value, answer(b"X-A: a\r"), BAD, whole(has=((b"X-A", b"a"),))),
        case(
            "field/lf-ends-a-field",
            "9112 2.2: LF may be recognised",
            answer(b"X-A: a\nX-B: 1"),
            BAD,
            whole(has=((b"X-A", b"a"),)),
        ),
        case(
            "field/lf-ends-the-head",
            "9112 2.2: LF may be recognised",
            answer().replace(b"\r\n\r\n", b"\r\n\n"),
            BAD,
            whole(),
        ),
        *(
            case(
                f"field/control-{code:02x}-in-value",
                "9110 5.5: invalid, may be kept where that is safe",
                answer(b"X-A: a%cb" % code),
                BAD,
                *(whole(has=((b"X-A", form),)) for form in (b"a%cb" % code, b"a b", b"ab")),
                whole(lacks=(b"X-A",)),
            )
            for code in (0x01, 0x08, 0x0B, 0x0C, 0x1B, 0x1F, 0x7F)
        ),
    ]
    return cases


def _hop_by_hop() -> list[ResponseCase]:
    named = "9110 7.6.1: fields named in Connection go"
    cases = [
        case(
            f"hop-by-hop-back/{name}",
            named,
            answer(*lines, b"X-Kept: k"),
            whole(lacks=lacks, has=((b"X-Kept", b"k"),)),
        )
        for name, lines, lacks in (
            ("named", (b"Connection: X-Hop", b"X-Hop: 1"), (b"X-Hop",)),
            ("named-before", (b"X-Hop: 1", b"Connection: X-Hop"), (b"X-Hop",)),
            ("named-in-other-case", (b"Connection: x-hOp", b"X-Hop: 1"), (b"X-Hop",)),
            ("several", (b"Connection: X-Hop,, X-Hop2 ,", b"X-Hop: 1", b"X-Hop2: 2"), (b"X-Hop", b"X-Hop2")),
            (
                "two-lines",
                (b"Connection: X-Hop", b"Connection: X-Hop2", b"X-Hop: 1", b"X-Hop2: 2"),
                (b"X-Hop", b"X-Hop2"),
            ),
            ("Proxy-Connection", (b"Proxy-Connection: keep-alive",), (b"Proxy-Connection",)),
            ("Upgrade-not-switched", (b"Upgrade: h2c",), ()),
            ("TE", (b"TE: trailers",), (b"TE",)),
            ("empty-connection", (b"Connection:",), ()),
        )
    ]
    cases += [
        case(
            "hop-by-hop-back/Keep-Alive",
            "9110 7.6.1: the origin's Keep-Alive is not ours",
            answer(b"Connection: keep-alive", b"Keep-Alive: timeout=7, max=77"),
            *(Delivery(OK, BODY, lacks=(b"Keep-Alive",)),),
        ),
        case(
            "hop-by-hop-back/Keep-Alive-not-named",
            "9110 7.6.1: the origin's Keep-Alive is not ours",
            answer(b"Keep-Alive: timeout=7, max=77"),
            Delivery(OK, BODY, lacks=(b"Keep-Alive",)),
        ),
        case(
            "hop-by-hop-back/with-close",
            named,
            answer(b"Connection: close, X-Hop", b"X-Hop: 1"),
            whole(lacks=(b"X-Hop",)),
        ),
        case(
            "hop-by-hop-back/names-Content-Length",
            "9110 7.6.1: what frames the answer must not be lost",
            answer(b"Connection: Content-Length"),
            whole(),
            BAD,
        ),
        case(
            "hop-by-hop-back/names-Set-Cookie",
            "9110 7.6.1",
            answer(b"Connection: Set-Cookie", b"Set-Cookie: a=1"),
            whole(),
        ),
        case(
            "hop-by-hop-back/close-is-the-origin's",
            "9112 9.6: whether the client's connection goes on is the proxy's own affair",
            (Send(answer(b"Connection: close")), Close()),
            whole(),
        ),
    ]
    return cases


def _interim() -> list[ResponseCase]:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    rule = "9110 15.2: an interim answer is no final one; it is passed on or dropped"
    forwarded = "design 3: 1xx work (9110 15.2: a proxy must forward 1xx that it did not ask for)"
    cases = [
        case(
            f"interim/{name}",
            rule,
            sent,
            *(Delivery(OK, body, interim=way, lacks=(b"Link",)) for way in (ways, ())),
            *more,
            method=method,
        )
        for name, method, body, sent, ways, more in (
            ("103", b"GET", BODY, hints + answer(), (103,), ()),
            ("102", b"GET", BODY, processing + answer(), (102,), ()),
            ("199", b"GET", BODY, b"HTTP/1.1 199 Odd\r\n\r\n" + answer(), (199,), ()),
            ("102-and-103", b"GET", BODY, processing + hints + answer(), (102, 103), ()),
            ("two-103", b"GET", BODY, hints * 2 + answer(), (103, 103), ()),
            ("twenty-103", b"GET", BODY, hints * 20 + answer(), (103,) * 20, (BAD,)),
            ("103-in-its-own-segment", b"GET", BODY, (Send(hints), Pause(0.01), Send(answer())), (103,), ()),
            ("103-by-three-bytes", b"GET", BODY, (Dribble(hints + answer(), 3),), (103,), ()),
            ("103-to-HEAD", b"HEAD", b"", hints + answer(body=b"", length=False), (103,), ()),
            ("103-then-204-like-end", b"GET", b"", hints + answer(body=b""), (103,), ()),
        )
    ]
    cases += [
        case(
            "interim/forwards-103",
            forwarded,
            hints + answer(),
            Delivery(OK, BODY, interim=(103,), lacks=(b"Link",)),
            promise=True,
        ),
        case(
            "interim/forwards-102-and-two-103",
            forwarded,
            processing + hints * 2 + answer(),
            Delivery(OK, BODY, interim=(102, 103, 103)),
            promise=True,
        ),
        case(
            "interim/100-unasked",
            "9110 15.2.1: an unexpected 100 may be dropped",
            go_on + answer(),
            Delivery(OK, BODY, interim=()),
            Delivery(OK, BODY, interim=(100,)),
        ),
        case(
            "interim/many-100",
            "9110 15.2: clients must be able to parse one or more 1xx",
            go_on * 10 + answer(),
            whole(),
        ),
        case("interim/thousands", "9110 15.2", hints * 3000 + answer(), whole(), BAD, may_end=True),
        case(
            "interim/final-head-not-mixed",
            rule,
            b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\nX-A: early\r\n\r\n" + answer(b"X-A: late"),
            whole(has=((b"X-A", b"late"),), lacks=(b"Set-Cookie",)),
        ),
        case(
            "interim/to-1.0-client",
            "9110 15.2: no 1xx to an HTTP/1.0 client",
            hints + answer(),
            Delivery(OK, BODY, interim=()),
            steps=(Send(head(target=b"/case", version=b"HTTP/1.0")),),
        ),
        case(
            "interim/then-nothing",
            "9110 15.2: an interim answer is not the final one",
            (Send(hints), Close()),
            Delivery(BAD_GATEWAY, own=True),
            may_end=True,
        ),
        case(
            "interim/100-then-nothing",
            "9110 15.2",
            (Send(go_on), Close()),
            Delivery(BAD_GATEWAY, own=True),
            may_end=True,
        ),
        case(
            "interim/then-junk",
            "9110 15.2",
            (Send(hints + b"MARKED junk\r\n\r\n"), Close()),
            Delivery(BAD_GATEWAY, own=True),
            may_end=True,
        ),
        case(
            "interim/with-length",
            "9110 8.6: no Content-Length in 1xx",
            b"HTTP/1.1 103 E\r\nContent-Length: 5\r\n\r\n" + answer(),
            whole(),
            BAD,
            may_end=True,
        ),
        case(
            "interim/with-chunked",
            "9112 6.1: no Transfer-Encoding in 1xx",
            b"HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n" + answer(),
            whole(),
            BAD,
            may_end=True,
        ),
        case(
            "interim/with-connection",
            rule,
            b"HTTP/1.1 103 E\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n" + answer(),
            whole(),
        ),
        case(
            "interim/bad-field",
            "9112 5",
            b"HTTP/1.1 103 E\r\nX-A\x00: 1\r\n\r\n" + answer(),
            whole(),
            BAD,
            may_end=True,
        ),
        case(
            "interim/101-unasked",
            "9110 7.8: no switch that the client did not ask for",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nMARKED",
            BAD,
        ),
        case(
            "interim/101-unasked-without-upgrade",
            "9110 7.8: no switch that the client did not ask for",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + answer(),
            BAD,
        ),
    ]
    return cases


def _bodiless() -> list[ResponseCase]:
    none = "9112 6.3: 1xx, 204, 304 and answers to HEAD have no body"
    head_only = answer(body=b"", length=False)
    return [
        case(
            "bodiless/204",
            none,
            answer(status=b"HTTP/1.1 204 No Content", body=b"", length=False),
            whole(b"", 204),
        ),
        case(
            "bodiless/204-with-zero-length",
            "9110 8.6: no Content-Length in 204",
            answer(status=b"HTTP/1.1 204 N", body=b""),
            whole(b"", 204),
            BAD,
        ),
        case(
            "bodiless/204-with-length",
            "9110 8.6: no Content-Length in 204",
            answer(b"Content-Length: 11", status=b"HTTP/1.1 204 N", body=b"", length=False),
            whole(b"", 204),
            BAD,
        ),
        case(
            "bodiless/204-with-chunked",
            "9112 6.1: no Transfer-Encoding in 204",
            answer(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 204 N", body=b"", length=False),
            whole(b"", 204),
            BAD,
        ),
        case(
            "bodiless/204-with-body",
            none,
            answer(status=b"HTTP/1.1 204 N", body=STALE_ANSWER),
            whole(b"", 204),
            BAD,
        ),
        case(
            "bodiless/204-with-chunks",
            none,
            answer(
                b"Transfer-Encoding: chunked",
                status=b"HTTP/1.1 204 N",
                body=b"5\r\nSTALE\r\n0\r\n\r\n",
                length=False,
            ),
            whole(b"", 204),
            BAD,
        ),
        case(
            "bodiless/304",
            none,
            answer(b'ETag: "a"', status=b"HTTP/1.1 304 N", body=b"", length=False),
            whole(b"", 304, has=((b"ETag", b'"a"'),)),
        ),
        case(
            "bodiless/304-with-length",
            "9110 8.6: may say what a 200 would have",
            answer(b"Content-Length: 99", status=b"HTTP/1.1 304 N", body=b"", length=False),
            whole(b"", 304),
        ),
        case(
            "bodiless/304-with-chunked",
            "9112 6.1: may say what a 200 would have",
            answer(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 304 N", body=b"", length=False),
            whole(b"", 304),
        ),
        case(
            "bodiless/304-with-body",
            none,
            answer(status=b"HTTP/1.1 304 N", body=STALE_ANSWER),
            whole(b"", 304),
            BAD,
        ),
        case("bodiless/HEAD", none, head_only, whole(b""), method=b"HEAD"),
        case(
            "bodiless/HEAD-with-length",
            "9110 8.6: says what GET would have",
            answer(b"Content-Length: 99", body=b"", length=False),
            whole(b"", has=((b"Content-Length", b"99"),)),
            whole(b"", lacks=(b"Content-Length",)),
            method=b"HEAD",
        ),
        case(
            "bodiless/HEAD-with-huge-length",
            none,
            answer(b"Content-Length: 99999999999", body=b"", length=False),
            whole(b""),
            method=b"HEAD",
        ),
        case(
            "bodiless/HEAD-with-chunked",
            "9112 6.1: says what GET would have",
            answer(b"Transfer-Encoding: chunked", body=b"", length=False),
            whole(b""),
            method=b"HEAD",
        ),
        case("bodiless/HEAD-with-body", none, answer(body=STALE_ANSWER), whole(b""), BAD, method=b"HEAD"),
        case(
            "bodiless/HEAD-with-chunks",
            none,
            answer(b"Transfer-Encoding: chunked", body=b"5\r\nSTALE\r\n0\r\n\r\n", length=False),
            whole(b""),
            BAD,
            method=b"HEAD",
        ),
        case(
            "bodiless/HEAD-404",
            none,
            answer(b"Content-Length: 99", status=b"HTTP/1.1 404 N", body=b"", length=False),
            whole(b"", 404),
            method=b"HEAD",
        ),
        case(
            "bodiless/HEAD-close",
            none,
            (Send(answer(b"Connection: close", body=b"", length=False)), Close()),
            whole(b""),
            method=b"HEAD",
        ),
        case(
            "bodiless/205",
            "9110 15.3.6: no content",
            answer(status=b"HTTP/1.1 205 Reset", body=b""),
            whole(b"", 205),
        ),
        case("bodiless/200-zero-length", "9112 6.2", answer(body=b""), whole(b"")),
    ]


HEAD_CASES: list[ResponseCase] = [*_status_lines(), *_fields(), *_hop_by_hop(), *_interim(), *_bodiless()]
