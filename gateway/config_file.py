"""A YAML file -> ``Settings``; every error names file, line, key, value and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import yaml

from gateway.errors import ConfigError, GatewayError, TooManyVersions
from gateway.model.deployment import CodeUpdate, VersionShare, check_shares
from gateway.model.durable_object import AssignmentRule
from gateway.model.version import (
    VERSION_ID,
    CommandRuntime,
    Runtime,
    UrlRuntime,
    VersionDefinition,
    VersionId,
    WorkerName,
    derived_version_id,
)
from gateway.routing.object_names import InvalidObjectSource, ObjectBinding, parse_binding
from gateway.routing.routes import InvalidRoute, Route, conflicts, implied_route, parse_route
from gateway.runtime.external_url import InvalidUpstreamUrl, endpoint_of
from gateway.settings import (
    Address,
    ControlSettings,
    ProxySettings,
    RoutingSettings,
    Settings,
    ShareSetting,
    WorkerSettings,
)

_WORKER_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]*")
_LISTEN_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_MAX_PORT: Final = 65_535
Value = TypeVar("Value")


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
    return _settings(_Place(path, root, ""))


def _line_of(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1


class _Place:
    """A node of the file, with the way to it, so that an error can say where it stands."""

    def __init__(self, path: Path, node: yaml.Node, key: str) -> None:
        self.path, self.node, self.key = path, node, key

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    def wrong(self, problem: str, remedy: str) -> NoReturn:
        raise ConfigError(self.path, self.line, self.key or "file", problem, remedy=remedy)

    def entries(self) -> Iterator[tuple[str, _Place]]:
        """Yield the entries of a mapping, in order; a key that stands twice is an error."""
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong(f"{self.shown()} is not a mapping", "Write `key: value` lines.")
        seen = set()
        for key, value in self.node.value:
            name = str(key.value)
            place = _Place(self.path, value, f"{self.key}.{name}" if self.key else name)
            if name in seen:
                place.wrong("it stands here twice", "Keep one of the two.")
            seen.add(name)
            yield name, place

    def mapping(self, known: Collection[str]) -> dict[str, _Place]:
        """Return a mapping's entries; a key that means nothing is an error."""
        found = dict(self.entries())
        for name, place in found.items():
            if name not in known:
                place.wrong("no such key", f"Known here: {', '.join(known)}.")
        return found

    def items(self) -> list[_Place]:
        """Return the items of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.wrong(f"{self.shown()} is not a list", "Write `- item` lines or [a, b].")
        return [_Place(self.path, item, f"{self.key}[{index}]") for index, item in enumerate(self.node.value)]

    def text(self) -> str:
        """Return a scalar as it is written."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.wrong(f"{self.shown()} is not a single value", "Write one value.")
        return str(self.node.value)

    def full_text(self, what: str) -> str:
        """Return a scalar that must not be empty."""
        if not self.text():
            self.wrong("'' is empty", f"Write {what}.")
        return self.text()

    def number(self) -> float:
        """Return a number."""
        try:
            return float(self.text())
        except ValueError:
            self.wrong(f"{self.shown()} is not a number", "Write a number, such as 10 or 0.5.")

    def whole_number(self) -> int:
        """Return a whole number."""
        text = self.text()
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            self.wrong(f"{self.shown()} is not a whole number", "Write a whole number.")
        return int(text)

    def switch(self) -> bool:
        """Return true or false."""
        text = self.text().lower()
        if text not in {"true", "false", "yes", "no", "on", "off"}:
            self.wrong(f"{self.shown()} is neither true nor false", "Write true or false.")
        return text in {"true", "yes", "on"}

    def one_of(self, choices: Collection[str]) -> str:
        """Return one of a few words."""
        text = self.text()
        if text not in choices:
            self.wrong(f"{self.shown()} is not known", f"Write one of: {', '.join(choices)}.")
        return text

    def read(self, parse: Callable[[str], Value], *errors: type[Exception], remedy: str) -> Value:
        """Return what ``parse`` makes of the text; what it raises becomes an error with this place."""
        try:
            return parse(self.text())
        except errors as error:
            self.wrong(f"{self.shown()}: {error}", remedy)

    def shown(self) -> str:
        return repr(self.node.value) if isinstance(self.node, yaml.ScalarNode) else "what stands here"


def _settings(root: _Place) -> Settings:
    top = root.mapping(("gateway", "workers"))
    workers = tuple(_worker(place) for place in top["workers"].items()) if "workers" in top else ()
    if "workers" in top:
        _check_workers(top["workers"], workers)
    base = Settings(path=root.path, workers=workers)
    settings = _gateway(top["gateway"], base) if "gateway" in top else base
    if "workers" in top:
        _check_counts(top["workers"], settings.routing.max_versions)
    return settings


def _check_counts(place: _Place, limit: int) -> None:
    for item in place.items():
        for key, deployment in item.entries():
            count = len(list(deployment.entries())) if key == "deployment" else 0
            if count > limit:
                error = TooManyVersions(count, limit)
                deployment.wrong(error.message, error.remedy)


_TIMES: Final = tuple(field.name for field in fields(ProxySettings) if field.name.endswith("_seconds"))


def _gateway(place: _Place, base: Settings) -> Settings:
    found = place.mapping(
        (
            "listen", "control", "control_hosts", "state", "seed", "log_level", "decision_headers", "country",
            "colo", "timeouts", "deployments", "affinity", "drafts",
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
        workers=base.workers,
    )


def _proxy(found: dict[str, _Place]) -> ProxySettings:
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


def _routing(found: dict[str, _Place]) -> RoutingSettings:
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


def _address(place: _Place) -> Address:
    host, colon, port = place.text().rpartition(":")
    if not (colon and _LISTEN_HOST.fullmatch(host) and re.fullmatch(r"[0-9]{1,5}", port)) or int(port) > _MAX_PORT:
        place.wrong(f"{place.text()!r} is not host:port", "Write it as 127.0.0.1:8787; port 0 takes a free one.")
    return Address(host.strip("[]"), int(port))


def _worker(place: _Place) -> WorkerSettings:
    found = place.mapping(("name", "routes", "versions", "deployment", "durable_objects"))
    if "name" not in found:
        place.wrong("a Worker has no name", "Add `name: shop`.")
    name = WorkerName(found["name"].text())
    if not _WORKER_NAME.fullmatch(name):
        found["name"].wrong(f"{name!r} is no Worker name", "Use a-z, 0-9, '_' and '-', not '-' first (R33).")
    versions = tuple(_version(name, item) for item in found["versions"].items()) if "versions" in found else ()
    if "versions" in found:
        _check_unique(found["versions"], versions)
    deployment = _deployment(found["deployment"], versions) if "deployment" in found else ()
    routes = [_route(name, item) for item in found["routes"].items()] if "routes" in found else []
    assignment, code_update = AssignmentRule.STICKY, CodeUpdate()
    bindings: tuple[ObjectBinding, ...] = ()
    if "durable_objects" in found:
        assignment, code_update, bindings = _durable_objects(found["durable_objects"])
    return WorkerSettings(
        name, (*routes, implied_route(name)), versions, deployment, assignment, code_update, bindings
    )


def _route(worker: WorkerName, place: _Place) -> Route:
    return place.read(
        lambda text: parse_route(worker, text),
        InvalidRoute,
        remedy="Write it as shop.localhost/* or *.example.com/api/*.",
    )


def _version(worker: WorkerName, place: _Place) -> VersionDefinition:
    found = place.mapping(("tag", "id", "message", "url", "command", "cwd", "env", "ready"))
    if "tag" not in found:
        place.wrong("a version has no tag", "Add `tag: v1`; the deployment names versions by it.")
    runtime = _runtime(place, found)
    tag = found["tag"].full_text("a name, such as v1")
    if "id" in found:
        version_id = VersionId(found["id"].text())
        if not VERSION_ID.fullmatch(version_id):
            found["id"].wrong(
                f"{version_id!r} is not a lower-case UUID", "Leave it out: it follows from the definition."
            )
    else:
        version_id = derived_version_id(worker, tag, runtime)
    message = found["message"].text() if "message" in found else ""
    return VersionDefinition(worker, tag, runtime, version_id, message)


def _runtime(place: _Place, found: dict[str, _Place]) -> Runtime:
    if ("url" in found) == ("command" in found):
        place.wrong("a version is run by exactly one of url and command", "Give one of the two.")
    if "url" in found:
        for other in ("cwd", "env", "ready"):
            if other in found:
                found[other].wrong(f"{found[other].shown()} goes only with command", "Leave it out.")
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


def _check_unique(place: _Place, versions: tuple[VersionDefinition, ...]) -> None:
    for item, version, index in zip(place.items(), versions, range(len(versions)), strict=True):
        for earlier in versions[:index]:
            if version.tag == earlier.tag:
                item.wrong(
                    f"two versions have the tag {version.tag!r}", "Give each its own; the deployment names them."
                )
            if version.id == earlier.id:
                item.wrong(f"two versions have the id {version.id}", "Give each its own, or leave ids out.")


def _deployment(place: _Place, versions: tuple[VersionDefinition, ...]) -> tuple[ShareSetting, ...]:
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


def _durable_objects(place: _Place) -> tuple[AssignmentRule, CodeUpdate, tuple[ObjectBinding, ...]]:
    found = place.mapping(("assignment", "code_update", "bindings"))
    rule = (
        AssignmentRule(found["assignment"].one_of([*AssignmentRule]))
        if "assignment" in found
        else AssignmentRule.STICKY
    )
    bindings = tuple(_binding(item) for item in found["bindings"].items()) if "bindings" in found else ()
    update = _code_update(found["code_update"]) if "code_update" in found else CodeUpdate()
    return rule, update, bindings


def _code_update(place: _Place) -> CodeUpdate:
    found = place.mapping(("mode", "max_delay_seconds"))
    mode = found["mode"].one_of(("immediate", "deferred")) if "mode" in found else "deferred"
    delay = found["max_delay_seconds"].number() if "max_delay_seconds" in found else 0.0
    if mode == "deferred" and "max_delay_seconds" not in found:
        delay = 300.0  # wrangler's default (R60)
    try:
        return CodeUpdate("deferred" if mode == "deferred" else "immediate", delay)
    except GatewayError as error:
        place.wrong(error.message, error.remedy)


def _binding(place: _Place) -> ObjectBinding:
    found = place.mapping(("class", "object"))
    if len(found) < 2:  # noqa: PLR2004 - both
        place.wrong("a binding needs class and object", "Write {class: Cart, object: 'path:/cart/{name}'}.")
    class_name = found["class"].text()
    if not re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", class_name):
        found["class"].wrong(f"{class_name!r} is no class name", "Use letters, digits and '_'.")
    return found["object"].read(
        lambda text: parse_binding(class_name, text), InvalidObjectSource, remedy="See docs/configuration.md."
    )


def _check_workers(place: _Place, workers: tuple[WorkerSettings, ...]) -> None:
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


def _written_routes(item: _Place, worker: WorkerSettings) -> Iterator[tuple[Route, _Place]]:
    """Yield the routes that stand in the file, with their places; the implied one stands nowhere."""
    written = dict(item.entries()).get("routes")
    if written is not None:
        yield from zip(worker.routes, written.items(), strict=False)


def _check_ids(place: _Place, workers: tuple[WorkerSettings, ...]) -> None:
    owners: dict[VersionId, WorkerName] = {}
    for item, worker in zip(place.items(), workers, strict=True):
        for index, version in enumerate(worker.versions):
            owner = owners.setdefault(version.id, worker.name)
            if owner != worker.name:
                where = dict(item.entries())["versions"].items()[index]
                where.wrong(
                    f"version id {version.id} belongs to Worker {owner!r}", "Give each version its own id."
                )
