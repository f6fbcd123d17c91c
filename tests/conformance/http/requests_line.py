"""Request lines: methods, targets, versions, white space, line ends, and what is no HTTP/1.1 at all."""

from __future__ import annotations

from tests.conformance.http.cases import Outcome, RequestCase, Seen, forward, refuse
from tests.conformance.http.messages import HOST, REFUSED, SMUGGLE, case, head, readable
from tests.conformance.http.steps import HalfClose, Send

_METHODS_WITH_BODY = (b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"QUERY")
_METHODS_WITHOUT = (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"POST", b"PUT", b"PATCH")
_UNKNOWN_METHODS = (
    b"PROPFIND",
    b"M-SEARCH",
    b"QUERY",
    b"FOO",
    b"get",
    b"Get",
    b"GETGET",
    b"HEADER",
    b"G",
    b"X!#$%&'*+-.^_`|~09",
    b"A" * 100,
    b"A" * 4000,
)
_BAD_METHODS = (
    b"",
    b"GE(T",
    b"GE,T",
    b"GE:T",
    b"GE/T",
    b'"GET"',
    b"GE\x00T",
    b"GE\x01T",
    b"GE\x7fT",
    b"G\xc3\x89T",
    b"[GET]",
    b"GET@",
)
# Refusing an unknown method is legal, so is passing it on; changing it is not.
_METHOD_REFUSED = refuse(501, 405, 400, 403, 414, 431, mute=False)

_EXACT_TARGETS = (
    b"/plain",
    b"/a%2Fb",
    b"/a%2fb",
    b"/a%41b",
    b"/a%7Eb~",
    b"/a%20b",
    b"/a+b",
    b"//double//slash",
    b"///",
    b"//www.example.org/x",
    b"/a/./b",
    b"/a/../b",
    b"/a/b/..",
    b"/a/%2e%2e/b",
    b"/a/.%2e/b",
    b"/a/..%2fb",
    b"/a/...",
    b"/a;p=1;q",
    b"/;",
    b"/a;/../b",
    b"/?",
    b"/a?",
    b"/a??",
    b"/a?b=c&d=e",
    b"/a?b=%26&c=%3D%23",
    b"/a?/../?",
    b"/a?&&=&",
    b"/a?x=http://www.example.org/?y",
    b"/a?b;c",
    b"/a?%2F%zz-none"[:5],
    b"/a:b@c",
    b"/a,b!$&'()*+=",
    b"/@",
    b"/:80",
    b"/%E2%82%AC",
    b"/%e2%82%ac",
    b"/%FF%FE",
    b"/%25%32%46",
    b"/%23",
    b"/%3F",
    b"/%5C",
    b"/*",
    b"/a/",
    b"/index.html?" + b"q" * 2000,
    b"/" + b"p" * 4000,
    b"/" + b"d/" * 1000,
)
# Recipients may find these too risky or not well formed; passed on, they must be as they were.
_EXACT_OR_REFUSED_TARGETS = (
    b"/../a",
    b"/../../a",
    b"/..",
    b"/%2e%2e/%2e%2e/a",
    b"/a/../../b",
    b"/%00",
    b"/a%00b",
    b"/%0d%0aX:%20y",
    b"/%0a",
    b"/%",
    b"/%4",
    b"/%zz",
    b"/%u0041",
    b"/a?%",
    b"/a?%zz",
    b"/a[b]",
    b"/a?b[]=1",
    b"/a{b}",
    b"/a|b",
    b"/a^b",
    b"/a`b",
    b'/a"b',
    b"/a<b>",
    b"/a\\b",
    b"/..\\a",
)


def _percent(target: bytes) -> bytes:
    """Return the target with what a URI may not hold percent-encoded."""
    allowed = b"!#$%&'()*+,-./:;=?@[]_~"
    return b"".join(
        b"%c" % c if (chr(c).isalnum() and c < 0x80) or c in allowed else b"%%%02X" % c for c in target
    )


def _methods() -> list[RequestCase]:
    cases = [case(f"method/{m.decode()}", "9110 9.3", head(method=m), forward(Seen(m))) for m in _METHODS_WITHOUT]
    cases += [
        case(
            f"method/{m.decode()}-with-body",
            "9110 9.3",
            head(b"Content-Length: 5", method=m) + b"hello",
            forward(Seen(m, body=b"hello")),
            *([refuse(400, 405, 413, 501)] if m in (b"DELETE", b"OPTIONS", b"QUERY") else []),
        )
        for m in _METHODS_WITH_BODY
    ]
    for m in (b"GET", b"HEAD"):
        for name, lines, body in (
            ("length", b"Content-Length: %d" % len(SMUGGLE), SMUGGLE),
            ("chunks", b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLE), SMUGGLE)),
        ):
            cases.append(
                case(
                    f"method/{m.decode()}-with-body-by-{name}",
                    "9110 9.3.1: content of a GET may be refused, never read as a request",
                    head(lines, method=m) + body,
                    forward(Seen(m, body=SMUGGLE)),
                    refuse(ends=True),
                    methods=(m,),
                )
            )
    cases += [
        case(
            f"method/unknown-{readable(m, 20)}",
            "9110 9.1: methods are case-sensitive tokens",
            head(method=m),
            forward(Seen(m)),
            _METHOD_REFUSED,
        )
        for m in _UNKNOWN_METHODS
    ]
    cases += [
        case(f"method/bad-{readable(m)}", "9112 3.1, 9110 5.6.2", head(method=m), REFUSED) for m in _BAD_METHODS
    ]
    cases += [
        case(
            f"method/{name}",
            "9110 9.3.6: no tunnels through this proxy",
            sent,
            refuse(mute=True),
            methods=(b"CONNECT",),
            reusable=False,
        )
        for name, sent in (
            (
                "CONNECT",
                head(method=b"CONNECT", target=b"www.example.com:443", host=b"Host: www.example.com:443"),
            ),
            ("CONNECT-path", head(method=b"CONNECT", target=b"/")),
            ("CONNECT-no-port", head(method=b"CONNECT", target=b"www.example.com")),
            ("CONNECT-bad-port", head(method=b"CONNECT", target=b"www.example.com:x")),
            ("CONNECT-absolute", head(method=b"CONNECT", target=b"http://www.example.com/")),
            (
                "CONNECT-with-bytes-behind",
                head(method=b"CONNECT", target=b"www.example.com:443", host=b"Host: www.example.com:443")
                + b"\x16\x03\x01\x00\x05hello",
            ),
        )
    ]
    own_trace = Outcome((), frozenset({200, 400, 403, 404, 405, 501}))
    cases += [
        case("method/TRACE", "9110 9.3.8", head(method=b"TRACE"), forward(Seen(b"TRACE")), own_trace),
        case(
            "method/TRACE-with-body",
            "9110 9.3.8: a client must not send content in a TRACE",
            head(b"Content-Length: %d" % len(SMUGGLE), method=b"TRACE") + SMUGGLE,
            forward(Seen(b"TRACE", body=SMUGGLE)),
            refuse(),
        ),
        case(
            "max-forwards/TRACE-0",
            "9110 7.6.2: zero must not be forwarded",
            head(b"Max-Forwards: 0", method=b"TRACE"),
            own_trace,
        ),
        case(
            "max-forwards/OPTIONS-0",
            "9110 7.6.2: zero must not be forwarded",
            head(b"Max-Forwards: 0", method=b"OPTIONS"),
            Outcome((), frozenset({200, 204, 400, 403, 404, 405, 501})),
        ),
        case(
            "max-forwards/OPTIONS-5",
            "9110 7.6.2: counted down",
            head(b"Max-Forwards: 5", method=b"OPTIONS"),
            *(forward(Seen(b"OPTIONS", has=((b"Max-Forwards", b"%d" % left),))) for left in range(5)),
        ),
        case(
            "max-forwards/GET-0",
            "9110 7.6.2: may be ignored for other methods",
            head(b"Max-Forwards: 0"),
            forward(Seen()),
        ),
    ]
    return cases


def _targets() -> list[RequestCase]:
    cases = [
        case(
            f"target/{readable(t, 32)}",
            "9112 3.2.1: path and query must not be rewritten",
            head(target=t),
            forward(Seen(targets=(t,))),
        )
        for t in dict.fromkeys(_EXACT_TARGETS)
    ]
    cases += [
        case(
            f"target/{readable(t)}",
            "9112 3.2.1: not rewritten, or refused",
            head(target=t),
            forward(Seen(targets=(t, _percent(t)))),
            refuse(301, 308, 400, 403, 404),
        )
        for t in _EXACT_OR_REFUSED_TARGETS
    ]
    cases += [
        case(
            f"target/high-bytes-{readable(t)}",
            "9112 3.2: an invalid request line should get 400 or a redirect",
            head(target=t),
            forward(Seen(targets=(t, _percent(t)))),
            refuse(301, 308, 400, 404),
        )
        for t in (b"/\xe2\x82\xac", b"/\xff", b"/a?\xc3\xa4=1", b"/\xa0", b"/\x85")
    ]
    cases += [
        case(
            f"target/control-{code:02x}",
            "9112 3.2, 3986 2: no control characters",
            head(target=b"/a%cb" % code),
            refuse(301, 308, own=frozenset({301, 308, *range(400, 600)})) if code != 0 else REFUSED,
            REFUSED,
        )
        for code in (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F)
    ]
    cases += [
        case(
            f"target/{name}",
            "9112 3.2: no fragment in a request target",
            head(target=t),
            forward(Seen(targets=(t, t.partition(b"#")[0] or b"/", t.replace(b"#", b"%23")))),
            REFUSED,
        )
        for name, t in (("fragment", b"/a#b"), ("only-fragment", b"/#"), ("query-and-fragment", b"/a?b#c?d"))
    ]
    cases += [
        case(f"target/{name}", "9112 3.2: none of the four forms", head(target=t), REFUSED)
        for name, t in (
            ("no-slash", b"plain"),
            ("query-only", b"?a=b"),
            ("fragment-only", b"#a"),
            ("dot", b"."),
            ("authority-with-GET", b"www.example.com:80"),
            ("asterisk-with-GET", b"*"),
            ("asterisk-path", b"*/a"),
            ("backslash", b"\\a"),
            ("percent-slash", b"%2Fa"),
            ("scheme-without-authority", b"http:/a"),
            ("scheme-only", b"http:"),
            ("scheme-and-slashes", b"http://"),
            ("empty-authority", b"http:///a"),
            ("empty-host-with-port", b"http://:80/a"),
            ("broken-ipv6", b"http://[::1/a"),
            ("authority-with-space-code", b"http://www%20example.com:x/"),
            ("port-junk", b"http://www.example.com:80x/a"),
            ("at-sign-start", b"@www.example.org/a"),
        )
    ]
    cases += [
        case(
            "target/asterisk-OPTIONS",
            "9112 3.2.4",
            head(method=b"OPTIONS", target=b"*"),
            forward(Seen(b"OPTIONS", (b"*",))),
            Outcome((), frozenset({200, 204, 400, 403, 404, 405, 501})),
        ),
        case(
            "target/asterisk-POST",
            "9112 3.2.4: for OPTIONS only",
            head(b"Content-Length: 0", method=b"POST", target=b"*"),
            REFUSED,
        ),
        case(
            "target/long-8000",
            "9112 3: request lines of 8000 octets should be supported",
            head(target=b"/" + b"a" * 7980),
            forward(Seen(targets=(b"/" + b"a" * 7980,))),
        ),
        case(
            "target/long-100000",
            "9112 3: 414 for a target longer than wanted",
            head(target=b"/" + b"a" * 100_000),
            refuse(414, 431, 400, mute=False),
            forward(Seen(targets=(b"/" + b"a" * 100_000,))),
        ),
        case(
            "target/long-40000-gets-414",
            "design 3: targets over 16 KiB get 414",
            head(target=b"/" + b"a" * 40_000),
            refuse(414, mute=False),
            promise=True,
        ),
        case(
            "target/endless",
            "9112 3: 414 or the like, without waiting for an end",
            b"GET /" + b"a" * 300_000,
            refuse(414, 431, 400, mute=True),
            reusable=False,
        ),
    ]
    return cases


def _absolute() -> list[RequestCase]:
    other = b"Host: www.example.org"
    cases = []
    for name, t, paths in (
        ("plain", b"http://www.example.com/a?b", (b"/a?b",)),
        ("upper-case", b"HTTP://WWW.EXAMPLE.COM/a", (b"/a", b"http://www.example.com/a")),
        ("with-port", b"http://www.example.com:80/a", (b"/a", b"http://www.example.com/a")),
        ("empty-port", b"http://www.example.com:/a", (b"/a", b"http://www.example.com/a")),
        ("escapes", b"http://www.example.com/a%2Fb/../c", (b"/a%2Fb/../c",)),
        ("no-path", b"http://www.example.com", (b"/",)),
        ("no-path-but-query", b"http://www.example.com?a=b", (b"/?a=b",)),
        ("double-slash-path", b"http://www.example.com//a", (b"//a",)),
        ("ipv6", b"http://[::1]/a", (b"/a",)),
        (
            "url-in-query",
            b"http://www.example.com/?u=http://www.example.org/",
            (b"/?u=http://www.example.org/",),
        ),
    ):
        cases.append(
            case(
                f"absolute/{name}",
                "9112 3.2.2: must be accepted",
                head(target=t),
                forward(Seen(targets=(*paths, t))),
                *([refuse()] if name in ("empty-port", "ipv6") else []),
            )
        )
    cases += [
        case(
            "absolute/other-host",
            "9112 3.2.2: the Host line is ignored and replaced",
            head(target=b"http://www.example.com/a", host=other),
            forward(Seen(targets=(b"/a", b"http://www.example.com/a"), hosts_not=(b"www.example.org",))),
            refuse(400, 421),
        ),
        case(
            "absolute/bad-host-line",
            "9112 3.2: an invalid Host is refused even so",
            head(target=b"http://www.example.com/a", host=b"Host: www example org"),
            forward(Seen(targets=(b"/a", b"http://www.example.com/a"))),
            refuse(),
        ),
        case(
            "absolute/without-host-line",
            "9112 3.2: HTTP/1.1 without Host gets 400",
            head(target=b"http://www.example.com/a", host=None),
            refuse(400, mute=False),
        ),
        case(
            "absolute/two-host-lines",
            "9112 3.2: more than one Host gets 400",
            head(HOST, target=b"http://www.example.com/a"),
            refuse(400, mute=False),
        ),
        case(
            "absolute/HTTP-1.0-without-host",
            "9112 3.2.2",
            head(target=b"http://www.example.com/a", host=None, version=b"HTTP/1.0"),
            forward(Seen(targets=(b"/a", b"http://www.example.com/a"))),
            refuse(),
        ),
        case(
            "absolute/userinfo",
            "9110 4.2.4: userinfo from an untrusted source is an error or to be dropped",
            head(target=b"http://www.example.org@www.example.com/a"),
            forward(Seen(targets=(b"/a",), hosts_not=(b"www.example.org", b"www.example.org@www.example.com"))),
            refuse(),
        ),
        case(
            "absolute/https",
            "9110 7.4: a scheme that is not the connection's may be refused",
            head(target=b"https://www.example.com/a"),
            forward(Seen(targets=(b"/a", b"https://www.example.com/a"))),
            refuse(),
        ),
        case(
            "absolute/ftp",
            "9110 7.4: not our scheme",
            head(target=b"ftp://www.example.com/a"),
            forward(Seen(targets=(b"/a", b"ftp://www.example.com/a"))),
            refuse(),
        ),
        case(
            "absolute/OPTIONS-no-path",
            "9112 3.2.4: becomes the asterisk form",
            head(method=b"OPTIONS", target=b"http://www.example.com"),
            forward(Seen(b"OPTIONS", (b"*", b"/", b"http://www.example.com"))),
            Outcome((), frozenset({200, 204, 400, 403, 404, 405, 501})),
        ),
        case(
            "absolute/POST-with-body",
            "9112 3.2.2",
            head(b"Content-Length: 5", method=b"POST", target=b"http://www.example.com/a") + b"hello",
            forward(Seen(b"POST", (b"/a", b"http://www.example.com/a"), b"hello")),
        ),
    ]
    return cases


def _versions() -> list[RequestCase]:
    cases = [
        case(
            f"version/bad-{readable(v)}",
            "9112 2.3: HTTP-version is case-sensitive with one digit either side",
            head(version=v),
            REFUSED,
        )
        for v in (
            b"HTTP/2.0",
            b"HTTP/3.0",
            b"HTTP/9.9",
            b"HTTP/0.9",
            b"HTTP/0.0",
            b"http/1.1",
            b"Http/1.1",
            b"HTTP/1.10",
            b"HTTP/1.11",
            b"HTTP/11.1",
            b"HTTP/01.1",
            b"HTTP/1.01",
            b"HTTP/1",
            b"HTTP/1.",
            b"HTTP/.1",
            b"HTTP/",
            b"HTTP",
            b"HTTP/1,1",
            b"HTTP/1.1x",
            b"HTTP/1.a",
            b"HTTP/-1.1",
            b"HTTP/1.\xd9\xa1",
            b"HTTP/1.\xb9",
            b"HTTPS/1.1",
            b"HTTP\\1.1",
            b"HTTP /1.1",
            b"HTTP/ 1.1",
            b"HTTP/1 .1",
            b"HTCPCP/1.0",
            b"ICY/1.1",
            b"HTTP/1.1\x00",
            b"HTTP/1.1 HTTP/1.1",
            b"HTTP/1.1 junk",
        )
    ]
    cases += [
        case("version/1.0", "9112 2.3", head(version=b"HTTP/1.0"), forward(Seen(), ends=True)),
        case(
            "version/1.0-keep-alive",
            "9112 9.3: may be kept alive",
            head(b"Connection: keep-alive", version=b"HTTP/1.0"),
            forward(Seen()),
        ),
        case(
            "version/1.2",
            "9110 2.5: a higher minor version is read as the highest known",
            head(version=b"HTTP/1.2"),
            forward(Seen()),
            refuse(505, 400),
        ),
        case(
            "version/1.9",
            "9110 2.5: a higher minor version is read as the highest known",
            head(version=b"HTTP/1.9"),
            forward(Seen()),
            refuse(505, 400),
        ),
        case("version/missing-but-fields", "9112 3", b"GET /\r\n" + HOST + b"\r\n\r\n", REFUSED),
        case("version/missing-with-space", "9112 3", b"GET / \r\n" + HOST + b"\r\n\r\n", REFUSED),
        case("version/http-0.9", "9112 3: no request line of HTTP/1.x", b"GET /\r\n", REFUSED, patience=0.3),
        case("version/http-0.9-empty-line", "9112 3", b"GET /\r\n\r\n", REFUSED, patience=0.3),
        case(
            "version/http-2-preface",
            "9113 3.4: made to fail with HTTP/1.1",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
            REFUSED,
            reusable=False,
        ),
        case(
            "version/http-2-preface-as-1.1",
            "9113 11.6: PRI is reserved",
            head(method=b"PRI", target=b"*"),
            REFUSED,
        ),
    ]
    return cases


def _white_space() -> list[RequestCase]:
    """9112 3 lets a recipient split the line at any white space; then the target must be the one word."""
    tolerated = forward(Seen(targets=(b"/a",)))
    host = b"\r\n" + HOST + b"\r\n\r\n"
    cases = [
        case(
            f"request-line/{name}",
            "9112 3: lenient splitting is allowed, so is refusing",
            line + host,
            REFUSED,
            tolerated,
        )
        for name, line in (
            ("two-spaces-before-target", b"GET  /a HTTP/1.1"),
            ("two-spaces-before-version", b"GET /a  HTTP/1.1"),
            ("tab-before-target", b"GET\t/a HTTP/1.1"),
            ("tab-before-version", b"GET /a\tHTTP/1.1"),
            ("vt-before-target", b"GET\x0b/a HTTP/1.1"),
            ("ff-before-version", b"GET /a\x0cHTTP/1.1"),
            ("cr-before-target", b"GET\r/a HTTP/1.1"),
            ("cr-before-version", b"GET /a\rHTTP/1.1"),
            ("trailing-space", b"GET /a HTTP/1.1 "),
            ("trailing-tab", b"GET /a HTTP/1.1\t"),
            ("trailing-cr", b"GET /a HTTP/1.1\r"),
            ("leading-space", b" GET /a HTTP/1.1"),
            ("leading-tab", b"\tGET /a HTTP/1.1"),
        )
    ]
    cases += [
        case(
            f"request-line/{name}",
            "9112 3: no white space within a target; not to be repaired",
            line + host,
            REFUSED,
        )
        for name, line in (
            ("space-in-target", b"GET /a b HTTP/1.1"),
            ("two-targets", b"GET /a /smuggled HTTP/1.1"),
            ("space-and-version-in-target", b"GET /a HTTP/1.1 HTTP/1.1"),
            ("tab-in-target", b"GET /a\tb HTTP/1.1"),
            ("nbsp-before-target", b"GET\xa0/a HTTP/1.1"),
            ("nel-before-version", b"GET /a\x85HTTP/1.1"),
            ("no-target", b"GET HTTP/1.1"),
            ("empty-target", b"GET  HTTP/1.1"),
            ("only-method", b"GET"),
            ("nul-first", b"\x00GET /a HTTP/1.1"),
            ("bom-first", b"\xef\xbb\xbfGET /a HTTP/1.1"),
            ("colon-line", b"Host: www.example.com"),
            ("status-line", b"HTTP/1.1 200 OK"),
        )
    ]
    return cases


def _line_ends() -> list[RequestCase]:
    tolerated = forward(Seen(targets=(b"/a",)))
    source = "9112 2.2: a single LF may be recognised as a line end"
    h = HOST
    cases = [
        case(f"line-end/{name}", source, sent, REFUSED, tolerated, patience=0.3)
        for name, sent in (
            ("bare-lf-everywhere", b"GET /a HTTP/1.1\n" + h + b"\n\n"),
            ("bare-lf-request-line", b"GET /a HTTP/1.1\n" + h + b"\r\n\r\n"),
            ("bare-lf-field", b"GET /a HTTP/1.1\r\n" + h + b"\nX-A: 1\r\n\r\n"),
            ("bare-lf-last-field", b"GET /a HTTP/1.1\r\n" + h + b"\n\r\n"),
            ("bare-lf-end", b"GET /a HTTP/1.1\r\n" + h + b"\r\n\n"),
        )
    ]
    bare = "9112 2.2: a bare CR makes the element invalid or becomes SP"
    cases += [
        case(f"line-end/{name}", bare, sent, REFUSED, *more, patience=0.3)
        for name, sent, more in (
            ("bare-cr-everywhere", b"GET /a HTTP/1.1\r" + h + b"\r\r", ()),
            ("bare-cr-request-line", b"GET /a HTTP/1.1\r" + h + b"\r\n\r\n", ()),
            ("cr-cr-lf-request-line", b"GET /a HTTP/1.1\r\r\n" + h + b"\r\n\r\n", (tolerated,)),
            ("cr-cr-lf-field", b"GET /a HTTP/1.1\r\n" + h + b"\r\nX-A: 1\r\r\n\r\n", (tolerated,)),
            ("cr-cr-lf-end", b"GET /a HTTP/1.1\r\n" + h + b"\r\n\r\r\n", ()),
            ("lf-cr", b"GET /a HTTP/1.1\n\r" + h + b"\n\r\n\r", ()),
            (
                "bare-cr-in-value",
                b"GET /a HTTP/1.1\r\n" + h + b"\r\nX-A: 1\r2\r\n\r\n",
                (forward(Seen(targets=(b"/a",), has=((b"X-A", b"1 2"),))),),
            ),
            (
                "bare-cr-makes-a-field",
                b"GET /a HTTP/1.1\r\n" + h + b"\r\nX-A: 1\rX-B: 2\r\n\r\n",
                (forward(Seen(targets=(b"/a",), has=((b"X-A", b"1 X-B: 2"),), lacks=(b"X-B",))),),
            ),
            (
                "bare-cr-makes-a-length",
                b"POST /a HTTP/1.1\r\n" + h + b"\r\nX-A: 1\rContent-Length: 5\r\n\r\n",
                (forward(Seen(b"POST", (b"/a",), b"")),),
            ),
            (
                "bare-cr-makes-chunks",
                b"POST /a HTTP/1.1\r\n" + h + b"\r\nX-A: 1\rTransfer-Encoding: chunked\r\n\r\n",
                (forward(Seen(b"POST", (b"/a",), b"")),),
            ),
        )
    ]
    cases += [
        case(
            "line-end/one-empty-line-first",
            "9112 2.2: at least one empty line before the request line should be ignored",
            b"\r\n" + head(target=b"/a"),
            tolerated,
        ),
        *(
            case(f"line-end/{name}", "9112 2.2", sent + head(target=b"/a"), tolerated, REFUSED)
            for name, sent in (
                ("three-empty-lines-first", b"\r\n" * 3),
                ("a-thousand-empty-lines-first", b"\r\n" * 1000),
                ("bare-lf-first", b"\n"),
                ("bare-cr-first", b"\r"),
                ("lf-cr-lf-first", b"\n\r\n"),
            )
        ),
        case(
            "line-end/space-line-first",
            "9112 2.2: only empty lines are ignored",
            b" \r\n" + head(target=b"/a"),
            REFUSED,
        ),
        case(
            "line-end/empty-line-between-two",
            "9112 2.2: some clients send CRLF behind a body",
            head(b"Content-Length: 5", method=b"POST", target=b"/a") + b"hello\r\n" + head(target=b"/b"),
            forward(Seen(b"POST", (b"/a",), b"hello"), Seen(targets=(b"/b",))),
        ),
    ]
    return cases


def _not_http() -> list[RequestCase]:
    hello = bytes.fromhex("16030100750100007103035f3c") + bytes(range(1, 60)) + b"\x00" * 20
    return [
        case(
            f"not-http/{name}",
            "9112 2.2: what is no request gets 400 or a close",
            sent,
            REFUSED,
            patience=0.3,
            most=0,
            reusable=False,
        )
        for name, sent in (
            ("tls-client-hello", (Send(hello), HalfClose())),
            ("tls-client-hello-and-lines", (Send(hello + b"\r\n\r\n"), HalfClose())),
            ("ssh-banner", (Send(b"SSH-2.0-OpenSSH_9.6\r\n"), HalfClose())),
            ("proxy-protocol-v1", (Send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n\r\n"), HalfClose())),
            (
                "proxy-protocol-v2",
                (Send(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x01" * 12 + b"\r\n\r\n"), HalfClose()),
            ),
            ("all-bytes", (Send(bytes(range(256)) + b"\r\n\r\n"), HalfClose())),
            ("zeros", (Send(b"\x00" * 500 + b"\r\n\r\n"), HalfClose())),
            ("high-bytes", (Send(b"\xff" * 500 + b"\r\n\r\n"), HalfClose())),
            ("only-colons", (Send(b":::::\r\n:::\r\n\r\n"), HalfClose())),
            ("json", (Send(b'{"method": "GET", "path": "/"}\r\n\r\n'), HalfClose())),
            ("smtp", (Send(b"EHLO www.example.com\r\nMAIL FROM:<a@www.example.com>\r\n\r\n"), HalfClose())),
            ("redis", (Send(b"*1\r\n$4\r\nPING\r\n\r\n"), HalfClose())),
            ("websocket-frame", (Send(b"\x81\x85\x01\x02\x03\x04hello\r\n\r\n"), HalfClose())),
            ("http-2-frame", (Send(b"\x00\x00\x00\x04\x01\x00\x00\x00\x00\r\n\r\n"), HalfClose())),
        )
    ]


LINE_CASES: list[RequestCase] = [
    *_methods(),
    *_targets(),
    *_absolute(),
    *_versions(),
    *_white_space(),
    *_line_ends(),
    *_not_http(),
]
