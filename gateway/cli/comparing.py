"""Compares the answers of two versions for ``gateway compare``, and tells of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import IO, Final, NamedTuple
from urllib.parse import urlsplit

from gateway.cli.asking import AnsweredByAnother, Asker
from gateway.cli.render_comparison import Compared, Comparison, comparison_text, comparison_view
from gateway.cli.session import Session
from gateway.comparison.answers import SAFE_METHODS, InvalidComparison, Request
from gateway.comparison.compare import answer_differences, subresource_differences
from gateway.comparison.har import edge_hosts, har_requests
from gateway.comparison.ignored import IgnoredField, parse_ignored, without_noise
from gateway.comparison.ways import Way, way_to
from gateway.control.client import Version, WorkerStatus
from gateway.model.version import VersionId, WorkerName

EXIT_DIFFERENT: Final = 3
_TWO: Final = 2


class Wanted(NamedTuple):
    """What the user asked for.

    Args:
        har: An open HAR file, or None.
        versions: As the user names them; None for those of the deployment.
        headers, method: Of each URL.
    """

    urls: tuple[str, ...]
    har: IO[str] | None
    versions: tuple[str, str] | None
    ignored: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    method: str
    allow_unsafe: bool


def compare_and_tell(session: Session, wanted: Wanted) -> int:
    """Send the requests, print what differs, and return the exit code.

    Raises:
        GatewayError, ClientError: A field cannot be understood, or nothing could be compared.
    """
    noise = [parse_ignored(one) for one in wanted.ignored]
    _check_method(wanted.method, allow_unsafe=wanted.allow_unsafe)
    worker = _worker_of(session, wanted.urls)
    edge_url = session.client.status()["url"]
    requests = [_request_of(url, worker["url"], wanted.method, wanted.headers) for url in wanted.urls]
    notes: list[str] = []
    if wanted.har is not None:
        requests += _from_har(session, wanted.har, worker, edge_url, notes, allow_unsafe=wanted.allow_unsafe)
    pair = _versions_of(session, worker, wanted.versions)
    before, after = (_way(worker, version, edge_url) for version in pair)
    with closing(Asker(edge_url, before, after)) as asker:
        compared = [_compared(request, asker, noise) for request in requests]
    if all(one.skipped for one in compared):
        _refuse_nothing_compared(compared, notes)
    by_url = (bool(before.version_host), bool(after.version_host))
    result = Comparison(worker["name"], pair, by_url, compared, notes)
    session.answer(comparison_view(result), lambda style: comparison_text(result, style))
    return EXIT_DIFFERENT if result.differences else 0


def _check_method(method: str, *, allow_unsafe: bool) -> None:
    if method not in SAFE_METHODS and not allow_unsafe:
        raise InvalidComparison(
            f"method: {method} may change something, and would be sent twice",
            remedy="Compare GET, HEAD or OPTIONS, or add --allow-unsafe.",
        )


def _worker_of(session: Session, urls: Iterable[str]) -> WorkerStatus:
    """Return the Worker that is meant: the one named, else the one whose the URLs are, else the only one."""
    owners = {_owner(session, url) for url in urls if not url.startswith("/")}
    if len(owners) > 1 or (session.named_worker and owners - {session.named_worker}):
        raise InvalidComparison(
            f"url: the URLs belong to {', '.join(sorted(owners))}", remedy="Compare one Worker at a time."
        )
    if owners:
        session = Session(session.start, session.as_json, owners.pop())
    return session.worker_status()


def _owner(session: Session, url: str) -> str:
    found = session.client.explain(_whole(url))
    if found["worker"] is None:
        raise InvalidComparison(
            f"url: {url}: {found['problem']}", remedy="Give a URL that a route of a Worker matches."
        )
    return found["worker"]


def _whole(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _request_of(url: str, worker_url: str, method: str, headers: tuple[tuple[str, str], ...]) -> Request:
    try:
        parts = urlsplit(worker_url.rstrip("/") + url if url.startswith("/") else _whole(url))
    except ValueError as error:
        raise InvalidComparison(f"url: {url!r}: {error}", remedy="Write http://host:port/path.") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request(method, parts.netloc, target, headers)


def _from_har(
    session: Session, file: IO[str], worker: WorkerStatus, edge_url: str, notes: list[str], *, allow_unsafe: bool
) -> list[Request]:
    """Return the Worker's requests of a HAR file, and note which of them are not sent."""
    name = str(getattr(file, "name", "<stdin>"))
    found = har_requests(file.read(), name, edge_hosts(edge_url, worker["url"], worker["routes"]))
    ours = [one for one in found.requests if _answers(session, worker, one)]
    sent = [one for one in ours if allow_unsafe or one.method in SAFE_METHODS]
    if elsewhere := found.elsewhere + len(found.requests) - len(ours):
        notes.append(f"{elsewhere} requests of {name} went elsewhere and were left out")
    if unsafe := len(ours) - len(sent):
        notes.append(f"{unsafe} unsafe requests of {name} were left out; --allow-unsafe sends them")
    return sent


def _answers(session: Session, worker: WorkerStatus, request: Request) -> bool:
    return session.client.explain(f"http://{request.host}{request.target}")["worker"] == worker["name"]


def _versions_of(
    session: Session, worker: WorkerStatus, wanted: tuple[str, str] | None
) -> tuple[Version, Version]:
    """Return the two versions: those named, those of the deployment, or the deployed one and the newest."""
    if not wanted:
        wanted = _default_versions(worker)
    first, second = (session.client.version(worker["name"], one) for one in wanted)
    if first["id"] == second["id"]:
        raise InvalidComparison(
            f"versions: {wanted[0]!r} and {wanted[1]!r} are one version", remedy="Name two versions."
        )
    return first, second


def _default_versions(worker: WorkerStatus) -> tuple[str, str]:
    active = worker["active"]
    deployed = [share["version_id"] for share in active["versions"]] if active else []
    if len(deployed) == 1:
        newest = max(worker["versions"], key=lambda version: version["number"])["id"]
        deployed += [newest] if newest not in deployed else []
    if len(deployed) != _TWO:
        raise InvalidComparison(
            f"versions: the active deployment of {worker['name']} has {len(deployed)} to choose from, not two",
            remedy="Name them: --versions V1 V2.",
        )
    # The older first, whatever the order of the deployment: what is new is then what was added.
    number = {version["id"]: version["number"] for version in worker["versions"]}
    first, second = sorted(deployed, key=lambda id_: number.get(id_, 0))
    return first, second


def _way(worker: WorkerStatus, version: Version, edge_url: str) -> Way:
    return way_to(
        WorkerName(worker["name"]),
        VersionId(version["id"]),
        urlsplit(edge_url).port or 80,
        deployed=version["percentage"] is not None,
    )


def _compared(request: Request, asker: Asker, noise: list[IgnoredField]) -> Compared:
    try:
        pair = asker.ask(request)
        differences = [*answer_differences(pair), *subresource_differences(request, pair, asker.ask)]
    except AnsweredByAnother as error:
        return Compared(request, [], error.message)
    return Compared(request, without_noise(differences, noise), "")


def _refuse_nothing_compared(compared: list[Compared], notes: list[str]) -> None:
    raise InvalidComparison(
        "nothing was compared: " + ("; ".join([*(one.skipped for one in compared), *notes]) or "no request"),
        remedy="Give requests that went to the edge and belong to no Durable Object.",
    )
