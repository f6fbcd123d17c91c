"""Versions, deployments and Workers -> the JSON of Cloudflare's API (pure; wrangler-api, section 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from gateway.control.bindings import DURABLE_OBJECT
from gateway.control.cloudflare.envelope import Json
from gateway.control.cloudflare.requests import AUTHOR
from gateway.control.workers import bindings_of, moment_text
from gateway.model.deployment import Deployment
from gateway.model.version import Version, WorkerName
from gateway.model.worker import WorkerState
from gateway.model.worker_code import Binding, WorkerdRuntime
from gateway.routing.version_urls import version_host, worker_host

SUBDOMAIN: Final = "local"
"""Name under workers.dev that every account here has."""

HANDLERS: Final = ["fetch"]
USAGE_MODEL: Final = "standard"


def author_id(email: str) -> str:
    """Return a made-up id for an author, always the same."""
    return hashlib.sha256(email.encode()).hexdigest()[:32]


def etag_of(version: Version) -> str:
    """Return a hash of a version's code."""
    runtime = version.runtime
    if not isinstance(runtime, WorkerdRuntime):
        return hashlib.sha256(version.id.encode()).hexdigest()
    code = "\n".join(f"{module.name} {module.kind} {module.sha256}" for module in runtime.modules)
    return hashlib.sha256(f"{runtime.main_module}\n{code}".encode()).hexdigest()


def binding_shape(binding: Binding, state: WorkerState) -> Json:
    """Return a binding; the text of a secret is not part of it."""
    shape = {"name": binding.name, "type": binding.kind, **binding.options}
    if binding.kind == DURABLE_OBJECT and not binding.options.get("script_name"):
        namespace = state.namespace_of(str(binding.options.get("class_name")))
        if namespace is not None:
            shape["namespace_id"] = namespace.id
    return shape


def bindings_shape(version: Version | None, state: WorkerState) -> list[Json]:
    """Return all bindings of a version."""
    return [binding_shape(binding, state) for binding in bindings_of(version)]


def annotations_shape(made: Version | Deployment) -> Json:
    """Return the annotations of a version or deployment; a key is absent where it is unset."""
    told = {
        "workers/triggered_by": made.triggered_by,
        "workers/message": made.message,
        "workers/tag": made.tag if isinstance(made, Version) else "",
        "workers/alias": made.alias if isinstance(made, Version) else "",
    }
    return {name: text for name, text in told.items() if text}


def version_shape(version: Version, state: WorkerState) -> Json:
    """Return a version, with what it is made of."""
    email, created = version.author or AUTHOR, moment_text(version.created_on)
    runtime = version.runtime if isinstance(version.runtime, WorkerdRuntime) else None
    script_runtime: Json = {"usage_model": USAGE_MODEL, "limits": {}}
    if runtime is not None and runtime.compatibility_date:
        script_runtime["compatibility_date"] = runtime.compatibility_date
    if runtime is not None and runtime.compatibility_flags:
        script_runtime["compatibility_flags"] = list(runtime.compatibility_flags)
    if version.migration_tag:
        script_runtime["migration_tag"] = version.migration_tag
    return {
        "id": version.id,
        "number": version.number,
        "metadata": {
            "created_on": created,
            "modified_on": created,
            "source": version.source,
            "author_id": author_id(email),
            "author_email": email,
            "has_preview": state.previews_enabled,
            "hasPreview": state.previews_enabled,
        },
        "annotations": annotations_shape(version),
        "resources": {
            "script": {
                "etag": etag_of(version),
                "handlers": HANDLERS,
                "last_deployed_from": last_deployed_from(version),
            },
            "script_runtime": script_runtime,
            "bindings": bindings_shape(version, state),
        },
    }


def uploaded_shape(version: Version, state: WorkerState) -> Json:
    """Return a version as the answer to its upload; start-up is not measured (wrangler-api, section 4)."""
    return {**version_shape(version, state), "startup_time_ms": 0}


def last_deployed_from(version: Version | None) -> str:
    """Return which client made a version; of others than ``api`` wrangler would ask for more."""
    return "api" if version is not None and version.source == "api" else "wrangler"


def deployment_shape(deployment: Deployment) -> Json:
    """Return a deployment; the order of its versions is kept."""
    return {
        "id": deployment.id,
        "source": deployment.source,
        "strategy": "percentage",
        "author_email": deployment.author or AUTHOR,
        "created_on": moment_text(deployment.created_on),
        "annotations": annotations_shape(deployment),
        "versions": [
            {"version_id": share.version_id, "percentage": _number(share.percentage)}
            for share in deployment.versions
        ],
    }


def _number(value: float) -> float:
    """Return a percentage as people write it: 90, not 90.0."""
    return int(value) if value == int(value) else value


def script_shape(version: Version | None, state: WorkerState) -> Json:
    """Return a script as lists and the answer to its upload show it."""
    runtime = version.runtime if version is not None and isinstance(version.runtime, WorkerdRuntime) else None
    shape: Json = {
        "id": state.name,
        "tag": state.tag,
        "etag": etag_of(version) if version is not None else "",
        "handlers": HANDLERS,
        "created_on": state.created_on,
        "modified_on": state.modified_on,
        "usage_model": USAGE_MODEL,
        "has_assets": False,
        "has_modules": runtime is not None,
        "last_deployed_from": last_deployed_from(version),
        "compatibility_date": runtime.compatibility_date if runtime is not None else "",
        "compatibility_flags": list(runtime.compatibility_flags) if runtime is not None else [],
        **settings_shape(state),
    }
    return {**shape, "migration_tag": state.migration_tag} if state.migration_tag else shape


def settings_shape(state: WorkerState) -> Json:
    """Return the settings of a whole Worker, with Cloudflare's defaults."""
    return {
        "logpush": False,
        "observability": None,
        "tail_consumers": None,
        "tags": [],
        **state.settings,
    }


def subdomain_shape(state: WorkerState) -> Json:
    """Return the switches of workers.dev and of version URLs."""
    return {"enabled": state.subdomain_enabled, "previews_enabled": state.previews_enabled}


def beta_worker_shape(state: WorkerState, edge_port: int, uses: Sequence[tuple[WorkerName, Binding]]) -> Json:
    """Return a Worker as newer clients see it.

    Args:
        uses: The Workers that bind this one, each with its binding.
    """
    settings = settings_shape(state)
    by_service = sorted({worker for worker, binding in uses if binding.kind != DURABLE_OBJECT})
    return {
        "id": state.tag,
        "name": state.name,
        "created_on": state.created_on,
        "updated_on": state.modified_on,
        "logpush": bool(settings["logpush"]),
        "observability": settings["observability"] or {},
        "tags": settings["tags"] or [],
        "tail_consumers": settings["tail_consumers"] or [],
        "subdomain": {
            **subdomain_shape(state),
            "url": f"https://{state.name}.{SUBDOMAIN}.workers.dev",
            # wrangler puts `https://<first 8 of the version's id>` before it and changes nothing.
            "preview_url_suffix": f"-{worker_host(state.name)}:{edge_port}",
        },
        "references": {
            "dispatch_namespace_outbounds": [],
            "domains": [domain_shape(state, domain) for domain in state.domains],
            "durable_objects": [
                {
                    "namespace_id": _namespace_id(state, binding),
                    "namespace_name": f"{state.name}_{binding.options['class_name']}",
                    "worker_id": worker,
                    "worker_name": worker,
                }
                for worker, binding in uses
                if binding.kind == DURABLE_OBJECT
            ],
            "queues": [],
            "workers": [{"id": worker, "name": worker} for worker in by_service],
        },
    }


def _namespace_id(state: WorkerState, binding: Binding) -> str:
    namespace = state.namespace_of(str(binding.options.get("class_name")))
    return namespace.id if namespace is not None else ""


def beta_version_shape(version: Version, state: WorkerState, edge_port: int) -> Json:
    """Return a version as newer clients see it: flat."""
    email = version.author or AUTHOR
    runtime = version.runtime if isinstance(version.runtime, WorkerdRuntime) else None
    shape: Json = {
        "id": version.id,
        "number": version.number,
        "created_on": moment_text(version.created_on),
        "urls": [f"http://{version_host(version.worker, version.id)}:{edge_port}"],
        "annotations": annotations_shape(version),
        "author_email": email,
        "author_id": author_id(email),
        "source": version.source,
        "bindings": bindings_shape(version, state),
        "startup_time_ms": 0,
        "usage_model": USAGE_MODEL,
        "limits": {},
    }
    if version.migration_tag:
        shape["migration_tag"] = version.migration_tag
    if runtime is not None:
        shape |= {
            "main_module": runtime.main_module,
            "compatibility_date": runtime.compatibility_date,
            "compatibility_flags": list(runtime.compatibility_flags),
        }
    return shape


def domain_shape(state: WorkerState, host: str) -> Json:
    """Return a custom domain."""
    zone = zone_of(host)
    return {
        "id": zone_id(host),
        "hostname": host,
        "service": state.name,
        "environment": "production",
        "zone_id": zone_id(zone),
        "zone_name": zone,
        "certificate_id": "",
        "enabled": True,
        "previews_enabled": False,
    }


def zone_of(host: str) -> str:
    """Return the zone a host would belong to: its last two labels."""
    return ".".join(host.removeprefix("*").strip(".").split(".")[-2:])


def zone_id(name: str) -> str:
    """Return a made-up id for a zone or domain, always the same."""
    return hashlib.sha256(f"zone {name.lower()}".encode()).hexdigest()[:32]


def route_shape(state: WorkerState, pattern: str) -> Json:
    """Return a route."""
    zone = zone_of(pattern.partition("/")[0])
    return {"id": zone_id(pattern), "pattern": pattern, "script": state.name, "zone_name": zone}


def namespaces_shape(state: WorkerState) -> list[Json]:
    """Return a Worker's Durable Object namespaces."""
    return [
        {
            "id": one.id,
            "name": f"{state.name}_{one.class_name}",
            "script": state.name,
            "class": one.class_name,
            "use_sqlite": one.sqlite,
        }
        for one in state.namespaces
    ]
