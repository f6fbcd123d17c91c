"""How requests ended, in Cloudflare's words."""

from __future__ import annotations

import pytest

from gateway.observability.statuses import ERRORS, status_of_outcome

CASES = {
    "ok": ("success", False),
    "client_gone": ("clientDisconnected", False),
    "refused": ("clientDisconnected", False),
    "worker_threw": ("scriptThrewException", True),
    "upstream_timed_out": ("exceededResources", True),
    "upstream_failed": ("internalError", True),
    "answer_cut": ("internalError", True),
    "never heard of": ("internalError", True),
}


@pytest.mark.parametrize(("outcome", "wanted"), CASES.items(), ids=CASES)
def test_each_outcome_has_a_status(outcome: str, wanted: tuple[str, bool]) -> None:
    """R116: five statuses; the last three are errors."""
    status = status_of_outcome(outcome)

    assert (status.value, status in ERRORS) == wanted
