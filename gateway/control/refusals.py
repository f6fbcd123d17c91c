"""What Cloudflare's API refuses, under its own codes and in its own words where they are known (R121).

::

    Refusal                       a GatewayError that may carry a documentation page and details
    ├── WorkerNotFound            10007
    ├── VersionNotFound           100146
    ├── DeploymentNotFound        90_032
    ├── SecretNotFound            10056
    ├── NoVersions                10222
    ├── InvalidUpload             10021  what stands in the upload cannot be
    ├── UploadTooLarge            10027
    ├── NotServed                 90_150 a product that is not there (yet)
    ├── InvalidBinding            10021
    ├── InheritImpossible         10057  one a name
    ├── ServiceNotFound           10143
    ├── ClassNotProvisioned       10061  a bound class without a migration, on a deploy
    ├── ExportNotProvisioned      100406 the same on a version upload
    ├── MigrationRefused          10074
    ├── MigrationTagMismatch      10079
    ├── MigrationInVersion        10211
    ├── ExportsRefused            100402
    ├── LatestNotDeployed         10215
    ├── SettingsNotDeployed       10214
    ├── SecretsChanged            10220
    ├── RouteTaken                10020
    └── WorkerInUse, WorkerExists, WorkerFromFile, VersionInUse, DeploymentActive
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from gateway.errors import GatewayError

_DOCS = "https://developers.cloudflare.com"


class Refusal(GatewayError):
    """An error as Cloudflare's API shapes it.

    Args:
        meta: Details that clients read.
    """

    status, code, fault = 400, 90_000, "client"
    documentation_url: ClassVar[str] = ""

    def __init__(self, message: str, *, remedy: str = "", meta: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.meta = meta


class Refusals(GatewayError):
    """Several refusals of one request, each shown by itself."""

    status, fault = 400, "client"

    def __init__(self, errors: Sequence[Refusal]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)


class WorkerNotFound(Refusal):
    """No Worker has that name; wrangler's ``deploy`` then makes it."""

    status, code = 404, 10_007

    def __init__(self, name: str) -> None:
        super().__init__(f"This Worker does not exist on your account: {name}")


class VersionNotFound(Refusal):
    """The Worker has no such version."""

    status, code = 404, 100_146

    def __init__(self, worker: str, version: str) -> None:
        super().__init__(
            f"Version {version!r} of Worker {worker} could not be found.",
            remedy="wrangler versions list shows them.",
        )


class DeploymentNotFound(Refusal):
    """The Worker has no such deployment."""

    status, code = 404, 90_032

    def __init__(self, worker: str, deployment: str) -> None:
        super().__init__(
            f"Deployment {deployment!r} of Worker {worker} could not be found.",
            remedy="wrangler deployments list shows them.",
        )


class SecretNotFound(Refusal):
    """The latest version has no such secret."""

    status, code = 404, 10_056

    def __init__(self, worker: str, name: str) -> None:
        super().__init__(
            f"Secret {name!r} of Worker {worker} not found.", remedy="wrangler secret list shows them."
        )


class NoVersions(Refusal):
    """The Worker exists, but nothing was uploaded yet."""

    status, code = 404, 10_222

    def __init__(self, name: str) -> None:
        super().__init__(f"This Worker has no versions: {name}", remedy="Run `wrangler deploy` first.")


class InvalidUpload(Refusal):
    """An upload whose metadata or modules cannot be what was meant."""

    status, code = 400, 10_021


class UploadTooLarge(Refusal):
    """More bytes than one upload may have."""

    status, code = 413, 10_027

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"Your Worker exceeded the size limit of {limit_bytes // 2**20} MiB.",
            remedy="Leave modules out, or load data at run time.",
        )


class NotServed(Refusal):
    """A part of the platform that the gateway does not have (yet); never silently absent."""

    status, code = 400, 90_150

    def __init__(self, what: str, remedy: str = "Leave it out of the configuration for the gateway.") -> None:
        super().__init__(f"{what} is not served by this gateway yet.", remedy=remedy)


class InvalidBinding(Refusal):
    """A binding with a field that is missing or wrong."""

    status, code = 400, 10_021

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"binding '{name}' is invalid: {problem}", remedy=remedy)


class InheritImpossible(Refusal):
    """``inherit`` of what the earlier version does not have; wrangler reads the words up to the colon."""

    status, code = 400, 10_057

    def __init__(self, name: str, old_name: str) -> None:
        super().__init__(
            f"inherit binding '{name}' is invalid: previous version does not have binding named '{old_name}'"
        )


class ServiceNotFound(Refusal):
    """A service binding to a Worker that does not exist."""

    status, code = 400, 10_143

    def __init__(self, binding: str, service: str) -> None:
        super().__init__(
            f"Could not resolve service binding '{binding}'. Target script '{service}' not found. "
            "Please verify the target script and try again.",
            remedy=f"Deploy {service} first.",
        )


class ClassNotProvisioned(Refusal):
    """A Durable Object binding to a class that no migration has made."""

    status, code = 400, 10_061

    def __init__(self, class_name: str, script: str = "", *, message: str = "", remedy: str = "") -> None:
        where = f" in script '{script}'" if script else ""
        super().__init__(
            message
            or f"Cannot create binding for class '{class_name}'{where} because it is not currently configured to "
            "implement Durable Objects. Did you forget to apply a migration with new_sqlite_classes?",
            remedy=remedy or "Add the class to `migrations` and run `wrangler deploy`.",
        )

    @classmethod
    def deleted(cls, class_name: str) -> ClassNotProvisioned:
        """Return the refusal of a binding whose class the same upload deletes."""
        return cls(
            class_name,
            message=f"Cannot apply --delete-class migration to class '{class_name}' without also removing the "
            "binding that references it.",
            remedy="Take the binding out of this upload.",
        )

    @classmethod
    def of_missing_script(cls, class_name: str, script: str) -> ClassNotProvisioned:
        """Return the refusal of a binding to a Worker that does not exist."""
        return cls(
            class_name,
            message=f"Cannot create binding for class '{class_name}' in script '{script}' that does not exist.",
            remedy=f"Deploy {script} first.",
        )


class ExportNotProvisioned(Refusal):
    """A version upload that binds a class which only a deploy can make."""

    status, code = 400, 100_406

    def __init__(self, binding: str, class_name: str) -> None:
        super().__init__(
            f"Durable Object binding '{binding}' references class '{class_name}', which has not been provisioned "
            "yet. Run `wrangler deploy` to provision it, then upload the version again."
        )


class MigrationRefused(Refusal):
    """A Durable Object migration that does not fit the classes as they are."""

    status, code = 400, 10_074


class MigrationTagMismatch(Refusal):
    """The Worker is not at the migration the upload starts from."""

    status, code = 412, 10_079

    def __init__(self, got: str, expected: str) -> None:
        super().__init__(
            f"Actor migration tag precondition failed, got tag '{got}' when expected tag is '{expected}'."
        )


class MigrationInVersion(Refusal):
    """A version upload that would change the lifecycle of Durable Object classes (R52)."""

    status, code = 400, 10_211
    documentation_url = f"{_DOCS}/workers/versions-and-deployments/gradual-deployments/with-durable-objects/"

    def __init__(self) -> None:
        super().__init__(
            "Version upload failed. You attempted to upload a version of a Worker that includes a Durable Object "
            "migration, but migrations must be fully applied via a non-versioned deployment.",
            remedy="Run `wrangler deploy`.",
        )


class ExportsRefused(Refusal):
    """Declarative ``exports`` that do not fit the namespaces; wrangler renders each detail."""

    status, code = 409, 100_402

    def __init__(self, details: Iterable[Mapping[str, Any]]) -> None:
        listed = [dict(detail) for detail in details]
        super().__init__(
            "Durable Object exports reconciliation failed: "
            + "; ".join(f"class '{one['class']}': {one['message']}" for one in listed),
            meta={"details": listed},
        )


class LatestNotDeployed(Refusal):
    """A secret edit while the latest version is not the deployed one (R96)."""

    status, code = 400, 10_215
    edited: ClassVar[str] = "Secret edit failed. You attempted to modify a secret"

    def __init__(self) -> None:
        super().__init__(
            f"{self.edited}, but the latest version of your Worker isn't currently deployed. "
            "Please ensure that the latest version of your Worker is fully deployed before modifying it.",
            remedy="Use `wrangler versions secret put`, which only makes a version, or deploy the latest at 100%.",
        )


class SettingsNotDeployed(LatestNotDeployed):
    """The same for settings that make a version."""

    status, code = 400, 10_214
    edited: ClassVar[str] = "Settings edit failed. You attempted to modify the settings of your Worker"


class SecretsChanged(Refusal):
    """A rollback to a version with other secrets (R95); wrangler splits the names at ', '."""

    status, code = 400, 10_220

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(f"The following secrets have changed: {', '.join(names)}")


class RouteTaken(Refusal):
    """A route that another Worker has."""

    status, code = 409, 10_020

    def __init__(self, pattern: str, owner: str) -> None:
        super().__init__(
            f"Can't deploy routes that are assigned to another worker: '{owner}' has {pattern} already.",
            remedy="Take it away from that Worker first.",
        )


class WorkerInUse(Refusal):
    """Other Workers bind the one that was to be deleted."""

    status, code = 409, 10_064

    def __init__(self, name: str, users: Iterable[str]) -> None:
        super().__init__(
            f"Worker {name} cannot be deleted: it is bound by {', '.join(users)}.",
            remedy="Take those bindings out first, or repeat with ?force=true.",
        )


class WorkerExists(Refusal):
    """A Worker of that name is there already."""

    status, code = 409, 10_004

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Worker {name} already exists.", remedy="Choose another name, or upload a version to it."
        )


class WorkerFromFile(Refusal):
    """A Worker that the configuration file defines cannot be deleted by the API."""

    status, code = 409, 90_151

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Worker {name} comes from the configuration file and cannot be deleted through the API.",
            remedy="Take it out of the configuration file.",
        )


class VersionInUse(Refusal):
    """A version that a deployment names cannot be deleted."""

    status, code = 409, 90_152

    def __init__(self, version: str, deployment: str) -> None:
        super().__init__(
            f"Version {version} cannot be deleted: deployment {deployment} names it.",
            remedy="Only versions that were never deployed can be deleted.",
        )


class DeploymentActive(Refusal):
    """The active deployment cannot be deleted (R16)."""

    status, code = 409, 90_153

    def __init__(self, deployment: str) -> None:
        super().__init__(
            f"Deployment {deployment} is the active one and cannot be deleted.", remedy="Deploy another first."
        )
