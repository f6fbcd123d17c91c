"""Tells a version that it lost a Durable Object, so that it drops the object's memory (R56, design 5)."""

from __future__ import annotations

from typing import Final

import aiohttp
import structlog

from gateway.model.durable_object import ObjectReset
from gateway.runtime.runner import Endpoint

log = structlog.get_logger("gateway.objects")

RESET_PATH: Final = "/cdn-cgi/gateway/reset"
NOTICE_SECONDS: Final = 1.0
"""The object's next request waits for this notice, so it must not wait long."""


async def tell_reset(endpoint: Endpoint, reset: ObjectReset) -> None:
    """Post the notice; a version that does not know the path, or does not answer, is left alone."""
    connector = aiohttp.UnixConnector(endpoint.unix_path) if endpoint.unix_path else aiohttp.TCPConnector()
    host = "localhost" if endpoint.unix_path else f"{endpoint.host}:{endpoint.port}"
    notice = {
        "class": reset.key.class_name,
        "name": reset.key.name,
        "id": reset.key.id.hex(),
        "from_version": reset.from_version,
        "to_version": reset.to_version,
        "deployment": reset.deployment_number,
    }
    timeout = aiohttp.ClientTimeout(total=NOTICE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.post(f"http://{host}{RESET_PATH}", json=notice) as response,
        ):
            log.debug("object.reset_told", name=reset.key.name, status=response.status)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning(
            "object.reset_not_told", object=reset.key.header_value, version=reset.from_version, error=repr(error)
        )
