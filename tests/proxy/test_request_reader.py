"""Clients' bytes: what is read, what is refused with which status, and that no cut of the bytes changes it."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.proxy.memo import HeadMemo
from gateway.proxy.messages import RequestHead
from gateway.proxy.request_reader import ReadLimits, RequestReader
from tests.proxy.reading import Requests, cut, meaning_of, read_requests


def get(*lines: str, target: str = "/", version: str = "1.1", host: str = "Host: shop.localhost") -> bytes:
    """Return the head of a GET with these further lines."""
    return "\r\n".join([f"GET {target} HTTP/{version}", *([host] if host else []), *lines, "", ""]).encode(
        "latin-1"
    )


def post(*lines: str, body: bytes = b"") -> bytes:
    """Return a POST with these further lines."""
    return "\r\n".join(["POST / HTTP/1.1", "Host: shop", *lines, "", ""]).encode("latin-1") + body


REFUSED: dict[str, tuple[bytes, int]] = {
    # RFC 9112 section 2 and 3: lines and the request line
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare LF between fields": (b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400),
    "bare CR in a value": (get("X: a\rb"), 400),
    "NUL in a value": (get("X: a\0b"), 400),
    "NUL in the target": (get(target="/a\0b"), 400),
    "space in the target": (get(target="/a b"), 400),
    "no version": (b"GET /\r\nHost: a\r\n\r\n", 400),
    "high byte in the target": (get(target="/\u00e9"), 400),
    "HTTP/2.0": (get(version="2.0"), 505),
    "HTTP/1.2": (get(version="1.2"), 400),
    "lower-case http": (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", 400),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "lower-case method": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    "fragment": (get(target="/a#b"), 400),
    "relative target": (get(target="a/b"), 400),
    "asterisk with GET": (get(target="*"), 400),
    "other scheme": (get(target="ftp://a/"), 400),
    "user info in the target": (get(target="http://me@a/"), 400),
    "target without host": (get(target="http:///a"), 400),
    # RFC 9112 section 3.2: Host
    "no Host": (get(host=""), 400),
    "two Hosts": (get("Host: a"), 400),
    "two equal Hosts": (get("Host: shop.localhost"), 400),
    "empty Host": (get(host="Host:"), 400),
    "Host with a space": (get(host="Host: a b"), 400),
    "Host with a path": (get(host="Host: a/b"), 400),
    "Host with user info": (get(host="Host: me@a"), 400),
    "Host with a comma": (get(host="Host: a,b"), 400),
    "Host with letters as port": (get(host="Host: a:http"), 400),
    "Host with port 65536": (get(host="Host: a:65536"), 400),
    "Host with two ports": (get(host="Host: a:1:2"), 400),
    "Host with an open bracket": (get(host="Host: [::1"), 400),
    "Host with an umlaut": (get(host="Host: b\u00fccher"), 400),
    # RFC 9112 section 5: fields
    "space before the colon": (get("X : a"), 400),
    "no colon": (get("X a"), 400),
    "empty name": (get(": a"), 400),
    "folded line": (get("X: a", " b"), 400),
    "folded first line": (get(host=" Host: a"), 400),
    "umlaut in a name": (get("\u00fc: a"), 400),
    # RFC 9112 section 6: framing
    "two lengths": (post("Content-Length: 1", "Content-Length: 2", body=b"ab"), 400),
    "two equal lengths": (post("Content-Length: 1", "Content-Length: 1", body=b"a"), 400),
    "length list": (post("Content-Length: 1, 1", body=b"a"), 400),
    "negative length": (post("Content-Length: -1"), 400),
    "length with plus": (post("Content-Length: +1", body=b"a"), 400),
    "length with underscore": (post("Content-Length: 1_0"), 400),
    "length in hex": (post("Content-Length: 0x1", body=b"a"), 400),
    "empty length": (post("Content-Length:"), 400),
    "length beyond 64 bits": (post("Content-Length: 99999999999999999999"), 400),
    "length and chunked": (post("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "chunked and length": (post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"), 400),
    "gzip, chunked": (post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "chunked twice": (post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 501),
    "chunked before gzip": (post("Transfer-Encoding: chunked, gzip"), 400),
    "xchunked": (post("Transfer-Encoding: xchunked"), 400),
    "identity": (post("Transfer-Encoding: identity"), 400),
    "empty coding": (post("Transfer-Encoding:"), 400),
    "quoted chunked": (post('Transfer-Encoding: "chunked"'), 400),
    "Kelvin sign": (post("Transfer-Encoding: chun\u00e2\u0084\u00aaed"), 400),
    "chunked in HTTP/1.0": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # RFC 9112 section 7.1: chunks
    "chunk size with 0x": (post("Transfer-Encoding: chunked", body=b"0x1\r\na\r\n0\r\n\r\n"), 400),
    "chunk size with plus": (post("Transfer-Encoding: chunked", body=b"+1\r\na\r\n0\r\n\r\n"), 400),
    "chunk size with space before": (post("Transfer-Encoding: chunked", body=b" 1\r\na\r\n0\r\n\r\n"), 400),
    "empty chunk size": (post("Transfer-Encoding: chunked", body=b"\r\na\r\n0\r\n\r\n"), 400),
    "chunk size beyond 64 bits": (post("Transfer-Encoding: chunked", body=b"1" + b"0" * 16 + b"\r\n"), 400),
    "chunk longer than its size": (post("Transfer-Encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n"), 400),
    "bare LF behind a chunk size": (post("Transfer-Encoding: chunked", body=b"1\na\r\n0\r\n\r\n"), 400),
    "bare LF behind a chunk": (post("Transfer-Encoding: chunked", body=b"1\r\na\n0\r\n\r\n"), 400),
    "LF in a chunk extension": (post("Transfer-Encoding: chunked", body=b"1;a\nb\r\na\r\n0\r\n\r\n"), 400),
    "length in a trailer": (post("Transfer-Encoding: chunked", body=b"0\r\nContent-Length: 9\r\n\r\n"), 400),
    "NUL in a trailer": (post("Transfer-Encoding: chunked", body=b"0\r\nX: a\0\r\n\r\n"), 400),
}


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "byte by byte"])
def test_what_two_readers_could_read_two_ways_is_refused(data: bytes, status: int, bytewise: bool) -> None:
    """Design 3.1, RFC 9112 sections 2 to 7: refused with a 4xx or 5xx; nothing of it is forwarded."""
    told = read_requests(*(bytes([byte]) for byte in data)) if bytewise else read_requests(data)

    assert told.refused is not None
    if not bytewise:
        assert told.refused in {status, 501} if status == 400 and b"Transfer-Encoding" in data else {status}
    assert told.trailers == []
    assert told.why


def test_a_plain_request() -> None:
    """RFC 9112 section 3: method, target byte for byte, host in lower case without port, fields in order."""
    head = read_requests(
        get("X-B: 2", "x-a:1", "X-B:  3 ", target="/a%2Fb?c=%20", host="Host: Shop.LOCALHOST:8787")
    ).head

    assert (head.method, head.target, head.host) == ("GET", b"/a%2Fb?c=%20", "shop.localhost")
    assert head.authority == b"Shop.LOCALHOST:8787"
    assert [line.rstrip() for line in head.lines] == [b"X-B: 2", b"x-a: 1", b"X-B: 3"]
    assert (head.keep_alive, head.has_body, head.is_http_10, head.path) == (True, False, False, "/a%2Fb")


TARGETS = {
    "path": ("/", "/"),
    "double slash": ("//evil.test/", "//evil.test/"),
    "dots are kept": ("/a/../b/./c", "/a/../b/./c"),
    "percent signs are kept": ("/%zz%", "/%zz%"),
    "query of anything": ("/?a=b&c[]=\"'<>\\^`{|}", "/?a=b&c[]=\"'<>\\^`{|}"),
    "absolute": ("http://api.test/a?b", "/a?b"),
    "absolute without path": ("http://api.test", "/"),
    "absolute with query only": ("http://api.test?b", "/?b"),
    "absolute https": ("https://api.test/", "/"),
    "absolute in upper case": ("HTTP://api.test/", "/"),
}


@pytest.mark.parametrize(("sent", "target"), TARGETS.values(), ids=TARGETS)
def test_targets_pass_byte_for_byte(sent: str, target: str) -> None:
    """RFC 9112 section 3.2: a proxy forwards path and query as they came; reliability.md 1 (no re-quoting)."""
    assert read_requests(get(target=sent)).head.target == target.encode("latin-1")


def test_the_host_of_an_absolute_target_counts() -> None:
    """RFC 9112 section 3.2.2: the target's host counts, ``Host`` is ignored."""
    head = read_requests(get(target="http://Api.test:81/a", host="Host: shop")).head

    assert (head.host, head.authority) == ("api.test", b"Api.test:81")


@pytest.mark.parametrize("target", ["*", "http://shop"])
def test_the_asterisk_of_options(target: str) -> None:
    """RFC 9112 section 3.2.4: asterisk-form, and what an absolute target without path means for OPTIONS."""
    told = read_requests(f"OPTIONS {target} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())

    assert told.head.target == b"*"


HOSTS = {
    "name": ("shop.localhost", "shop.localhost"),
    "upper case": ("SHOP.Localhost", "shop.localhost"),
    "port": ("shop:8787", "shop"),
    "empty port": ("shop:", "shop"),
    "port 65535": ("shop:65535", "shop"),
    "final dot": ("shop.localhost.", "shop.localhost"),
    "final dot and port": ("shop.localhost.:80", "shop.localhost"),
    "IPv4": ("127.0.0.1:8787", "127.0.0.1"),
    "IPv6": ("[::1]", "[::1]"),
    "IPv6 and port": ("[::1]:8787", "[::1]"),
    "underscore": ("my_shop.localhost", "my_shop.localhost"),
}


@pytest.mark.parametrize(("sent", "host"), HOSTS.values(), ids=HOSTS)
def test_the_host_to_route_by(sent: str, host: str) -> None:
    """RFC 9110 section 4.2.3, design 3.2: lower case, no port, no final dot; the version sees it as sent."""
    head = read_requests(get(host=f"Host: {sent}")).head

    assert (head.host, head.authority) == (host, sent.encode())


def test_http_1_0_may_lack_a_host_and_ends_the_connection() -> None:
    """RFC 9112 section 3.2, 9.3: HTTP/1.0 has no ``Host`` and no persistence unless asked for."""
    told = read_requests(b"GET / HTTP/1.0\r\n\r\n")

    assert (told.head.host, told.head.is_http_10, told.head.keep_alive, told.at_last) == ("", True, False, True)
    assert read_requests(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").head.keep_alive is True


KEEP_ALIVE = {
    "silent": ([], True),
    "close": (["Connection: close"], False),
    "Close": (["Connection: Close"], False),
    "keep-alive, close": (["Connection: keep-alive, close"], False),
    "in two lines": (["Connection: x", "Connection: close"], False),
    "keep-alive": (["Connection: keep-alive"], True),
    "empty": (["Connection:"], True),
    "closed": (["Connection: closed"], True),
}


@pytest.mark.parametrize(("lines", "keep_alive"), KEEP_ALIVE.values(), ids=KEEP_ALIVE)
def test_whether_the_connection_goes_on(lines: list[str], keep_alive: bool) -> None:
    """RFC 9112 section 9.3: ``close`` anywhere in the list ends it; after it nothing more is read (9.6)."""
    told = read_requests(get(*lines) + get())

    assert told.heads[0].keep_alive is keep_alive
    assert len(told.heads) == (2 if keep_alive else 1)
    assert told.refused is None


def test_signals_are_gathered_and_forwarded() -> None:
    """Design 3.3, R31, R40, R43, R65: the three signals, several lines joined; versions see them as sent."""
    head = read_requests(
        get(
            'Cloudflare-Workers-Version-Overrides: shop="a"',
            'cloudflare-workers-version-overrides:  api="b" ',
            "Cloudflare-Workers-Version-Key: u1",
            "Cloudflare-Workers-Version-Key: u2",
            "Cloudflare-Workers-Cohort: team",
        )
    ).head

    assert head.overrides == b'shop="a", api="b"'
    assert head.version_key == b"u1, u2"
    assert head.cohort == b"team"
    assert len(head.lines) == 5


def test_private_fields_of_the_gateway_do_not_get_in() -> None:
    """Design 3.5: a client cannot smuggle the gateway's private headers in, in any spelling."""
    names = [
        "Gateway-Object",
        "gateway-version",
        "Gateway_Object",
        "CF-Ray",
        "CF_Connecting_IP",
        "X_Forwarded_For",
    ]

    assert read_requests(get(*(f"{name}: x" for name in names))).head.lines == []


def test_fields_named_by_connection_go() -> None:
    """RFC 9110 section 7.6.1: hop-by-hop fields and those that ``Connection`` names are not forwarded."""
    head = read_requests(
        get(
            "Connection: X-Hop, Host, x-forwarded-for",
            "X-Hop: 1",
            "X-End: 2",
            "Keep-Alive: timeout=5",
            "X-Forwarded-For: 9.9.9.9",
        )
    ).head

    assert head.lines == [b"X-End: 2"]
    assert head.host == "shop.localhost"
    assert head.forwarded_for is None


BODIES = {
    "length": (post("Content-Length: 5", body=b"hello"), b"hello", []),
    "length 0": (post("Content-Length: 0"), None, None),
    "leading zeros": (post("Content-Length: 0005", body=b"hello"), b"hello", []),
    "no body": (post(), None, None),
    "chunked": (post("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), b"hello", []),
    "Chunked": (post("Transfer-Encoding: Chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), b"hello", []),
    "chunks": (post("Transfer-Encoding: chunked", body=b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), b"hello", []),
    "hex": (post("Transfer-Encoding: chunked", body=b"00a\r\n0123456789\r\n0\r\n\r\n"), b"0123456789", []),
    "extension": (post("Transfer-Encoding: chunked", body=b'5;a="b"\r\nhello\r\n0;c\r\n\r\n'), b"hello", []),
    "trailer": (post("Transfer-Encoding: chunked", body=b"0\r\nX-Sum: 1\r\n\r\n"), b"", [b"X-Sum: 1"]),
    "forbidden trailers": (
        post("Transfer-Encoding: chunked", body=b"0\r\nHost: b\r\nCookie: a\r\nGateway-Object: x\r\nX: 1\r\n\r\n"),
        b"",
        [b"X: 1"],
    ),
    "body of an upgrade": (
        post("Connection: upgrade", "Upgrade: x", "Content-Length: 5", body=b"hello"),
        b"hello",
        [],
    ),
    "chunked body of an upgrade": (
        post("Connection: upgrade", "Upgrade: x", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        b"hello",
        [],
    ),
}


@pytest.mark.parametrize(("data", "body", "trailers"), BODIES.values(), ids=BODIES)
def test_bodies(data: bytes, body: bytes | None, trailers: list[bytes] | None) -> None:
    """RFC 9112 sections 6.3, 7.1, RFC 9110 section 6.5.1: framed by length or chunks; the next request follows."""
    told = read_requests(data + get("X-Next: 1"))

    assert told.bodies == ([] if body is None else [body])
    assert told.trailers == ([] if trailers is None else [trailers])
    assert [len(head.lines) for head in told.heads][-1] == 1
    assert len(told.heads) == 2


EXPECTS = {
    "100-continue": (post("Expect: 100-continue", "Content-Length: 5"), True),
    "in upper case": (post("Expect: 100-Continue", "Content-Length: 5"), True),
    "without body": (get("Expect: 100-continue"), False),
    "in HTTP/1.0": (b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", False),
    "something else": (post("Expect: a-pony", "Content-Length: 5"), False),
}


@pytest.mark.parametrize(("data", "expects"), EXPECTS.values(), ids=EXPECTS)
def test_who_waits_for_100(data: bytes, expects: bool) -> None:
    """RFC 9110 section 10.1.1: only a request with a body, from HTTP/1.1, and only for 100-continue."""
    assert read_requests(data).head.expects_continue is expects


UPGRADES = {
    "websocket": (get("Connection: Upgrade", "Upgrade: websocket"), [b"websocket"]),
    "among others": (
        get("Connection: keep-alive, upgrade", "Upgrade: h2c, websocket, foo"),
        [b"websocket", b"foo"],
    ),
    "h2c alone": (get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAA"), []),
    "TLS": (get("Connection: Upgrade", "Upgrade: TLS/1.2"), []),
    "HTTP/2.0": (get("Connection: Upgrade", "Upgrade: HTTP/2.0"), []),
    "not in Connection": (get("Upgrade: websocket"), []),
    "HTTP/1.0": (get("Connection: Upgrade", "Upgrade: websocket", version="1.0"), []),
    "websocket by POST": (post("Connection: Upgrade", "Upgrade: websocket"), []),
}


@pytest.mark.parametrize(("data", "protocols"), UPGRADES.values(), ids=UPGRADES)
def test_what_may_be_tunnelled(data: bytes, protocols: list[bytes]) -> None:
    """RFC 9110 section 7.8, RFC 6455 section 4.1: only what is asked for properly, never another HTTP or TLS."""
    told = read_requests(data)

    assert list(told.head.protocols) == protocols


def test_what_comes_behind_an_upgrade_is_held() -> None:
    """RFC 9110 section 7.8: it belongs to the new protocol if the version switches."""
    told = read_requests(get("Connection: Upgrade", "Upgrade: websocket") + b"\x81\x00", b"\x82\x00")

    assert told.held == b"\x81\x00\x82\x00"


@pytest.mark.parametrize("when", ["from within the sink", "afterwards"])
def test_what_comes_behind_a_refused_upgrade_is_the_next_request(when: str) -> None:
    """RFC 9110 section 7.8: where the protocol is not switched the connection goes on as HTTP."""
    data = get("Connection: Upgrade", "Upgrade: websocket") + get("X-Next: 1")

    class Refusing(Requests):
        def on_request(self, head: RequestHead) -> None:
            super().on_request(head)
            if head.protocols and when == "from within the sink":
                reader.refuse_upgrade()

    told = Refusing()
    reader = RequestReader(told, ReadLimits(), HeadMemo())
    reader.feed(data)
    if when == "afterwards":
        assert len(told.heads) == 1
        reader.refuse_upgrade()

    assert [head.lines for head in told.heads][1:] == [[b"X-Next: 1"]]


SMALL = ReadLimits(head_bytes=1_000, target_bytes=200, framing_bytes=500)
LIMITS = {
    "target too long": (get(target="/" + "a" * 200), 414),
    "target just right": (get(target="/" + "a" * 199), None),
    "one long field": (get("X: " + "a" * 1_000), 431),
    "many fields": (get(*(f"X-{number}: abcdef" for number in range(100))), 431),
    "an endless head": (get()[:-2] + b"X: 1\r\n" * 400, 431),
    "an endless name": (get()[:-2] + b"X" * 2_000, 431),
    "endless empty lines before": (b"\r\n" * 1_000, None),
    "endless chunk extension": (post("Transfer-Encoding: chunked", body=b"1;" + b"a" * 2_000), 400),
    "endless trailers": (post("Transfer-Encoding: chunked", body=b"0\r\n" + b"X: 1\r\n" * 400), 400),
}


@pytest.mark.parametrize(("data", "status"), LIMITS.values(), ids=LIMITS)
def test_heads_targets_and_framing_have_a_limit(data: bytes, status: int | None) -> None:
    """Design 3.1: target 414, head 431; chunk extensions and trailers without end are refused too."""
    told = read_requests(*(data[start : start + 100] for start in range(0, len(data), 100)), limits=SMALL)

    assert told.refused == status


@pytest.mark.parametrize("name", ["X-\u00e9", "\uff21", "X\u00a0"])
def test_names_are_ascii(name: str) -> None:
    """RFC 9110 section 5.1: a field name is a token; letters of other scripts are no letters here."""
    told = read_requests(b"GET / HTTP/1.1\r\nHost: a\r\n" + name.encode() + b": 1\r\n\r\n")

    assert told.refused == 400


# Whatever the bytes.

FRAGMENTS = [
    b"GET / HTTP/1.1\r\n", b"POST /a?b HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"OPTIONS * HTTP/1.1\r\n",
    b"BREW / HTTP/1.1\r\n", b"GET http://a/b HTTP/1.1\r\n", b"CONNECT a:1 HTTP/1.1\r\n", b"GET", b" ", b"/",
    b"HTTP/1.1", b"HTTP/2.0", b"Host: a\r\n", b"Host: [::1]:80\r\n", b"Host: a b\r\n", b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n", b"Connection: close\r\n", b"Connection: upgrade\r\n",
    b"Connection: x, host\r\n", b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n",
    b"TE: trailers\r\n", b"X: 1\r\n", b"Proxy-Connection: close\r\n", b"\r\n", b"\r", b"\n", b"\0", b"\xff",
    b":", b";", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nX: 1\r\n\r\n", b"0\r\n", b"1;a=b\r\nx\r\n", b"\t",
    b"Trailer: X\r\n",
]  # fmt: skip
STREAMS = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=24).map(b"".join)
CUTS = st.lists(st.integers(0, 2_000), max_size=12)


@given(data=STREAMS | st.binary(max_size=200), places=CUTS)
@example(data=b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", places=[1])
@example(data=get("Connection: close") + b"junk", places=[40])
@example(data=post("Connection: upgrade", "Upgrade: x", "Content-Length: 3", body=b"abc") + get(), places=[90])
def test_any_bytes_in_any_pieces_give_one_outcome(data: bytes, places: list[int]) -> None:
    """Design 11: only ``MalformedRequest`` is ever raised, and TCP's cuts mean nothing (RFC 9112 section 2.2)."""
    whole = read_requests(data) if data else read_requests()

    assert read_requests(*cut(data, places)).outcome == whole.outcome


@given(data=STREAMS)
def test_byte_by_byte_gives_the_same_outcome(data: bytes) -> None:
    """Design 11: as above, for the finest cut there is."""
    assert (
        read_requests(*(bytes([byte]) for byte in data)).outcome
        == read_requests(*([data] if data else [])).outcome
    )


@given(first=STREAMS, second=STREAMS, third=STREAMS, places=CUTS)
def test_what_was_read_before_changes_nothing(
    first: bytes, second: bytes, third: bytes, places: list[int]
) -> None:
    """``proxy/memo.py``: nothing comes from memory that would not be read the same again, whatever came before."""
    memo: HeadMemo[RequestHead] = HeadMemo()
    for data in (first, second, third, get(), post(), get("Connection: upgrade", "Upgrade: h2c")):
        for pieces in ([data] if data else [], list(cut(data, places))):
            assert read_requests(*pieces, memo=memo).outcome == read_requests(*pieces).outcome


TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12)
VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20
).map(str.strip)
TARGETS_SENT = ["http://a.b:80/c?d", "https://x"]
LINES = [
    ("Connection", "close"), ("Connection", "keep-alive, x"), ("Cloudflare-Workers-Version-Key", "u1"),
    ("Cloudflare-Workers-Version-Overrides", 'shop="a"'), ("TE", "trailers"), ("Max-Forwards", "3"),
    ("X-Forwarded-For", "1.2.3.4"), ("CDN-Loop", "a; x=1"), ("Expect", "a-pony"), ("X_Forwarded_For", "1"),
]  # fmt: skip


@st.composite
def written_heads(draw: st.DrawFn) -> bytes:
    """Return a head that is right, or nearly so."""
    method = draw(st.sampled_from(["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "PROPFIND", "PURGE"]))
    paths = st.text("abc/?=&%2F.~-+:@", max_size=20).map("/{}".format)
    target = draw(paths | st.sampled_from(TARGETS_SENT))
    host = draw(st.sampled_from(["a", "A.b:80", "[::1]", "127.0.0.1:1", "x."]))
    lines = draw(st.lists(st.tuples(TOKENS, VALUES) | st.sampled_from(LINES), max_size=6))
    start = f"{method} {target} HTTP/{draw(st.sampled_from(['1.1', '1.0']))}"
    fields = [f"{name}: {value}" for name, value in lines]
    return "\r\n".join([start, f"Host: {host}", *fields, "", ""]).encode("latin-1")


def serialised(head: RequestHead) -> bytes:
    """Write a head anew from its parts, as a proxy does, without adding anything of its own."""
    named = [
        (b"Host", head.authority or None), (b"TE", b"trailers" if head.te_trailers else None),
        (b"X-Forwarded-For", head.forwarded_for), (b"CDN-Loop", head.cdn_loop),
        (b"Max-Forwards", head.max_forwards),
        (b"Connection", b"close" if not head.keep_alive else b"keep-alive"),
    ]  # fmt: skip
    version = b"1.0" if head.is_http_10 else b"1.1"
    start = b"%s %s HTTP/%s" % (head.method.encode(), head.target, version)
    lines = [name + b": " + value for name, value in named if value is not None]
    return b"\r\n".join([start, *lines, *head.lines, b"", b""])


@given(data=written_heads())
def test_what_is_accepted_is_accepted_again_with_the_same_meaning(data: bytes) -> None:
    """RFC 9112 section 2.2, design 3.1: whoever reads what we forward must read what we read."""
    told = read_requests(data)
    assume(told.heads)  # most are accepted; else hypothesis itself complains

    again = read_requests(serialised(told.head))

    assert again.refused is None
    assert meaning_of(again.head) == meaning_of(told.head)
