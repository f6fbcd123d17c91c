"""Field lines and Host: syntax of names and values, folding, repeats, sizes."""

from __future__ import annotations

from tests.conformance.http.cases import RequestCase, Seen, forward, refuse
from tests.conformance.http.messages import HOST, REFUSED, case, head, readable
from tests.conformance.http.steps import Send

_CONTROLS = (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F)
_SEPARATORS = b'()<>@,;\\"/[]?={}'
_TOO_LARGE = refuse(*range(400, 500), mute=False)


def _names() -> list[RequestCase]:
    source = "9110 5.1, 9112 5: a field name is a token; the request is refused or the line dropped"
    dropped = forward(Seen(lacks=(b"X-Bad", b"X-B", b"Bad", b"X", b"d")))
    cases = [
        case(f"field-name/byte-{code:02x}-inside", source, head(b"X-B%cd: v" % code), REFUSED, dropped)
        for code in (*_CONTROLS, 0x20, 0x0D, *_SEPARATORS, 0x80, 0xA0, 0xFF)
    ]
    cases += [
        case(f"field-name/{name}", source, head(line), REFUSED, dropped)
        for name, line in (
            ("utf-8", "X-Bäd: v".encode()),
            ("kelvin-sign", "X-\u212aey: v".encode()),
            ("empty", b": v"),
            ("only-colon", b":"),
            ("two-colons", b":: v"),
            ("no-colon", b"X-Bad"),
            ("no-colon-but-value", b"X-Bad v"),
            ("nul-first", b"\x00X-Bad: v"),
            ("nul-last", b"X-Bad\x00: v"),
        )
    ]
    before_colon = "9112 5.1: white space before the colon must get 400"
    cases += [
        case(f"field-name/{name}", before_colon, head(line), refuse(400, mute=False))
        for name, line in (
            ("space-before-colon", b"X-Bad : v"),
            ("tab-before-colon", b"X-Bad\t: v"),
            ("two-spaces-before-colon", b"X-Bad  : v"),
        )
    ]
    cases += [
        case(
            "field-name/space-before-colon-of-host",
            before_colon,
            head(host=b"Host : www.example.com"),
            refuse(400, mute=False),
        ),
        case(
            "field-name/space-before-first",
            "9112 2.2: refuse, or skip such lines unread",
            b"GET / HTTP/1.1\r\n X-Ghost: 1\r\n" + HOST + b"\r\n\r\n",
            REFUSED,
            forward(Seen(lacks=(b"X-Ghost",))),
        ),
        case(
            "field-name/space-before-first-host",
            "9112 2.2: refuse, or skip such lines unread",
            head(b"X-A: 1", host=b" " + HOST),
            REFUSED,
        ),
        case(
            "field-name/space-before-first-length",
            "9112 2.2: refuse, or skip such lines unread",
            head(HOST, method=b"POST", host=b" Content-Length: 5"),
            REFUSED,
            forward(Seen(b"POST", lacks=(b"X-Ghost",))),
        ),
        case(
            "field-name/every-token-character",
            "9110 5.6.2",
            head(b"X!#$%&'*+-.^_`|~09aZ: v"),
            forward(Seen(has=((b"X!#$%&'*+-.^_`|~09aZ", b"v"),))),
        ),
        case(
            "field-name/underscore",
            "9110 5.1: underscores are legal, yet dropping them is common and safe",
            head(b"X_Under_Score: v"),
            forward(Seen(has=((b"X_Under_Score", b"v"),))),
            forward(Seen(lacks=(b"X_Under_Score", b"X-Under-Score"))),
        ),
        case(
            "field-name/digits-only",
            "9110 5.6.2",
            head(b"123: v"),
            forward(Seen(has=((b"123", b"v"),))),
        ),
        case(
            "field-name/long",
            "9110 5.4: kept, or a 4xx",
            head(b"X-" + b"n" * 1000 + b": v"),
            forward(Seen(has=((b"X-" + b"n" * 1000, b"v"),))),
            _TOO_LARGE,
        ),
        case(
            "field-name/mixed-case-host",
            "9110 5.1: names are case-insensitive",
            head(host=b"hOsT: www.example.com"),
            forward(Seen()),
        ),
    ]
    return cases


def _values() -> list[RequestCase]:
    dangerous = "9110 5.5: CR, LF and NUL must be refused or become SP"
    tolerated = "9110 5.5: other control characters are invalid; they may be kept, where that is safe"
    cases = []
    for code in _CONTROLS:
        kept = [b"a b", b"ab"] if code == 0 else [b"a b", b"ab", b"a%cb" % code]
        cases.append(
            case(
                f"field-value/byte-{code:02x}-inside",
                dangerous if code == 0 else tolerated,
                head(b"X-A: a%cb" % code),
                REFUSED,
                *(forward(Seen(has=((b"X-A", value),))) for value in kept),
                forward(Seen(lacks=(b"X-A",))),
            )
        )
    cases += [
        case(
            f"field-value/{name}",
            "9110 5.5: obs-text and all visible characters are opaque data",
            head(b"X-A: " + value),
            forward(Seen(has=((b"X-A", value),))),
        )
        for name, value in (
            ("plain", b"value"),
            ("obs-text", bytes(range(0x80, 0x100))),
            ("utf-8", "Grüße \u20ac".encode()),
            ("all-visible", bytes(code for code in range(0x21, 0x7F))),
            ("inner-tab", b"a\tb"),
            ("inner-spaces", b"a    b"),
            ("quoted", b'"a, \\"b\\"; c"'),
            ("unbalanced-quote", b'a "b'),
            ("comment", b"(a (b) c)"),
            ("colons", b":a:b::"),
            ("comma-list", b"a, b,c ,d"),
            ("nbsp-and-nel", b"\xa0a\x85"),
            ("broken-utf-8", b"\xff\xfe\xc3"),
            ("8000-bytes", b"v" * 8000),
            ("request-line", b"GET /x HTTP/1.1"),
            ("percent-crlf", b"a%0d%0aX-B: c"),
            ("escaped-crlf", rb"a\r\nX-B: c"),
            ("line-separators", "a\u2028b\u2029c".encode()),
            ("unicode-crlf-look-alike", "a\u560d\u560aX-B: c".encode()),
        )
    ]
    cases += [
        case(
            f"field-value/{name}",
            "9112 5: white space around a value is no part of it",
            head(b"X-A:" + value),
            forward(Seen(has=((b"X-A", b"v"),))),
        )
        for name, value in (
            ("no-space", b"v"),
            ("many-spaces", b"     v     "),
            ("tabs", b"\tv\t"),
            ("mixed", b" \t \tv\t \t"),
        )
    ]
    cases += [
        case(
            "field-value/empty",
            "9110 5.5: a value may be empty",
            head(b"X-A:"),
            forward(Seen(has=((b"X-A", b""),))),
            forward(Seen(lacks=(b"X-A",))),
        ),
        case(
            "field-value/only-spaces",
            "9110 5.5: a value may be empty",
            head(b"X-A:    \t  "),
            forward(Seen(has=((b"X-A", b""),))),
            forward(Seen(lacks=(b"X-A",))),
        ),
        case(
            "field-value/nul-after-value",
            dangerous,
            head(b"X-A: v\x00"),
            REFUSED,
            forward(Seen(has=((b"X-A", b"v"),))),
            forward(Seen(lacks=(b"X-A",))),
        ),
        case(
            "field-value/cr-after-value",
            dangerous,
            head(b"X-A: v\r"),
            REFUSED,
            forward(Seen(has=((b"X-A", b"v"),))),
        ),
    ]
    return cases


def _folding() -> list[RequestCase]:
    source = "9112 5.2: a folded line gets 400 or each fold becomes SP"

    def unfolded(value: bytes, method: bytes = b"GET") -> Seen:
        return Seen(method, has=((b"X-A", value),), lacks=(b"X-B",), loose_space=True)

    cases = [
        case(f"folding/{name}", source, head(lines, method=method), REFUSED, forward(unfolded(value, method)))
        for name, method, lines, value in (
            ("space", b"GET", b"X-A: 1\r\n 2", b"1 2"),
            ("tab", b"GET", b"X-A: 1\r\n\t2", b"1 2"),
            ("many-spaces", b"GET", b"X-A: 1   \r\n   2", b"1 2"),
            ("looks-like-a-field", b"GET", b"X-A: 1\r\n X-B: 2", b"1 X-B: 2"),
            ("looks-like-a-length", b"POST", b"X-A: 1\r\n Content-Length: 5", b"1 Content-Length: 5"),
            (
                "looks-like-chunks",
                b"POST",
                b"X-A: 1\r\n Transfer-Encoding: chunked",
                b"1 Transfer-Encoding: chunked",
            ),
        )
    ]
    cases += [
        case(
            "folding/empty-line-of-spaces",
            source,
            head(b"X-A: 1\r\n \r\nX-B: 2"),
            REFUSED,
            forward(Seen(has=((b"X-A", b"1"), (b"X-B", b"2")))),
        ),
        case(
            "folding/value-only-on-second-line",
            source,
            head(b"X-A:\r\n 1"),
            REFUSED,
            forward(Seen(has=((b"X-A", b"1"),))),
        ),
        case(
            "folding/host",
            source,
            head(host=b"Host:\r\n www.example.com"),
            REFUSED,
            forward(Seen()),
        ),
        case(
            "folding/host-continued",
            "9112 3.2, 5.2: two words are no host",
            head(host=b"Host: www.example.com\r\n .org"),
            REFUSED,
        ),
        case(
            "folding/length",
            source,
            head(b"Content-Length:\r\n 5", method=b"POST") + b"hello",
            REFUSED,
            forward(Seen(b"POST", body=b"hello")),
        ),
        case(
            "folding/length-continued",
            "9112 5.2, 6.3: two numbers are no length",
            head(b"Content-Length: 1\r\n 2", method=b"POST") + b"hello hello ",
            REFUSED,
            reusable=False,
        ),
        case(
            "folding/chunks",
            source,
            head(b"Transfer-Encoding:\r\n chunked", method=b"POST") + b"5\r\nhello\r\n0\r\n\r\n",
            REFUSED,
            forward(Seen(b"POST", body=b"hello")),
        ),
        case(
            "folding/chunks-continued",
            source,
            head(b"Transfer-Encoding: chun\r\n ked", method=b"POST") + b"5\r\nhello\r\n0\r\n\r\n",
            REFUSED,
        ),
    ]
    return cases


def _repeats() -> list[RequestCase]:
    many = tuple((b"X-N", b"%d" % number) for number in range(50))
    different = tuple((b"X-%d" % number, b"%d" % number) for number in range(60))
    return [
        case(
            "repeat/order-kept",
            "9110 5.3: lines of one name stay in order",
            head(b"X-A: 1", b"X-B: x", b"X-A: 2", b"x-a: 3"),
            forward(Seen(has=((b"X-A", b"1"), (b"X-A", b"2"), (b"X-A", b"3"), (b"X-B", b"x")))),
        ),
        case(
            "repeat/same-twice",
            "9110 5.3",
            head(b"X-A: 1", b"X-A: 1"),
            forward(Seen(has=((b"X-A", b"1"), (b"X-A", b"1")))),
        ),
        case("repeat/fifty", "9110 5.3", head(*(b"%s: %s" % line for line in many)), forward(Seen(has=many))),
        case(
            "repeat/cookies",
            "6265 5.4: one line, yet several are seen in practice; none is lost",
            head(b"Cookie: a=1", b"Cookie: b=2"),
            forward(Seen(has=((b"Cookie", b"a=1"), (b"Cookie", b"b=2")))),
            forward(Seen(has=((b"Cookie", b"a=1; b=2"),))),
            refuse(),
        ),
        case(
            "size/sixty-fields",
            "9110 5.4",
            head(*(b"%s: %s" % line for line in different)),
            forward(Seen(has=different)),
        ),
        case(
            "size/head-of-12-KiB",
            "9110 5.4: within every common limit",
            head(*(b"X-%d: %s" % (number, b"v" * 1000) for number in range(12))),
            forward(Seen(has=tuple((b"X-%d" % number, b"v" * 1000) for number in range(12)))),
        ),
        *(
            case(f"size/{name}", "9110 5.4: too large gets a 4xx", sent, _TOO_LARGE, most=most)
            for name, most, sent in (
                ("one-value-of-200-KB", 0, head(b"X-A: " + b"v" * 200_000)),
                ("one-name-of-200-KB", 0, head(b"X-" + b"n" * 200_000 + b": v")),
                ("20000-fields", 0, head(*(b"X-%d: v" % number for number in range(20_000)))),
                ("20000-cookies", 0, head(*(b"Cookie: a=%d" % number for number in range(20_000)))),
            )
        ),
        case(
            "size/head-of-100-KB-gets-431",
            "design 3: heads over 64 KiB get 431",
            head(*(b"X-%d: %s" % (number, b"v" * 1000) for number in range(100))),
            refuse(431, mute=False),
            promise=True,
        ),
        case(
            "size/endless-head",
            "9110 5.4: refused without waiting for an end",
            (Send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n" + b"X-A: vvvvvvvvvvvvvvvvvvvvvv\r\n" * 15_000),),
            refuse(*range(400, 500)),
            most=0,
            reusable=False,
        ),
        case(
            "size/endless-value",
            "9110 5.4: refused without waiting for an end",
            (Send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\nX-A: " + b"v" * 400_000),),
            refuse(*range(400, 500)),
            most=0,
            reusable=False,
        ),
    ]


def _hosts() -> list[RequestCase]:
    must = "9112 3.2: missing, repeated or invalid Host gets 400"
    bad = refuse(400, mute=False)
    cases = [
        case("host/missing", must, head(host=None), bad),
        case("host/missing-but-others", must, head(b"X-A: 1", b"X-Host: a", host=None), bad),
        case("host/twice-same", must, head(HOST), bad),
        case("host/twice-different", must, head(b"Host: www.example.org"), bad),
        case("host/twice-far-apart", must, head(b"X-A: 1", b"X-B: 2", b"hOST: www.example.org"), bad),
        case("host/twice-one-empty", must, head(b"Host:"), bad),
        case("host/three-times", must, head(HOST, HOST), bad),
        case("host/twice-in-1.0", must, head(b"Host: www.example.org", version=b"HTTP/1.0"), bad),
        case(
            "host/missing-with-body",
            must,
            head(b"Content-Length: 5", method=b"POST", host=None) + b"hello",
            bad,
            reusable=False,
        ),
        case(
            "host/missing-in-1.0",
            "9112 3.2: HTTP/1.0 may come without",
            head(host=None, version=b"HTTP/1.0"),
            forward(Seen()),
            refuse(400, 404, mute=False),
        ),
        case(
            "host/empty",
            "9110 4.2.1: an http URI with an empty host is invalid",
            head(host=b"Host:"),
            forward(Seen()),
            refuse(400, 404, 421, mute=False),
        ),
    ]
    cases += [
        case(f"host/bad-{readable(value)}", must, head(host=b"Host: " + value), bad)
        for value in (
            b"a b",
            b"a\tb",
            b"a/b",
            b"/",
            b"a?b",
            b"a#b",
            b"user@www.example.com",
            b"user:pw@www.example.com",
            b"http://www.example.com",
            b"http://www.example.com/",
            b"www.example.com/",
            b"www.example.com:80x",
            b"www.example.com:x",
            b"www.example.com:-1",
            b"www.example.com:+80",
            b"www.example.com:80:80",
            b"www.example.com: 80",
            b"www.example.com :80",
            b"::1",
            b"[::1",
            b"::1]",
            b"[]",
            b"[::1]x",
            b"[::1]x:80",
            b"[::g]",
            b"[www.example.com]",
            b"a\\b",
            b'"www.example.com"',
            b"<www.example.com>",
            b"a^b",
            b"a|b",
            b"a`b",
            b"a{b}",
            b"%zz",
            b"%",
            b"a\x01b",
            b"a\x7fb",
            b"a\x00b",
            b"\xff",
            "exämple.com".encode(),
            b"www.example.com\xa0",
        )
    ]
    cases += [
        case(
            f"host/comma-{readable(value)}",
            "9110 4.2, 3986 3.2.2: legal in a name, yet two hosts",
            head(host=b"Host: " + value),
            bad,
            forward(Seen()),
        )
        for value in (b"a,b", b"www.example.com,www.example.org", b"www.example.com, www.example.org")[:2]
    ]
    cases += [
        case(
            "host/comma-list",
            must,
            head(host=b"Host: www.example.com, www.example.org"),
            bad,
        ),
        *(
            case(
                f"host/odd-{readable(value)}",
                "3986 3.2: legal syntax",
                head(host=b"Host: " + value),
                forward(Seen()),
                bad,
            )
            for value in (
                b"www.example.com:",
                b"www.example.com:99999",
                b"www.example.com:0",
                b"www.example.com:000080",
                b"a%41b",
                b"a;b",
                b"a!$&'()*+=b",
                b"[v1.a]",
                b"..",
                b".www.example.com",
                b"-",
                b"a" * 300,
            )
        ),
        *(
            case(f"host/good-{readable(value)}", "9110 7.2", head(host=b"Host: " + value), forward(Seen()))
            for value in (
                b"www.example.com:8080",
                b"WWW.EXAMPLE.COM",
                b"www.example.com.",
                b"127.0.0.1",
                b"127.0.0.1:8080",
                b"[::1]",
                b"[::1]:8080",
                b"[2001:db8::192.0.2.1]:80",
                b"localhost",
                b"a",
                b"under_score.example.com",
                b"xn--exmple-cua.com",
                b"a-b.c~d",
                b"  www.example.com\t ",
            )
        ),
        case(
            "host/last-line",
            "9112 3.2: first is good practice, not required",
            head(HOST, host=b"X-A: 1"),
            forward(Seen(has=((b"X-A", b"1"),))),
        ),
        case(
            "host/kept",
            "design 3: the origin sees the Host the client asked for",
            head(host=b"Host: shop.example.com:8443"),
            forward(Seen(has=((b"Host", b"shop.example.com:8443"),))),
            promise=True,
        ),
    ]
    return cases


FIELD_CASES: list[RequestCase] = [*_names(), *_values(), *_folding(), *_repeats(), *_hosts()]
