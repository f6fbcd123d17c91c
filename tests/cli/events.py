"""Answers of the observing part of the API, as a stand-in gives them."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.stub_gateway import V1, V2


def metrics_of(number: int, **changes: Any) -> dict[str, Any]:
    """Return what v1 or v2 did."""
    return {
        "version_id": (V1, V2)[number - 1],
        "tag": f"v{number}",
        "label": f"v{number}",
        "asked_percentage": (90.0, 10.0)[number - 1],
        "requests": (900, 100)[number - 1],
        "observed_percentage": (90.0, 10.0)[number - 1],
        "observed_low": (87.98, 8.29)[number - 1],
        "observed_high": (91.71, 12.02)[number - 1],
        "errors": {"worker_5xx": 0, "exception": 0, "unreachable": 0, "timed_out": 0, "cut": 0},
        "error_percentage": 0.0,
        "client_disconnects": 0,
        "request_bytes": 0,
        "response_bytes": 5_000,
        "mean_ms": 1.5,
        "p50_ms": 1.234,
        "p95_ms": 50.0,
        "p99_ms": 99.9,
        "in_flight": 2,
        "websockets": 1,
        "cpu_seconds": 1.25,
        "memory_bytes": 45_000_000,
        "state": "running",
        **changes,
    }


def metrics(worker: str = "shop", **changes: Any) -> dict[str, Any]:
    """Return a window of a Worker."""
    return {
        "worker": worker,
        "window": "60",
        "window_seconds": 60.0,
        "from": "2026-11-23T10:00:00+00:00",
        "to": "2026-11-23T10:01:00+00:00",
        "deployment": 2,
        "versions": [metrics_of(1), metrics_of(2)],
        "own_answers": {},
        **changes,
    }


def health(verdict: str = "safe", **changes: Any) -> dict[str, Any]:
    """Return a verdict on v2."""
    return {
        "verdict": verdict,
        "reason": "Because of the numbers.",
        "worker": "shop",
        "window": "300",
        "window_seconds": 300.0,
        "baseline": metrics_of(1),
        "candidate": metrics_of(2, error_percentage=1.5),
        "checks": [{"name": "errors", "verdict": verdict, "detail": "1.50% of v2 failed"}],
        **changes,
    }


AT = "2026-11-23T10:00:00.123456+00:00"
WHO = {"at": AT, "worker": "shop", "version_id": V1, "label": "v1"}
REQUEST = {
    **WHO,
    "ray": "8f3c-LCL",
    "reason": "affinity",
    "point": 12.34,
    "method": "GET",
    "host": "shop.localhost",
    "target": "/cart/foo",
    "status": 200,
    "outcome": "ok",
    "duration_ms": 5.7,
    "request_bytes": 0,
    "response_bytes": 5,
    "object": "",
    "fault": "",
    "ignored": [],
    "headers": [],
}
CONSOLE = {**WHO, "level": "log", "message": "hello", "source": "stdout", "ray": "", "object": ""}
EXCEPTION = {
    **WHO,
    "name": "TypeError",
    "message": "boom",
    "stack": "    at fetch (src/index.ts:3:9)",
    "ray": "",
    "entrypoint": "default",
    "object": "",
}
RESET = {
    "at": AT,
    "worker": "shop",
    "class": "Cart",
    "id": "ab" * 32,
    "name": "foo",
    "from_version": V1,
    "to_version": V2,
    "deployment": 3,
}
DEPLOYMENT = {
    "at": AT,
    "worker": "shop",
    "number": 3,
    "deployment_id": "d",
    "versions": [{"version_id": V1, "label": "v1", "percentage": 50.0}],
    "triggered_by": "deployment",
    "message": "half",
}
VERSION = {**WHO, "state": "crashed", "trouble": "exit code 1", "pid": 0}
WEBSOCKET = {
    **WHO,
    "ray": "8f3c-LCL",
    "host": "shop.localhost",
    "target": "/chat",
    "object": "",
    "duration_ms": 2_500.0,
}


def stream(*events: tuple[str, Any]) -> bytes:
    """Return an answer of server-sent events that ends, as when the gateway stops."""
    messages = (f"event: {kind}\nid: 1\ndata: {json.dumps(content)}\n\n" for kind, content in events)
    return ("retry: 1000\n\n: alive\n\n" + "".join(messages)).encode()
