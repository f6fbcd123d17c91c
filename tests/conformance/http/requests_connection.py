"""The connection itself: hop-by-hop fields, Expect, pipelining, closing, and bytes that come in pieces."""

from __future__ import annotations

from tests.conformance.http.cases import Outcome, RequestCase, Seen, forward, refuse
from tests.conformance.http.messages import (
    HELLO_CHUNKED,
    HOST,
    REFUSED,
    REFUSED_AND_ENDED,
    SMUGGLE,
    case,
    chunk,
    head,
    post,
    posted,
)
from tests.conformance.http.origin import SEEN
from tests.conformance.http.steps import (
    AwaitAnswers,
    AwaitEnd,
    AwaitInterim,
    AwaitOriginEnd,
    AwaitRequest,
    AwaitSignal,
    ClientStep,
    Close,
    Dribble,
    HalfClose,
    Pause,
    Reply,
    Reset,
    Send,
    Signal,
    Silence,
)

_CHUNKED = b"Transfer-Encoding: chunked"
_OK = b"HTTP/1.1 200 OK\r\nX-Seen: " + SEEN + b"\r\nContent-Length: 2\r\n\r\nok"


def _hop_by_hop() -> list[RequestCase]:
    named = "9110 7.6.1: fields named in Connection go, and Connection itself"
    known = "9110 7.6.1: these go even where Connection does not name them"
    cases = [
        case(
            f"hop-by-hop/{name}",
            named,
            head(*lines, b"X-Kept: k"),
            forward(Seen(lacks=lacks, has=((b"X-Kept", b"k"),)), ends=ends),
        )
        for name, ends, lines, lacks in (
            ("one-named", False, (b"Connection: X-Hop", b"X-Hop: 1"), (b"X-Hop",)),
            ("named-before", False, (b"X-Hop: 1", b"Connection: X-Hop"), (b"X-Hop",)),
            ("named-in-other-case", False, (b"Connection: x-HOP", b"X-Hop: 1"), (b"X-Hop",)),
            ("connection-in-capitals", False, (b"CONNECTION: X-Hop", b"X-Hop: 1"), (b"X-Hop",)),
            (
                "several-named",
                False,
                (b"Connection: X-Hop, X-Hop2", b"X-Hop: 1", b"X-Hop2: 2"),
                (b"X-Hop", b"X-Hop2"),
            ),
            (
                "without-spaces",
                False,
                (b"Connection: X-Hop,X-Hop2", b"X-Hop: 1", b"X-Hop2: 2"),
                (b"X-Hop", b"X-Hop2"),
            ),
            (
                "tabs-around",
                False,
                (b"Connection:\tX-Hop\t,\tX-Hop2\t", b"X-Hop: 1", b"X-Hop2: 2"),
                (b"X-Hop", b"X-Hop2"),
            ),
            (
                "empty-members",
                False,
                (b"Connection: ,, X-Hop ,, X-Hop2,,", b"X-Hop: 1", b"X-Hop2: 2"),
                (b"X-Hop", b"X-Hop2"),
            ),
            (
                "two-lines",
                False,
                (b"Connection: X-Hop", b"Connection: X-Hop2", b"X-Hop: 1", b"X-Hop2: 2"),
                (b"X-Hop", b"X-Hop2"),
            ),
            (
                "with-keep-alive",
                False,
                (b"Connection: keep-alive, X-Hop", b"X-Hop: 1"),
                (b"X-Hop", b"Keep-Alive"),
            ),
            ("with-close", True, (b"Connection: close, X-Hop", b"X-Hop: 1"), (b"X-Hop",)),
            ("close-last", True, (b"Connection: X-Hop, close", b"X-Hop: 1"), (b"X-Hop",)),
            (
                "close-on-second-line",
                True,
                (b"Connection: X-Hop", b"Connection: close", b"X-Hop: 1"),
                (b"X-Hop",),
            ),
            ("field-repeated", False, (b"Connection: X-Hop", b"X-Hop: 1", b"X-Hop: 2"), (b"X-Hop",)),
            ("named-but-absent", False, (b"Connection: X-Hop",), (b"X-Hop",)),
            ("named-twice", False, (b"Connection: X-Hop, X-Hop", b"X-Hop: 1"), (b"X-Hop",)),
            ("prefix-not-named", False, (b"Connection: X-Ke",), (b"X-Ke",)),
            ("empty-connection", False, (b"Connection:",), ()),
            ("only-commas", False, (b"Connection: , ,,",), ()),
            ("names-itself", False, (b"Connection: Connection",), ()),
            (
                "thirty-named",
                False,
                (
                    b"Connection: " + b", ".join(b"X-Hop%d" % n for n in range(30)),
                    b"X-Hop7: 1",
                    b"X-Hop29: 2",
                ),
                (b"X-Hop7", b"X-Hop29"),
            ),
        )
    ]
    cases += [
        case(
            f"hop-by-hop/{name}",
            known,
            head(*lines, b"X-Kept: k"),
            forward(Seen(lacks=lacks, has=((b"X-Kept", b"k"),))),
        )
        for name, lines, lacks in (
            ("Keep-Alive", (b"Keep-Alive: timeout=5, max=100",), (b"Keep-Alive",)),
            ("Keep-Alive-named", (b"Connection: keep-alive", b"Keep-Alive: timeout=5"), (b"Keep-Alive",)),
            ("Proxy-Connection", (b"Proxy-Connection: keep-alive",), (b"Proxy-Connection",)),
            ("Proxy-Connection-close", (b"Proxy-Connection: close",), (b"Proxy-Connection",)),
            ("Upgrade-alone", (b"Upgrade: websocket",), (b"Upgrade",)),
            ("Upgrade-h2c-alone", (b"Upgrade: h2c",), (b"Upgrade",)),
            ("Connection-upgrade-alone", (b"Connection: upgrade",), (b"Upgrade",)),
            ("TE-gzip", (b"Connection: TE", b"TE: gzip"), (b"TE",)),
        )
    ]
    te = "9110 10.1.4: TE is for one hop, named in Connection by each sender"
    for name, lines in (
        ("TE-trailers", (b"Connection: TE", b"TE: trailers")),
        ("TE-trailers-not-named", (b"TE: trailers",)),
        ("TE-trailers-and-more", (b"Connection: TE", b"TE: trailers, deflate;q=0.5")),
    ):
        cases.append(
            case(
                f"hop-by-hop/{name}",
                te,
                head(*lines),
                forward(Seen(lacks=(b"TE",))),
                forward(Seen(has=((b"TE", b"trailers"), (b"Connection", b"TE")))),
                forward(Seen(has=((b"TE", b"trailers"), (b"Connection", b"te")))),
            )
        )
    end_to_end = "9110 7.6.1: a field for all recipients must not be named; refuse, or keep what the message needs"
    cases += [
        case("hop-by-hop/names-Host", end_to_end, head(b"Connection: Host"), forward(Seen()), REFUSED),
        case(
            "hop-by-hop/names-Content-Length",
            end_to_end,
            post(b"Connection: Content-Length", b"Content-Length: %d" % len(SMUGGLE), body=SMUGGLE),
            forward(posted(SMUGGLE)),
            REFUSED,
        ),
        case(
            "hop-by-hop/names-Transfer-Encoding",
            end_to_end,
            post(b"Connection: Transfer-Encoding", _CHUNKED, body=chunk(SMUGGLE) + b"0\r\n\r\n"),
            forward(posted(SMUGGLE)),
            REFUSED,
        ),
        case(
            "hop-by-hop/names-Content-Type",
            end_to_end,
            post(b"Connection: Content-Type", b"Content-Type: text/plain", b"Content-Length: 5", body=b"hello"),
            forward(posted()),
            REFUSED,
        ),
        case(
            "hop-by-hop/names-Authorization",
            end_to_end,
            head(b"Connection: Authorization", b"Authorization: Basic eA=="),
            forward(Seen()),
            REFUSED,
        ),
        case(
            "hop-by-hop/names-Cache-Control",
            end_to_end,
            head(b"Connection: Cache-Control", b"Cache-Control: no-store"),
            forward(Seen()),
            REFUSED,
        ),
        case(
            "hop-by-hop/no-token-in-connection",
            "9110 7.6.1: Connection is a list of tokens",
            head(b'Connection: "X-Hop", X-Hop/1, @', b"X-Kept: k"),
            forward(Seen(has=((b"X-Kept", b"k"),))),
            REFUSED,
        ),
        case(
            "hop-by-hop/control-in-connection",
            "9110 7.6.1: Connection is a list of tokens",
            head(b"Connection: close\x0b", b"X-Kept: k"),
            forward(Seen(has=((b"X-Kept", b"k"),))),
            REFUSED,
        ),
        case(
            "hop-by-hop/close-look-alike",
            "9110 7.6.1: only the token close ends the connection",
            head(b"Connection: closed, not-close, close-not"),
            forward(Seen()),
        ),
        case(
            "hop-by-hop/gateway-fields-stay",
            "design 3: a client cannot take away what the gateway adds",
            head(b"Connection: X-Forwarded-For, CF-Connecting-IP, X-Forwarded-Proto"),
            forward(Seen(has=((b"X-Forwarded-For", b"127.0.0.1"),))),
            promise=True,
        ),
        case(
            "hop-by-hop/forwarded-for-is-appended-or-replaced",
            "design 3: a client cannot say whom it comes from",
            head(b"X-Forwarded-For: 192.0.2.1"),
            forward(Seen(matches=((b"X-Forwarded-For", rb"(192\.0\.2\.1, ?)?127\.0\.0\.1"),))),
            promise=True,
        ),
        case(
            "hop-by-hop/connecting-ip-is-replaced",
            "design 3: a client cannot say whom it comes from",
            head(b"CF-Connecting-IP: 192.0.2.1", b"cf-connecting-ip: 192.0.2.2"),
            forward(Seen(has=((b"CF-Connecting-IP", b"127.0.0.1"),))),
            promise=True,
        ),
        case(
            "hop-by-hop/forwarded-proto-is-replaced",
            "design 3: a client cannot say how it came",
            head(b"X-Forwarded-Proto: https"),
            forward(Seen(has=((b"X-Forwarded-Proto", b"http"),))),
            promise=True,
        ),
        case(
            "hop-by-hop/trailer-field",
            "9110 6.6.2: Trailer may be forwarded",
            post(b"Trailer: X-T", _CHUNKED, body=HELLO_CHUNKED),
            forward(posted()),
        ),
        case(
            "hop-by-hop/Upgrade-HTTP-2-in-request-with-settings",
            "9110 7.8, 9113 3.1: h2c is obsolete; Upgrade is for one hop",
            head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
            forward(Seen(lacks=(b"Upgrade", b"HTTP2-Settings"))),
            refuse(),
        ),
        case(
            "hop-by-hop/via-first",
            "9110 7.6.3: a gateway must add Via to what it forwards inbound",
            head(),
            forward(Seen(matches=((b"Via", rb"1\.1 [^ ,]+( \(.*\))?"),))),
        ),
        case(
            "hop-by-hop/via-second",
            "9110 7.6.3: a gateway must add Via to what it forwards inbound",
            head(b"Via: 1.0 fred"),
            forward(Seen(matches=((b"Via", rb"1\.0 fred, ?1\.1 [^ ,]+( \(.*\))?"),))),
        ),
    ]
    return cases


def _expect() -> list[RequestCase]:
    wait = b"Expect: 100-continue"
    asking = head(wait, b"Content-Length: 5", method=b"POST")
    refused_reply = Reply(
        (
            Send(b"HTTP/1.1 417 No\r\nX-Seen: " + SEEN + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"),
            Close(),
        ),
        at_head=True,
    )
    rule = "9110 10.1.1"
    return [
        case("expect/waits-for-100", rule, (Send(asking), AwaitInterim(), Send(b"hello")), forward(posted())),
        case(
            "expect/waits-for-100-chunked",
            rule,
            (Send(head(wait, _CHUNKED, method=b"POST")), AwaitInterim(), Send(HELLO_CHUNKED)),
            forward(posted()),
        ),
        case("expect/sends-at-once", rule, asking + b"hello", forward(posted())),
        case(
            "expect/upper-case",
            "9110 10.1.1: the expectation is case-insensitive",
            (
                Send(head(b"EXPECT: 100-Continue", b"Content-Length: 5", method=b"POST")),
                AwaitInterim(),
                Send(b"hello"),
            ),
            forward(posted()),
        ),
        case(
            "expect/GET-without-body",
            "9110 10.1.1: nothing to wait for",
            head(wait),
            forward(Seen()),
            refuse(417, 400),
        ),
        case(
            "expect/POST-with-empty-body",
            rule,
            head(wait, b"Content-Length: 0", method=b"POST"),
            forward(posted(b"")),
        ),
        case(
            "expect/unknown",
            "9110 10.1.1: an unknown expectation may get 417",
            post(b"Expect: the-moon", b"Content-Length: 5", body=b"hello"),
            forward(posted()),
            refuse(417),
        ),
        case(
            "expect/empty",
            "9110 10.1.1",
            post(b"Expect:", b"Content-Length: 5", body=b"hello"),
            forward(posted()),
            refuse(417, 400),
        ),
        case(
            "expect/with-parameter",
            "9110 10.1.1",
            post(b"Expect: 100-continue; q=1", b"Content-Length: 5", body=b"hello"),
            forward(posted()),
            refuse(417, 400),
        ),
        case(
            "expect/twice",
            "9110 10.1.1",
            post(wait, wait, b"Content-Length: 5", body=b"hello"),
            forward(posted()),
            refuse(417, 400),
        ),
        case(
            "expect/in-1.0-is-ignored",
            "9110 10.1.1: an HTTP/1.0 client gets no 100",
            post(wait, b"Content-Length: 5", body=b"hello", version=b"HTTP/1.0"),
            Outcome((posted(),), interim=()),
        ),
        case(
            "expect/refused-by-origin",
            "9110 10.1.1: a final answer in place of 100; the body is not sent",
            (Send(asking), AwaitAnswers(1)),
            Outcome((Seen(b"POST", body=b"", whole=False),)),
            refuse(417, mute=False),
            replies=(refused_reply,),
            reusable=False,
            most=1,
        ),
        case(
            "expect/origin-sends-100-twice",
            "9110 15.2: clients must be able to parse one or more 1xx",
            (Send(asking), AwaitInterim(), Send(b"hello")),
            forward(posted()),
            replies=(
                Reply((Send(b"HTTP/1.1 100 Continue\r\n\r\n" * 2), AwaitRequest(), Send(_OK)), at_head=True),
            ),
        ),
        case(
            "expect/origin-sends-no-100",
            "9110 10.1.1: an origin may wait in silence; the body comes after a while or at once",
            (Send(asking), Pause(0.05), Send(b"hello")),
            forward(posted()),
            replies=(Reply((AwaitRequest(), Send(_OK)), at_head=True),),
        ),
        case(
            "expect/early-200-without-100",
            "9110 10.1.1: a final answer in place of 100; then the body comes or the connection ends",
            (Send(asking), AwaitAnswers(1), Send(b"hello")),
            Outcome((Seen(b"POST", body=None, whole=False),)),
            replies=(Reply((Send(_OK),), at_head=True),),
        ),
        case(
            "expect/gone-before-100",
            "9112 8: no body, no request",
            (Send(asking), AwaitInterim(), Close()),
            REFUSED,
            most=0,
            reusable=False,
        ),
        case(
            "expect/two-in-a-row",
            rule,
            (
                Send(asking),
                AwaitInterim(),
                Send(b"hello"),
                AwaitAnswers(1),
                Send(asking),
                Pause(0.02),
                Send(b"world"),
            ),
            forward(posted(), posted(b"world")),
        ),
    ]


def _pipelining() -> list[RequestCase]:
    order = "9112 9.3.2: answers in the order of the requests"
    a, b, c = (head(target=b"/%c" % letter) for letter in b"abc")
    seen_a, seen_b, seen_c = (Seen(targets=(b"/%c" % letter,)) for letter in b"abc")
    posted_b = post(b"Content-Length: 5", body=b"hello", target=b"/b")
    chunked_b = post(_CHUNKED, body=HELLO_CHUNKED, target=b"/b")
    slow = Reply((Pause(0.05), Send(_OK)))
    fast = Reply((Send(_OK),))
    cases = [
        case("pipelining/two", order, a + b, forward(seen_a, seen_b)),
        case("pipelining/three", order, a + b + c, forward(seen_a, seen_b, seen_c)),
        case(
            "pipelining/twenty",
            order,
            b"".join(head(target=b"/%d" % number) for number in range(20)),
            forward(*(Seen(targets=(b"/%d" % number,)) for number in range(20))),
        ),
        case("pipelining/body-first", order, posted_b + a, forward(posted(target=b"/b"), seen_a)),
        case("pipelining/chunks-first", order, chunked_b + a, forward(posted(target=b"/b"), seen_a)),
        case(
            "pipelining/mixed",
            order,
            a + posted_b + c + chunked_b,
            forward(seen_a, posted(target=b"/b"), seen_c, posted(target=b"/b")),
        ),
        case(
            "pipelining/HEAD-between",
            "9112 6.3: no body behind the head of a HEAD answer",
            a + head(method=b"HEAD", target=b"/h") + c,
            forward(seen_a, Seen(b"HEAD", (b"/h",)), seen_c),
        ),
        case(
            "pipelining/slow-first",
            order,
            a + b + c,
            forward(seen_a, seen_b, seen_c),
            replies=(slow, fast, fast),
        ),
        case(
            "pipelining/second-in-pieces",
            order,
            (Send(a + b[:20]), Pause(0.02), Send(b[20:] + c)),
            forward(seen_a, seen_b, seen_c),
        ),
        case(
            "pipelining/large-body-then-request",
            order,
            post(b"Content-Length: 300000", body=b"x" * 300_000, target=b"/b") + c,
            forward(posted(b"x" * 300_000, b"/b"), seen_c),
        ),
        case(
            "pipelining/same-request-five-times",
            order,
            a * 5,
            forward(*[seen_a] * 5),
        ),
        case(
            "pipelining/last-says-close",
            "9112 9.6",
            a + head(b"Connection: close", target=b"/b"),
            forward(seen_a, seen_b, ends=True),
        ),
        case(
            "pipelining/half-close-behind",
            "9112 9.6: what was asked is answered",
            (Send(a + b), HalfClose()),
            forward(seen_a, seen_b),
            promise=True,
        ),
    ]
    error = "9112 9.3.2: earlier answers come first, and nothing behind the error is read"
    cases += [
        case(
            f"pipelining/error-{name}",
            error,
            a + bad + SMUGGLE,
            refuse(after=(seen_a,), ends=True),
            methods=(b"GET", b"GET"),
        )
        for name, bad in (
            ("junk", b"\x01\x02\x03 junk\r\n\r\n"),
            ("bad-version", head(version=b"HTTP/9")),
            ("bad-length", head(b"Content-Length: x")),
            ("two-lengths", head(b"Content-Length: 5", b"Content-Length: 6") + b"hello"),
            ("bad-coding", post(b"Transfer-Encoding: xchunked", body=HELLO_CHUNKED)),
            ("bad-chunk", post(_CHUNKED, body=b"zz\r\nhello\r\n0\r\n\r\n")),
            ("length-and-chunks-bad", post(b"Content-Length: x", _CHUNKED, body=HELLO_CHUNKED)),
            ("no-colon", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n\x00\r\n\r\n"),
        )
    ]
    cases += [
        case(
            "pipelining/error-first",
            error,
            head(b"Content-Length: x") + SMUGGLE,
            REFUSED_AND_ENDED,
        ),
        case(
            "pipelining/error-third-slow-first",
            error,
            a + b + head(b"Content-Length: x") + SMUGGLE,
            refuse(after=(seen_a, seen_b), ends=True, mute=False),
            replies=(slow, fast),
        ),
        case(
            "pipelining/behind-close",
            "9112 9.6: behind close nothing more is read",
            head(b"Connection: close", target=b"/a") + SMUGGLE,
            forward(seen_a, ends=True),
        ),
        case(
            "pipelining/behind-close-in-list",
            "9112 9.6: behind close nothing more is read",
            head(b"Connection: foo, CLOSE", target=b"/a") + SMUGGLE,
            forward(seen_a, ends=True),
        ),
        case(
            "pipelining/behind-close-with-body",
            "9112 9.6: behind close nothing more is read",
            post(b"Connection: close", b"Content-Length: 5", body=b"hello", target=b"/a") + SMUGGLE,
            forward(posted(target=b"/a"), ends=True),
        ),
        case(
            "pipelining/behind-1.0",
            "9112 9.3: HTTP/1.0 without keep-alive ends the connection",
            head(target=b"/a", version=b"HTTP/1.0") + SMUGGLE,
            forward(seen_a, ends=True),
        ),
        case(
            "pipelining/1.0-keep-alive",
            "9112 9.3",
            head(b"Connection: keep-alive", target=b"/a", version=b"HTTP/1.0") + b,
            forward(seen_a, seen_b),
            forward(seen_a, ends=True),
        ),
        case(
            "pipelining/bytes-behind-length",
            "9112 6.3: what follows the length is the next message",
            (Send(post(b"Content-Length: 4", body=b"hello", target=b"/a")), Pause(0.02), HalfClose()),
            refuse(after=(posted(b"hell", b"/a"),)),
            forward(posted(b"hell", b"/a")),
            patience=0.3,
            reusable=False,
        ),
    ]
    return cases


def _endings() -> list[RequestCase]:
    whole = head(target=b"/a")
    seen = Seen(targets=(b"/a",))
    slow = Reply((AwaitSignal("half-closed"), Pause(0.02), Send(_OK)))
    waiting = Reply((Silence(),), at_head=True)
    both_ways = "design 3: half-close works: the answer still comes"
    return [
        case(
            "ending/half-close-behind-request",
            both_ways,
            (Send(whole), HalfClose()),
            forward(seen),
            promise=True,
        ),
        case(
            "ending/half-close-then-slow-answer",
            both_ways,
            (Send(whole), HalfClose(), Signal("half-closed")),
            forward(seen),
            replies=(slow,),
            promise=True,
        ),
        case(
            "ending/half-close-behind-body",
            both_ways,
            (
                Send(post(b"Content-Length: 5", body=b"hello", target=b"/a")),
                HalfClose(),
                Signal("half-closed"),
            ),
            forward(posted(target=b"/a")),
            replies=(slow,),
            promise=True,
        ),
        case(
            "ending/half-close-behind-chunks",
            both_ways,
            (Send(post(_CHUNKED, body=HELLO_CHUNKED, target=b"/a")), HalfClose(), Signal("half-closed")),
            forward(posted(target=b"/a")),
            replies=(slow,),
            promise=True,
        ),
        case(
            "ending/half-close-during-answer",
            both_ways,
            (Send(whole), AwaitInterim(), HalfClose(), Signal("half-closed")),
            forward(seen),
            replies=(Reply((Send(_OK[:-2]), AwaitSignal("half-closed"), Pause(0.02), Send(b"ok"))),),
            promise=True,
        ),
        *(
            case(
                f"ending/{name}-while-waiting",
                "9112 9.6: the origin is not kept busy for a client that is gone",
                (Send(sent), AwaitSignal("got"), step, AwaitOriginEnd()),
                Outcome((), frozenset({499}), mute=True),
                Outcome((awaited,)),
                replies=(Reply((Signal("got"), Silence()), at_head=True),),
                reusable=False,
                promise=True,
            )
            for name, sent, step, awaited in (
                ("close", whole, Close(), seen),
                ("reset", whole, Reset(), seen),
                (
                    "reset-with-body",
                    post(b"Content-Length: 5", body=b"hello", target=b"/a"),
                    Reset(),
                    posted(target=b"/a"),
                ),
            )
        ),
        case(
            "ending/reset-during-upload",
            "9112 8: the origin must learn that the body is cut",
            (
                Send(head(b"Content-Length: 100000", method=b"POST", target=b"/a") + b"x" * 20_000),
                Pause(0.05),
                Reset(),
            ),
            refuse(),
            replies=(waiting,),
            most=0,
            reusable=False,
        ),
        case(
            "ending/reset-during-download",
            "9112 9.6: the origin is not kept busy for a client that is gone",
            (Send(whole), AwaitInterim(), Reset(), AwaitOriginEnd()),
            Outcome((seen,)),
            Outcome((), frozenset({499}), mute=True),
            replies=(
                Reply(
                    (
                        Send(b"HTTP/1.1 200 OK\r\nX-Seen: " + SEEN + b"\r\nContent-Length: 100000\r\n\r\nstart"),
                        *(step for _ in range(20) for step in (Pause(0.02), Send(b"x" * 100))),
                        Silence(),
                    )
                ),
            ),
            reusable=False,
            promise=True,
        ),
        case(
            "ending/close-asked",
            "9112 9.6: the connection ends behind the answer",
            head(b"Connection: close", target=b"/a"),
            forward(seen, ends=True),
        ),
        case(
            "ending/close-asked-in-capitals",
            "9110 7.6.1: options are case-insensitive",
            head(b"connection: CLOSE", target=b"/a"),
            forward(seen, ends=True),
        ),
        case(
            "ending/1.0-ends",
            "9112 9.3",
            (Send(head(target=b"/a", version=b"HTTP/1.0")), AwaitAnswers(1), AwaitEnd()),
            forward(seen, ends=True),
        ),
        case(
            "ending/many-requests-one-connection",
            "9112 9.3: persistent by default",
            tuple(
                step
                for number in range(30)
                for step in (Send(head(target=b"/%d" % number)), AwaitAnswers(number + 1))
            ),
            forward(*(Seen(targets=(b"/%d" % number,)) for number in range(30))),
        ),
        case(
            "ending/idle-then-request",
            "9112 9.3: persistent by default",
            (Send(whole), AwaitAnswers(1), Pause(0.3), Send(head(target=b"/b"))),
            forward(seen, Seen(targets=(b"/b",))),
        ),
        case(
            "ending/keep-alive-asked-in-1.1",
            "9112 9.3",
            head(b"Connection: keep-alive", target=b"/a"),
            forward(seen),
        ),
    ]


def _pieces() -> list[RequestCase]:
    source = "9112 2: a message is a stream of octets, however it is cut into segments"
    get = head(b"X-A: one two", b"Accept: */*", target=b"/a?b=c")
    seen_get = Seen(targets=(b"/a?b=c",), has=((b"X-A", b"one two"),))
    by_length = post(b"Content-Length: 5", body=b"hello", target=b"/a")
    by_chunks = post(_CHUNKED, body=b"5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", target=b"/a")
    seen_chunks = Seen(b"POST", (b"/a",), b"helloabc", trailers=((b"X-T", b"1"),))
    two = head(target=b"/a") + post(b"Content-Length: 5", body=b"hello", target=b"/b") + head(target=b"/c")
    seen_two = (Seen(targets=(b"/a",)), posted(target=b"/b"), Seen(targets=(b"/c",)))
    cases = [
        case("pieces/get-byte-by-byte", source, (Dribble(get),), forward(seen_get)),
        case("pieces/length-byte-by-byte", source, (Dribble(by_length),), forward(posted(target=b"/a"))),
        case("pieces/chunks-byte-by-byte", source, (Dribble(by_chunks),), forward(seen_chunks)),
        case("pieces/pipeline-byte-by-byte", source, (Dribble(two),), forward(*seen_two)),
        case("pieces/pipeline-by-seven", source, (Dribble(two, 7),), forward(*seen_two)),
        case("pieces/get-by-three", source, (Dribble(get, 3),), forward(seen_get)),
        case(
            "pieces/bad-length-byte-by-byte",
            source,
            (Dribble(post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello")),),
            REFUSED_AND_ENDED,
        ),
        case(
            "pieces/bad-chunk-byte-by-byte",
            source,
            (Dribble(post(_CHUNKED, body=b"5\r\nhello0\r\n\r\n")), HalfClose()),
            REFUSED_AND_ENDED,
            most=0,
            reusable=False,
        ),
        case(
            "pieces/length-and-chunks-byte-by-byte",
            source,
            (
                Dribble(
                    post(
                        b"Content-Length: %d" % len(HELLO_CHUNKED + SMUGGLE),
                        _CHUNKED,
                        body=HELLO_CHUNKED + SMUGGLE,
                    )
                ),
            ),
            REFUSED_AND_ENDED,
            forward(posted(), ends=True),
        ),
        case(
            "pieces/space-before-colon-byte-by-byte",
            source,
            (Dribble(head(b"X-Bad : 1")),),
            REFUSED,
        ),
    ]

    def split(name: str, sent: bytes, at: int, *seen: Seen) -> RequestCase:
        steps: tuple[ClientStep, ...] = (Send(sent[:at]), Pause(0.003), Send(sent[at:]))
        return case(f"pieces/{name}-split-at-{at:03}", source, steps, forward(*seen))

    # Where parsers keep state: round every CR, LF and colon, and in the words between.
    for name, sent, seen in (
        ("get", get, seen_get),
        ("length", by_length, posted(target=b"/a")),
        ("chunks", by_chunks, seen_chunks),
    ):
        marks = {1, 3, 4}
        for at, byte in enumerate(sent):
            if byte in b"\r\n":
                marks.update((at, at + 1))
        if name == "chunks":
            marks.update(range(sent.index(b"\r\n\r\n") + 1, len(sent)))
        cases += [split(name, sent, at, seen) for at in sorted(marks) if 0 < at < len(sent)]
    return cases


CONNECTION_CASES: list[RequestCase] = [
    *_hop_by_hop(),
    *_expect(),
    *_pipelining(),
    *_endings(),
    *_pieces(),
]
