"""Which pages a client was given, and which of them asked for something: by ``Referer``, else by ``Origin``.

A page is remembered under each identity of the client that got it. Styles and scripts are pages too as far as they
ask for more: a font's ``Referer`` is its style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from gateway.skew.bounded import Bounded
from gateway.skew.facts import RequestSeen, Witness, digest, short
from gateway.skew.incident import Inferred
from gateway.skew.requests import is_navigation

MAX_PAGES: Final = 8_192
MAX_HOSTS: Final = 2_048
VERSIONS_OF_A_PAGE: Final = 4
"""So many answers for one URL are remembered of each client: its tabs may be of different versions."""

PAGES_OF_A_HOST: Final = 8

CLOCK_SLACK_SECONDS: Final = 0.02


class Identity(NamedTuple):
    """One way to tell clients apart; the value is a digest."""

    by: str
    value: str

    @property
    def is_known(self) -> bool:
        """Whether the client said it itself."""
        return self.by != "address"


Place = tuple[Identity, str, str]
"""A client, a host, a target."""


def identities_of(seen: RequestSeen) -> list[Identity]:
    """Return all that tells a client from others, the surest first: session cookie, key, address."""
    found = []
    if seen.session_cookie:
        found.append(Identity("cookie", digest(seen.session_cookie)))
    if seen.version_key:
        found.append(Identity("key", digest(seen.version_key)))
    found.append(Identity("address", digest(f"{seen.address}\0{seen.user_agent}")))
    return found


class Asker(NamedTuple):
    """A page that may have asked for something, and what of that is inferred."""

    page: Witness
    inferred: frozenset[Inferred]


class PageMemory:
    """Pages by client and URL, and the last URLs of each client by host; both bounded."""

    def __init__(self, pages: int = MAX_PAGES, hosts: int = MAX_HOSTS) -> None:
        self._pages: Bounded[Place, tuple[Witness, ...]] = Bounded(pages)
        self._targets: Bounded[tuple[Identity, str], tuple[str, ...]] = Bounded(hosts)

    def __len__(self) -> int:
        return len(self._pages) + len(self._targets)

    def remember(self, seen: RequestSeen, witness: Witness) -> None:
        """Remember an answer that can make the browser ask for more."""
        target = short(seen.target)
        for identity in identities_of(seen):
            place = (identity, seen.host, target)
            self._pages.put(place, _with(self._pages.get(place) or (), witness))
            if not is_navigation(seen) and not seen.is_html:
                continue  # a style or script asks by its own URL, or not at all
            host = (identity, seen.host)
            others = [one for one in self._targets.get(host) or () if one != target]
            self._targets.put(host, (target, *others[: PAGES_OF_A_HOST - 1]))

    def askers(self, seen: RequestSeen, slack_seconds: float = CLOCK_SLACK_SECONDS) -> list[Asker]:
        """Return the pages that may have asked, the likeliest first; none where nothing says so.

        Args:
            slack_seconds: So much younger than the request a page may seem, for clocks are set now and then.

        The surest identity under which a page is known decides. Only pages that the request's own Worker answered
        are returned: versions of two Workers cannot be compared (R64).
        """
        for identity in identities_of(seen):
            found = self._asked_by(identity, seen, seen.at + slack_seconds)
            if found:
                doubt = frozenset() if identity.is_known else frozenset({Inferred.SESSION})
                return [Asker(page, inferred | doubt) for page, inferred in found]
        return []

    def _asked_by(self, identity: Identity, seen: RequestSeen, until: float) -> list[Asker]:
        host, target = _page_address(seen.referer)
        if host:
            pages = self._at((identity, host, short(target)), seen, until)
            if pages:
                return _ranked(pages, frozenset())
            if target != "/":
                return []  # a page that was never seen
        # A referrer policy or a WebSocket leaves only the origin, or nothing; programs send no Sec-Fetch fields.
        host = host or _page_address(seen.origin)[0] or (seen.host if seen.fetch_dest else "")
        return (
            _ranked(list(self._of_host(identity, host, seen, until)), frozenset({Inferred.PAGE})) if host else []
        )

    def _of_host(self, identity: Identity, host: str, seen: RequestSeen, until: float) -> Iterator[Witness]:
        for target in self._targets.get((identity, host)) or ():
            yield from self._at((identity, host, target), seen, until)

    def _at(self, place: Place, seen: RequestSeen, until: float) -> list[Witness]:
        return [
            page
            for page in self._pages.get(place) or ()
            if page.at <= until and page.ray != seen.ray and page.worker == seen.worker
        ]


def _with(pages: Sequence[Witness], witness: Witness) -> tuple[Witness, ...]:
    """Return the pages with a newer one: of each version the last."""
    others = [page for page in pages if (page.version_id, page.worker) != (witness.version_id, witness.worker)]
    same = [page for page in pages if (page.version_id, page.worker) == (witness.version_id, witness.worker)]
    newest = max([witness, *same], key=lambda page: (page.at, page.ray))
    return tuple(sorted([newest, *others], key=lambda page: (-page.at, page.ray))[:VERSIONS_OF_A_PAGE])


def joined(some: Sequence[Asker], others: Sequence[Asker]) -> list[Asker]:
    """Return pages found at two moments as one list, the likeliest first; a page counts as it was found first."""
    known = {asker.page.ray: asker for asker in (*others, *some)}
    return sorted(
        known.values(), key=lambda asker: (Inferred.PAGE in asker.inferred, -asker.page.at, asker.page.ray)
    )


def _ranked(pages: Sequence[Witness], inferred: frozenset[Inferred]) -> list[Asker]:
    """Return pages as askers, the newest first; all but one that stands alone are inferred."""
    newest_first = sorted(pages, key=lambda page: (-page.at, page.ray))
    several = len({page.version_id for page in pages}) > 1
    return [
        Asker(page, inferred | {Inferred.PAGE} if several and position else inferred)
        for position, page in enumerate(newest_first)
    ]


def _page_address(url: str) -> tuple[str, str]:
    """Return host and target of a URL that a browser sent; empty where it is none."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return "", ""
    target = parts.path or "/"
    return host, f"{target}?{parts.query}" if parts.query else target
