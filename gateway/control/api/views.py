"""Values -> the JSON of the API (pure); the shapes stand in ``openapi.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gateway.control.catalog import WorkerRecord
from gateway.control.deployments import Created
from gateway.control.explaining import Explained
from gateway.model.deployment import Deployment, VersionShare
from gateway.model.version import CommandRuntime, UrlRuntime, Version, VersionId
from gateway.model.worker_code import WorkerdRuntime
from gateway.routing.version_urls import version_host
from gateway.runtime.runner import Upstream, VersionState
from gateway.store.store import ObjectChange, ObjectEvent, ObjectView

Json = dict[str, Any]


def version_view(record: WorkerRecord, version: Version, upstream: Upstream | None, port: int) -> Json:
    """Return a version with the state it is in."""
    active = record.active
    share = next((s for s in active.versions if s.version_id == version.id), None) if active else None
    return {
        "id": version.id,
        "worker": version.worker,
        "number": version.number,
        "tag": version.tag,
        "message": version.message,
        "source": version.source,
        "author": version.author,
        "created_on": version.created_on.isoformat(),
        "runtime": _runtime_view(version),
        "state": upstream.state if upstream else VersionState.STOPPED,
        "trouble": upstream.trouble if upstream else "it is neither deployed nor in the configuration",
        "last_lines": list(upstream.last_lines) if upstream else [],
        "percentage": share.percentage if share else None,
        "url": f"http://{version_host(version.worker, version.id)}:{port}",
    }


def _runtime_view(version: Version) -> Json:
    runtime = version.runtime
    match runtime:
        case UrlRuntime():
            return {"kind": "url", **asdict(runtime)}
        case CommandRuntime():
            # Values may be secrets (design 9).
            return {"kind": "command", **asdict(runtime), "env": [name for name, _ in runtime.env]}
        case WorkerdRuntime():
            return {
                "kind": "workerd",
                "main_module": runtime.main_module,
                "modules": [
                    {"name": m.name, "kind": m.kind, "size_bytes": m.size_bytes, "sha256": m.sha256}
                    for m in runtime.modules
                ],
                "bindings": [{"name": b.name, "kind": b.kind} for b in runtime.bindings],
                "compatibility_date": runtime.compatibility_date,
                "compatibility_flags": list(runtime.compatibility_flags),
            }


def deployment_view(record: WorkerRecord, deployment: Deployment) -> Json:
    """Return a deployment with its versions' tags."""
    return {
        "id": deployment.id,
        "worker": deployment.worker,
        "number": deployment.number,
        "created_on": deployment.created_on.isoformat(),
        "source": deployment.source,
        "author": deployment.author,
        "message": deployment.message,
        "triggered_by": deployment.triggered_by,
        "strategy": "percentage",
        "active": deployment is record.active,
        "versions": _shares_view(record, deployment.versions),
        "cohorts": [
            {"name": cohort.name, "versions": _shares_view(record, cohort.versions)}
            for cohort in deployment.cohorts
        ],
        "code_update": asdict(deployment.code_update),
    }


def _shares_view(record: WorkerRecord, shares: Sequence[VersionShare]) -> list[Json]:
    return [
        {"version_id": s.version_id, "tag": tag_of(record, s.version_id), "percentage": s.percentage}
        for s in shares
    ]


def created_view(record: WorkerRecord, created: Created, *, dry_run: bool) -> Json:
    """Return a deployment that was just made, or would be."""
    return {
        "deployment": deployment_view(record, created.deployment),
        "warnings": list(created.warnings),
        "moved_percentage": created.moved_percentage,
        "moved_objects": created.moved_objects,
        "dry_run": dry_run,
    }


def explained_view(record: WorkerRecord | None, explained: Explained, state: str) -> Json:
    """Return an explanation."""
    decision = explained.decision
    view: Json = {
        "worker": explained.worker,
        "route": explained.route,
        "problem": explained.problem,
        "steps": [step._asdict() for step in explained.steps],
        "decision": None,
        "deployment": deployment_view(record, record.active) if record and record.active else None,
        "counts": [],
    }
    if record is not None and decision is not None:
        view["decision"] = {
            **decision._asdict(),
            "tag": tag_of(record, decision.version_id),
            "ignored": [note._asdict() for note in decision.ignored],
            "state": state,
        }
        view["counts"] = [
            {"version_id": version_id, "tag": tag_of(record, version_id), "count": count}
            for version_id, count in sorted(explained.counts.items(), key=lambda item: -item[1])
        ]
    return view


def object_view(record: WorkerRecord, view: ObjectView) -> Json:
    """Return an object of the table."""
    return {
        "class": view.class_name,
        "id": view.id,
        "name": view.name,
        "point": view.point,
        "assigned": view.assigned,
        "assigned_tag": tag_of(record, view.assigned),
        "assigned_by": view.assigned_by,
        "running": view.running,
        "running_tag": tag_of(record, view.running),
        "pinned": view.pinned,
        "resets": view.resets,
        "first_used": moment(view.first_used),
        "last_used": moment(view.last_used),
    }


def event_view(record: WorkerRecord, event: ObjectEvent) -> Json:
    """Return one line of an object's history."""
    return {
        "deployment": event.deployment_number,
        "version_id": event.version_id,
        "tag": tag_of(record, event.version_id),
        "cause": event.cause,
        "at": moment(event.at),
    }


def change_view(record: WorkerRecord, change: ObjectChange) -> Json:
    """Return an object that differs between two deployments."""
    return {
        **change._asdict(),
        "before_tag": tag_of(record, change.before) if change.before else "",
        "after_tag": tag_of(record, change.after) if change.after else "",
    }


def tag_of(record: WorkerRecord, version_id: VersionId) -> str:
    """Return a version's tag, or its short id where it has none."""
    version = record.versions.get(version_id)
    return version.label if version else version_id[:8]


def moment(seconds: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
