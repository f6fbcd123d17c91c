"""What is told of a request that is over, beyond what routing needed of it."""

from __future__ import annotations

import pytest

from gateway.proxy.ended import Ended
from gateway.proxy.messages import RequestHead, ResponseHead


def ended(request: RequestHead, answer: ResponseHead | None) -> Ended:
    """Return a request that the gateway answered by itself, or with the answer given."""
    return Ended(1.5, b"ray-LCL", request, None, 404, "ok", 10, 0, 0, "192.0.2.1", answer)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([b"Content-Type: text/html; charset=utf-8"], "text/html; charset=utf-8"),
        ([b"Server: x", b"content-TYPE:\t text/css "], "text/css"),
        ([b"X-Content-Type: no"], ""),
        ([], ""),
    ],
)
def test_the_content_type_of_the_answer_is_told(lines: list[bytes], told: str) -> None:
    """R83: a script that arrives as a page shows only in its type."""
    answer = ResponseHead()
    answer.lines = lines

    assert ended(RequestHead(), answer).event().content_type == told
    assert ended(RequestHead(), None).event().content_type == ""


def test_the_address_is_the_peer_s_behind_those_it_speaks_for() -> None:
    """Issue D: sessions without a cookie are told apart by address; a proxy speaks for many."""
    direct, through = RequestHead(), RequestHead()
    through.forwarded_for = b"198.51.100.7"

    assert ended(direct, None).event().address == "192.0.2.1"
    assert ended(through, None).event().address == "198.51.100.7, 192.0.2.1"


def test_the_request_that_made_it_is_told() -> None:
    """Issue D, object skew: a version that passes its request's ray on is known as the caller."""
    request = RequestHead()
    request.caller_ray = b"8f3c-LCL"

    assert ended(request, None).event().caller_ray == "8f3c-LCL"
