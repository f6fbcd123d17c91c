"""The API beside wrangler, which takes a second for each command: for what only leads to a test's subject."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from tests.integration.waiting import PATIENCE_SECONDS

ACCOUNT: Final = "local"
TOKEN: Final = "of-the-tests"


class Api:
    """The Cloudflare API as far as it concerns one Worker of ``projects/tracker``.

    Args:
        control: Base URL of the gateway's API.
        folder: Of the project: its configuration and sources are what is uploaded.
        wrangler: The wrangler that is said to ask, so that the Worker is one of wrangler's own.
    """

    def __init__(self, control: str, name: str, folder: Path, wrangler: str) -> None:
        self._worker = f"{control}/client/v4/accounts/{ACCOUNT}/workers/scripts/{name}"
        self._folder = folder
        self._headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": f"wrangler/{wrangler}"}

    def get(self, path: str) -> Any:
        """Return what it tells."""
        return self._ask("GET", path)

    def deploy(self, release: str = "A") -> str:
        """Upload the Worker's first version, which serves, and return its id."""
        config = self._config()
        (step,) = config["migrations"]
        migrations = {"new_tag": step["tag"], "steps": [{"new_sqlite_classes": step["new_sqlite_classes"]}]}
        answer = self._ask("PUT", "", files=self._form(release, migrations=migrations))
        return str(answer["deployment_id"])

    def upload(self, release: str = "B", *, tag: str = "") -> str:
        """Upload a version, which does not serve, and return its id."""
        annotations = {"workers/tag": tag} if tag else {}
        return str(self._ask("POST", "versions", files=self._form(release, annotations=annotations))["id"])

    def split(self, percentages: Mapping[str, float]) -> None:
        """Deploy versions, by their ids."""
        shares = [{"version_id": version, "percentage": share} for version, share in percentages.items()]
        self._ask("POST", "deployments", json={"strategy": "percentage", "versions": shares})

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        url = f"{self._worker}/{path}".rstrip("/")
        with httpx.Client(trust_env=False, headers=self._headers, timeout=PATIENCE_SECONDS) as client:
            answer = client.request(method, url, **content)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["result"]

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self._folder / "wrangler.jsonc").read_text("utf-8"))
        return config

    def _form(self, release: str, **more: object) -> dict[str, tuple[str | None, bytes, str]]:
        config = self._config()
        bindings = [
            {"name": "RELEASE", "type": "plain_text", "text": release},
            {"name": config["version_metadata"]["binding"], "type": "version_metadata"},
            *({"type": "durable_object_namespace", **one} for one in config["durable_objects"]["bindings"]),
        ]
        metadata = {
            "main_module": "index.js",
            "compatibility_date": config["compatibility_date"],
            "bindings": bindings,
            **more,
        }
        source = (self._folder / config["main"]).read_bytes()
        return {
            "metadata": (None, json.dumps(metadata).encode(), "application/json"),
            "index.js": ("index.js", source, "application/javascript+module"),
        }
