"""A small HTTP server that answers as the gateway's API does, and records what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

V1 = "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
V2 = "22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
V3 = "33333333-cccc-4ccc-8ccc-cccccccccccc"
TAGS = {V1: "v1", V2: "v2", V3: ""}


def version(number: int, /, **changes: Any) -> dict[str, Any]:
    """Return the version of that number: v1, v2 or the untagged third."""
    id_ = (V1, V2, V3)[number - 1]
    return {
        "id": id_,
        "worker": "shop",
        "number": number,
        "tag": TAGS[id_],
        "message": "",
        "source": "config",
        "author": "",
        "created_on": f"2026-11-2{number}T10:00:00.123456Z",
        "runtime": {"kind": "command", "argv": ["python", "-m", "shop"]},
        "state": "running",
        "trouble": "",
        "last_lines": [],
        "percentage": None,
        "url": f"http://{id_[:8]}-shop.localhost:8787",
        **changes,
    }


def shares(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
    """Return a deployment's list of versions."""
    return [{"version_id": id_, "tag": TAGS[id_], "percentage": percentage} for id_, percentage in pairs]


def deployment(number: int, *pairs: tuple[str, float], **changes: Any) -> dict[str, Any]:
    """Return a deployment of ``shop``."""
    return {
        "id": f"{number:08d}-dddd-4ddd-8ddd-dddddddddddd",
        "worker": "shop",
        "number": number,
        "created_on": "2026-11-23T10:00:00.000000Z",
        "source": "api",
        "author": "",
        "message": "",
        "triggered_by": "deployment",
        "strategy": "percentage",
        "active": False,
        "versions": shares(*pairs),
        "cohorts": [],
        "code_update": {"mode": "immediate", "max_delay_seconds": 0},
        **changes,
    }


def created(*pairs: tuple[str, float], **changes: Any) -> dict[str, Any]:
    """Return the answer to a new deployment."""
    return {
        "deployment": deployment(3, *pairs, active=True),
        "warnings": [],
        "moved_percentage": 10,
        "moved_objects": 3,
        "dry_run": False,
        **changes,
    }


def durable_object(**changes: Any) -> dict[str, Any]:
    """Return object ``user-123`` of class ``Cart``, on v1."""
    return {
        "class": "Cart",
        "id": "ab" * 32,
        "name": "user-123",
        "point": 35.25,
        "assigned": V1,
        "assigned_tag": "v1",
        "assigned_by": 1,
        "running": V1,
        "running_tag": "v1",
        "pinned": None,
        "resets": 0,
        "first_used": "2026-11-23T10:00:00Z",
        "last_used": "2026-11-23T11:00:00Z",
        **changes,
    }


def worker_status(name: str = "shop", **changes: Any) -> dict[str, Any]:
    """Return one Worker of the status: v1 and v2 are deployed 90/10, v2 is the newest."""
    return {
        "name": name,
        "routes": [f"{name}.localhost/*"],
        "url": f"http://{name}.localhost:8787",
        "active": deployment(2, (V1, 90), (V2, 10), active=True),
        "versions": [version(2, percentage=10), version(1, percentage=90)],
        "classes": ["Cart"],
        "assignment": "sticky",
        **changes,
    }


def status(*workers: dict[str, Any]) -> dict[str, Any]:
    """Return the gateway's status; with ``shop`` alone where no Worker is given."""
    return {
        "url": "http://127.0.0.1:8787",
        "control": "http://127.0.0.1:8788",
        "pid": 4711,
        "seed": None,
        "state": ".gateway",
        "config": None,
        "workers": list(workers) or [worker_status()],
        "faults": [],
    }


def refusal(code: int, message: str, remedy: str) -> dict[str, Any]:
    """Return an error in the one shape that all of the API's errors have."""
    return {"error": {"code": code, "message": message, "remedy": remedy}}


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any


@dataclass
class StubGateway:
    """What the server answers, by method and path without query, and what it was asked.

    Args:
        answers: A status and content; bytes are sent as they are, and None closes without an answer.
    """

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)

    def on(
        self, method: str, path: str, content: Any, status_code: int = 200, kind: str = "application/json"
    ) -> None:
        """Answer requests to that path so."""
        self.answers[method, path] = (status_code, content)
        self.kinds[method, path] = kind

    def asked(self, method: str, path: str) -> list[Received]:
        """Return the requests to that path."""
        return [one for one in self.received if one.method == method and one.target.partition("?")[0] == path]


@contextmanager
def serving() -> Iterator[StubGateway]:
    """Serve on a free port, with the status of one Worker to begin with."""
    stub = StubGateway()
    stub.on("GET", "/api/status", status())

    class Handler(BaseHTTPRequestHandler):
        """Looks its answers up in ``stub``."""

        def handle_any(self) -> None:
            """Answer one request."""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_json = self.headers.get("Content-Type", "") == "application/json"
            content = json.loads(body) if body and is_json else body or None
            received = Received(self.command, self.path, dict(self.headers.items()), content)
            stub.received.append(received)
            missing = (404, refusal(90_030, f"nothing at {self.path}", "Look at the list."))
            code, answer = stub.answers.get((self.command, self.path.partition("?")[0]), missing)
            if answer is None:
                return
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(code)
            kind = stub.kinds.get((self.command, self.path.partition("?")[0]), "application/json")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def __getattr__(self, name: str) -> Callable[[], None]:
            """Answer every method alike: the base class looks for ``do_GET`` and the like."""
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
