"""Traffic patterns and what the detector must make of each: no miss, no false alarm, nothing guessed unsaid."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.skew.traffic import (
    CSS,
    FONT,
    HTML,
    JS,
    ORIGIN,
    PNG,
    SPLIT,
    Deploy,
    Seen,
    call,
    deploy,
    get,
    incidents_in,
    page,
    script,
    shown,
)

KEYED: Final[dict[str, Any]] = {"version_key": "user-1", "reason": "affinity"}
COOKIE: Final[dict[str, Any]] = {"session_cookie": "abc"}
OVERRIDE: Final[dict[str, Any]] = {"reason": "override"}
URL: Final[dict[str, Any]] = {"reason": "version-url", "host": "v2-shop.localhost"}
OBJECT: Final[dict[str, Any]] = {"reason": "durable-object", "object": "Cart/foo"}

NO_KEY: Final = "session_skew no-key v1>v2 ~session"
"""What comes with every page of v1 whose file v2 answered, where only address and user agent tell the session."""

FILE: Final = "asset_skew no-key v1>v2 /v1.js"

PATTERNS: Final[dict[str, tuple[str, list[Seen | Deploy], list[str]]]] = {
    # Files
    "page and script of one version": ("R82", [SPLIT, page("v1"), script("v1", "/v1.js")], []),
    "script that only the page's version has": (
        "R82",
        [SPLIT, script("v1", "/v1.js"), page("v1"), script("v2", "/v1.js", 404)],
        [FILE + " ~session", NO_KEY],
    ),
    "the page's version is asked for it only later": (
        "R82",
        [SPLIT, page("v1"), script("v2", "/v1.js", 404), page("v1"), script("v1", "/v1.js")],
        [FILE + " ~session", NO_KEY],
    ),
    "nobody ever asked the page's version": (
        "R82",
        [SPLIT, page("v1"), script("v2", "/v1.js", 404)],
        [FILE + " ~file ~session", NO_KEY],
    ),
    "410 says the same as 404": (
        "R82",
        [SPLIT, script("v1", "/v1.js"), page("v1"), script("v2", "/v1.js", 410)],
        [FILE + " ~session", NO_KEY],
    ),
    "three pages that break alike": (
        "R24",
        [SPLIT, *[page("v1"), script("v2", "/v1.js", 404)] * 3, script("v1", "/v1.js")],
        [FILE + " x3 ~session", "session_skew no-key v1>v2 x3 ~session"],
    ),
    "both ways": (
        "R24",
        [
            SPLIT, script("v1", "/v1.js"), script("v2", "/v2.js"),
            page("v1"), script("v2", "/v1.js", 404), page("v2"), script("v1", "/v2.js", 404),
        ],
        ["asset_skew no-key v1>v2 /v1.js ~session", "asset_skew no-key v2>v1 /v2.js ~session", NO_KEY],
    ),
    "file that exists in no version, page's version asked first": (
        "R82",
        [SPLIT, page("v1"), script("v1", "/typo.js", 404), page("v1"), script("v2", "/typo.js", 404)],
        [NO_KEY],
    ),
    "file that exists in no version, page's version asked last": (
        "R82",
        [SPLIT, page("v1"), script("v2", "/typo.js", 404), page("v1"), script("v1", "/typo.js", 404)],
        [NO_KEY],
    ),
    "404 of the page's own version": ("R82", [SPLIT, page("v1"), script("v1", "/typo.js", 404)], []),
    "single-page fallback for a script": (
        "R83",
        [SPLIT, script("v1", "/v1.js"), page("v1"), script("v2", "/v1.js", 200, type_=HTML)],
        [FILE + " ~session", NO_KEY],
    ),
    "single-page fallback, no Sec-Fetch fields, known by the extension": (
        "R83",
        [
            SPLIT, get("v1", "/v1.css", type_=CSS), page("v1"),
            get("v2", "/v1.css", type_=HTML, page="/", accept="text/css,*/*"),
        ],
        ["asset_skew no-key v1>v2 /v1.css ~session", NO_KEY],
    ),
    "single-page fallback of both versions": (
        "R83",
        [
            SPLIT, page("v1"), script("v2", "/x.js", 200, type_=HTML),
            page("v1"), script("v1", "/x.js", 200, type_=HTML),
        ],
        [NO_KEY],
    ),
    "single-page fallback for a navigation is meant so": (
        "R83", [SPLIT, page("v1"), page("v1", "/deep/link", referred="/")], [],
    ),
    "script without an extension, by Sec-Fetch-Dest": (
        "R83",
        [SPLIT, script("v1", "/assets/main"), page("v1"), script("v2", "/assets/main", 200, type_=HTML)],
        ["asset_skew no-key v1>v2 /assets/main ~session", NO_KEY],
    ),
    "image, font and style": (
        "R84",
        [
            SPLIT, page("v1"),
            get("v1", "/a.png", type_=PNG), get("v1", "/b.css", type_=CSS), get("v1", "/c.woff2", type_=FONT),
            get("v2", "/a.png", 404, fetch_dest="image", page="/"),
            get("v2", "/b.css", 404, fetch_dest="style", page="/"),
            get("v2", "/c.woff2", 404, fetch_dest="font", page="/"),
        ],
        [
            "asset_skew no-key v1>v2 /a.png ~session", "asset_skew no-key v1>v2 /b.css ~session",
            "asset_skew no-key v1>v2 /c.woff2 ~session", "session_skew no-key v1>v2 x3 ~session",
        ],
    ),
    "font that a style sheet names": (
        "R82",
        [
            SPLIT, page("v1"), get("v1", "/s.css", type_=CSS, fetch_dest="style", page="/"),
            get("v1", "/f.woff2", type_=FONT), get("v2", "/f.woff2", 404, fetch_dest="font", page="/s.css"),
        ],
        ["asset_skew no-key v1>v2 /f.woff2 ~session", NO_KEY],
    ),
    "module that a module imports": (
        "R82",
        [
            SPLIT, page("v1"), script("v2", "/main.js"), script("v2", "/chunk-2.js", page="/main.js"),
            script("v1", "/chunk-2.js", 404, page="/main.js"),
        ],
        ["asset_skew no-key v2>v1 /chunk-2.js ~session", "session_skew no-key v1>v2 x2 ~session"],
    ),
    "script of a worker": (
        "R82",
        [
            SPLIT, script("v1", "/w-1.js", fetch_dest="worker"), page("v1"),
            script("v2", "/w-1.js", 404, fetch_dest="worker"),
        ],
        ["asset_skew no-key v1>v2 /w-1.js ~session", NO_KEY],
    ),
    "service worker that fills its cache": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/sw.js", fetch_dest="serviceworker"), script("v1", "/app-1.js"),
            call("v2", "/app-1.js", 404, page="/sw.js"),
        ],
        ["asset_skew no-key v1>v2 /app-1.js ~session", NO_KEY],
    ),
    "service worker that fills its cache from one version": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/sw.js", fetch_dest="serviceworker"),
            call("v1", "/app-1.js", page="/sw.js", type_=JS),
        ],
        [],
    ),
    "prefetched script": (
        "R82",
        [
            SPLIT, script("v1", "/next-1.js"), page("v1"),
            get("v2", "/next-1.js", 404, fetch_dest="empty", fetch_mode="no-cors", page="/"),
        ],
        ["asset_skew no-key v1>v2 /next-1.js ~session", NO_KEY],
    ),
    "prefetched page that is not there": (
        "R82",
        [SPLIT, page("v1"), get("v2", "/next", 404, HTML, fetch_dest="empty", fetch_mode="no-cors", page="/")],
        [NO_KEY],
    ),
    "favicon that no version has": (
        "R82",
        [SPLIT, page("v1"), get("v2", "/favicon.ico", 404, fetch_dest="image", page="/")],
        [NO_KEY],
    ),
    "favicon that one version has": (
        "R82",
        [
            SPLIT, page("v1"), get("v2", "/favicon.ico", 404, fetch_dest="image", page="/"),
            get("v1", "/favicon.ico", type_="image/x-icon", fetch_dest="image", page="/"),
        ],
        ["asset_skew no-key v1>v2 /favicon.ico ~session", NO_KEY],
    ),
    "source map that only developer tools ask for": (
        "R82",
        [SPLIT, page("v1"), get("v2", "/v1.js.map", 404, page="/v1.js"), get("v2", "/v1.js.map", 404, page="/")],
        [NO_KEY],
    ),
    "304: the version still has it": (
        "R82",
        [SPLIT, page("v1"), script("v1", "/v1.js", 304), page("v1"), script("v2", "/v1.js", 404)],
        [FILE + " ~session", NO_KEY],
    ),
    "304 of the other version": ("R82", [SPLIT, page("v1", **COOKIE), script("v2", "/same.js", 304)], [NO_KEY]),
    "range of a file": (
        "R82",
        [SPLIT, page("v1"), script("v1", "/v.js", 206, type_=JS), script("v2", "/v.js", 206, type_=JS)],
        [NO_KEY],
    ),
    "HEAD is no page's": (
        "R82",
        [SPLIT, script("v1", "/v1.js"), page("v1"), call("v2", "/v1.js", 404, method="HEAD")],
        [NO_KEY],
    ),
    "HEAD tells what a version has": (
        "R82",
        [SPLIT, page("v1"), script("v2", "/v1.js", 404), get("v1", "/v1.js", method="HEAD", type_=JS)],
        [FILE + " ~session", NO_KEY],
    ),
    "redirect of a file": ("R82", [SPLIT, page("v1"), script("v2", "/v1.js", 302)], [NO_KEY]),
    "refused file": ("R82", [SPLIT, page("v1"), script("v2", "/v1.js", 403)], [NO_KEY]),
    "file of a version that fails": (
        "R82", [SPLIT, page("v1"), script("v2", "/v1.js", 502, outcome="upstream_failed")], [NO_KEY],
    ),
    "file whose answer the client did not wait for": (
        "R82", [SPLIT, page("v1"), script("v2", "/v1.js", 404, outcome="client_gone")], [NO_KEY],
    ),
    "404 of fetch for data": ("R84", [SPLIT, page("v1"), call("v2", "/api/item/9", 404)], [NO_KEY]),
    "text/html for fetch of a fragment": ("R83", [SPLIT, page("v1"), call("v2", "/part", type_=HTML)], [NO_KEY]),
    "link to an image that is gone": (
        "R83",
        [
            SPLIT, get("v1", "/a.png", type_=PNG), page("v1"),
            get("v2", "/a.png", 404, fetch_dest="document", fetch_mode="navigate", page="/"),
        ],
        [NO_KEY],
    ),
    "link to an image, no Sec-Fetch fields": (
        "R83",
        [
            SPLIT, get("v1", "/a.png", type_=PNG), page("v1"),
            get("v2", "/a.png", 404, page="/", accept="text/html"),
        ],
        [NO_KEY],
    ),
    "page in a cache: only its file is asked for, long after": (
        "R82",
        [SPLIT, page("v1"), script("v1", "/v1.js"), script("v2", "/v1.js", 404, wait=7200.0)],
        [FILE + " ~session", NO_KEY],
    ),
    "page that was never seen": ("R82", [SPLIT, script("v1", "/v1.js"), script("v2", "/v1.js", 404)], []),
    "reload that changes the version": (
        "R24", [SPLIT, page("v1"), script("v1", "/v1.js"), page("v2"), script("v2", "/v2.js")], [],
    ),
    "two tabs, the older one asks": (
        "R82",
        [SPLIT, page("v1"), script("v1", "/v1.js"), page("v2"), script("v2", "/v1.js", 404)],
        [FILE + " ~page ~session"],
    ),
    "two tabs, and nobody knows whose file it is": (
        "R82", [SPLIT, page("v1"), page("v2"), script("v2", "/late.js", 404)], [],
    ),
    "file with a query against caches": (
        "R82",
        [SPLIT, page("v1"), script("v1", "/x.js?1", 404), script("v2", "/x.js?2", 404)],
        [NO_KEY],
    ),
    "page of one Worker, file of another": (
        "R64",
        [SPLIT, page("v1"), script("w9", "/x.js", 404, worker="static", host="static.localhost")],
        [],
    ),
    "file on another host of the Worker: only the origin is told": (
        "R82",
        [
            SPLIT, script("v1", "/v1.js", host="cdn.localhost"), page("v1", "/deep"),
            get("v2", "/v1.js", 404, host="cdn.localhost", fetch_dest="script", referer=ORIGIN + "/"),
        ],
        [FILE + " ~page ~session"],
    ),
    "file on another host, and nobody knows whether it exists": (
        "R82",
        [
            SPLIT, page("v1", "/deep"),
            get("v2", "/v1.js", 404, host="cdn.localhost", fetch_dest="script", referer=ORIGIN + "/"),
        ],
        [],
    ),
    "page without referrers": (
        "R82",
        [
            SPLIT, script("v1", "/v1.js"), page("v1", **COOKIE),
            script("v2", "/v1.js", 404, referer="", page=None, **COOKIE),
        ],
        [FILE + " ~page", "session_skew no-key v1>v2"],
    ),
    "preflight": (
        "R27", [SPLIT, page("v1"), call("v2", "/api", 404, method="OPTIONS", origin=ORIGIN)], [],
    ),
    "bot that fetches a file without a page": (
        "R84",
        [SPLIT, get("v1", "/", type_=HTML), get("v1", "/v1.js", type_=JS), get("v2", "/v1.js", 404)],
        [],
    ),
    "another client's page": (
        "R82",
        [SPLIT, page("v1", address="192.0.2.7"), script("v1", "/v1.js"), script("v2", "/v1.js", 404)],
        [],
    ),
    # Caches and reloads
    "page of which the browser has all files": (
        "R82", [SPLIT, page("v1"), page("v2", "/b"), page("v1", "/c")], [],
    ),
    "reload of a page that broke, and is whole now": (
        "R24",
        [SPLIT, page("v1"), script("v2", "/v1.js", 404), page("v2"), script("v2", "/v2.js")],
        [FILE + " ~file ~session", NO_KEY],
    ),
    "page that its own version confirms with 304": (
        "R82",
        [SPLIT, page("v1"), page("v1", "/", 304, type_=""), script("v1", "/v1.js"), script("v2", "/v1.js", 404)],
        [FILE + " ~session", NO_KEY],
    ),
    "page from the cache for the way back, which loads one more file": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/late-1.js"), page("v2", "/b", referred="/"),
            script("v2", "/late-1.js", 404),
        ],
        [
            "asset_skew no-key v1>v2 /late-1.js ~session", "session_skew no-key v1>v2 x2 ~session",
        ],
    ),
    "style that stands in a cache names a font": (
        "R82",
        [
            SPLIT, get("v1", "/s.css", type_=CSS, fetch_dest="style", page="/"), get("v1", "/f.woff2", type_=FONT),
            get("v2", "/f.woff2", 404, fetch_dest="font", page="/s.css", wait=600.0),
        ],
        ["asset_skew no-key v1>v2 /f.woff2 ~session", NO_KEY],
    ),
    # Tabs
    "two tabs at two addresses, each asks its own version": (
        "R37",
        [
            SPLIT, page("v1", "/a"), page("v2", "/b"),
            script("v1", "/v1.js", page="/a"), script("v2", "/v2.js", page="/b"),
        ],
        [],
    ),
    "two tabs at two addresses, one breaks": (
        "R82",
        [
            SPLIT, page("v1", "/a"), page("v2", "/b"), script("v1", "/v1.js", page="/a"),
            script("v2", "/v1.js", 404, page="/a"),
        ],
        [FILE + " ~session", NO_KEY],
    ),
    "two people behind one address with the same browser": (
        "R82",
        [
            SPLIT, page("v1", session_cookie="ann"), page("v2", session_cookie="bob"),
            script("v1", "/v1.js", session_cookie="ann"), script("v2", "/v2.js", session_cookie="bob"),
        ],
        [],
    ),
    # Bots and programs
    "scanner that tries paths": (
        "R44",
        [
            SPLIT, get("v1", "/wp-login.php", 404), get("v2", "/.env", 404), get("v1", "/admin/app.js", 404),
            get("v2", "/admin/app.js", 404), get("v2", "/.well-known/security.txt", 404),
        ],
        [],
    ),
    "crawler that names a page it never loaded": (
        "R82",
        [SPLIT, script("v1", "/v1.js"), page("v1"), get("v2", "/v1.js", 404, page="/a")],
        [],
    ),
    "monitor that asks for one page again and again": (
        "R44", [SPLIT, *[get("v1", "/", type_=HTML), get("v2", "/", type_=HTML)] * 5], [],
    ),
    "program that loads files without Sec-Fetch fields, from another host": (
        "R84",
        [
            SPLIT, get("v1", "/", type_=HTML), get("v1", "/v1.js", type_=JS),
            get("v2", "/v1.js", 404, host="cdn.localhost"),
        ],
        [],
    ),
    # Real 404s
    "file that no version has, with a page that is no page": (
        "R82",
        [
            SPLIT, page("v1"), script("v2", "/typo.js", 404, type_=HTML), page("v2"),
            script("v1", "/typo.js", 404, type_=HTML),
        ],
        [NO_KEY],
    ),
    "404 page of a version that asks for its script elsewhere": (
        "R82",
        [SPLIT, script("v1", "/v1.js"), page("v1", "/nope", 404), script("v2", "/v1.js", 404, page="/nope")],
        [FILE + " ~session", NO_KEY],
    ),
    "three versions, of which the page's own has the file": (
        "R82",
        [
            deploy(v1=34, v2=33, v3=33), page("v1"), script("v3", "/v1.js", 404), script("v1", "/v1.js"),
            script("v2", "/v1.js", 404),
        ],
        [
            "asset_skew no-key v1>v2 /v1.js ~session", "asset_skew no-key v1>v3 /v1.js ~session",
            "session_skew no-key v1>v2 ~session", "session_skew no-key v1>v3 ~session",
        ],
    ),
    "three versions, of which two share the file": (
        "R82",
        [deploy(v1=34, v2=33, v3=33), page("v1"), script("v3", "/v1.js"), script("v1", "/v1.js")],
        ["session_skew no-key v1>v3 ~session"],
    ),
    # Service workers
    "service worker that looks for its own update": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/sw.js", fetch_dest="serviceworker"),
            script("v2", "/sw.js", 404, fetch_dest="serviceworker", page=None, referer=""),
        ],
        ["asset_skew no-key v1>v2 /sw.js ~page ~session"],
    ),
    "service worker that both versions have": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/sw.js", fetch_dest="serviceworker"),
            script("v2", "/sw.js", fetch_dest="serviceworker", page=None, referer=""),
        ],
        [],
    ),
    "service worker that passes a page's request on": (
        "R82",
        [SPLIT, page("v1"), script("v1", "/v1.js"), call("v2", "/v1.js", 404, fetch_dest="script")],
        [FILE + " ~session", NO_KEY],
    ),
    # Redirects
    "page behind a redirect of the other version": (
        "R82",
        [SPLIT, page("v1", "/old", 302, type_=""), page("v2"), script("v2", "/v2.js")],
        [],
    ),
    "page behind a redirect, whose script is asked for elsewhere": (
        "R82",
        [
            SPLIT, page("v2", "/old", 302, type_=""), page("v1"), script("v1", "/v1.js"),
            script("v2", "/v1.js", 404),
        ],
        [FILE + " ~session", NO_KEY],
    ),
    "redirect of a file to where only the page's version has it": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/v1.js", 302), script("v1", "/hashed.js"),
            script("v1", "/v1.js", 302), script("v2", "/hashed.js", 404),
        ],
        ["asset_skew no-key v1>v2 /hashed.js ~session", NO_KEY],
    ),
    "form that is answered with its page, whose script is missing": (
        "R82",
        [
            SPLIT, script("v1", "/v1.js"), page("v1", "/send", method="POST", **COOKIE),
            script("v2", "/v1.js", 404, page="/send", **COOKIE),
        ],
        [FILE, "session_skew no-key v1>v2"],
    ),
    # CORS
    "font by CORS, with the page's address": (
        "R82",
        [
            SPLIT, page("v1"), get("v1", "/f.woff2", type_=FONT),
            get("v2", "/f.woff2", 404, fetch_dest="font", fetch_mode="cors", origin=ORIGIN, page="/"),
        ],
        ["asset_skew no-key v1>v2 /f.woff2 ~session", NO_KEY],
    ),
    "module by CORS that tells its origin alone": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/v1.js"),
            script("v2", "/v1.js", 404, fetch_mode="cors", origin=ORIGIN, page=None, referer=""),
        ],
        [FILE + " ~page ~session"],
    ),
    "call from a page of another site": (
        "R27",
        [
            SPLIT, page("v1"),
            call("v2", "/api", 403, page=None, referer="https://other.example/", origin="https://other.example"),
        ],
        [],
    ),
    "script that another site embeds": (
        "R82",
        [
            SPLIT, page("v1"), script("v1", "/widget.js"),
            script("v2", "/widget.js", 404, page=None, referer="https://other.example/blog"),
        ],
        [],
    ),
    "preflight, then the call it asked for": (
        "R27",
        [
            SPLIT, page("v1"), call("v2", "/api", 204, method="OPTIONS", origin=ORIGIN),
            call("v1", "/api", method="PUT", origin=ORIGIN),
        ],
        [],
    ),
    # Prefetch
    "prefetched page whose script is asked for when it is shown": (
        "R82",
        [
            SPLIT, page("v1"), script("v2", "/v2.js"), page("v2", "/next", referred="/"),
            script("v1", "/v2.js", 404, page="/next"),
        ],
        ["asset_skew no-key v2>v1 /v2.js ~session", "session_skew no-key v1>v2 x3 ~session"],
    ),
    "preloaded script of the page's own version": (
        "R82", [SPLIT, page("v1"), script("v1", "/v1.js"), script("v1", "/v1.js", fetch_mode="cors")], [],
    ),
    "prefetched file that no version has": (
        "R82",
        [
            SPLIT, page("v1"), get("v2", "/next.js", 404, fetch_dest="empty", fetch_mode="no-cors", page="/"),
            get("v1", "/next.js", 404, fetch_dest="empty", fetch_mode="no-cors", page="/"),
        ],
        [NO_KEY],
    ),
    # Frames and streams
    "frame of the other version with files of its own": (
        "R24",
        [
            SPLIT, page("v1"), page("v2", "/frame", fetch_dest="iframe", referred="/"),
            script("v2", "/v2.js", page="/frame"),
        ],
        [NO_KEY],
    ),
    "events of the other version": (
        "R84",
        [SPLIT, page("v1"), call("v2", "/events", type_="text/event-stream", accept="text/event-stream")],
        [NO_KEY],
    ),
    # Keys, overrides, version URLs
    "page without key, file with key": (
        "R42",
        [SPLIT, script("v1", "/v1.js"), page("v1"), script("v2", "/v1.js", 404, **KEYED)],
        ["asset_skew key-missing v1>v2 /v1.js ~session"],
    ),
    "page with key, file without": (
        "R26",
        [SPLIT, script("v1", "/v1.js"), page("v1", **KEYED), script("v2", "/v1.js", 404)],
        ["asset_skew key-missing v1>v2 /v1.js ~session", "session_skew key-missing v1>v2 ~session"],
    ),
    "key with everything": ("R37", [SPLIT, page("v1", **KEYED), script("v1", "/v1.js", **KEYED)], []),
    "key that differs from request to request": (
        "R37",
        [
            SPLIT, script("v1", "/v1.js"), page("v1", version_key="/", reason="affinity", **COOKIE),
            script("v2", "/v1.js", 404, version_key="/v1.js", reason="affinity", **COOKIE),
        ],
        ["asset_skew keys-differ v1>v2 /v1.js", "session_skew keys-differ v1>v2"],
    ),
    "one key, two versions, one deployment": (
        "R17",
        [SPLIT, page("v1", **KEYED), call("v2", **KEYED)],
        ["session_skew late-propagation v1>v2"],
    ),
    "page by override at 0 %, its file without": (
        "R21",
        [
            deploy(v1=100, v2=0), script("v2", "/v2.js", **OVERRIDE), page("v2", **OVERRIDE),
            script("v1", "/v2.js", 404),
        ],
        ["asset_skew named-version v2>v1 /v2.js ~session"],
    ),
    "everything by override at 0 %": (
        "R14", [deploy(v1=100, v2=0), page("v2", **OVERRIDE), script("v2", "/v2.js", **OVERRIDE)], [],
    ),
    "now with override, now without": (
        "R21", [SPLIT, page("v1", **COOKIE), page("v2", **COOKIE, **OVERRIDE), page("v1", **COOKIE)], [],
    ),
    "version URL, everything from it": (
        "R20",
        [
            SPLIT, page("v1"), page("v2", **URL),
            script("v2", "/v2.js", page=None, referer="http://v2-shop.localhost:8787/", **URL),
        ],
        [],
    ),
    "page at a version URL, file by a full link elsewhere": (
        "R20",
        [
            SPLIT, script("v2", "/v2.js"), page("v2", **URL),
            script("v1", "/v2.js", 404, page=None, referer="http://v2-shop.localhost:8787/"),
        ],
        ["asset_skew named-version v2>v1 /v2.js ~session"],
    ),
    # Sessions
    "cookie session that is drawn anew": (
        "R24",
        [SPLIT, page("v1", **COOKIE), page("v2", "/b", **COOKIE), page("v1", "/c", **COOKIE)],
        ["session_skew no-key v1>v2 x2"],
    ),
    "cookie session that stays": ("R37", [SPLIT, page("v1", **COOKIE), page("v1", "/b", **COOKIE)], []),
    "two cookies, a version each": (
        "R24", [SPLIT, page("v1", session_cookie="a"), page("v2", session_cookie="b")], [],
    ),
    "session that comes back after a long pause": (
        "R24", [SPLIT, page("v1", **COOKIE), page("v2", **COOKIE, wait=3600.0)], [],
    ),
    "first visit has no key, the next have": (
        "R42",
        [SPLIT, page("v1", **COOKIE), page("v2", "/b", **COOKIE, **KEYED), page("v2", "/c", **COOKIE, **KEYED)],
        ["session_skew key-missing v1>v2"],
    ),
    "key that a growing percentage moves": (
        "R38",
        [SPLIT, page("v1", **KEYED), deploy(v1=20, v2=80), page("v2", **KEYED)],
        ["session_skew moved-by-deployment v1>v2"],
    ),
    "deployment in mid-session that takes the version out": (
        "R29",
        [deploy(v1=100), page("v1", **KEYED), deploy(v2=100), page("v2", "/b", **KEYED)],
        ["session_skew not-deployed v1>v2"],
    ),
    "rollback in mid-session": (
        "R93",
        [
            deploy(v2=100), page("v2", **COOKIE), deploy(v1=100, triggered_by="rollback"),
            page("v1", "/b", **COOKIE),
        ],
        ["session_skew not-deployed v2>v1"],
    ),
    "programs without cookie, key or referrer": (
        "R44", [SPLIT, get("v1", "/a"), get("v2", "/a"), get("v1", "/a"), get("v2", "/b", method="POST")], [],
    ),
    "person who follows links": (
        "R24", [SPLIT, page("v1"), page("v2", "/b", referred="/")], [NO_KEY],
    ),
    "link that one of several tabs may hold": (
        "R24", [SPLIT, page("v1"), page("v2"), page("v1", "/b", referred="/")], [],
    ),
    # Flows
    "flow on one version": (
        "R84",
        [
            SPLIT, page("v1", "/cart", **COOKIE), page("v1", "/checkout", method="POST", status=303, **COOKIE),
            page("v1", "/pay", **COOKIE),
        ],
        [],
    ),
    "flow that changes its version": (
        "R24",
        [SPLIT, page("v1", "/cart", **COOKIE), page("v2", "/checkout", **COOKIE), page("v2", "/pay", **COOKIE)],
        ["flow_skew no-key v1>v2 /cart → /checkout", "session_skew no-key v1>v2"],
    ),
    "first step sent to another version than showed it": (
        "R24",
        [SPLIT, page("v1", "/cart", **COOKIE), page("v2", "/cart", method="POST", status=303, **COOKIE)],
        ["flow_skew no-key v1>v2 /cart → /cart", "session_skew no-key v1>v2"],
    ),
    "first step looked at twice": (
        "R24",
        [SPLIT, page("v1", "/cart", **COOKIE), page("v2", "/cart", **COOKIE), page("v2", "/pay", **COOKIE)],
        ["session_skew no-key v1>v2"],
    ),
    "flow by patterns": (
        "R24",
        [SPLIT, page("v1", "/orders/7/items", **COOKIE), page("v2", "/thanks", **COOKIE)],
        ["flow_skew no-key v1>v2 /orders/* → /thanks", "session_skew no-key v1>v2"],
    ),
    "pages beside the flow": (
        "R24",
        [SPLIT, page("v1", "/cart", **COOKIE), page("v2", "/help", **COOKIE), page("v1", "/checkout", **COOKIE)],
        ["session_skew no-key v1>v2 x2"],
    ),
    "flow of a person without cookie": (
        "R24",
        [SPLIT, page("v1", "/cart"), page("v2", "/checkout", referred="/cart")],
        ["flow_skew no-key v1>v2 /cart → /checkout ~session", NO_KEY],
    ),
    "flow of programs": ("R44", [SPLIT, get("v1", "/cart"), get("v2", "/checkout")], []),
    # Objects
    "object of another version that answers": ("R50", [SPLIT, page("v1"), call("v2", "/cart/foo", **OBJECT)], []),
    "object of another version that fails, called by a Worker": (
        "R50",
        [
            SPLIT, get("v2", "/cart/foo", 500, caller_ray="outer", **OBJECT), get("v1", "/buy", 502, ray="outer"),
        ],
        ["object_skew object-version v1>v2 Cart GET /cart/*"],
    ),
    "object of another version that throws, called by a page": (
        "R50",
        [SPLIT, page("v1"), call("v2", "/cart/foo", 500, outcome="worker_threw", **OBJECT)],
        ["object_skew object-version v1>v2 Cart GET /cart/* ~caller ~session"],
    ),
    "object that fails within its own version too": (
        "R50",
        [
            SPLIT, page("v1"), call("v2", "/cart/foo", 500, **OBJECT),
            page("v2", "/b"), call("v2", "/cart/foo", 500, page="/b", **OBJECT),
        ],
        [],
    ),
    "object of the caller's version that fails": (
        "R50", [SPLIT, page("v1"), call("v1", "/cart/foo", 500, **OBJECT)], [],
    ),
    "object that fails for nobody knows whom": ("R50", [SPLIT, get("v2", "/cart/foo", 500, **OBJECT)], []),
    "WebSocket to an object of another version": (
        "R50",
        [SPLIT, page("v1"), get("v2", "/cart/foo", 101, origin=ORIGIN, **OBJECT)],
        [],
    ),
    # Stale tabs
    "stale tab": (
        "R29",
        [deploy(v1=100), page("v1"), deploy(v2=100), call("v2")],
        ["session_skew not-deployed v1>v2 ~session", "stale_tab not-deployed v1>v2 ~session"],
    ),
    "stale tab whose chunk is gone": (
        "R82",
        [deploy(v1=100), page("v1"), script("v1", "/v1.js"), deploy(v2=100), script("v2", "/v1.js", 404)],
        ["asset_skew not-deployed v1>v2 /v1.js ~session", "session_skew not-deployed v1>v2 ~session"],
    ),
    "stale tab that sends its form": (
        "R29",
        [
            deploy(v1=100), page("v1", **COOKIE), deploy(v2=100),
            page("v2", "/send", method="POST", referred="/", **COOKIE),
        ],
        ["session_skew not-deployed v1>v2", "stale_tab not-deployed v1>v2"],
    ),
    "stale tab that sends its form to its own address": (
        "R29",
        [deploy(v1=100), page("v1"), deploy(v2=100), page("v2", "/", 400, method="POST", referred="/")],
        ["session_skew not-deployed v1>v2 ~session", "stale_tab not-deployed v1>v2 ~session"],
    ),
    "stale tab that goes on to another page": (
        "R29",
        [deploy(v1=100), page("v1"), deploy(v2=100), page("v2", "/b", referred="/")],
        ["session_skew not-deployed v1>v2 ~session"],
    ),
    "stale tab that was reloaded": (
        "R29", [deploy(v1=100), page("v1"), deploy(v2=100), page("v2"), call("v2")], [],
    ),
    "page of a version that is deployed at 0 %": (
        "R14",
        [deploy(v1=100), page("v1"), deploy(v1=0, v2=100), call("v2")],
        [NO_KEY],
    ),
    "WebSocket of a stale tab": (
        "R29",
        [
            deploy(v1=100), page("v1"), deploy(v2=100),
            get("v2", "/ws", 101, origin=ORIGIN, fetch_dest="websocket", fetch_mode="websocket"),
        ],
        ["stale_tab not-deployed v1>v2 ~page ~session"],
    ),
    "WebSocket of a page": (
        "R27", [SPLIT, page("v1"), get("v2", "/ws", 101, origin=ORIGIN)], [],
    ),
    "answers of the gateway itself": (
        "R25", [SPLIT, page("v1"), script("", "/v1.js", 404, outcome="refused", worker="")], [],
    ),
    "text that is no URL where one should be": (
        "R25", [SPLIT, page("v1"), script("v2", "/v1.js", 404, page=None, referer="http://[half/")], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "traffic", "expected"), PATTERNS.values(), ids=PATTERNS)
def test_a_pattern_gives_just_these_incidents(
    rule: str, traffic: list[Seen | Deploy], expected: list[str]
) -> None:
    """Issue D, detector precision: each pattern with its verdict and the rule it follows from."""
    assert rule.startswith("R")
    assert shown(incidents_in(traffic)) == sorted(expected)


def test_the_table_is_long_enough() -> None:
    """Issue D: at least 40 patterns."""
    assert len(PATTERNS) >= 40
