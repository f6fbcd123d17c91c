"""RFC 9110 and 9112 through the gateway, byte by byte, in both directions.

The fixture ``proxied_origin`` (see ``ProxiedOrigin``) comes from the ``conftest.py`` beside this file: an
async fixture of session scope and session loop scope, ``@pytest_asyncio.fixture(scope="session",
loop_scope="session")``, since all cases share one proxy; that a case leaves no trace is part of what is
proved.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance.http.cases import ProxiedOrigin
from tests.conformance.http.fuzz_cases import FUZZ_CASES
from tests.conformance.http.judge import Word
from tests.conformance.http.request_cases import REQUEST_CASES
from tests.conformance.http.response_cases import RESPONSE_CASES
from tests.conformance.http.run import Case, all_cases, run_case


async def _must_pass(proxied_origin: ProxiedOrigin, case: Case) -> None:
    verdict = await run_case(proxied_origin, case)

    assert verdict.word is Word.PASS, f"{verdict.word.value}: {verdict.why} [{case.source}]"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", REQUEST_CASES, ids=lambda case: case.id)
async def test_what_a_client_sends_is_forwarded_as_meant_or_refused(
    proxied_origin: ProxiedOrigin, case: Case
) -> None:
    """RFC 9112 sections 2 to 9, RFC 9110 sections 5 to 10; each case names its own."""
    await _must_pass(proxied_origin, case)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", RESPONSE_CASES, ids=lambda case: case.id)
async def test_what_an_origin_answers_is_delivered_whole_or_seen_to_be_cut(
    proxied_origin: ProxiedOrigin, case: Case
) -> None:
    """RFC 9112 sections 4 to 9, RFC 9110 sections 5 to 15; each case names its own."""
    await _must_pass(proxied_origin, case)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", FUZZ_CASES, ids=lambda case: case.id)
async def test_nothing_made_wrong_at_random_becomes_unsafe(proxied_origin: ProxiedOrigin, case: Case) -> None:
    """RFC 9112 sections 11.1 and 11.2: response splitting and request smuggling."""
    await _must_pass(proxied_origin, case)


def test_case_ids_are_unique() -> None:
    """A verdict must name one case; what ``--only`` and pytest's ``-k`` pick must be told apart."""
    repeated = [name for name, count in Counter(case.id for case in all_cases()).items() if count > 1]

    assert repeated == []
