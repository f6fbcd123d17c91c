"""Tests against several versions at once: the ``edge`` fixture, its assertions, and the version matrix.

Everything here is imported when it is first asked for: pytest loads this package in every project of an
environment that has it installed, also in those that never use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.model.skew_rules import SkewRules
    from gateway.skew.incident import Incident
    from gateway.testing.answers import Answer, Decision, decision_of
    from gateway.testing.assertions import assert_each_object_reset_at_most, assert_split, assert_version
    from gateway.testing.browsing import Page
    from gateway.testing.bundles import Bundle
    from gateway.testing.client import Client
    from gateway.testing.edge import Edge
    from gateway.testing.errors import EdgeMisused
    from gateway.testing.matrix import Matrix, SyncMatrix
    from gateway.testing.skew_assertion import assert_no_skew
    from gateway.testing.sync_edge import SyncClient, SyncEdge, SyncPage

__all__ = [
    "Answer", "Bundle", "Client", "Decision", "Edge", "EdgeMisused", "Incident", "Matrix", "Page", "SkewRules",
    "SyncClient", "SyncEdge", "SyncMatrix", "SyncPage", "assert_each_object_reset_at_most", "assert_no_skew",
    "assert_split", "assert_version", "decision_of",
]  # fmt: skip

_HOMES = {
    "model.skew_rules": ("SkewRules",),
    "skew.incident": ("Incident",),
    "testing.answers": ("Answer", "Decision", "decision_of"),
    "testing.assertions": ("assert_each_object_reset_at_most", "assert_split", "assert_version"),
    "testing.browsing": ("Page",),
    "testing.bundles": ("Bundle",),
    "testing.client": ("Client",),
    "testing.edge": ("Edge",),
    "testing.errors": ("EdgeMisused",),
    "testing.matrix": ("Matrix", "SyncMatrix"),
    "testing.skew_assertion": ("assert_no_skew",),
    "testing.sync_edge": ("SyncClient", "SyncEdge", "SyncPage"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"gateway.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
