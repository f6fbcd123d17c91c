"""Parts of the platform that the gateway does not have: each says so by name rather than by 'no route'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.control.cloudflare.parts import ACCOUNT, SCRIPT, WORKERS
from gateway.control.refusals import NotServed

UNSERVED: Final[Mapping[str, str]] = {
    f"{SCRIPT}/assets-upload-session": "Uploading static assets",
    f"{WORKERS}/assets/upload": "Uploading static assets",
    f"{ACCOUNT}/storage/kv": "Workers KV",
    f"{ACCOUNT}/r2": "R2",
    f"{ACCOUNT}/d1": "D1",
    f"{ACCOUNT}/queues": "Queues",
    f"{ACCOUNT}/workflows": "Workflows",
    f"{ACCOUNT}/containers": "Containers",
    f"{ACCOUNT}/cloudchamber": "Containers",
    f"{ACCOUNT}/hyperdrive": "Hyperdrive",
    f"{ACCOUNT}/vectorize": "Vectorize",
    f"{ACCOUNT}/ai": "Workers AI",
    f"{ACCOUNT}/pipelines": "Pipelines",
    f"{ACCOUNT}/secrets_store": "Secrets Store",
    f"{ACCOUNT}/pages": "Pages",
    f"{ACCOUNT}/mtls_certificates": "mTLS certificates",
    f"{WORKERS}/dispatch": "Workers for Platforms",
    f"{WORKERS}/placement": "Smart Placement",
}
"""Beginnings of paths, each with the product behind it."""


def routes() -> list[web.RouteDef]:
    """Return a route for every path of those products."""
    return [web.route("*", f"{path}{{rest:(/.*)?}}", _refuse(product)) for path, product in UNSERVED.items()]


def _refuse(product: str) -> Handler:
    async def refuse(_request: web.Request) -> web.StreamResponse:
        raise NotServed(product)

    return refuse
