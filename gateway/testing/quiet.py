"""Keeps the gateway's log out of what a test prints."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def quiet_log() -> Iterator[None]:
    """Send what the gateway logs to ``logging``, where pytest catches it, instead of to standard output.

    A project that has set structlog up itself keeps what it said.
    """
    if structlog.is_configured():
        yield
        return
    others = structlog.PrintLoggerFactory()

    def logger(*names: Any) -> Any:
        ours = bool(names) and str(names[0]).partition(".")[0] == "gateway"
        return logging.getLogger(names[0]) if ours else others()

    structlog.configure(logger_factory=logger)
    try:
        yield
    finally:
        if structlog.get_config()["logger_factory"] is logger:
            structlog.reset_defaults()
