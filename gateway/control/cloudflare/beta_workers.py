"""``workers/workers``: Workers and versions as newer clients see them, all JSON (wrangler-api, section 11)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from gateway.control.bindings import parse_binding, with_secrets
from gateway.control.catalog import WorkerRecord
from gateway.control.cloudflare.envelope import Json
from gateway.control.cloudflare.metadata import annotated, compatibility_date, parse_upload, script_settings
from gateway.control.cloudflare.multipart import kind_of
from gateway.control.cloudflare.parts import WORKERS, CloudflareParts, Handlers, origin_of, version_of
from gateway.control.cloudflare.requests import answer, asked, flag_of, paged, read_object, text_of
from gateway.control.cloudflare.shapes import beta_version_shape, beta_worker_shape
from gateway.control.refusals import InvalidUpload, NotServed, NoVersions
from gateway.errors import BadRequest
from gateway.model.version import Version, WorkerName
from gateway.model.worker import WorkerState
from gateway.model.worker_code import Binding, Module, WorkerdRuntime

MAX_JSON_BYTES: Final = 64 * 2**20
"""JSON with modules in base64 is read whole; larger uploads go as a form."""

LATEST: Final = "latest"
_WORKER: Final = f"{WORKERS}/workers/{{script}}"
_VERSION: Final = f"{_WORKER}/versions/{{version}}"


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of Workers as newer clients speak of them."""
    beta = _BetaWorkers(parts)
    return [
        web.get(f"{WORKERS}/workers", beta.list_all),
        web.post(f"{WORKERS}/workers", beta.create),
        web.get(_WORKER, beta.view),
        web.put(_WORKER, beta.edit),
        web.patch(_WORKER, beta.edit),
        web.delete(_WORKER, beta.delete),
        web.get(f"{_WORKER}/versions", beta.list_versions),
        web.post(f"{_WORKER}/versions", beta.create_version),
        web.get(_VERSION, beta.view_version),
        web.patch(_VERSION, beta.edit_latest),
        web.delete(_VERSION, beta.delete_version),
    ]


class _BetaWorkers(Handlers):
    # Workers.

    async def list_all(self, request: web.Request) -> web.Response:
        """List all Workers."""
        listed, info = paged(request, self.parts.workers.all())
        return answer([self._shape(record) for record in listed], info)

    async def create(self, request: web.Request) -> web.Response:
        """Make a Worker that has no version yet."""
        body = await read_object(request)
        record = await self.parts.workers.create(
            WorkerName(text_of(body, "name")), lambda state: _edited(state, body)
        )
        return answer(self._shape(record))

    async def view(self, request: web.Request) -> web.Response:
        """Show a Worker; wrangler reads ``subdomain``."""
        return answer(self._shape(self.record(request)))

    async def edit(self, request: web.Request) -> web.Response:
        """Change a Worker's settings; its name stays."""
        record, body = self.record(request), await read_object(request)
        if body.get("name", record.name) != record.name:
            raise NotServed(f"renaming Worker {record.name}", remedy="Deploy it under the new name.")
        await self.parts.workers.edit(record, lambda state: _edited(state, body))
        return answer(self._shape(record))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a Worker."""
        await self.parts.workers.delete(self.record(request), force=asked(request, "force"))
        return answer(None)

    def _shape(self, record: WorkerRecord) -> Json:
        uses = [(use.worker, use.binding) for use in self.parts.workers.users_of(record.name)]
        return beta_worker_shape(self.state(record), self.parts.edge_port(), uses)

    # Versions.

    async def list_versions(self, request: web.Request) -> web.Response:
        """List versions, the newest first."""
        record = self.record(request)
        listed, info = paged(request, list(reversed(record.versions.values())))
        return answer([self._version_shape(record, version) for version in listed], info)

    async def view_version(self, request: web.Request) -> web.Response:
        """Show a version, with its modules where they are asked for."""
        record = self.record(request)
        version = self._version(record, request)
        shape = self._version_shape(record, version)
        if request.query.get("include") == "modules" and isinstance(version.runtime, WorkerdRuntime):
            shape["modules"] = [await self._module_shape(module) for module in version.runtime.modules]
        return answer(shape)

    async def create_version(self, request: web.Request) -> web.Response:
        """Make a version out of JSON, and deploy it at 100% with ``deploy=true``."""
        record = self.record(request)
        body = await read_object(request, MAX_JSON_BYTES)
        modules = [await self._keep(entry) for entry in body.get("modules") or []]
        upload = parse_upload(body, modules, strict_inherit=request.query.get("bindings_inherit") == "strict")
        if asked(request, "deploy"):
            origin = annotated(origin_of(request, "upload"), body.get("annotations"))
            uploaded = await self.parts.uploads.deploy(record.name, upload, origin)
        else:
            origin = annotated(origin_of(request, "version_upload"), body.get("annotations"))
            uploaded = await self.parts.uploads.upload(record, upload, origin)
        return answer(self._version_shape(record, uploaded.version))

    async def edit_latest(self, request: web.Request) -> web.Response:
        """Make a version out of the latest one; ``env`` is a merge patch, null takes a binding away."""
        record = self.record(request)
        if request.match_info["version"] != LATEST:
            raise NotServed("changing another version than the latest", remedy="PATCH versions/latest.")
        body = await read_object(request)
        changes = _env_changes(body.get("env"))
        uploaded = await self.parts.uploads.revise(
            record,
            lambda runtime: _revised(runtime, body, changes),
            annotated(origin_of(request, "secret"), body.get("annotations")),
            deploy=False,
        )
        return answer(self._version_shape(record, uploaded.version))

    async def delete_version(self, request: web.Request) -> web.Response:
        """Delete a version that was never deployed."""
        record = self.record(request)
        await self.parts.workers.delete_version(record, self._version(record, request))
        return answer(None)

    def _version(self, record: WorkerRecord, request: web.Request) -> Version:
        wanted = request.match_info["version"]
        if wanted != LATEST:
            return version_of(record, wanted)
        if record.latest is None:
            raise NoVersions(record.name)
        return record.latest

    def _version_shape(self, record: WorkerRecord, version: Version) -> Json:
        return beta_version_shape(version, self.state(record), self.parts.edge_port())

    async def _module_shape(self, module: Module) -> Json:
        content = await self.parts.files.read(module.sha256)
        return {
            "name": module.name,
            "content_type": module.kind.value,
            "content_base64": base64.b64encode(content).decode(),
        }

    async def _keep(self, entry: Any) -> Module:
        if not isinstance(entry, Mapping):
            raise InvalidUpload("a module is no object", remedy='Send {"name", "content_type", "content_base64"}.')
        name = text_of(entry, "name")
        try:
            content = base64.b64decode(text_of(entry, "content_base64"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidUpload(
                f"module {name!r} is no base64: {error}", remedy="Encode it as RFC 4648."
            ) from error
        kind = kind_of(name, text_of(entry, "content_type", ""))
        kept = await self.parts.files.keep_bytes(content)
        return Module(name, kind, kept.sha256, kept.size_bytes)


def _edited(state: WorkerState, body: Mapping[str, Any]) -> WorkerState:
    settings = script_settings(body)
    subdomain = body.get("subdomain") or {}
    if not isinstance(subdomain, Mapping):
        raise BadRequest(f"subdomain is {subdomain!r}", remedy='Send {"enabled": true}.')
    enabled = flag_of(subdomain, "enabled", default=state.subdomain_enabled)
    return replace(
        state,
        settings={**state.settings, **settings},
        subdomain_enabled=enabled,
        previews_enabled=flag_of(subdomain, "previews_enabled", default=state.previews_enabled),
    )


def _env_changes(env: object) -> dict[str, Binding | None]:
    if env is None:
        return {}
    if not isinstance(env, Mapping) or not all(
        entry is None or isinstance(entry, Mapping) for entry in env.values()
    ):
        raise BadRequest(
            "'env' is no object of bindings", remedy='Send {"K": {"type": "secret_text", "text": "..."}}.'
        )
    return {name: None if entry is None else parse_binding(name, entry) for name, entry in env.items()}


def _revised(
    runtime: WorkerdRuntime, body: Mapping[str, Any], changes: Mapping[str, Binding | None]
) -> WorkerdRuntime:
    if "compatibility_date" in body:
        runtime = replace(runtime, compatibility_date=compatibility_date(body["compatibility_date"]))
    return replace(runtime, bindings=with_secrets(runtime.bindings, changes))
