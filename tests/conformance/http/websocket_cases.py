"""WebSocket through the proxy: the upgrade, what is and what is no tunnel, and every byte in it."""

from __future__ import annotations

from tests.conformance.http.cases import BAD, Delivery, RequestCase, ResponseCase, Seen, forward, refuse
from tests.conformance.http.messages import HOST, SMUGGLE, case, chunk, head
from tests.conformance.http.origin import SEEN
from tests.conformance.http.responses_head import BODY, answer
from tests.conformance.http.responses_head import case as response_case
from tests.conformance.http.steps import AwaitAnswers, Close, Dribble, Pause, Reply, Reset, Send, Silence
from tests.conformance.http.tunnels import Ends, How, Move, Says, Side, TunnelCase, Waits

_PATH = b"/ws"
_KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
_ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
_UPGRADE = (b"Upgrade: websocket", b"Connection: Upgrade")
_VERSION = b"Sec-WebSocket-Version: 13"
_LEGAL_CLOSE_CODES = (
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1010,
    1011,
    1012,
    1013,
    1014,
    3000,
    3999,
    4000,
    4999,
)
_ODD_CLOSE_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
_SOURCE = "6455 5: frames pass untouched"


def _asking(
    *lines: bytes, upgrade: tuple[bytes, ...] = _UPGRADE, version: bytes = b"HTTP/1.1", method: bytes = b"GET"
) -> bytes:
    return head(*upgrade, _KEY, _VERSION, *lines, target=_PATH, version=version, method=method)


def _switching(*lines: bytes, upgrade: tuple[bytes, ...] = _UPGRADE) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 101 Switching Protocols", *upgrade, _ACCEPT, *lines)) + b"\r\n\r\n"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = False, reserved: int = 0
) -> bytes:
    """Return one WebSocket frame (RFC 6455 section 5.2); a masked one has the mask 01 02 03 04."""
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    mask_bit = 0x80 if masked else 0
    length = len(payload)
    if length < 126:
        start = bytes((first, mask_bit | length))
    elif length < 1 << 16:
        start = bytes((first, mask_bit | 126)) + length.to_bytes(2, "big")
    else:
        start = bytes((first, mask_bit | 127)) + length.to_bytes(8, "big")
    if not masked:
        return start + payload
    mask = b"\x01\x02\x03\x04"
    whole, rest = divmod(length, 4)
    pad = mask * whole + mask[:rest]
    return start + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(length, "big")


ASKING = _asking()
SWITCHING = _switching()


def _client(data: bytes, **more: bool) -> Says:
    return Says(Side.CLIENT, data, **more)


def _origin(data: bytes, **more: bool) -> Says:
    return Says(Side.ORIGIN, data, **more)


def _closing(payload: bytes, first: Side) -> tuple[Move, ...]:
    """A closing handshake begun by one side; the origin then closes TCP, as a server should."""
    by_client = Says(Side.CLIENT, frame(8, payload, masked=True))
    by_origin = Says(Side.ORIGIN, frame(8, payload))
    both = (by_client, by_origin) if first is Side.CLIENT else (by_origin, by_client)
    return (*both, Ends(Side.ORIGIN, How.CLOSE))


def _talks() -> list[TunnelCase]:
    hello, hello_back = frame(1, b"hello", masked=True), frame(1, b"hello")
    big = bytes(range(256)) * 4096
    huge = b"0123456789abcdef" * 65_536 * 3
    fragments = (
        frame(1, b"one ", fin=False),
        frame(0, b"two ", fin=False),
        frame(9, b"ping"),
        frame(0, b"three"),
    )
    asking, switching = _asking(), _switching()

    def talk(name: str, *moves: Move, source: str = _SOURCE, promise: bool = False) -> TunnelCase:
        return TunnelCase(f"tunnel/{name}", source, asking, switching, moves, promise=promise)

    cases = [
        talk("echo", _client(hello), _origin(hello_back)),
        talk("origin-first", _origin(hello_back), _client(hello)),
        talk("only-opened"),
        talk(
            "binary-of-every-byte",
            _client(frame(2, bytes(range(256)), masked=True)),
            _origin(frame(2, bytes(range(256)))),
        ),
        talk("empty-messages", _client(frame(1, masked=True)), _origin(frame(1)), _origin(frame(2))),
        talk(
            "utf-8",
            _client(frame(1, "Grüße \U0001f600".encode(), masked=True)),
            _origin(frame(1, "Grüße \U0001f600".encode())),
        ),
        talk("payload-125", _origin(frame(2, b"x" * 125)), _client(frame(2, b"x" * 125, masked=True))),
        talk("payload-126", _origin(frame(2, b"x" * 126)), _client(frame(2, b"x" * 126, masked=True))),
        talk("payload-65535", _origin(frame(2, b"x" * 65_535)), _client(frame(2, b"x" * 65_535, masked=True))),
        talk("payload-65536", _origin(frame(2, b"x" * 65_536)), _client(frame(2, b"x" * 65_536, masked=True))),
        talk("payload-of-a-megabyte", _origin(frame(2, big)), _client(frame(2, big, masked=True))),
        talk(
            "three-megabytes-both-ways-at-once",
            _origin(frame(2, huge), awaited=False),
            _client(frame(2, huge, masked=True), awaited=False),
        ),
        talk("fragments-one-by-one", *(_origin(each) for each in fragments)),
        talk("fragments-in-one-segment", _origin(b"".join(fragments))),
        talk(
            "fragments-from-client",
            _client(frame(2, b"a", fin=False, masked=True)),
            _client(frame(0, b"b", masked=True)),
        ),
        talk("ping-pong-by-client", _client(frame(9, b"p", masked=True)), _origin(frame(10, b"p"))),
        talk("ping-pong-by-origin", _origin(frame(9, b"p" * 125)), _client(frame(10, b"p" * 125, masked=True))),
        talk("unasked-pong", _origin(frame(10)), _client(frame(10, masked=True))),
        talk(
            "hundred-small-messages",
            *(move for _ in range(100) for move in (_client(hello), _origin(hello_back))),
        ),
        talk("many-in-one-segment", _client(hello * 1000), _origin(hello_back * 1000)),
        talk("byte-by-byte", Says(Side.CLIENT, hello * 3, 1), Says(Side.ORIGIN, hello_back * 3, 1)),
        talk("quiet-then-message", Waits(0.25), _origin(hello_back), Waits(0.05), _client(hello)),
        talk(
            "compressed-bits",
            _origin(frame(1, b"\xcaH\xcd\xc9\xc9\x07\x00", reserved=4)),
            source="7692 6: reserved bits are the ends' affair",
        ),
        talk(
            "http-inside",
            _client(SMUGGLE),
            _origin(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            source="9110 7.8: behind 101 the bytes are no HTTP",
        ),
        talk(
            "chunks-inside",
            _client(b"5\r\nhello\r\n0\r\n\r\n"),
            _origin(b"0\r\n\r\n"),
            source="9110 7.8: behind 101 the bytes are no HTTP",
        ),
        talk(
            "newlines-inside",
            _client(b"\r\n\r\n"),
            _origin(b"\r\n"),
            source="9110 7.8: behind 101 the bytes are no HTTP",
        ),
        talk(
            "zeros-inside",
            _client(b"\x00" * 1000),
            _origin(b"\x00" * 1000),
            source="9110 7.8: the bytes are opaque",
        ),
    ]
    for code in _LEGAL_CLOSE_CODES:
        payload = code.to_bytes(2, "big") + b"bye"
        cases += [
            talk(
                f"close-{code}-by-{side.value}",
                *_closing(payload, side),
                source="6455 7.4: the close code reaches the other side",
            )
            for side in Side
        ]
    transparent = "design 3: the tunnel judges no frames; that is the ends' affair"
    for code in _ODD_CLOSE_CODES:
        cases += [
            talk(
                f"odd-close-{code}-by-{side.value}",
                *_closing(code.to_bytes(2, "big"), side),
                source=transparent,
                promise=True,
            )
            for side in Side
        ]
    cases += [
        talk(f"odd-{name}", _client(by_client), _origin(by_origin), source=transparent, promise=True)
        for name, by_client, by_origin in (
            ("reserved-opcode-3", frame(3, b"x", masked=True), frame(3, b"x")),
            ("reserved-opcode-15", frame(15, b"x", masked=True), frame(15, b"x")),
            ("reserved-bits", frame(1, b"x", masked=True, reserved=7), frame(1, b"x", reserved=7)),
            ("unmasked-client-masked-origin", frame(1, b"x"), frame(1, b"x", masked=True)),
            ("fragmented-ping", frame(9, b"x", fin=False, masked=True), frame(9, b"x", fin=False)),
            ("ping-of-200-bytes", frame(9, b"x" * 200, masked=True), frame(9, b"x" * 200)),
            ("continuation-first", frame(0, b"x", masked=True), frame(0, b"x")),
            ("broken-utf-8", frame(1, b"\xff\xc3", masked=True), frame(1, b"\xff\xc3")),
            ("close-of-one-byte", frame(8, b"\x03", masked=True), frame(8, b"\x03")),
            ("long-form-of-short-length", b"\x81\xfe\x00\x01\x00\x00\x00\x00x", b"\x81\x7e\x00\x01x"),
            ("length-with-top-bit", b"\x82\xff" + b"\xff" * 8, b"\x82\x7f" + b"\xff" * 8),
            ("half-a-frame", b"\x81", b"\x81\x05he"),
            ("bytes-behind-close", frame(8, masked=True) + b"more", frame(8) + b"more"),
        )
    ]
    cases += [
        talk(
            f"close-without-code-by-{side.value}",
            *_closing(b"", side),
            source="6455 5.5.1: a close frame may be empty",
        )
        for side in Side
    ]
    cases += [
        talk(
            "close-with-longest-reason",
            *_closing((1000).to_bytes(2, "big") + b"r" * 123, Side.ORIGIN),
            source="6455 5.5: control frames hold up to 125 bytes",
        ),
        talk(
            "close-frame-and-fin-together",
            _origin(frame(8, b"\x03\xe8")),
            Ends(Side.ORIGIN, How.CLOSE),
            source="6455 7.1.1",
        ),
        talk(
            "messages-then-close",
            _origin(hello_back * 500, awaited=False),
            Ends(Side.ORIGIN, How.CLOSE),
            source="9293 3.6: what was sent before FIN arrives",
        ),
        talk(
            "messages-then-close-by-client",
            _client(hello * 500, awaited=False),
            Ends(Side.CLIENT, How.CLOSE),
            source="9293 3.6: what was sent before FIN arrives",
        ),
        talk(
            "megabyte-then-close",
            _origin(frame(2, big)),
            Ends(Side.ORIGIN, How.CLOSE),
            source="9293 3.6: what was sent before FIN arrives",
        ),
        talk(
            "closed-at-once-by-origin",
            Ends(Side.ORIGIN, How.CLOSE),
            source="6455 7.1.1: an end reaches the other side",
        ),
        talk(
            "closed-at-once-by-client",
            Ends(Side.CLIENT, How.CLOSE),
            source="6455 7.1.1: an end reaches the other side",
        ),
        talk(
            "reset-by-origin",
            _origin(hello_back),
            Ends(Side.ORIGIN, How.RESET),
            source="6455 7.1.5: an end reaches the other side",
        ),
        talk(
            "reset-by-client",
            _client(hello),
            Ends(Side.CLIENT, How.RESET),
            source="6455 7.1.5: an end reaches the other side",
        ),
        talk(
            "half-close-by-client",
            _client(hello),
            Ends(Side.CLIENT, How.FIN),
            source="6455 7.1.1: an end reaches the other side",
        ),
        talk(
            "half-close-by-origin",
            _origin(hello_back),
            Ends(Side.ORIGIN, How.FIN),
            source="6455 7.1.1: an end reaches the other side",
        ),
        talk(
            "half-close-by-client-then-answer",
            _client(hello),
            Ends(Side.CLIENT, How.FIN),
            _origin(hello_back),
            Ends(Side.ORIGIN, How.CLOSE),
            source="design 3: half-close works",
            promise=True,
        ),
        talk(
            "half-close-by-origin-then-answer",
            _origin(hello_back),
            Ends(Side.ORIGIN, How.FIN),
            _client(hello),
            Ends(Side.CLIENT, How.CLOSE),
            source="design 3: half-close works",
            promise=True,
        ),
    ]
    return cases


def _handshakes() -> list[TunnelCase]:
    hello, hello_back = frame(1, b"hello", masked=True), frame(1, b"hello")
    moves = (_client(hello), _origin(hello_back))
    opening = "6455 4, 9110 7.8"

    def shake(
        name: str,
        request: bytes = _asking(),
        reply: bytes = _switching(),
        *,
        source: str = opening,
        asked: tuple[tuple[bytes, bytes], ...] = (),
        told: tuple[tuple[bytes, bytes], ...] = (),
        may_refuse: bool = False,
        behind_request: bytes = b"",
        behind_answer: bytes = b"",
    ) -> TunnelCase:
        return TunnelCase(
            f"handshake/{name}",
            source,
            request,
            reply,
            moves,
            behind_request=behind_request,
            behind_answer=behind_answer,
            asked=asked,
            told=told,
            may_refuse=may_refuse,
        )

    def pair(line: bytes) -> tuple[bytes, bytes]:
        name, _, value = line.partition(b": ")
        return name, value

    protocol = b"Sec-WebSocket-Protocol: chat, superchat"
    extension = b'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-foo; a="b"'
    cookies = (b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2, 3")
    return [
        shake("plain", asked=(pair(_KEY), pair(_VERSION)), told=(pair(_ACCEPT),)),
        shake(
            "subprotocol",
            _asking(protocol),
            _switching(b"Sec-WebSocket-Protocol: superchat"),
            source="6455 1.9: the subprotocol passes",
            asked=(pair(protocol),),
            told=((b"Sec-WebSocket-Protocol", b"superchat"),),
        ),
        shake(
            "subprotocols-on-two-lines",
            _asking(b"Sec-WebSocket-Protocol: a", b"Sec-WebSocket-Protocol: b"),
            source="6455 11.3.4: may come on several lines",
            asked=((b"Sec-WebSocket-Protocol", b"a"), (b"Sec-WebSocket-Protocol", b"b")),
        ),
        shake(
            "extensions",
            _asking(extension),
            _switching(b"Sec-WebSocket-Extensions: permessage-deflate"),
            source="6455 9.1: extensions pass",
            asked=(pair(extension),),
            told=((b"Sec-WebSocket-Extensions", b"permessage-deflate"),),
        ),
        shake(
            "other-fields-pass",
            _asking(b"Origin: http://www.example.com", b"Cookie: a=1", b"Authorization: Basic eA==", b"X-A: 1"),
            _switching(*cookies, b"X-B: 2"),
            asked=(
                (b"Origin", b"http://www.example.com"),
                (b"Cookie", b"a=1"),
                (b"Authorization", b"Basic eA=="),
                (b"X-A", b"1"),
            ),
            told=(*(pair(cookie) for cookie in cookies), (b"X-B", b"2")),
        ),
        shake(
            "upgrade-in-mixed-case",
            _asking(upgrade=(b"Upgrade: WebSocket", b"Connection: upgrade")),
            source="6455 4.2.1: case-insensitive",
        ),
        shake(
            "upgrade-in-capitals",
            _asking(upgrade=(b"UPGRADE: WEBSOCKET", b"CONNECTION: UPGRADE")),
            source="6455 4.2.1: case-insensitive",
        ),
        shake("answer-in-capitals", reply=_switching(upgrade=(b"UPGRADE: WebSocket", b"CONNECTION: UPGRADE"))),
        shake("connection-list", _asking(upgrade=(b"Upgrade: websocket", b"Connection: keep-alive, Upgrade"))),
        shake(
            "connection-list-reversed",
            _asking(upgrade=(b"Connection: Upgrade,keep-alive", b"Upgrade: websocket")),
        ),
        shake(
            "connection-two-lines",
            _asking(upgrade=(b"Connection: keep-alive", b"Upgrade: websocket", b"Connection: Upgrade")),
        ),
        shake(
            "connection-names-more",
            _asking(b"X-Hop: 1", upgrade=(b"Connection: Upgrade, X-Hop", b"Upgrade: websocket")),
        ),
        shake(
            "other-version",
            _asking().replace(b"Version: 13", b"Version: 8"),
            asked=((b"Sec-WebSocket-Version", b"8"),),
        ),
        shake("target-kept", _asking().replace(_PATH, _PATH + b"/a%2Fb?c=%20&d=//"), source="9112 3.2.1"),
        shake("wrong-accept-passes-or-is-refused", reply=_switching().replace(b"s3pP", b"xxxx"), may_refuse=True),
        shake(
            "no-accept-passes-or-is-refused",
            reply=_switching().replace(_ACCEPT + b"\r\n", b""),
            may_refuse=True,
        ),
        shake("no-key-passes-or-is-refused", _asking().replace(_KEY + b"\r\n", b""), may_refuse=True),
        shake(
            "reason-other",
            reply=_switching().replace(b"Switching Protocols", b"Web Socket Protocol Handshake"),
        ),
        shake("reason-empty", reply=_switching().replace(b"Switching Protocols", b"")),
        shake(
            "answer-with-length-zero",
            reply=_switching(b"Content-Length: 0"),
            source="9110 8.6: no Content-Length in 1xx",
            may_refuse=True,
        ),
        shake("frame-behind-answer", behind_answer=hello_back, source="6455 4.2.2: the server may send at once"),
        shake(
            "many-frames-behind-answer",
            behind_answer=hello_back * 2000,
            source="6455 4.2.2: the server may send at once",
        ),
        shake(
            "frame-behind-request",
            behind_request=hello,
            source="6455 4.1: early, yet never lost or read as HTTP",
            may_refuse=True,
        ),
        shake(
            "frames-behind-both",
            behind_request=hello * 3,
            behind_answer=hello_back * 3,
            source="6455 4.1",
            may_refuse=True,
        ),
        shake(
            "http-behind-request",
            behind_request=SMUGGLE,
            source="6455 4.1: early, yet never lost or read as HTTP",
            may_refuse=True,
        ),
        TunnelCase(
            "handshake/behind-plain-requests",
            opening,
            _asking(),
            _switching(),
            moves,
            before=(head(target=b"/a"), head(target=b"/b")),
        ),
        TunnelCase(
            "handshake/request-byte-by-byte", opening, _asking(), _switching(), moves, request_piece_bytes=1
        ),
        TunnelCase("handshake/answer-byte-by-byte", opening, _asking(), _switching(), moves, answer_piece_bytes=1),
        TunnelCase(
            "handshake/answer-and-frames-in-pieces",
            opening,
            _asking(),
            _switching(),
            moves,
            behind_answer=hello_back * 5,
            answer_piece_bytes=10,
        ),
        TunnelCase(
            "handshake/early-hints-first",
            "9110 15.2, 7.8",
            _asking(),
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + _switching(),
            moves,
            may_refuse=True,
        ),
    ]


def _refusals() -> list[RequestCase | ResponseCase]:
    """Answers to an upgrade that open no tunnel."""
    asked = (Send(_asking()),)
    rule = "6455 4.2.2, 9110 7.8: another answer than 101 is an ordinary one"
    cases: list[RequestCase | ResponseCase] = [
        response_case(
            f"refusal/{status}",
            rule,
            answer(*lines, status=b"HTTP/1.1 %d No" % status),
            Delivery(frozenset({status}), BODY, has=tuple(_pair(line) for line in lines)),
            steps=asked,
            most=1,
        )
        for status, lines in (
            (400, ()),
            (401, (b'WWW-Authenticate: Basic realm="a"',)),
            (403, (b"X-A: 1",)),
            (404, ()),
            (426, (b"Sec-WebSocket-Version: 13, 8",)),
            (429, (b"Retry-After: 5",)),
            (500, (b"X-A: 1",)),
            (503, (b"Retry-After: 5",)),
            (302, (b"Location: /login",)),
            (200, (b"X-A: 1",)),
        )
    ]
    cases += [
        response_case(
            "refusal/426-with-upgrade-field",
            "9110 15.5.22: 426 says what to upgrade to",
            answer(b"Connection: upgrade", b"Upgrade: websocket", status=b"HTTP/1.1 426 Upgrade"),
            Delivery(frozenset({426}), BODY),
            steps=asked,
        ),
        response_case(
            "refusal/chunked",
            rule,
            answer(
                b"Transfer-Encoding: chunked",
                status=b"HTTP/1.1 403 No",
                body=chunk(BODY) + b"0\r\n\r\n",
                length=False,
            ),
            Delivery(frozenset({403}), BODY),
            steps=asked,
        ),
        response_case(
            "refusal/until-close",
            rule,
            (Send(answer(b"Connection: close", status=b"HTTP/1.1 403 No", length=False)), Close()),
            Delivery(frozenset({403}), BODY),
            steps=asked,
        ),
        response_case(
            "refusal/204",
            rule,
            answer(status=b"HTTP/1.1 204 No", body=b"", length=False),
            Delivery(frozenset({204}), b""),
            steps=asked,
        ),
        response_case(
            "refusal/byte-by-byte",
            rule,
            (Dribble(answer(status=b"HTTP/1.1 403 No")),),
            Delivery(frozenset({403}), BODY),
            steps=asked,
        ),
        response_case("refusal/closed-without-answer", "9110 15.6.3", (Close(),), BAD, steps=asked, may_end=True),
        response_case("refusal/reset-without-answer", "9110 15.6.3", (Reset(),), BAD, steps=asked, may_end=True),
        response_case("refusal/junk", "9110 15.6.3", (Send(b"MARKED junk\r\n\r\n"), Close()), BAD, steps=asked),
        response_case(
            "refusal/cut",
            "9112 8: a cut answer must not look whole",
            (Send(answer(b"Content-Length: 100", status=b"HTTP/1.1 403 No", length=False)), Close()),
            Delivery(frozenset({403}), BODY, cut=True),
            BAD,
            steps=asked,
            may_end=True,
            truncated=True,
        ),
        response_case(
            "refusal/stale-bytes-behind",
            "9112 6.3: bytes behind an answer answer nobody",
            (Send(answer(status=b"HTTP/1.1 403 No") + b"STALE STALE"),),
            Delivery(frozenset({403}), BODY),
            steps=(*asked, AwaitAnswers(1), Pause(0.05)),
        ),
    ]
    refused = Reply((Send(b"HTTP/1.1 403 No\r\nX-Seen: " + SEEN + b"\r\nContent-Length: 2\r\n\r\nno"),))
    seen_upgrade = Seen(targets=(_PATH,))
    next_seen = Seen(targets=(b"/next",))
    behind = "9112 9.3.2: behind a refused upgrade the next bytes are a request"
    cases += [
        case(
            "refusal/request-behind-in-one-segment",
            behind,
            _asking() + head(target=b"/next"),
            forward(seen_upgrade, next_seen),
            forward(seen_upgrade, ends=True),
            refuse(after=(seen_upgrade,)),
            replies=(refused, Reply()),
            most=2,
        ),
        case(
            "refusal/request-behind-later",
            behind,
            (Send(_asking()), AwaitAnswers(1), Send(head(target=b"/next"))),
            forward(seen_upgrade, next_seen),
            forward(seen_upgrade, ends=True),
            replies=(refused, Reply()),
        ),
        case(
            "refusal/body-behind-later",
            behind,
            (
                Send(_asking()),
                AwaitAnswers(1),
                Send(head(b"Content-Length: 5", method=b"POST", target=b"/next") + b"hello"),
            ),
            forward(seen_upgrade, Seen(b"POST", (b"/next",), b"hello")),
            forward(seen_upgrade, ends=True),
            replies=(refused, Reply()),
            methods=(b"GET", b"POST"),
        ),
        case(
            "refusal/frame-behind-in-one-segment",
            "9112 9.3.2: a frame is no request; never passed on raw",
            _asking() + frame(1, b"hello", masked=True),
            refuse(after=(seen_upgrade,)),
            forward(seen_upgrade, ends=True),
            forward(seen_upgrade),
            replies=(refused,),
            methods=(b"GET", b"GET"),
            patience=0.3,
            reusable=False,
        ),
        case(
            "refusal/second-upgrade-behind",
            behind,
            (Send(_asking()), AwaitAnswers(1), Send(_asking())),
            forward(seen_upgrade, seen_upgrade),
            forward(seen_upgrade, ends=True),
            replies=(refused, refused),
        ),
    ]
    return cases


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b": ")
    return name, value


def _no_tunnels() -> list[RequestCase | ResponseCase]:
    """Requests and answers that look like an upgrade and are none."""
    asked = (Send(_asking()),)
    wrong = "9110 7.8, 15.2.2: not the switch that was asked for: no tunnel"

    def answered(
        name: str,
        sent: bytes,
        source: str = wrong,
        steps: tuple[Send, ...] = asked,
        *,
        method: bytes = b"GET",
        promise: bool = False,
    ) -> ResponseCase:
        return response_case(
            f"no-tunnel/{name}",
            source,
            (Send(sent + b"MARKED-TUNNEL"), Silence()),
            BAD,
            steps=steps,
            method=method,
            may_end=True,
            most=2,
            promise=promise,
        )

    cases: list[RequestCase | ResponseCase] = [
        answered("101-without-upgrade", _switching(upgrade=(b"Connection: Upgrade",))),
        answered("101-empty-upgrade", _switching(upgrade=(b"Connection: Upgrade", b"Upgrade:"))),
        answered("101-other-protocol", _switching(upgrade=(b"Connection: Upgrade", b"Upgrade: h2c"))),
        answered("101-unknown-protocol", _switching(upgrade=(b"Connection: Upgrade", b"Upgrade: foo/1"))),
        answered("101-protocol-look-alike", _switching(upgrade=(b"Connection: Upgrade", b"Upgrade: websocketx"))),
        answered(
            "101-two-protocols",
            _switching(upgrade=(b"Connection: Upgrade", b"Upgrade: h2c", b"Upgrade: foo")),
        ),
        answered("101-bad-field", _switching(b"X-A\x00: 1"), "9112 5"),
        answered("101-in-1.0", _switching().replace(b"HTTP/1.1", b"HTTP/1.0"), "9110 15.2: HTTP/1.0 knows no 1xx"),
        answered("101-unasked", _switching(), steps=(Send(head(target=_PATH)),)),
        answered(
            "101-for-upgrade-not-in-connection",
            _switching(),
            "9110 7.8: without Connection: upgrade nothing was asked for",
            steps=(Send(_asking(upgrade=(b"Upgrade: websocket",))),),
        ),
        answered(
            "101-for-connection-without-upgrade",
            _switching(),
            "9110 7.8: without Upgrade nothing was asked for",
            steps=(Send(_asking(upgrade=(b"Connection: Upgrade",))),),
        ),
        answered(
            "101-for-h2c",
            _switching(upgrade=(b"Connection: Upgrade", b"Upgrade: h2c")),
            "9113 3.1: h2c is not for this hop to tunnel",
            steps=(
                Send(
                    _asking(
                        b"HTTP2-Settings: AAMAAABkAAQAAP__",
                        upgrade=(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"),
                    )
                ),
            ),
            promise=True,
        ),
        answered(
            "101-for-tls",
            _switching(upgrade=(b"Connection: Upgrade", b"Upgrade: TLS/1.0")),
            "9110 7.8: a protocol the proxy does not know is not tunnelled",
            steps=(Send(_asking(upgrade=(b"Upgrade: TLS/1.0", b"Connection: Upgrade"))),),
            promise=True,
        ),
        answered(
            "101-in-1.0-request",
            _switching(),
            "9110 7.8: Upgrade in HTTP/1.0 is ignored",
            steps=(Send(_asking(version=b"HTTP/1.0")),),
        ),
        answered(
            "101-for-HEAD",
            _switching(),
            "6455 4.1: the handshake is a GET",
            steps=(Send(_asking(method=b"HEAD")),),
            method=b"HEAD",
        ),
    ]
    # A proxy may pass on other versions of HTTP; we do not, since requests inside would meet no decision.
    ours = ("h2c", "h2c-in-capitals", "empty")
    not_switched = "9110 7.8: not passed on as an upgrade, or refused"
    plain = Seen(targets=(_PATH,), lacks=(b"Upgrade",))
    cases += [
        case(f"no-upgrade/{name}", source, sent, *outcomes, promise=name in ours)
        for name, source, sent, outcomes in (
            (
                "h2c",
                not_switched,
                _asking(upgrade=(b"Upgrade: h2c", b"Connection: Upgrade")),
                (forward(plain), refuse()),
            ),
            (
                "h2c-in-capitals",
                not_switched,
                _asking(upgrade=(b"Upgrade: H2C", b"Connection: Upgrade")),
                (forward(plain), refuse()),
            ),
            (
                "empty",
                not_switched,
                _asking(upgrade=(b"Upgrade:", b"Connection: Upgrade")),
                (forward(plain), refuse()),
            ),
            (
                "not-in-connection",
                not_switched,
                _asking(upgrade=(b"Upgrade: websocket",)),
                (forward(plain), refuse()),
            ),
            (
                "connection-close",
                not_switched,
                _asking(upgrade=(b"Upgrade: websocket", b"Connection: close")),
                (forward(plain, ends=True), refuse()),
            ),
            (
                "in-1.0",
                "9110 7.8: Upgrade in HTTP/1.0 is ignored",
                _asking(version=b"HTTP/1.0"),
                (forward(plain), refuse()),
            ),
            (
                "in-1.0-keep-alive",
                "9110 7.8: Upgrade in HTTP/1.0 is ignored",
                _asking(version=b"HTTP/1.0", upgrade=(b"Upgrade: websocket", b"Connection: Upgrade, keep-alive")),
                (forward(plain), refuse()),
            ),
        )
    ]
    only_websocket = Seen(targets=(_PATH,), matches=((b"Upgrade", rb"(?i:websocket)?"),))
    several = "9110 7.8: of several protocols at most the one we tunnel is passed on"
    cases += [
        case(
            f"no-upgrade/{name}",
            several,
            _asking(upgrade=lines),
            forward(only_websocket),
            refuse(),
            promise=True,
        )
        for name, lines in (
            ("websocket-and-h2c", (b"Upgrade: websocket, h2c", b"Connection: Upgrade")),
            ("h2c-and-websocket", (b"Upgrade: h2c, websocket", b"Connection: Upgrade")),
            ("two-lines", (b"Upgrade: websocket", b"Upgrade: h2c", b"Connection: Upgrade")),
            ("with-empty-members", (b"Upgrade: ,websocket,", b"Connection: Upgrade")),
        )
    ]
    body = "6455 4.1: a handshake has no body; it stays the request's body or is refused"
    for name, lines, sent, content in (
        ("length", (b"Content-Length: 5",), b"hello", b"hello"),
        ("length-like-a-request", (b"Content-Length: %d" % len(SMUGGLE),), SMUGGLE, SMUGGLE),
        ("chunks", (b"Transfer-Encoding: chunked",), chunk(SMUGGLE) + b"0\r\n\r\n", SMUGGLE),
        ("length-zero", (b"Content-Length: 0",), b"", b""),
    ):
        cases.append(
            case(
                f"no-upgrade/body-by-{name}",
                body,
                _asking(*lines) + sent,
                forward(Seen(targets=(_PATH,), body=content)),
                refuse(),
            )
        )
    cases += [
        case(
            "no-upgrade/POST",
            "6455 4.1: the handshake is a GET",
            _asking(b"Content-Length: 5", method=b"POST") + b"hello",
            forward(Seen(b"POST", (_PATH,), b"hello")),
            refuse(),
        ),
        case(
            "no-upgrade/two-lengths",
            "9112 6.3: framing comes first",
            _asking(b"Content-Length: 5", b"Content-Length: 6") + b"hello" + SMUGGLE,
            refuse(ends=True),
        ),
        case(
            "no-upgrade/without-host",
            "9112 3.2",
            _asking().replace(HOST + b"\r\n", b""),
            refuse(400, mute=False),
        ),
        case(
            "no-upgrade/pipelined-behind-without-waiting",
            "9112 9.3.2",
            head(target=b"/first")
            + _asking(upgrade=(b"Upgrade: h2c", b"Connection: Upgrade"))
            + head(target=b"/last"),
            forward(Seen(targets=(b"/first",)), plain, Seen(targets=(b"/last",))),
            refuse(after=(Seen(targets=(b"/first",)),)),
            promise=True,
        ),
    ]
    return cases


UPGRADE_CASES: list[RequestCase | ResponseCase] = [*_refusals(), *_no_tunnels()]
TUNNEL_CASES: list[TunnelCase] = [*_talks(), *_handshakes()]
