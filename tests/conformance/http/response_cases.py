"""Everything an origin may answer: all response cases, family by family."""

from __future__ import annotations

from tests.conformance.http.cases import ResponseCase
from tests.conformance.http.responses_body import BODY_CASES
from tests.conformance.http.responses_head import HEAD_CASES

RESPONSE_CASES: list[ResponseCase] = [*HEAD_CASES, *BODY_CASES]
