"""The tree of errors a user can meet, each with what happened, whose fault it is and what to do next.

::

    GatewayError
    ├── InvalidOverrides          the overrides header is no Dictionary (never shown to a client: R25)
    ├── InvalidCohortName         a cohort's name breaks R72
    ├── ConfigError               the configuration names something that cannot be
    ├── StateInUse                another gateway holds the state folder
    ├── StateTooNew               a newer gateway has written the state folder
    ├── StateUnavailable          the state folder cannot be written (full or read-only)
    ├── NotFound                  a Worker, version, deployment or object that is not there
    ├── AmbiguousReference        a tag or id prefix that names several versions
    ├── DeploymentError           a deployment that breaks a rule
    │   ├── PercentagesDoNotAddUp
    │   ├── PercentageOutOfRange
    │   ├── TooManyVersions
    │   ├── VersionListedTwice
    │   ├── VersionNotDeployable
    │   ├── MigrationBetween      a Durable Object migration lies between (R53, R94)
    │   ├── ExportsDiffer         a split of versions with other Durable Object classes (Cloudflare's 100405)
    │   └── NoStableVersion
    ├── PinError                  an object cannot be pinned so
    ├── InvalidCron               a cron expression that cannot be read (Cloudflare's 10100)
    ├── InvalidCode               an upload that workerd does not start (Cloudflare's 10021)
    ├── RuntimeUnavailable        there is no workerd to run versions on
    ├── ScenarioUnderWay          one scenario at a time
    ├── ScenarioBrokenOff         the gateway stops in the middle of one
    ├── BadRequest                an API request that cannot be understood
    └── Forbidden                 an API request that a foreign page could have made
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

Fault = Literal["client", "upstream", "gateway"]


class GatewayError(Exception):
    """Any error of ours; ``status`` and ``code`` are what the API answers, ``remedy`` what the user can do.

    Our own codes start at 90 000, so that none collides with one of Cloudflare's (R121);
    where Cloudflare has a code for it, the error carries that one.
    """

    status: ClassVar[int] = 500
    code: ClassVar[int] = 90_000
    fault: ClassVar[Fault] = "gateway"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class InvalidOverrides(GatewayError):
    """The overrides header is not a Dictionary; routing goes on as if it were absent (R30, R31)."""

    status, code, fault = 400, 90_001, "client"


class InvalidCohortName(GatewayError):
    """A cohort's name has other characters than R72 allows, or too many."""

    status, code, fault = 400, 90_002, "client"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"cohort name {name!r} is not valid",
            remedy="Use 1 to 10 letters, digits, '-' or '_'.",
        )


class ConfigError(GatewayError):
    """A place in the configuration that cannot be applied: file, line, key, value, and how to mend it."""

    status, code, fault = 400, 90_010, "client"

    def __init__(self, path: Path, line: int, key: str, problem: str, *, remedy: str) -> None:
        super().__init__(f"{path}:{line}: {key}: {problem}", remedy=remedy)
        self.path, self.line, self.key, self.problem = path, line, key, problem


class StateInUse(GatewayError):
    """Another gateway runs on this state folder."""

    status, code, fault = 409, 90_020, "client"

    def __init__(self, folder: Path, pid: int | None) -> None:
        owner = f"the gateway with pid {pid}" if pid else "another gateway"
        super().__init__(
            f"{folder} is in use by {owner}",
            remedy="Stop that gateway, or give this one its own folder with --state DIR.",
        )
        self.pid = pid


class StateUnavailable(GatewayError):
    """The state folder cannot be read or written now; the data plane goes on without it."""

    status, code, fault = 507, 90_021, "gateway"

    def __init__(self, folder: Path, cause: BaseException) -> None:
        super().__init__(
            f"the state in {folder} cannot be written: {cause}",
            remedy="Free disk space or make the folder writable, then try again; nothing was changed.",
        )


class StateTooNew(GatewayError):
    """A newer gateway has written the state folder."""

    status, code, fault = 409, 90_022, "client"

    def __init__(self, folder: Path, schema: int) -> None:
        super().__init__(
            f"the state in {folder} was written by a newer gateway (schema {schema})",
            remedy="Start that gateway, or give this one its own folder with --state DIR.",
        )


class NotFound(GatewayError):
    """What the request names does not exist."""

    status, code, fault = 404, 90_030, "client"


class AmbiguousReference(GatewayError):
    """A tag or id prefix names more than one version (tags are not unique: R2)."""

    status, code, fault = 400, 90_031, "client"

    def __init__(self, reference: str, matches: Sequence[str]) -> None:
        super().__init__(
            f"{reference!r} names {len(matches)} versions: {', '.join(matches)}",
            remedy="Give the full version id.",
        )


class DeploymentError(GatewayError):
    """A deployment that breaks one of the rules R10-R16."""

    status, code, fault = 400, 90_100, "client"


class PercentagesDoNotAddUp(DeploymentError):
    """A deployment's percentages do not add up to 100 (R13, text R103)."""

    status, code, fault = 400, 90_101, "client"

    def __init__(self, total: float, where: str = "") -> None:
        super().__init__(
            f"The specified traffic percentages{where} add up to {total:g}%, but must total exactly 100%.",
            remedy=f"Change one version by {100 - total:+g} and create the deployment again.",
        )
        self.total = total


class PercentageOutOfRange(DeploymentError):
    """A percentage below 0, above 100 or not a number (text R103)."""

    status, code, fault = 400, 90_102, "client"

    def __init__(self, percentage: float, origin: str) -> None:
        super().__init__(
            f"Percentage value {percentage:g}% (from {origin!r}) is out of range. "
            "Percentages must be between 0 and 100.",
            remedy="Give a number from 0 to 100; decimals are allowed.",
        )


class TooManyVersions(DeploymentError):
    """More versions than a deployment may hold (R11, text R103)."""

    status, code, fault = 400, 90_103, "client"

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(
            f"Too many versions selected. You can deploy at most {limit} version(s) at a time. "
            f"You selected {count}.",
            remedy="Leave some out, or raise deployments.max_versions in the configuration.",
        )


class VersionListedTwice(DeploymentError):
    """One version stands twice in a deployment."""

    status, code, fault = 400, 90_104, "client"

    def __init__(self, version: str) -> None:
        super().__init__(f"version {version} is listed twice", remedy="List each version once.")


class VersionNotDeployable(DeploymentError):
    """The version is not among the last 100 uploaded (R12)."""

    status, code, fault = 400, 90_105, "client"

    def __init__(self, version: str, limit: int) -> None:
        super().__init__(
            f"version {version} is not one of the last {limit} versions, so it cannot be deployed",
            remedy="Upload it again; then it is the newest version.",
        )


class MigrationBetween(DeploymentError):
    """The version is from before, or never saw, a Durable Object migration that was deployed (R53, R94)."""

    status, code, fault = 400, 90_107, "client"

    def __init__(self, version: str, had: str, has: str) -> None:
        super().__init__(
            f"version {version} was uploaded at Durable Object migration {had or '(none)'!r}, "
            f"but the Worker is at {has or '(none)'!r}: no version can be deployed across a migration",
            remedy="Deploy a version that was uploaded since the migration.",
        )


class ExportsDiffer(DeploymentError):
    """A split whose versions declare different Durable Object ``exports`` (R19)."""

    status, code, fault = 400, 100_405, "client"

    def __init__(self, version: str) -> None:
        super().__init__(
            "All versions in a multi-version deployment must declare identical `exports`; "
            f"version {version} was uploaded before they changed.",
            remedy="Deploy the version that changes exports at 100% first.",
        )


class NoStableVersion(DeploymentError):
    """A rollback without a target, and no earlier deployment had a version at 100% (R95, its text)."""

    status, code, fault = 400, 90_106, "client"

    def __init__(self) -> None:
        super().__init__(
            "Could not find stable Worker Version to rollback to. Please try again with an explicit Version ID.",
            remedy="gateway rollback VERSION",
        )


class PinError(GatewayError):
    """An object cannot be pinned to that version."""

    status, code, fault = 400, 90_110, "client"


class InvalidCron(GatewayError):
    """A cron expression that Cloudflare would not read; text and code as Cloudflare's, then the field."""

    status, code, fault = 400, 10_100, "client"

    def __init__(self, cron: str, problem: str) -> None:
        super().__init__(
            f"invalid cron string {cron!r}: {problem}",
            remedy="Write minute, hour, day, month and weekday (1 is Sunday), such as '0 9 * * MON-FRI'.",
        )


class InvalidCode(GatewayError):
    """Uploaded code that workerd does not start: a syntax error, an exception at start-up, a missing module.

    Args:
        detail: workerd's own words, with file, line and column.
    """

    status, code, fault = 400, 10_021, "client"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, remedy="Mend the code and upload it again.")


class RuntimeUnavailable(GatewayError):
    """No workerd was found, or the one that was does not run here."""

    status, code, fault = 503, 90_140, "client"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, remedy="Install it with: gateway setup workerd")


class ScenarioUnderWay(GatewayError):
    """A gateway plays one scenario at a time: two would share its deployments and its draws."""

    status, code, fault = 409, 90_180, "client"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"scenario {name!r} is under way on this gateway",
            remedy="Wait until it has ended, or run yours on an edge of its own: gateway test FILE -c CONFIG.",
        )


class ScenarioBrokenOff(GatewayError):
    """The gateway was told to stop while a scenario was under way."""

    status, code, fault = 503, 90_181, "client"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"scenario {name!r} was broken off, for the gateway stops", remedy="Play it again once it runs."
        )


class BadRequest(GatewayError):
    """An API request whose body, query or path cannot be understood."""

    status, code, fault = 400, 90_120, "client"


class Forbidden(GatewayError):
    """An API request that does not come from this machine's user (foreign Host or Origin)."""

    status, code, fault = 403, 90_121, "client"


class UnsupportedBody(GatewayError):
    """A write whose body is not declared as JSON."""

    status, code, fault = 415, 90_122, "client"
