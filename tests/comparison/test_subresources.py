"""Which files a page asks for, and which of them the other version lacks (R82, R83)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.comparison.answers import Answer, Request
from gateway.comparison.compare import Pair, subresource_differences
from gateway.comparison.subresources import lack_of, subresources_of

PAGE = Request("GET", "shop.localhost:8787", "/a/page?x=1", (("Cookie", "u=1"), ("Accept", "text/html")))


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="/x.js"></script>', ["script /x.js"]),
        ("<SCRIPT SRC=x.js></SCRIPT>", ["script /a/x.js"]),
        ('<script>var a = "<img src=/no.png>"</script>', []),
        ('<link rel="stylesheet" href="../s.css?v=1&amp;w=2#top">', ["style /s.css?v=1&w=2"]),
        ('<link rel="modulepreload" href="/m.js">', ["script /m.js"]),
        ('<link rel="preload" as="font" href="/f.woff2">', ["font /f.woff2"]),
        ('<link rel="preload" as="image" imagesrcset="/1.png 1x, /2.png 2x">', ["image /1.png", "image /2.png"]),
        ('<link rel="shortcut icon" href="/favicon.ico">', ["image /favicon.ico"]),
        ('<link rel="manifest" href="/app.webmanifest">', ["manifest /app.webmanifest"]),
        ('<link rel="canonical" href="/page"><link rel="alternate stylesheet">', []),
        ('<img src="/i.png" srcset="/i-1.png 320w,/i-2.png 640w , /i,3.png">',
         ["image /i.png", "image /i-1.png", "image /i-2.png", "image /i,3.png"]),
        ('<picture><source srcset="/w.webp"></picture>', ["image /w.webp"]),
        ('<video src="/v.mp4" poster="/p.jpg"><track src="/t.vtt"></video>',
         ["media /v.mp4", "image /p.jpg", "track /t.vtt"]),
        ('<input type="image" src="/b.png"><input type="text" src="/no.png">', ["image /b.png"]),
        ('<base href="/static/"><script src="x.js"></script>', ["script /static/x.js"]),
        ('<base href="https://cdn.example/"><script src="x.js"></script>', []),
        ('<script src="https://cdn.example/x.js"></script><img src="data:,"><img src="">', []),
        ('<script src="//shop.localhost:8787/y.js"></script>', ["script /y.js"]),
        ('<script src="http://[bad"></script>', []),
        ('<script src="/x.js"></script><script src="/x.js"></script>', ["script /x.js"]),
        ('<!-- <script src="/no.js"></script> --><template><img src="/no.png"></template><img src="/i.png">',
         ["image /i.png"]),
        ('<a href="/page">no</a><iframe src="/frame"></iframe>', []),
        ('<script src="/first.js" src="/second.js"></script>', ["script /first.js"]),
    ],
)  # fmt: skip
def test_files_of_a_page(html: str, found: list[str]) -> None:
    """Issue D, compare: script, link, img, modulepreload, srcset; of its own host, each once."""
    assert [f"{one.kind} {one.target}" for one in subresources_of(html, PAGE)] == found


@settings(deadline=None)  # other programs may hold the machine
@given(st.text(alphabet="<>/=\"' abcsrcimgtemplatebasehref,:[]&;!-\x00", max_size=200))
def test_any_text_can_be_read(html: str) -> None:
    """A page is whatever a version answers."""
    assert all(one.target.startswith("/") for one in subresources_of(html, PAGE))


@pytest.mark.parametrize(
    ("status", "media_type", "kind", "lack"),
    [
        (200, "text/javascript", "script", ""),
        (404, "text/html", "script", "404"),
        (500, "text/plain", "style", "500"),
        (200, "text/html", "script", "200 text/html"),
        (200, "text/html", "font", "200 text/html"),
        (200, "text/html", "embed", ""),
        (304, "", "image", ""),
        (200, "", "script", ""),
    ],
)
def test_what_it_is_to_lack_a_file(status: int, media_type: str, kind: str, lack: str) -> None:
    """R83: a missing script may arrive as 200 text/html."""
    assert lack_of(Answer(status, (("Content-Type", f"{media_type}; charset=utf-8"),)), kind) == lack


def page(*files: str) -> Answer:
    html = "".join(f'<script src="{file}"></script>' for file in files)
    return Answer(200, (("Content-Type", "text/html"),), html.encode())


def having(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Return the differences between pages that ask for v1.js and v2.js, by the status each gives a file."""
    asked: list[Request] = []

    def ask(request: Request) -> Pair:
        asked.append(request)
        one, other = (Answer(table.get(request.target, 404), ()) for table in (before, after))
        return Pair(one, other)

    pair = Pair(page("/v1.js", "/both.js"), page("/v2.js", "/both.js"))
    found = [tuple(one) for one in subresource_differences(PAGE, pair, ask)]
    assert all(one.headers == (("Cookie", "u=1"),) for one in asked)
    return found


def test_each_page_is_held_against_the_other_version() -> None:
    """R82: HTML of one version names a file that the other lacks."""
    found = having({"/v1.js": 200, "/both.js": 200}, {"/v2.js": 200, "/both.js": 200})

    assert found == [
        ("subresource:/v1.js", "lacking", "200, page asks for it (script)", "404"),
        ("subresource:/v2.js", "lacking", "404", "200, page asks for it (script)"),
    ]


def test_what_both_lack_is_no_skew() -> None:
    """A real 404 exists in no version."""
    assert having({"/v1.js": 200, "/v2.js": 200}, {"/v1.js": 200, "/v2.js": 200}) == []


def test_only_pages_that_succeeded_have_files() -> None:
    """An error page's files are not what the split breaks."""
    broken = page("/x.js")._replace(status=404)

    assert list(subresource_differences(PAGE, Pair(broken, broken), lambda _: Pair(broken, broken))) == []
