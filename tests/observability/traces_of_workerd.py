"""Invocations as workerd's tail Workers get them, as JSON; nothing here decides anything."""

from __future__ import annotations

from typing import Any

from gateway.model.version import Version, VersionId
from gateway.model.worker_code import Module, ModuleKind, WorkerdRuntime
from tests.model.examples import NOW, SHOP, A

RECEIVED_MS = 1_795_416_159_100.0
STARTED_MS = 1_795_416_159_004


def workerd_version(*modules: Module, id_: VersionId = A, tag: str = "v1", message: str = "") -> Version:
    """Return a version that runs on workerd."""
    main = Module("index.js", ModuleKind.ES_MODULE, "0" * 64, 1)
    return Version(id_, SHOP, 1, WorkerdRuntime("index.js", (main, *modules)), NOW, tag, message)


def raw(event: Any, **changes: Any) -> dict[str, Any]:
    """Return an invocation of the default entrypoint that did nothing."""
    return {
        "wallTime": 0,
        "cpuTime": 0,
        "truncated": False,
        "executionModel": "stateless",
        "outcome": "ok",
        "scriptName": None,
        "diagnosticsChannelEvents": [],
        "exceptions": [],
        "logs": [],
        "eventTimestamp": STARTED_MS,
        "event": event,
        **changes,
    }


def request(url: str = "https://shop.localhost/", /, method: str = "GET", **headers: str) -> dict[str, Any]:
    """Return a fetch event; ``_`` in a header's name stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "request": {"url": url, "method": method, "headers": named, "cf": {"colo": "LCL"}},
        "response": {"status": 200},
    }


def log(*message: Any, level: str = "log") -> dict[str, Any]:
    """Return a line that was logged."""
    return {"message": list(message), "level": level, "timestamp": STARTED_MS + 1}


def exception(message: str = "boom", stack: str = "    at Object.fetch (index.js:16:40)") -> dict[str, Any]:
    """Return an exception that reached the runtime."""
    return {"stack": stack, "name": "TypeError", "message": message, "timestamp": STARTED_MS + 2}
