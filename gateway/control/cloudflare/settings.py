"""``settings`` (of the latest version), ``script-settings`` and ``subdomain`` (of the Worker) (R6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from gateway.control.bindings import INHERIT, Inheritance, resolve
from gateway.control.cloudflare.envelope import Json
from gateway.control.cloudflare.metadata import annotated, compatibility_date, script_settings
from gateway.control.cloudflare.multipart import read_form
from gateway.control.cloudflare.parts import SCRIPT, CloudflareParts, Handlers, origin_of
from gateway.control.cloudflare.requests import answer, flag_of, read_object
from gateway.control.cloudflare.shapes import (
    USAGE_MODEL,
    bindings_shape,
    settings_shape,
    subdomain_shape,
)
from gateway.control.refusals import NotServed, SettingsNotDeployed
from gateway.errors import BadRequest
from gateway.model.version import Version
from gateway.model.worker import WorkerState
from gateway.model.worker_code import Binding, WorkerdRuntime

_OF_VERSIONS = frozenset({"bindings", "compatibility_date", "compatibility_flags"})


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of settings."""
    settings = _Settings(parts)
    return [
        web.get(f"{SCRIPT}/settings", settings.view),
        web.patch(f"{SCRIPT}/settings", settings.edit),
        web.get(f"{SCRIPT}/script-settings", settings.view_script),
        web.patch(f"{SCRIPT}/script-settings", settings.edit_script),
        web.get(f"{SCRIPT}/subdomain", settings.view_subdomain),
        web.post(f"{SCRIPT}/subdomain", settings.edit_subdomain),
        web.delete(f"{SCRIPT}/subdomain", settings.close_subdomain),
    ]


class _Settings(Handlers):
    async def view(self, request: web.Request) -> web.Response:
        """Show the latest version's bindings and compatibility beside the Worker's settings."""
        record = self.record(request)
        return answer(_shape(record.latest, self.state(record)))

    async def edit(self, request: web.Request) -> web.Response:
        """Change settings; where they are a version's, by a new version that is deployed at once."""
        record = self.record(request)
        body = await self._body(request)
        if body.get("migrations"):
            raise NotServed("a Durable Object migration in settings", remedy="Run `wrangler deploy`.")
        settings = script_settings(body)
        if _OF_VERSIONS & set(body):
            await self.parts.uploads.revise(
                record,
                lambda runtime: _edited(runtime, body),
                annotated(origin_of(request, "secret"), body.get("annotations")),
                deploy=True,
                refusal=SettingsNotDeployed,
            )
        if settings:
            await self.parts.workers.edit(
                record, lambda state: replace(state, settings={**state.settings, **settings})
            )
        return answer(_shape(record.latest, self.state(record)))

    async def _body(self, request: web.Request) -> Json:
        if not request.content_type.startswith("multipart/"):
            return await read_object(request)
        form = await read_form(request, self.parts.files)
        body = form.fields.get("settings")
        if not isinstance(body, dict):
            raise BadRequest(
                "the form has no part `settings` with a JSON object", remedy='Send {"bindings": [...]}.'
            )
        return body

    async def view_script(self, request: web.Request) -> web.Response:
        """Show the settings of the whole Worker."""
        return answer(settings_shape(self.state(self.record(request))))

    async def edit_script(self, request: web.Request) -> web.Response:
        """Change the settings of the whole Worker; no new version (R6)."""
        record = self.record(request)
        settings = script_settings(await read_object(request))
        state = await self.parts.workers.edit(
            record, lambda state: replace(state, settings={**state.settings, **settings})
        )
        return answer(settings_shape(state))

    async def view_subdomain(self, request: web.Request) -> web.Response:
        """Show whether workers.dev and version URLs are on."""
        return answer(subdomain_shape(self.state(self.record(request))))

    async def edit_subdomain(self, request: web.Request) -> web.Response:
        """Turn them on or off; previews follow workers.dev where the body says nothing of them."""
        body = await read_object(request)
        enabled = flag_of(body, "enabled", default=True)
        previews = flag_of(body, "previews_enabled", default=enabled)
        return answer(subdomain_shape(await self._switch(request, enabled=enabled, previews=previews)))

    async def close_subdomain(self, request: web.Request) -> web.Response:
        """Turn both off."""
        return answer(subdomain_shape(await self._switch(request, enabled=False, previews=False)))

    async def _switch(self, request: web.Request, *, enabled: bool, previews: bool) -> WorkerState:
        return await self.parts.workers.edit(
            self.record(request),
            lambda state: replace(state, subdomain_enabled=enabled, previews_enabled=previews),
        )


def _shape(version: Version | None, state: WorkerState) -> Json:
    runtime = version.runtime if version is not None and isinstance(version.runtime, WorkerdRuntime) else None
    shape: Json = {
        **settings_shape(state),
        "bindings": bindings_shape(version, state),
        "usage_model": USAGE_MODEL,
        "limits": {},
        "placement": {},
        "compatibility_date": runtime.compatibility_date if runtime is not None else "",
        "compatibility_flags": list(runtime.compatibility_flags) if runtime is not None else [],
    }
    return {**shape, "migration_tag": state.migration_tag} if state.migration_tag else shape


def _edited(runtime: WorkerdRuntime, body: Mapping[str, Any]) -> WorkerdRuntime:
    """Return a version's runtime with what the body changes; bindings that it does not name go."""
    if isinstance(body.get("bindings"), list):
        wanted = [_named_only(item, runtime.bindings) for item in body["bindings"]]
        runtime = replace(runtime, bindings=resolve(wanted, Inheritance(runtime.bindings, keep=(), strict=True)))
    if "compatibility_date" in body:
        runtime = replace(runtime, compatibility_date=compatibility_date(body["compatibility_date"]))
    flags = body.get("compatibility_flags")
    if isinstance(flags, list):
        runtime = replace(runtime, compatibility_flags=tuple(map(str, flags)))
    return runtime


def _named_only(item: Any, known: tuple[Binding, ...]) -> Any:
    """Read an entry of name and type alone as "as it is": so clients keep bindings they cannot spell out."""
    if isinstance(item, Mapping) and set(item) <= {"name", "type"}:
        for binding in known:
            if (binding.name, binding.kind) == (item.get("name"), item.get("type")):
                return {"name": binding.name, "type": INHERIT}
    return item
