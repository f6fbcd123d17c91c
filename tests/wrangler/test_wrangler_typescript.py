"""A TypeScript Worker, bundled by wrangler itself."""

from __future__ import annotations

from tests.integration.http_client import Caller
from tests.wrangler.making import MakeProject, with_both_wranglers


@with_both_wranglers
def test_a_typescript_worker_is_deployed(make_project: MakeProject) -> None:
    """Types, an enum, an import without extension, a text module and a JSON variable reach the edge."""
    project = make_project("typed", "typed")

    project.wrangler("deploy")

    with Caller(project.edge, project.host) as caller:
        assert caller.call("/").json() == {"square": "flat"}
        assert caller.call("/fact").text == "A square has four sides.\n"


def test_what_it_may_not_import_is_told_by_wrangler(make_project: MakeProject) -> None:
    """The bundler stops before anything is uploaded; the Worker that serves is untouched."""
    project = make_project("typed", "mistyped")
    project.write("src/index.ts", 'import { gone } from "./gone";\nexport default gone;\n')

    ended = project.wrangler("deploy", code=1)

    assert 'Could not resolve "./gone"' in ended.err
