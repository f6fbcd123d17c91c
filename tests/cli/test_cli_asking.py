"""The thin HTTP of ``gateway compare``: what is sent, what is read, what is not taken for an answer."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.cli.asking import AnsweredByAnother, Asker
from gateway.comparison.answers import Request
from gateway.comparison.ways import OVERRIDES, way_to
from gateway.control.client import ClientError
from gateway.model.version import VersionId, WorkerName

V1, V2 = (VersionId(f"{one * 8}-aaaa-4aaa-8aaa-aaaaaaaaaaaa") for one in "12")
WAYS = tuple(way_to(WorkerName("shop"), one, 80, deployed=True) for one in (V1, V2))


class Edge(ThreadingHTTPServer):
    """Answers as an edge does, and records what it was asked."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Edge

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.heads.append((self.command, self.path, dict(self.headers.items()), body))
        told = self.headers.get(OVERRIDES, "").partition('"')[2].rstrip('"')
        answer = gzip.compress(b'{"a": 1}')
        self.send_response(200)
        self.send_header("Gateway-Version", V2 if self.path == "/object" else told)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - as above: the name that the base looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Stay silent."""


@pytest.fixture
def edge() -> Iterator[Edge]:
    """Return an edge in a thread."""
    with Edge() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_each_version_is_asked_once(edge: Edge) -> None:
    """R21, R28: the same request, but for the header that names the version; a coding is taken off."""
    request = Request("GET", "shop.localhost:80", "/ä b?x=1", (("Cookie", "a=1"),))
    with closing(Asker(edge.url, *WAYS)) as asker:
        pair = asker.ask(request)
        assert asker.ask(request) is pair

    assert [answer.body for answer in pair] == [b'{"a": 1}', b'{"a": 1}']
    assert [(path, head["Host"], head[OVERRIDES]) for _, path, head, _ in edge.heads] == [
        ("/%C3%A4%20b?x=1", "shop.localhost:80", f'shop="{one}"') for one in (V1, V2)
    ]


def test_a_body_goes_to_both(edge: Edge) -> None:
    """--allow-unsafe: sent twice, once to each version."""
    with closing(Asker(edge.url, *WAYS)) as asker:
        asker.ask(Request("POST", "h", "/", (), b"x=1"))

    assert [(method, body) for method, _, _, body in edge.heads] == [("POST", b"x=1")] * 2


def test_another_versions_answer_is_not_taken(edge: Edge) -> None:
    """R50: a request that belongs to an object reaches the object's version."""
    with (
        closing(Asker(edge.url, *WAYS)) as asker,
        pytest.raises(AnsweredByAnother, match=f"version {V2} answered"),
    ):
        asker.ask(Request("GET", "h", "/object"))


def test_an_edge_that_is_gone_is_told(edge: Edge) -> None:
    """House rule 8."""
    gone = edge.url.replace("127.0.0.1:", "127.0.0.2:")
    with closing(Asker(gone, *WAYS)) as asker, pytest.raises(ClientError, match="gave no whole answer to GET /"):
        asker.ask(Request("GET", "h", "/"))
