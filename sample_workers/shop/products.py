"""``/api/products``: the price list that the page's script asks for.

v2 renamed the field of the price. The script of each version reads the name that its own version gives, so during
a split, or in a tab that outlived a deployment, it finds no price (R84). The sample does it on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from sample_workers.runtime import SETTINGS, CodeVersion
from sample_workers.shop.cart import PRICES_IN_CENTS

PRICE_FIELD: Mapping[CodeVersion, str] = {"v1": "price", "v2": "price_in_cents"}


def add_products(app: web.Application) -> None:
    """Add the price list to an application."""
    app.router.add_get("/api/products", products)


async def products(request: web.Request) -> web.Response:
    """Return what there is to buy, each price in cents under the name that this version gives it."""
    field = PRICE_FIELD[request.app[SETTINGS].version]
    return web.json_response(
        {"products": [{"name": name, field: cents} for name, cents in PRICES_IN_CENTS.items()]}
    )
