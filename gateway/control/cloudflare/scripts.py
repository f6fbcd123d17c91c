"""``workers/scripts``: upload and deploy in one, list, content, delete (wrangler-api, sections 4 and 5)."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from gateway.control.cloudflare.envelope import Json
from gateway.control.cloudflare.metadata import (
    annotated,
    code_update,
    parse_upload,
    script_settings,
)
from gateway.control.cloudflare.multipart import read_form, send_form
from gateway.control.cloudflare.parts import SCRIPT, WORKERS, CloudflareParts, Handlers, origin_of, version_of
from gateway.control.cloudflare.requests import answer, asked, paged
from gateway.control.cloudflare.shapes import etag_of, script_shape
from gateway.control.refusals import NotServed, NoVersions
from gateway.control.uploads import Uploaded
from gateway.model.version import WorkerName
from gateway.model.worker_code import ModuleKind, WorkerdRuntime


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of scripts."""
    scripts = _Scripts(parts)
    return [
        web.get(f"{WORKERS}/scripts", scripts.list_all),
        web.put(SCRIPT, scripts.put),
        web.get(SCRIPT, scripts.content),
        web.delete(SCRIPT, scripts.delete),
        web.get(f"{SCRIPT}/content", scripts.content),
        web.get(f"{SCRIPT}/content/v2", scripts.content),
        web.put(f"{SCRIPT}/content", scripts.put_content),
    ]


class _Scripts(Handlers):
    async def list_all(self, request: web.Request) -> web.Response:
        """Old wranglers read ``migration_tag`` here."""
        shapes = [script_shape(one.latest, self.state(one)) for one in self.parts.workers.all()]
        listed, info = paged(request, shapes)
        return answer(listed, info)

    async def put(self, request: web.Request) -> web.Response:
        """Make a version and deploy it at 100%."""
        form = await read_form(request, self.parts.files)
        metadata = form.fields.get("metadata")
        upload = parse_upload(
            metadata, form.modules, strict_inherit=request.query.get("bindings_inherit") == "strict"
        )
        body: Json = dict(form.fields["metadata"])
        uploaded = await self.parts.uploads.deploy(
            WorkerName(request.match_info["script"]),
            upload,
            annotated(origin_of(request, "upload"), body.get("annotations")),
            settings=script_settings(body),
            code_update=code_update(body.get("code_update_strategy")),
        )
        return answer(self._deployed(uploaded))

    async def put_content(self, request: web.Request) -> web.Response:
        """Deploy other code with everything else as the latest version has it."""
        record = self.record(request)
        form = await read_form(request, self.parts.files)
        upload = parse_upload(form.fields.get("metadata"), form.modules, strict_inherit=False)
        uploaded = await self.parts.uploads.revise(
            record,
            lambda runtime: replace(runtime, main_module=upload.main_module, modules=upload.modules),
            origin_of(request, "upload"),
            deploy=True,
        )
        return answer(self._deployed(uploaded))

    def _deployed(self, uploaded: Uploaded) -> Json:
        version = uploaded.version
        state = self.state(self.parts.workers.find(version.worker))
        shape = {**script_shape(version, state), "deployment_id": version.id, "startup_time_ms": 0}
        return shape if uploaded.exports is None else {**shape, "exports_reconciliation": uploaded.exports}

    async def content(self, request: web.Request) -> web.StreamResponse:
        """Answer with a version's modules as a form, from disk as they are; no envelope."""
        record = self.record(request)
        version = version_of(record, request.query["version"]) if request.query.get("version") else record.latest
        if version is None:
            raise NoVersions(record.name)
        if not isinstance(version.runtime, WorkerdRuntime):
            raise NotServed(f"the content of version {version.label}, which is no uploaded code,", remedy="")
        # wrangler knows no source maps here: it refuses the whole form.
        modules = [one for one in version.runtime.modules if one.kind is not ModuleKind.SOURCE_MAP]
        headers = {"cf-entrypoint": version.runtime.main_module, "ETag": f'"{etag_of(version)}"'}
        return await send_form(request, modules, self.parts.files, headers)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a Worker and all that is its."""
        await self.parts.workers.delete(self.record(request), force=asked(request, "force"))
        return answer(None)
