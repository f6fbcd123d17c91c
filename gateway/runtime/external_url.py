"""A version that someone else runs: it is reached where they say, and its life is not ours."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from gateway.model.version import UrlRuntime, Version
from gateway.runtime.runner import Endpoint, VersionState


class InvalidUpstreamUrl(ValueError):
    """A ``url`` that names no place to connect to."""


def endpoint_of(url: str) -> Endpoint:
    """Return where ``http://host:port`` or ``unix:/path`` is.

    Raises:
        InvalidUpstreamUrl: Says what is wrong with it.
    """
    if url.startswith("unix:"):
        path = url.removeprefix("unix:")
        if not path.startswith("/"):
            raise InvalidUpstreamUrl("a unix socket is given by its absolute path, as unix:/run/app.sock")
        return Endpoint(unix_path=path)
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise InvalidUpstreamUrl("it must start with http:// or unix: (versions are reached without TLS)")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise InvalidUpstreamUrl("it names a server, so it has no path and no query")
    if not parts.hostname:
        raise InvalidUpstreamUrl("it names no host")
    return Endpoint(parts.hostname, parts.port if parts.port is not None else 80)


class ExternalUrl:
    """Always running, as far as we can know; whether it answers shows at each request."""

    def __init__(self, version: Version) -> None:
        assert isinstance(version.runtime, UrlRuntime)  # noqa: S101 - the supervisor picks by type
        self.version = version
        self.state = VersionState.RUNNING
        self.endpoint: Endpoint | None = endpoint_of(version.runtime.url)
        self.trouble = ""
        self.last_lines: Sequence[str] = ()

    def start(self) -> None:
        """Nothing needs doing."""

    def wake(self) -> None:
        """It never sleeps."""

    async def stop(self) -> None:
        """Let go of it; who runs it may go on."""
        self.state = VersionState.STOPPED
        self.endpoint = None
        self.trouble = "it was retired"

    async def kill(self) -> None:
        """Its process is not ours."""

    async def settled(self) -> None:
        """It never starts, so it is always settled."""
