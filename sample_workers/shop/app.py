"""The shop's pages, its bundle and what it can tell of itself."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from sample_workers.pages import load_template, page, render
from sample_workers.runtime import SETTINGS, CodeVersion, Settings, new_app
from sample_workers.shop.checkout import add_checkout
from sample_workers.shop.products import PRICE_FIELD, add_products
from sample_workers.shop.streams import add_streams

PAGES = Path(__file__).with_name("pages")
HOME_PAGE = load_template(PAGES / "home.html")
HOME_HEAD = load_template(PAGES / "home_head.html")
BUNDLE = load_template(PAGES / "bundle.js")

# What routing looked at (R21, R23) and what the gateway adds on the way to a version.
TELLING_HEADERS = (
    "Cloudflare-Workers-Version-Key",
    "Cloudflare-Workers-Version-Overrides",
    "CF-Ray",
    "CF-Connecting-IP",
    "CF-IPCountry",
    "Gateway-Object",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
)
# As narrow as an affinity key taken from the cookie wants it: nothing that needs quoting in a header.
USER_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


def build_app(settings: Settings) -> web.Application:
    """Return the shop in one of its versions."""
    app = new_app(settings)
    app.router.add_get("/", home)
    app.router.add_get(r"/bundle-{bundle:v[0-9]+}.js", bundle)
    app.router.add_get("/metadata", metadata)
    app.router.add_get("/login", login)
    add_products(app)
    add_checkout(app)
    add_streams(app)
    return app


async def home(request: web.Request) -> web.Response:
    """Return HTML that asks for the script of its own version (R82)."""
    settings = request.app[SETTINGS]
    other: CodeVersion = "v2" if settings.version == "v1" else "v1"
    user = request.cookies.get("user")
    body = render(
        HOME_PAGE,
        version=settings.version,
        other=other,
        price_field=PRICE_FIELD[settings.version],
        others_price_field=PRICE_FIELD[other],
        greeting=f"You are {user}." if user else "You are not logged in.",
    )
    return page(settings, title="The sample shop", body=body, head=render(HOME_HEAD, version=settings.version))


async def bundle(request: web.Request) -> web.Response:
    """Return this version's script; for the other's, not among its assets, 404: the classic skew (R82)."""
    wanted, version = request.match_info["bundle"], request.app[SETTINGS].version
    if wanted != version:
        raise web.HTTPNotFound(text=f"bundle-{wanted}.js is no file of {version}: version skew\n")
    text = BUNDLE.substitute(version=version, price_field=PRICE_FIELD[version])
    return web.Response(text=text, content_type="text/javascript", charset="utf-8")


async def metadata(request: web.Request) -> web.Response:
    """Return who this version is (R107) and which telling headers reached it."""
    settings = request.app[SETTINGS]
    return web.json_response(
        {
            "worker": settings.worker,
            "version": settings.version,
            "metadata": settings.metadata.as_json(),
            "request_headers": {name: request.headers.get(name) for name in TELLING_HEADERS},
        }
    )


async def login(request: web.Request) -> web.Response:
    """Set the cookie ``user``, which can become the affinity key of the requests that follow (R26, R42)."""
    user = request.query.get("user", "")
    if not USER_NAME.fullmatch(user):
        raise web.HTTPBadRequest(
            text="user must be 1 to 64 letters, digits or any of . _ @ - (as in /login?user=ada)\n"
        )
    response = web.Response(status=303, headers={"Location": "/"})
    response.set_cookie("user", user, path="/", httponly=True, samesite="Lax")
    return response
