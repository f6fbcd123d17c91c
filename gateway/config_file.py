"""A YAML file -> ``Settings``; every error names file, line, key, value and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

import yaml

from gateway.config_code import workerd_source, wrangler_source
from gateway.config_faults import read_faults
from gateway.config_place import Place
from gateway.errors import ConfigError, GatewayError, TooManyVersions
from gateway.model.deployment import CodeUpdate, VersionShare, check_shares
from gateway.model.durable_object import AssignmentRule
from gateway.model.skew_rules import InvalidFlow, SkewRules
from gateway.model.version import (
    VERSION_ID,
    CommandRuntime,
    UrlRuntime,
    VersionDefinition,
    VersionId,
    WorkerName,
    derived_version_id,
    provisional_version_id,
)
from gateway.routing.object_names import InvalidObjectSource, ObjectBinding, parse_binding
from gateway.routing.routes import InvalidRoute, Route, conflicts, implied_route, parse_route
from gateway.runtime.external_url import InvalidUpstreamUrl, endpoint_of
from gateway.settings import (
    Address,
    ConfigPlace,
    ControlSettings,
    ProxySettings,
    RoutingSettings,
    Settings,
    ShareSetting,
    VersionSource,
    WorkerdSource,
    WorkerSettings,
    mixed_objects,
)

_WORKER_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]*")
_LISTEN_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_MAX_PORT: Final = 65_535
_COOKIE_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 6265 section 4.1.1: a token."""


def load_settings(path: Path) -> Settings:
    """Read a configuration file.

    Raises:
        ConfigError: Nothing of the file is applied; the gateway does not start, or goes on as before.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(path, 0, "file", "there is no such file", remedy="Give its path with -c FILE.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            path, 0, "file", f"it cannot be read: {error}", remedy="Make it a readable UTF-8 file."
        ) from error
    return parse_settings(text, path)


def parse_settings(text: str, path: Path) -> Settings:
    """Read a configuration file's text; see ``load_settings``."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        problem = f"it is not YAML: {getattr(error, 'problem', None) or error}"
        raise ConfigError(path, _line_of(error, text), "file", problem, remedy="Mend the syntax there.") from error
    except RecursionError:
        raise ConfigError(path, 1, "file", "it is nested too deeply", remedy="Flatten it.") from None
    if root is None:
        return Settings(path=path)
    return _settings(Place(path, root, ""))


def _line_of(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1


def _settings(root: Place) -> Settings:
    top = root.mapping(("gateway", "workers", "faults"))
    workers = tuple(_worker(place) for place in top["workers"].items()) if "workers" in top else ()
    if "workers" in top:
        _check_workers(top["workers"], workers)
    faults = read_faults(top["faults"], workers) if "faults" in top else ()
    base = Settings(path=root.path, workers=workers, faults=faults)
    settings = _gateway(top["gateway"], base) if "gateway" in top else base
    if "workers" in top:
        _check_counts(top["workers"], settings.routing.max_versions)
    return settings


def _check_counts(place: Place, limit: int) -> None:
    for item in place.items():
        for key, deployment in item.entries():
            count = len(list(deployment.entries())) if key == "deployment" else 0
            if count > limit:
                error = TooManyVersions(count, limit)
                deployment.wrong(error.message, error.remedy)


_TIMES: Final = tuple(field.name for field in fields(ProxySettings) if field.name.endswith("_seconds"))


def _gateway(place: Place, base: Settings) -> Settings:
    found = place.mapping(
        (
            "listen", "control", "control_hosts", "state", "seed", "log_level", "decision_headers", "country",
            "colo", "cf", "workerd", "timeouts", "deployments", "affinity", "drafts", "skew",
        )
    )  # fmt: skip
    hosts = (
        tuple(item.text().lower() for item in found["control_hosts"].items()) if "control_hosts" in found else ()
    )
    control = _address(found["control"]) if "control" in found else base.control.listen
    level = found["log_level"].one_of(_LOG_LEVELS) if "log_level" in found else base.log_level
    return Settings(
        path=base.path,
        listen=_address(found["listen"]) if "listen" in found else base.listen,
        control=ControlSettings(control, hosts),
        state=Path(found["state"].full_text("a folder, such as .gateway")) if "state" in found else base.state,
        seed=found["seed"].whole_number() if "seed" in found else None,
        log_level=level,
        proxy=_proxy(found),
        routing=_routing(found),
        workerd=Path(found["workerd"].full_text("the path of a workerd")) if "workerd" in found else None,
        cf=_cf(found["cf"]) if "cf" in found else {},
        workers=base.workers,
        skew=_skew(found["skew"]) if "skew" in found else base.skew,
        faults=base.faults,
    )


def _skew(place: Place) -> SkewRules:
    found = place.mapping(("enabled", "session_cookie", "flows"))
    base = SkewRules()
    cookie = found["session_cookie"].full_text("a cookie's name, such as sid") if "session_cookie" in found else ""
    if cookie and not _COOKIE_NAME.fullmatch(cookie):
        found["session_cookie"].wrong(f"{cookie!r} is no cookie name", "Write the name alone, such as sid.")
    flows = [_flow(item) for item in found["flows"].items()] if "flows" in found else []
    enabled = found["enabled"].switch() if "enabled" in found else base.enabled
    return SkewRules(cookie, tuple(flows), enabled)


def _flow(place: Place) -> tuple[str, ...]:
    steps = tuple(item.text() for item in place.items())
    try:
        SkewRules(flows=(steps,))
    except InvalidFlow as error:
        place.wrong(error.message, error.remedy)
    return steps


def _proxy(found: dict[str, Place]) -> ProxySettings:
    values: dict[str, float | bool | str] = {}
    if "timeouts" in found:
        for name, place in found["timeouts"].mapping(_TIMES).items():
            seconds = place.number()
            values[name] = seconds
            if not seconds > 0:
                place.wrong(f"{place.text()!r} is not above 0", "Give seconds.")
    if "decision_headers" in found:
        values["decision_headers"] = found["decision_headers"].switch()
    for name, pattern, example in (("country", r"[A-Z0-9]{2}", "DE"), ("colo", r"[A-Z]{3}", "FRA")):
        if name in found:
            values[name] = found[name].text()
            if not re.fullmatch(pattern, str(values[name])):
                found[name].wrong(f"{values[name]!r} is no such code", f"Write it as {example}.")
    return ProxySettings(**values)  # type: ignore[arg-type]  # each value was read by its own type above


def _cf(place: Place) -> dict[str, str | int | float | bool]:
    members = {}
    for name, item in place.entries():
        value = item.json_value()
        if value is None or isinstance(value, dict | list):
            item.wrong(f"{item.shown()} is no single value", "Write a text, a number, true or false.")
        members[name] = value
    return members


def _routing(found: dict[str, Place]) -> RoutingSettings:
    deployments = found["deployments"].mapping(("max_versions",)) if "deployments" in found else {}
    affinity = found["affinity"].mapping(("per_worker",)) if "affinity" in found else {}
    drafts = found["drafts"].mapping(("cohorts", "trust_client_cohort_header")) if "drafts" in found else {}
    base = RoutingSettings()
    most = deployments["max_versions"].whole_number() if "max_versions" in deployments else base.max_versions
    if most < 1:
        deployments["max_versions"].wrong(f"{most} is too few", "Give 1 or more.")
    return RoutingSettings(
        max_versions=most,
        key_per_worker=affinity["per_worker"].switch() if "per_worker" in affinity else base.key_per_worker,
        cohorts=drafts["cohorts"].switch() if "cohorts" in drafts else base.cohorts,
        trust_client_cohort_header=(
            drafts["trust_client_cohort_header"].switch() if "trust_client_cohort_header" in drafts else False
        ),
    )


def _address(place: Place) -> Address:
    host, colon, port = place.text().rpartition(":")
    if not (colon and _LISTEN_HOST.fullmatch(host) and re.fullmatch(r"[0-9]{1,5}", port)) or int(port) > _MAX_PORT:
        place.wrong(f"{place.text()!r} is not host:port", "Write it as 127.0.0.1:8787; port 0 takes a free one.")
    return Address(host.strip("[]"), int(port))


def _worker(place: Place) -> WorkerSettings:
    found = place.mapping(("name", "routes", "versions", "deployment", "durable_objects", "skew"))
    if "name" not in found:
        place.wrong("a Worker has no name", "Add `name: shop`.")
    name = WorkerName(found["name"].text())
    if not _WORKER_NAME.fullmatch(name):
        found["name"].wrong(f"{name!r} is no Worker name", "Use a-z, 0-9, '_' and '-', not '-' first (R33).")
    items = found["versions"].items() if "versions" in found else []
    listed = [_version(name, item, position) for position, item in enumerate(items)]
    versions = tuple(one for one in listed if isinstance(one, VersionDefinition))
    sources = tuple(one for one in listed if isinstance(one, VersionSource))
    _check_unique(items, listed)
    _check_objects_run_alike(items, listed)
    deployment = _deployment(found["deployment"], listed) if "deployment" in found else ()
    routes = [_route(name, item) for item in found["routes"].items()] if "routes" in found else []
    assignment, code_update = AssignmentRule.STICKY, CodeUpdate()
    bindings: tuple[ObjectBinding, ...] = ()
    if "durable_objects" in found:
        assignment, code_update, bindings = _durable_objects(found["durable_objects"])
        if sources and bindings:
            dict(found["durable_objects"].entries())["bindings"].wrong(
                f"version {sources[0].tag} runs on workerd, where code reaches its objects by itself",
                "Leave it out, and list the classes in the version's durable_objects.",
            )
    return WorkerSettings(
        name,
        (*routes, implied_route(name)),
        versions,
        deployment,
        assignment,
        code_update,
        bindings,
        sources,
        _skew(found["skew"]) if "skew" in found else None,
    )


def _route(worker: WorkerName, place: Place) -> Route:
    return place.read(
        lambda text: parse_route(worker, text),
        InvalidRoute,
        remedy="Write it as shop.localhost/* or *.example.com/api/*.",
    )


_RUN_BY: Final = ("url", "command", "workerd", "wrangler")


def _version(worker: WorkerName, place: Place, position: int) -> VersionDefinition | VersionSource:
    found = place.mapping(("tag", "id", "message", "url", "command", "workerd", "wrangler", "cwd", "env", "ready"))
    if "tag" not in found:
        place.wrong("a version has no tag", "Add `tag: v1`; the deployment names versions by it.")
    _check_run_by(place, found)
    tag = found["tag"].full_text("a name, such as v1")
    message = found["message"].text() if "message" in found else ""
    given = _given_id(found["id"]) if "id" in found else None
    if "url" in found or "command" in found:
        runtime = _runtime(found)
        return VersionDefinition(worker, tag, runtime, given or derived_version_id(worker, tag, runtime), message)
    way = found["workerd"] if "workerd" in found else found["wrangler"]
    return VersionSource(
        worker=worker,
        tag=tag,
        code=workerd_source(way) if "workerd" in found else wrangler_source(way),
        place=ConfigPlace(way.path, way.line, way.key),
        id=given or provisional_version_id(worker, tag),
        id_given=given is not None,
        position=position,
        message=message,
    )


def _check_run_by(place: Place, found: dict[str, Place]) -> None:
    if sum(way in found for way in _RUN_BY) != 1:
        place.wrong("a version is run by exactly one of url, command, workerd and wrangler", "Give one of them.")
    if "command" not in found:
        for other in ("cwd", "env", "ready"):
            if other in found:
                found[other].wrong(f"{found[other].shown()} goes only with command", "Leave it out.")


def _given_id(place: Place) -> VersionId:
    version_id = place.text()
    if not VERSION_ID.fullmatch(version_id):
        place.wrong(f"{version_id!r} is not a lower-case UUID", "Leave it out: it follows from the definition.")
    return VersionId(version_id)


def _runtime(found: dict[str, Place]) -> UrlRuntime | CommandRuntime:
    if "url" in found:
        url = found["url"].text()
        found["url"].read(endpoint_of, InvalidUpstreamUrl, ValueError, remedy="Write it as http://127.0.0.1:9102.")
        return UrlRuntime(url)
    argv = tuple(item.text() for item in found["command"].items())
    if argv:
        found["command"].items()[0].full_text("the program")
    if not argv:
        found["command"].wrong("the list is empty", "Write the program and its arguments: [python, -m, app].")
    env = tuple((name, value.text()) for name, value in found["env"].entries()) if "env" in found else ()
    ready = found["ready"].text() if "ready" in found else ""
    if ready and not re.fullmatch(r"/[!-~]*", ready):
        found["ready"].wrong(f"{ready!r} is no path", "Write it as /healthz.")
    return CommandRuntime(argv, found["cwd"].text() if "cwd" in found else "", env, ready)


def _check_unique(items: Sequence[Place], listed: Sequence[VersionDefinition | VersionSource]) -> None:
    for index, (item, version) in enumerate(zip(items, listed, strict=True)):
        for earlier in listed[:index]:
            if version.tag == earlier.tag:
                item.wrong(
                    f"two versions have the tag {version.tag!r}", "Give each its own; the deployment names them."
                )
            if version.id == earlier.id:
                item.wrong(f"two versions have the id {version.id}", "Give each its own, or leave ids out.")


def _check_objects_run_alike(items: Sequence[Place], listed: Sequence[VersionDefinition | VersionSource]) -> None:
    """Refuse objects that would live on workerd under one version and elsewhere under another."""
    others = [one.tag for one in listed if isinstance(one, VersionDefinition)]
    for item, one in zip(items, listed, strict=True):
        code = one.code if isinstance(one, VersionSource) else None
        if others and isinstance(code, WorkerdSource) and code.has_objects:
            item.wrong(*mixed_objects(others[0]))


def _deployment(place: Place, versions: Sequence[VersionDefinition | VersionSource]) -> tuple[ShareSetting, ...]:
    ids = {version.tag: version.id for version in versions}
    shares = []
    for tag, value in place.entries():
        if tag not in ids:
            value.wrong(f"no version has the tag {tag!r}", f"Versions here: {', '.join(ids) or 'none'}.")
        percentage = value.number()
        try:
            share = VersionShare(ids[tag], percentage)
        except GatewayError as error:
            value.wrong(f"{percentage:g}: {error.message}", error.remedy)
        shares.append(ShareSetting(tag, share.version_id, share.percentage))
    try:
        check_shares([VersionShare(share.version_id, share.percentage) for share in shares])
    except GatewayError as error:
        place.wrong(error.message, error.remedy)
    return tuple(shares)


def _durable_objects(place: Place) -> tuple[AssignmentRule, CodeUpdate, tuple[ObjectBinding, ...]]:
    found = place.mapping(("assignment", "code_update", "bindings"))
    rule = (
        AssignmentRule(found["assignment"].one_of([*AssignmentRule]))
        if "assignment" in found
        else AssignmentRule.STICKY
    )
    bindings = tuple(_binding(item) for item in found["bindings"].items()) if "bindings" in found else ()
    update = _code_update(found["code_update"]) if "code_update" in found else CodeUpdate()
    return rule, update, bindings


def _code_update(place: Place) -> CodeUpdate:
    found = place.mapping(("mode", "max_delay_seconds"))
    mode = found["mode"].one_of(("immediate", "deferred")) if "mode" in found else "deferred"
    delay = found["max_delay_seconds"].number() if "max_delay_seconds" in found else 0.0
    if mode == "deferred" and "max_delay_seconds" not in found:
        delay = 300.0  # wrangler's default (R60)
    try:
        return CodeUpdate("deferred" if mode == "deferred" else "immediate", delay)
    except GatewayError as error:
        place.wrong(error.message, error.remedy)


def _binding(place: Place) -> ObjectBinding:
    found = place.mapping(("class", "object"))
    if len(found) < 2:  # noqa: PLR2004 - both
        place.wrong("a binding needs class and object", "Write {class: Cart, object: 'path:/cart/{name}'}.")
    class_name = found["class"].text()
    if not re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", class_name):
        found["class"].wrong(f"{class_name!r} is no class name", "Use letters, digits and '_'.")
    return found["object"].read(
        lambda text: parse_binding(class_name, text), InvalidObjectSource, remedy="See docs/configuration.md."
    )


def _check_workers(place: Place, workers: tuple[WorkerSettings, ...]) -> None:
    names: set[str] = set()
    for item, worker in zip(place.items(), workers, strict=True):
        if worker.name in names:
            item.wrong(f"two Workers are named {worker.name!r}", "Give each its own name.")
        names.add(worker.name)
    _check_ids(place, workers)
    claimed = conflicts(route for worker in workers for route in worker.routes)
    for item, worker in reversed(list(zip(place.items(), workers, strict=True))):
        for route, where in _written_routes(item, worker):
            for pattern, claimants in claimed.items():
                if route.covers_the_same(parse_route(worker.name, pattern)):
                    owners = ", ".join(claimants)
                    where.wrong(f"route {route.pattern!r} is claimed by {owners}", "Leave it with one of them.")


def _written_routes(item: Place, worker: WorkerSettings) -> Iterator[tuple[Route, Place]]:
    """Yield the routes that stand in the file, with their places; the implied one stands nowhere."""
    written = dict(item.entries()).get("routes")
    if written is not None:
        yield from zip(worker.routes, written.items(), strict=False)


def _check_ids(place: Place, workers: tuple[WorkerSettings, ...]) -> None:
    owners: dict[VersionId, WorkerName] = {}
    for item, worker in zip(place.items(), workers, strict=True):
        for index, version in enumerate(worker.listed):
            owner = owners.setdefault(version.id, worker.name)
            if owner != worker.name:
                where = dict(item.entries())["versions"].items()[index]
                where.wrong(
                    f"version id {version.id} belongs to Worker {owner!r}", "Give each version its own id."
                )
