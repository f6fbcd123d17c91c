"""``scripts/N/secrets`` and ``secrets-bulk``: each edit is a version that is deployed at once (R7, R96)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from gateway.control.bindings import SECRET, parse_binding, secrets_of, with_secrets
from gateway.control.catalog import WorkerRecord
from gateway.control.cloudflare.envelope import Json
from gateway.control.cloudflare.parts import SCRIPT, CloudflareParts, Handlers, origin_of
from gateway.control.cloudflare.requests import answer, read_object, text_of
from gateway.control.refusals import SecretNotFound
from gateway.control.workers import bindings_of
from gateway.errors import BadRequest
from gateway.model.worker_code import Binding


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of secrets."""
    secrets = _Secrets(parts)
    return [
        web.get(f"{SCRIPT}/secrets", secrets.list_all),
        web.put(f"{SCRIPT}/secrets", secrets.put),
        web.get(f"{SCRIPT}/secrets/{{secret}}", secrets.view),
        web.delete(f"{SCRIPT}/secrets/{{secret}}", secrets.delete),
        web.patch(f"{SCRIPT}/secrets-bulk", secrets.bulk),
    ]


class _Secrets(Handlers):
    async def list_all(self, request: web.Request) -> web.Response:
        """List the latest version's secrets, by name only."""
        return answer([_shape(name) for name in secrets_of(bindings_of(self.record(request).latest))])

    async def view(self, request: web.Request) -> web.Response:
        """Tell whether a secret is there."""
        record, name = self.record(request), _name(request)
        if name not in secrets_of(bindings_of(record.latest)):
            raise SecretNotFound(record.name, name)
        return answer(_shape(name))

    async def put(self, request: web.Request) -> web.Response:
        """Set one secret."""
        record = self.record(request)
        body = await read_object(request)
        name = text_of(body, "name")
        await self._edit(request, record, {name: secret_of(name, body)})
        return answer(_shape(name))

    async def delete(self, request: web.Request) -> web.Response:
        """Take one secret away."""
        record, name = self.record(request), _name(request)
        if name not in secrets_of(bindings_of(record.latest)):
            raise SecretNotFound(record.name, name)
        await self._edit(request, record, {name: None})
        return answer(None)

    async def bulk(self, request: web.Request) -> web.Response:
        """Set and take away several at once; null takes away."""
        record = self.record(request)
        body = await read_object(request)
        secrets = body.get("secrets")
        if not isinstance(secrets, Mapping):
            raise BadRequest(
                "'secrets' is no object", remedy='Send {"secrets": {"A": {"text": "..."}, "B": null}}.'
            )
        changes = {name: None if entry is None else secret_of(name, entry) for name, entry in secrets.items()}
        await self._edit(request, record, changes)
        return answer([_shape(name) for name in secrets_of(bindings_of(record.latest))])

    async def _edit(
        self, request: web.Request, record: WorkerRecord, changes: Mapping[str, Binding | None]
    ) -> None:
        await self.parts.uploads.revise(
            record,
            lambda runtime: replace(runtime, bindings=with_secrets(runtime.bindings, changes)),
            origin_of(request, "secret"),
            deploy=True,
        )


def secret_of(name: str, entry: Any) -> Binding:
    """Read a secret.

    Raises:
        BadRequest: It is no object; its value is not told. NotServed, InvalidBinding: It is something else.
    """
    if not isinstance(entry, Mapping):
        raise BadRequest(f"secret {name!r} is no object", remedy='Send {"text": "...", "type": "secret_text"}.')
    return parse_binding(name, {"type": SECRET, **entry})


def _name(request: web.Request) -> str:
    name = request.match_info["secret"]
    return unquote(name) if request.query.get("url_encoded") == "true" else name


def _shape(name: str) -> Json:
    return {"name": name, "type": SECRET}
