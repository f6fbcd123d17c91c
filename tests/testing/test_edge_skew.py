"""``edge.skew`` and ``assert_no_skew``: what they find, what they say, and that they look at every request."""

from __future__ import annotations

import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from urllib.error import HTTPError

import pytest
from aiohttp import web

from gateway.skew.incident import Kind
from gateway.testing import Edge, EdgeMisused, Incident, SkewRules, SyncEdge, assert_no_skew

PAGE = '<link rel="stylesheet" href="s.css"><script src="/{tag}.js"></script><img src="/gone.png">'
BROWSER = {"User-Agent": "Mozilla/5.0", "Accept": "text/html"}


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """An edge as the plugin makes it."""
    async with Edge(7) as edge:
        yield edge


def shop(tag: str) -> Callable[[], web.Application]:
    """Return a function that makes a shop whose page asks for a script that only this version has."""

    def make() -> web.Application:
        async def page(_: web.Request) -> web.Response:
            return web.Response(text=PAGE.format(tag=tag), content_type="text/html")

        async def script(_: web.Request) -> web.Response:
            return web.Response(text="start()", content_type="text/javascript")

        async def style(_: web.Request) -> web.Response:
            return web.Response(text="p {}", content_type="text/css")

        async def moved(_: web.Request) -> web.Response:
            return web.Response(status=303, headers={"Location": "/"})

        async def fallback(_: web.Request) -> web.Response:
            return web.Response(text="the front page", content_type="text/html")

        async def cart(request: web.Request) -> web.Response:
            if request.method == "POST" and tag == "v2":
                raise web.HTTPInternalServerError
            return web.json_response({"by": tag})

        app = web.Application()
        app.router.add_get("/", page)
        app.router.add_get(f"/{tag}.js", script)
        app.router.add_get("/s.css", style)
        app.router.add_get("/old", moved)
        app.router.add_get("/spa/{tail:.*}", fallback)
        app.router.add_route("*", "/cart/{name}", cart)
        return app

    return make


def shown(incidents: list[Incident]) -> list[tuple[str, str, str, str, int]]:
    """Return kind, file, versions and count of each."""
    return [(one.kind, one.what, one.before.label, one.after.label, one.count) for one in incidents]


async def test_every_request_is_looked_at_however_many_there_are(edge: Edge) -> None:
    """The watch of a live gateway passes over what comes too fast; a test is told of all that broke."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=50, v2=50)
    visitor = edge.client()
    broken: Counter[tuple[str, str]] = Counter()
    for _ in range(700):
        page = await visitor.load("/")
        broken.update((page.tag, path) for path in page.missing if path.endswith(".js"))

    found = edge.skew

    assert len(edge.requests) == 700 * 4
    assert len(broken) == 2
    assert sum(broken.values()) > 200
    assert {(one.before.label, one.what): one.count for one in found if one.kind is Kind.ASSET_SKEW} == broken
    assert edge.skew == found


async def test_what_an_assertion_says(edge: Edge) -> None:
    """Which page of which version asked for which file of which other version; cause, remedy, seed; no times."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=100)
    page = await edge.client(key="ann").load("/")
    await edge.deploy("shop", v2=100)
    await page.get("/v1.js", headers={"Cloudflare-Workers-Version-Key": "ann"})

    with pytest.raises(AssertionError) as caught:
        assert_no_skew(edge, kinds=["asset_skew"])

    assert str(caught.value).splitlines() == [
        "1 incident of version skew in 5 requests",
        "",
        "asset_skew in shop",
        "  / of v1 asked for /v1.js: v2 answered 404",
        f"  before    GET / 200 v1 affinity at {edge.requests[0].point:.3f}",
        f"  after     GET /v1.js 404 v2 affinity at {edge.requests[0].point:.3f}",
        "  cause     Deployment 2 took v1 out of service after GET / was answered.",
        f"  remedy    {edge.skew[0].cause.remedy}",
        "",
        "gateway seed 7: repeat with --gateway-seed 7",
    ]
    assert "keep v1 in the deployment" in edge.skew[0].cause.remedy
    assert shown(edge.skew) == [
        ("asset_skew", "/v1.js", "v1", "v2", 1),
        ("session_skew", "", "v1", "v2", 1),
    ]


async def test_what_a_key_and_a_version_by_itself_do_not_break(edge: Edge) -> None:
    """R37: no skew, though each page asks for a picture that no version has."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=50, v2=50)
    for number in range(10):
        page = await edge.client(key=f"user-{number}").load("/")
        assert list(page.files) == ["/s.css", f"/{page.tag}.js", "/gone.png"]
        assert page.missing == {"/gone.png": "404"}

    assert {one.label for one in edge.requests} == {"v1", "v2"}
    assert_no_skew(edge)


async def test_clients_are_told_apart(edge: Edge) -> None:
    """All of a test's clients share one address: each has a user agent of its own, as two people would."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=50, v2=50)
    for tag in ("v1", "v2", "v1", "v2"):
        page = await edge.client(override=tag).load("/")
        await page.get(
            "/cart/ann", headers={"Cloudflare-Workers-Version-Overrides": f'shop="{page.answer.version}"'}
        )

    assert_no_skew(edge)
    assert len({dict(one.headers)["User-Agent"] for one in edge.requests}) == 4
    own = edge.client(headers={"user-agent": "ours/1"})
    await own.get("/old")
    assert [value for name, value in edge.requests[-1].headers if name.lower() == "user-agent"] == ["ours/1"]


async def test_a_page_behind_a_redirect_and_one_that_is_followed(edge: Edge) -> None:
    """Files are asked for in the name of the page that was reached; a fallback page is no script (R83)."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=100)
    page = await (await edge.client().load("/old")).follow("/old")
    fallback = await page.get("/spa/main.js")
    sent = [(one.target, dict(one.headers)) for one in edge.requests]

    assert page.answer.url == edge.url + "/"
    assert [target for target, _ in sent] == ["/old", "/", "/s.css", "/v1.js", "/gone.png"] * 2 + ["/spa/main.js"]
    assert sent[3][1]["Referer"] == edge.url + "/"
    assert sent[3][1]["Sec-Fetch-Dest"] == "script"
    assert sent[5][1]["Referer"] == edge.url + "/"
    assert (sent[5][1]["Sec-Fetch-Dest"], sent[10][1]["Sec-Fetch-Mode"]) == ("document", "cors")
    assert fallback.status == 200
    await edge.deploy("shop", v2=100)
    await page.request("GET", "/spa/main.js", headers={"Sec-Fetch-Dest": "script"})
    assert {one.kind for one in edge.skew} == {Kind.SESSION_SKEW}


async def test_sessions_and_flows_are_followed_as_the_worker_says(edge: Edge) -> None:
    """``skew=`` takes what the configuration has: the cookie of a session, flows; or looks at nothing."""
    rules = SkewRules(session_cookie="sid", flows=(("/cart/a", "/cart/b"),))
    edge.worker("shop", skew=rules, v1=shop("v1"), v2=shop("v2"))
    edge.worker("quiet", skew=SkewRules(enabled=False), v1=shop("v1"), v2=shop("v2"))
    for worker in ("shop", "quiet"):
        await edge.deploy(worker, v1=100)
        visitor = edge.client(worker=worker, headers={"Cookie": "sid=abc"})
        await visitor.get("/cart/a")
        await edge.deploy(worker, v2=100)
        await visitor.get("/cart/b")

    assert shown(edge.skew) == [
        ("flow_skew", "/cart/a → /cart/b", "v1", "v2", 1),
        ("session_skew", "", "v1", "v2", 1),
    ]
    assert_no_skew(edge, worker="quiet")
    with pytest.raises(AssertionError, match="the flow /cart/a → /cart/b began on v1 and went on on v2"):
        assert_no_skew(edge, kinds="flow_skew")
    with pytest.raises(AssertionError, match="one session met v1 at GET /cart/a, v2 at GET /cart/b"):
        assert_no_skew(edge, worker="shop", kinds=iter(["session_skew"]))
    with pytest.raises(EdgeMisused, match="Give routes, classes and skew the first time"):
        edge.worker("shop", skew=rules)


async def test_an_object_that_does_not_understand_its_caller(edge: Edge) -> None:
    """R50: a page of v1 calls an object that runs v2, and fails."""
    edge.worker("shop", classes={"Cart": "path:/cart/{name}"}, v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=50, v2=50)
    on_v2 = next(f"/cart/{number}" for number in range(100) if _runs_on(edge, f"/cart/{number}", "v2"))
    visitor = edge.client()
    page = await visitor.load("/")
    while page.tag != "v1":
        page = await edge.client().load("/")
    await page.post(on_v2)

    with pytest.raises(AssertionError, match=r"/ of v1 called Cart POST /cart/\* of Cart/.*runs on v2.*\(500\)"):
        assert_no_skew(edge, kinds="object_skew")


def _runs_on(edge: Edge, path: str, tag: str) -> bool:
    decision = edge.explain(path).decision
    return decision is not None and edge.label_of("shop", decision.version_id) == tag


async def test_a_version_that_only_a_cohort_meets_is_deployed(edge: Edge) -> None:
    """R14, R29: a page of such a version is no stale tab."""
    edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
    await edge.deploy("shop", v1=100, cohorts={"beta": {"v2": 100}})
    page = await edge.client().load("/", headers={"Cloudflare-Workers-Cohort": "beta"})
    await edge.deploy("shop", v1=100, cohorts={"beta": {"v2": 100}})
    await page.get("/cart/ann")

    assert (page.tag, edge.requests[-1].label) == ("v2", "v1")
    assert Kind.STALE_TAB not in {one.kind for one in edge.skew}


async def test_what_can_prove_nothing_is_refused(edge: Edge) -> None:
    """House rule 8: value and remedy; a test that asked nothing must not pass."""
    edge.worker("shop", v1=shop("v1"))
    edge.worker("api", v1=shop("v1"))
    await edge.deploy("shop", v1=100)
    with pytest.raises(EdgeMisused, match="no request has reached any version yet"):
        assert_no_skew(edge)
    await edge.client().get("/")

    assert_no_skew(edge)
    with pytest.raises(EdgeMisused, match="no request has reached Worker 'api' yet"):
        assert_no_skew(edge, worker="api")
    with pytest.raises(EdgeMisused, match="no Worker 'shpo' is declared"):
        assert_no_skew(edge, worker="shpo")
    with pytest.raises(EdgeMisused, match=r"'asset', which is no kind of skew\nKnown are: asset_skew, session"):
        assert_no_skew(edge, kinds=["asset", "flow_skew"])
    with pytest.raises(EdgeMisused, match="kinds names nothing"):
        assert_no_skew(edge, kinds=[])


def test_a_plain_edge_and_any_client() -> None:
    """The loop runs in a thread; what urllib sends counts as soon as it has its answer."""
    with SyncEdge(7) as edge:
        edge.worker("shop", v1=shop("v1"), v2=shop("v2"))
        edge.deploy("shop", v1=100)
        _open(edge.url, BROWSER)
        page = edge.client().load("/")
        assert (page.tag, list(page.files)) == ("v1", ["/s.css", "/v1.js", "/gone.png"])
        assert page.follow("/old").answer.url == edge.url + "/"
        assert_no_skew(edge)
        edge.deploy("shop", v2=100)
        with pytest.raises(HTTPError, match="404"):
            _open(edge.url + "/v1.js", {**BROWSER, "Accept": "*/*", "Referer": edge.url + "/"})
        assert [one[:4] for one in shown(edge.skew) if one[0] == "asset_skew"] == [
            ("asset_skew", "/v1.js", "v1", "v2")
        ]
        assert page.get("/cart/ann").json() == {"by": "v2"}
        assert page.post("/cart/ann").status == 500
    assert Kind.STALE_TAB in {one.kind for one in edge.skew}  # what was seen stays when it has ended


def _open(url: str, headers: dict[str, str]) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310 - loopback
        answer.read()
