"""How the dashboard is served: what a browser may do with it, what it may keep, and what cannot be had."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.control.api.pages import FOR_EVER, Dashboard
from tests.control.edge import ControlPlane, control_plane

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
FILES = sorted(Dashboard().files)
HANDLER = re.compile(r"<[^>]*\s(?:on\w+|style)\s*=\s*[\"']", re.IGNORECASE)


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Return a control plane."""
    async with control_plane(tmp_path) as plane:
        yield plane


async def test_the_page_may_run_its_own_files_and_nothing_else(edge: ControlPlane) -> None:
    """Issue 4, security: a strict Content-Security-Policy, no inline script."""
    response = await edge.client.get("/")
    text = await response.text()

    assert (response.status, response.content_type) == (200, "text/html")
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []
    assert "<style" not in text


@pytest.mark.parametrize("path", [path for path in FILES if "vendor/" not in path])
def test_no_markup_of_ours_has_a_handler_or_a_style_in_it(path: str) -> None:
    """Issue 4, security: such an attribute would not work under the policy; `onClick=${...}` is a property."""
    assert HANDLER.findall(Dashboard().files[path].body.decode()) == []


@pytest.mark.parametrize(
    "word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
)
def test_nothing_of_ours_reads_text_as_html_or_code(word: str) -> None:
    """Issue 4, security: what a request says is shown as text everywhere."""
    ours = {path: file.body.decode() for path, file in Dashboard().files.items() if "vendor/" not in path}

    assert [path for path, text in ours.items() if word in text or "dangerouslySetInnerHTML" in text] == []


async def test_files_are_kept_for_ever_under_an_address_that_changes_with_them(edge: ControlPlane) -> None:
    """The page is asked for each time, its files once: their address holds a hash of all of them."""
    text = await (await edge.client.get("/")).text()
    addresses = re.findall(r'(?:src|href)="(/assets/[^"]+)"', text)

    assert len(addresses) >= 6
    for address in addresses:
        response = await edge.client.get(address)
        assert response.status == 200, address
        assert response.headers["Cache-Control"] == FOR_EVER
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_changed_file_changes_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a browser would go on with what it kept."""
    before = Dashboard()
    monkeypatch.setattr("gateway.control.api.pages._files", lambda _folder: _changed(before))

    assert Dashboard().place != before.place


def _changed(dashboard: Dashboard) -> list[tuple[str, object]]:
    return [(path, file._replace(body=file.body + b" ")) for path, file in dashboard.files.items()]


async def test_every_module_of_the_page_can_be_loaded(edge: ControlPlane) -> None:
    """Each relative import leads to a file that is served, as JavaScript: `nosniff` refuses all else."""
    dashboard = Dashboard()
    for path in FILES:
        if not path.endswith((".js", ".mjs")):
            continue
        for wanted in re.findall(r'(?:from|import)\s*"([^"]+)"', dashboard.files[path].body.decode()):
            assert wanted.startswith("."), f"{path}: {wanted}"
            response = await edge.client.get(
                f"{dashboard.place}/{(Path('/') / path).parent / wanted}".replace("//", "/")
            )
            assert (response.status, response.content_type) == (200, "text/javascript"), f"{path}: {wanted}"


@pytest.mark.parametrize(
    "path",
    [
        "../guard.py", "..%2f..%2fopenapi.yaml", "%2e%2e/%2e%2e/openapi.yaml", "vendor/packages.json",
        "vendor/LICENSE.htm", "vendor/", "vendor", "index.html/..", "/etc/passwd", "%00", "__init__.py",
    ],
)  # fmt: skip
async def test_nothing_else_can_be_had(edge: ControlPlane, path: str) -> None:
    """Reliability.md 6, CVE-2023-7079: no file serving outside the bundle."""
    response = await edge.client.get(f"{Dashboard().place}/{path}")

    assert response.status == 404


FOREIGN = [
    pytest.param("GET", "/", {"Host": "evil.example"}, 403, id="foreign Host on the page"),
    pytest.param("GET", "FILE", {"Host": "evil.example"}, 403, id="foreign Host on a file"),
    pytest.param("GET", "FILE", {"Origin": "http://evil.example"}, 403, id="foreign Origin on a file"),
    pytest.param("GET", "FILE", {"Origin": "null"}, 403, id="null Origin on a file"),
    pytest.param(
        "POST", "/api/try", {"Content-Type": "application/json", "Host": "evil.example"}, 403, id="foreign Host"
    ),
    pytest.param(
        "POST",
        "/api/try",
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
        403,
        id="foreign Origin",
    ),
    pytest.param(
        "POST", "/api/try", {"Content-Type": "application/json", "Origin": "null"}, 403, id="null Origin"
    ),
    pytest.param("POST", "/api/try", {"Content-Type": "text/plain"}, 415, id="a form's content type"),
    pytest.param("POST", "/api/try", {}, 415, id="no content type"),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), FOREIGN)
async def test_foreign_pages_get_nothing(
    edge: ControlPlane, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Issue 4, security: foreign Host, foreign Origin and a missing content type are refused."""
    place = f"{Dashboard().place}/main.js" if path == "FILE" else path
    body = b'{"url": "http://shop.localhost/"}' if method == "POST" else None

    response = await edge.client.request(
        method, place, headers=headers, data=body, skip_auto_headers=["Content-Type"]
    )

    assert response.status == status
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Content-Security-Policy"] == POLICY
