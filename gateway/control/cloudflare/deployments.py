"""``scripts/N/deployments``: create, list, view, delete (R10-R16, R93-R95, R98, R99)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from gateway.control.bindings import secrets_of
from gateway.control.catalog import FULL, WorkerRecord
from gateway.control.cloudflare.metadata import annotated, code_update
from gateway.control.cloudflare.parts import SCRIPT, CloudflareParts, Handlers, origin_of, version_of
from gateway.control.cloudflare.requests import answer, asked, paged, read_object
from gateway.control.cloudflare.shapes import deployment_shape
from gateway.control.deployments import WantedShare
from gateway.control.refusals import DeploymentNotFound, SecretsChanged
from gateway.control.workers import bindings_of
from gateway.errors import BadRequest
from gateway.model.deployment import Deployment


def routes(parts: CloudflareParts) -> list[web.RouteDef]:
    """Return the routes of deployments."""
    deployments = _Deployments(parts)
    return [
        web.get(f"{SCRIPT}/deployments", deployments.list_all),
        web.post(f"{SCRIPT}/deployments", deployments.create),
        web.get(f"{SCRIPT}/deployments/{{deployment}}", deployments.view),
        web.delete(f"{SCRIPT}/deployments/{{deployment}}", deployments.delete),
    ]


class _Deployments(Handlers):
    async def list_all(self, request: web.Request) -> web.Response:
        """List deployments, the active one first."""
        shown = self.parts.workers.shown_deployments(self.record(request))
        since, until = _moment(request, "since"), _moment(request, "until")
        within = [
            one
            for one in shown
            if (since is None or one.created_on >= since) and (until is None or one.created_on <= until)
        ]
        listed, info = paged(request, within)
        return answer({"deployments": [deployment_shape(one) for one in listed]}, info)

    async def view(self, request: web.Request) -> web.Response:
        """Show one deployment."""
        record, wanted = self.record(request), request.match_info["deployment"]
        for deployment in self.parts.workers.shown_deployments(record):
            if deployment.id == wanted:
                return answer(deployment_shape(deployment))
        raise DeploymentNotFound(record.name, wanted)

    async def delete(self, request: web.Request) -> web.Response:
        """Let an older deployment no longer be shown (R16)."""
        await self.parts.workers.delete_deployment(self.record(request), request.match_info["deployment"])
        return answer(None)

    async def create(self, request: web.Request) -> web.Response:
        """Make a deployment; once this is answered every later request follows it."""
        record = self.record(request)
        body = await read_object(request)
        strategy = body.get("strategy", "percentage")
        if strategy != "percentage":
            raise BadRequest(f"strategy is {strategy!r}", remedy='Send "strategy": "percentage".')
        wanted = _wanted(record, body.get("versions"))
        if not asked(request, "force"):
            check_secrets(record, wanted)
        origin = annotated(origin_of(request, "deployment"), body.get("annotations"))
        update = code_update(body.get("code_update_strategy"))
        async with self.parts.workers.held(record):
            created = await self.parts.deployments.create(
                record,
                wanted,
                message=origin.message,
                code_update=update,
                source=origin.source,
                triggered_by=origin.triggered_by,
                author=origin.author,
            )
        return answer(deployment_shape(created.deployment))


def check_secrets(record: WorkerRecord, wanted: Sequence[WantedShare]) -> None:
    """Refuse a rollback to a version with other secrets than are deployed now (R95).

    A rollback gives all traffic to a version that is older than all that are deployed.

    Raises:
        SecretsChanged: 10220.
    """
    active = record.active
    if active is None or len(wanted) != 1 or wanted[0].percentage != FULL:
        return
    target = version_of(record, wanted[0].reference)
    deployed = [record.versions[one] for one in _ids(active) if one in record.versions]
    if not deployed or any(target.number >= version.number for version in deployed):
        return
    then, now = secrets_of(bindings_of(target)), secrets_of(bindings_of(deployed[0]))
    changed = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
    if changed:
        raise SecretsChanged(changed)


def _ids(deployment: Deployment) -> list[Any]:
    """Return the versions of a deployment, the one with most traffic first."""
    return [share.version_id for share in sorted(deployment.versions, key=lambda one: -one.percentage)]


def _wanted(record: WorkerRecord, value: object) -> list[WantedShare]:
    if not isinstance(value, list) or not value:
        raise BadRequest("'versions' is no list", remedy='Send [{"version_id": "...", "percentage": 100}].')
    return [_share(record, item) for item in value]


def _share(record: WorkerRecord, item: object) -> WantedShare:
    if isinstance(item, Mapping) and isinstance(item.get("version_id"), str):
        percentage = item.get("percentage")
        if isinstance(percentage, int | float) and not isinstance(percentage, bool) and math.isfinite(percentage):
            return WantedShare(version_of(record, item["version_id"]).id, percentage)
    raise BadRequest(
        f"{item!r} is no version with a percentage", remedy='Send {"version_id": "...", "percentage": 90}.'
    )


def _moment(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{name} is {text!r}", remedy="Give a time such as 2026-01-02T03:04:05Z.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
