"""Events as they could have happened."""

from __future__ import annotations

from gateway.model.decision import IgnoredSignal, Signal
from gateway.observability.events import (
    ConsoleEvent,
    DeployedShare,
    DeploymentEvent,
    Event,
    ExceptionEvent,
    RequestEvent,
    ResetEvent,
    VersionEvent,
    WebSocketEvent,
)
from tests.model.examples import A, B

AT = 1_800_000_000.25
LONG_ID = "0123456789abcdef0123456789abcdef"
IGNORED = IgnoredSignal(Signal.OVERRIDE, "not-deployed", "it is not deployed", "R29")

REQUEST = RequestEvent(
    AT, "ray-LCL", "shop", A, "affinity", "GET", "shop.localhost", f"/cart/{LONG_ID}?a=b", 200, "ok", 1_250, 0, 5,
    12.3, "Cart/foo", "v1", (IGNORED,),
    (b"Cookie: sid=1", b"X-Auth-Token:  t ", b"Accept: */*", b"Cloudflare-Workers-Version-Key: user-1"),
)  # fmt: skip
FAILED = REQUEST._replace(status=502, outcome="upstream_failed", version_id=B, label="v2", method="POST")
GONE = REQUEST._replace(status=0, outcome="client_gone")
SOCKET = WebSocketEvent(AT, "ray-LCL", "shop", A, "v1", "shop.localhost", f"/chat/{LONG_ID}", "", 2_500_000)
LINE = ConsoleEvent(AT, "shop", A, "v1", "log", "hello Needle", "stdout")
COMPLAINT = LINE._replace(level="error", source="console", ray="ray-LCL")
THROWN = ExceptionEvent(AT, "shop", A, "v1", "TypeError", "boom", "    at fetch (index.js:1:1)")
RESET = ResetEvent(AT, "shop", "Cart", "ab" * 32, "foo", A, B, 3)
DEPLOYED = DeploymentEvent(
    AT, "shop", 3, "dep-3", (DeployedShare(A, "v1", 90.0), DeployedShare(B, "v2", 10.0)), "deployment", "more"
)
STARTED = VersionEvent(AT, "shop", A, "v1", "started", "", 4711)
CRASHED = VersionEvent(AT, "shop", A, "v1", "crashed", "its process ended with exit code 1", 0)
EACH: tuple[Event, ...] = (REQUEST, SOCKET, LINE, THROWN, RESET, DEPLOYED, STARTED)
"""One of each kind."""
