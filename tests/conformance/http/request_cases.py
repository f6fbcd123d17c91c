"""Everything a client may send: all request cases, family by family."""

from __future__ import annotations

from tests.conformance.http.cases import RequestCase
from tests.conformance.http.requests_connection import CONNECTION_CASES
from tests.conformance.http.requests_fields import FIELD_CASES
from tests.conformance.http.requests_framing import FRAMING_CASES
from tests.conformance.http.requests_line import LINE_CASES

REQUEST_CASES: list[RequestCase] = [*LINE_CASES, *FIELD_CASES, *FRAMING_CASES, *CONNECTION_CASES]
