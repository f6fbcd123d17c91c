"""``scripts/N/versions``: upload without deploying, list, view (wrangler-api, sections 3 to 5; R100)."""

from __future__ import annotations

from aiohttp import web

from gateway.control.cloudflare.metadata import annotated, parse_upload
from gateway.control.cloudflare.multipart import read_form
from gateway.control.cloudflare.parts import SCRIPT, CloudflareParts, Handlers, origin_of, version_of
from gateway.control.cloudflare.requests import answer, asked, paged
from gateway.control.cloudflare.shapes import uploaded_shape, version_shape
from gateway.control.deployments import DEPLOYABLE_VERSIONS


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of versions."""
    versions = _Versions(parts)
    return [
        web.get(f"{SCRIPT}/versions", versions.list_all),
        web.post(f"{SCRIPT}/versions", versions.upload),
        web.get(f"{SCRIPT}/versions/{{version}}", versions.view),
    ]


class _Versions(Handlers):
    async def list_all(self, request: web.Request) -> web.Response:
        """List versions, the newest first; ``deployable=true`` gives those of R12 on one page."""
        record = self.record(request)
        state = self.state(record)
        if asked(request, "deployable"):
            deployable = record.deployable(DEPLOYABLE_VERSIONS)
            return answer({"items": [version_shape(version, state) for version in deployable]})
        listed, info = paged(request, list(reversed(record.versions.values())))
        return answer({"items": [version_shape(version, state) for version in listed]}, info)

    async def view(self, request: web.Request) -> web.Response:
        """Show one version."""
        record = self.record(request)
        return answer(version_shape(version_of(record, request.match_info["version"]), self.state(record)))

    async def upload(self, request: web.Request) -> web.Response:
        """Make a version that serves nothing yet."""
        record = self.record(request)
        form = await read_form(request, self.parts.files)
        metadata = form.fields.get("metadata")
        upload = parse_upload(
            metadata, form.modules, strict_inherit=request.query.get("bindings_inherit") == "strict"
        )
        origin = annotated(origin_of(request, "version_upload"), form.fields["metadata"].get("annotations"))
        uploaded = await self.parts.uploads.upload(record, upload, origin)
        return answer(uploaded_shape(uploaded.version, self.state(record)))
