"""Fields: what is added, kept and stripped, in and out."""

from __future__ import annotations

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.decision import IgnoredSignal, Reason, Signal
from gateway.model.deployment import DeploymentId
from gateway.model.version import WorkerName
from gateway.proxy.headers import (
    DecisionHeaders,
    Field,
    ResponseField,
    allowed_trailers,
    list_members,
    offered_protocols,
    one_hop_fewer,
    request_field,
    response_field,
    sf_string,
    visitor_line,
    without_fields,
)
from tests.model.examples import A, version

REQUEST = {
    b"Accept": Field.PASS,
    b"Host": Field.HOST,
    b"HOST": Field.HOST,
    b"Connection": Field.CONNECTION,
    b"Content-Length": Field.CONTENT_LENGTH,
    b"Transfer-Encoding": Field.TRANSFER_ENCODING,
    b"Upgrade": Field.UPGRADE,
    b"Expect": Field.EXPECT,
    b"TE": Field.TE,
    b"Max-Forwards": Field.MAX_FORWARDS,
    b"Cloudflare-Workers-Version-Overrides": Field.OVERRIDES,
    b"Cloudflare-Workers-Version-Key": Field.VERSION_KEY,
    b"Cloudflare-Workers-Cohort": Field.COHORT,
    b"X-Forwarded-For": Field.FORWARDED_FOR,
    b"CDN-Loop": Field.CDN_LOOP,
    b"Keep-Alive": Field.DROP,
    b"Proxy-Connection": Field.DROP,
    b"Proxy-Authorization": Field.DROP,
    b"HTTP2-Settings": Field.DROP,
    b"CF-Ray": Field.RAY,
    b"cf-connecting-ip": Field.DROP,
    b"CF-Visitor": Field.DROP,
    b"CF-IPCountry": Field.DROP,
    b"X-Forwarded-Proto": Field.DROP,
    b"Gateway-Object": Field.DROP,
    b"GATEWAY-anything": Field.DROP,
    b"gateway_object": Field.DROP,
    b"CF_Connecting_IP": Field.DROP,
    b"X_Forwarded-For": Field.DROP,
    b"Content_Length": Field.DROP,
    b"Transfer_Encoding": Field.DROP,
    b"cloudflare_workers_version_key": Field.DROP,
    b"Gateway": Field.PASS,
    b"X-Gateway-Object": Field.DROP,
    b"My_Header": Field.PASS,
    b"Hosts": Field.PASS,
    b"Cookie": Field.PASS,
    b"Authorization": Field.PASS,
    b"Via": Field.PASS,
}


@pytest.mark.parametrize(("name", "kind"), REQUEST.items(), ids=[name.decode() for name in REQUEST])
def test_what_becomes_of_a_request_field(name: bytes, kind: Field) -> None:
    """Design 3.5, RFC 9110 section 7.6.1: hop-by-hop and the gateway's own go, also with ``_`` read as ``-``."""
    assert request_field(name) is kind


RESPONSE = {
    b"Content-Type": ResponseField.PASS,
    b"Set-Cookie": ResponseField.PASS,
    b"Connection": ResponseField.CONNECTION,
    b"content-length": ResponseField.CONTENT_LENGTH,
    b"Transfer-Encoding": ResponseField.TRANSFER_ENCODING,
    b"Upgrade": ResponseField.UPGRADE,
    b"Date": ResponseField.DATE,
    b"Keep-Alive": ResponseField.DROP,
    b"Proxy-Connection": ResponseField.DROP,
    b"Proxy-Authenticate": ResponseField.DROP,
    b"TE": ResponseField.DROP,
    b"CF-Ray": ResponseField.DROP,
    b"Gateway-Version": ResponseField.DROP,
    b"gateway-decision": ResponseField.DROP,
    b"Gateway-Error": ResponseField.DROP,
    b"WWW-Authenticate": ResponseField.PASS,
}


@pytest.mark.parametrize(("name", "kind"), RESPONSE.items(), ids=[name.decode() for name in RESPONSE])
def test_what_becomes_of_an_answers_field(name: bytes, kind: ResponseField) -> None:
    """Design 3.6: only the gateway says ``Gateway-Version``, so that nobody is told a wrong one."""
    assert response_field(name) is kind


LISTS = {
    b"": [],
    b"close": [b"close"],
    b"Keep-Alive,  Close ": [b"keep-alive", b"close"],
    b" , ,a,": [b"a"],
    b"\ta\t,\tb": [b"a", b"b"],
    b"a b": [b"a b"],
    b"\x0ba,\xa0b": [b"\x0ba", b"\xa0b"],
}


@pytest.mark.parametrize(("value", "members"), LISTS.items())
def test_lists_are_cut_at_commas_and_ascii_white_space_only(value: bytes, members: list[bytes]) -> None:
    """RFC 9110 section 5.6.1, reliability.md 2: no vertical tab, no no-break space."""
    assert list_members(value) == members


def test_connection_cannot_take_away_what_frames_or_routes_a_message() -> None:
    """RFC 9110 section 7.6.1: ``Connection: host, content-length`` must not leave a request without them."""
    lines = [b"Host: a", b"content-length: 1", b"Transfer-Encoding: chunked", b"X: 1", b"X-Y: 2"]

    kept = without_fields(lines, [b"host", b"content-length", b"transfer-encoding", b"x"])

    assert kept == [*lines[:3], b"X-Y: 2"]


NO_TRAILERS = [
    "Content-Length", "Transfer-Encoding", "Host", "Authorization", "Cookie", "Set-Cookie", "Content-Type",
    "Content-Encoding", "Content-Range", "Cache-Control", "Location", "TE", "Trailer", "Connection", "Keep-Alive",
    "Gateway-Version", "gateway_object", "CF-Connecting-IP", "Max-Forwards", "Expect", "Upgrade", "Date",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_TRAILERS)
def test_fields_that_are_no_trailers_do_not_pass_as_such(name: str) -> None:
    """RFC 9110 section 6.5.1: nothing that frames, routes, authenticates or changes how the content is read."""
    assert allowed_trailers([f"{name}: 1".encode(), f"{name.upper()}: 1".encode(), b"X-Sum: 1"]) == [b"X-Sum: 1"]


@pytest.mark.parametrize("name", ["X-Forwarded-For", "CDN-Loop", "Cloudflare-Workers-Version-Key"])
def test_routing_fields_are_no_trailers_either(name: str) -> None:
    """RFC 9110 section 6.5.1, design 3.5: as trailers nothing checked them, yet a version may merge them."""
    assert allowed_trailers([f"{name}: 1".encode()]) == []


HOPS = {
    "OPTIONS": ("OPTIONS", b"3", b"2"),
    "TRACE": ("TRACE", b"1", b"0"),
    "GET": ("GET", b"3", b"3"),
    "no number": ("OPTIONS", b"x", b"x"),
    "signed": ("OPTIONS", b"+3", b"+3"),
    "Arabic digit": ("OPTIONS", "\u0663".encode(), "\u0663".encode()),
    "leading zeros": ("OPTIONS", b"0003", b"2"),
    "many leading zeros": ("OPTIONS", b"0000000000003", b"2"),
}


@pytest.mark.parametrize(("method", "sent", "forwarded"), HOPS.values(), ids=HOPS)
def test_one_hop_is_taken_off(method: str, sent: bytes, forwarded: bytes) -> None:
    """RFC 9110 section 7.6.2: for TRACE and OPTIONS, a number one lower."""
    assert one_hop_fewer(method, sent) == forwarded


@given(st.integers(1, 10**30))
def test_the_next_hop_is_told_a_smaller_number(hops: int) -> None:
    """RFC 9110 section 7.6.2: one lower, or the recipient's own maximum; however long the number."""
    told = one_hop_fewer("OPTIONS", str(hops).encode())

    assert told.isdigit()
    assert int(told) < hops


PROTOCOLS = {
    "websocket": (b"websocket", "GET", [b"websocket"]),
    "WebSocket": (b" WebSocket ", "GET", [b"WebSocket"]),
    "by POST": (b"websocket", "POST", []),
    "other by POST": (b"foo/2", "POST", [b"foo/2"]),
    "another HTTP": (b"h2c, h2, HTTP/2.0, http/1.1", "GET", []),
    "TLS": (b"TLS/1.0, tls/1.3", "GET", []),
    "mixed": (b"h2c, websocket, , x", "GET", [b"websocket", b"x"]),
    "empty": (b"", "GET", []),
}


@pytest.mark.parametrize(("upgrade", "method", "offered"), PROTOCOLS.values(), ids=PROTOCOLS)
def test_which_protocols_may_be_tunnelled(upgrade: bytes, method: str, offered: list[bytes]) -> None:
    """RFC 9110 section 7.8, RFC 6455 section 4.1: another HTTP or TLS would carry requests past every decision."""
    assert offered_protocols(upgrade, method) == offered


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_makes_one_string(text: str) -> None:
    """RFC 8941 section 3.3.3: printable ASCII, quotes and backslashes escaped, nothing that ends a header line."""
    value = sf_string(text)

    parsed = http_sf.parse(value.encode("ascii"), tltype="item")
    assert isinstance(parsed, tuple)
    assert type(parsed[0]) is str
    assert "\r" not in value
    assert "\n" not in value


NOTES = (
    IgnoredSignal(Signal.OVERRIDE, "not-deployed", "", "R29"),
    IgnoredSignal(Signal.COHORT, "unknown", "", "R73"),
)
TAGS = ["v2", "", 'a"b', "a\\b", "\u00fc", "a b, c;d=1", "release\r\nX: 1"]


def parsed_lines(lines: bytes) -> tuple[dict[str, str], dict[str, object]]:
    """Return the fields by name, and the decision's members without their parameters."""
    fields = dict(line.split(": ", 1) for line in lines.decode("ascii").split("\r\n"))
    members = http_sf.parse(fields["Gateway-Decision"].encode(), tltype="dictionary")
    assert isinstance(members, dict)
    return fields, {name: member[0] if isinstance(member, tuple) else member for name, member in members.items()}


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("reason", Reason)
def test_the_decision_is_a_dictionary(tag: str, reason: Reason) -> None:
    """Design 3.6: ``Gateway-Version`` and ``Gateway-Decision``, an RFC 8941 Dictionary, whatever the tag holds."""
    headers = DecisionHeaders(version(A, tag=tag), DeploymentId("dep-1"))

    fields, members = parsed_lines(headers.lines(reason, 12.3456, "team", NOTES))

    assert set(fields) == {"Gateway-Version", "Gateway-Decision"}
    assert fields["Gateway-Version"] == A
    assert ("tag" in members) is bool(tag)
    assert (str(members["worker"]), str(members["reason"]), str(members["deployment"])) == (
        "shop",
        reason,
        "dep-1",
    )
    assert float(str(members["point"])) == pytest.approx(12.345)
    assert members["cohort"] == "team"
    assert members["ignored"] == "override:not-deployed cohort:unknown"


def test_what_does_not_apply_is_left_out() -> None:
    """Design 3.6: no point where none was needed, no cohort, nothing ignored, no deployment for a version URL."""
    _, members = parsed_lines(DecisionHeaders(version(A), None).lines(Reason.VERSION_URL, None))

    assert set(members) == {"worker", "reason"}


@given(st.floats(0, 100, exclude_max=True))
def test_a_point_is_shown_as_one_of_0_to_below_100(point: float) -> None:
    """Design 4: points lie on [0, 100); what is shown is not 100, nor in another range at a whole per cent."""
    _, members = parsed_lines(DecisionHeaders(version(A), None).lines(Reason.AFFINITY, point))

    shown = float(str(members["point"]))
    assert shown == pytest.approx(point, abs=0.001)
    assert shown < 100
    assert int(shown) == int(point)


def test_worker_names_are_quoted() -> None:
    """Design 3.6: ``worker="shop"``."""
    lines = DecisionHeaders(version(A, worker=WorkerName("my_shop-2")), None).lines(Reason.PERCENTAGE, 0.0)

    assert b'worker="my_shop-2"' in lines


def test_the_visitor_line_is_the_edges() -> None:
    """Design 3.5: ``CF-Visitor`` as the edge writes it."""
    assert visitor_line("http") == b'CF-Visitor: {"scheme":"http"}'
