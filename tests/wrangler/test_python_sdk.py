"""The ``cloudflare`` package for Python does what wrangler does (wrangler-api, section 11)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, cast

import cloudflare
import httpx
import pytest
from cloudflare import Cloudflare

from tests.integration.edge_process import EdgeProcess
from tests.integration.http_client import Answer, Caller
from tests.wrangler.api import ACCOUNT, TOKEN
from tests.wrangler.wrangler import PROJECTS

SOURCE = (PROJECTS / "tracker/src/index.js").read_bytes()
MODULE = ("index.js", SOURCE, "application/javascript+module")


def metadata(release: str, **more: object) -> Any:
    """Return what is uploaded beside the code."""
    return {
        "main_module": "index.js",
        "compatibility_date": "2026-04-01",
        "bindings": [
            {"name": "RELEASE", "type": "plain_text", "text": release},
            {"name": "CF_VERSION_METADATA", "type": "version_metadata"},
            {"name": "TRACKERS", "type": "durable_object_namespace", "class_name": "VersionTracker"},
        ],
        **more,
    }


def first(release: str) -> Any:
    """Return the metadata of a Worker's first upload, which brings its class."""
    return metadata(release, migrations={"new_tag": "v1", "new_sqlite_classes": ["VersionTracker"]})


@pytest.fixture(scope="module")
def client(edge: EdgeProcess) -> Iterator[Cloudflare]:
    """The SDK's own client; it asks once, and no proxy."""
    url = f"{edge.control}/client/v4"
    with (
        httpx.Client(trust_env=False) as http,
        Cloudflare(base_url=url, api_token=TOKEN, max_retries=0, http_client=http) as client,
    ):
        yield client


def page(edge: EdgeProcess, worker: str, path: str = "/version") -> Answer:
    """Request a page of a Worker."""
    with Caller(edge, f"{worker}.localhost") as caller:
        return caller.call(path)


def test_upload_deploy_and_roll_back(client: Cloudflare, edge: EdgeProcess) -> None:
    """The first upload serves; a version serves once it is deployed; a rollback is a deployment."""
    scripts = client.workers.scripts
    scripts.update("sdk", account_id=ACCOUNT, metadata=first("A"), files=[MODULE])
    assert page(edge, "sdk").json()["release"] == "A"
    annotations = {"workers/tag": "b-tag", "workers/message": "the second"}

    b = scripts.versions.create(
        "sdk", account_id=ACCOUNT, metadata=metadata("B", annotations=annotations), files=[MODULE]
    )

    assert (b.number, page(edge, "sdk").json()["release"]) == (2, "A")
    listed = list(scripts.versions.list("sdk", account_id=ACCOUNT))
    assert [version.number for version in listed] == [2, 1]
    a = str(listed[1].id)
    viewed = scripts.versions.get(str(b.id), account_id=ACCOUNT, script_name="sdk")
    assert viewed.metadata is not None
    assert viewed.metadata.has_preview is True
    assert cast("Any", viewed).annotations["workers/tag"] == "b-tag"

    made = scripts.deployments.create(
        "sdk",
        account_id=ACCOUNT,
        strategy="percentage",
        versions=[{"version_id": str(b.id), "percentage": 100}],
        annotations={"workers_message": "all to B"},
    )

    assert page(edge, "sdk").json()["release"] == "B"
    assert made.annotations is not None
    assert made.annotations.workers_message == "all to B"
    active = scripts.deployments.list("sdk", account_id=ACCOUNT).deployments[0]
    assert active.id == made.id
    assert [(share.version_id, share.percentage) for share in active.versions] == [(b.id, 100)]
    assert scripts.deployments.get(made.id, account_id=ACCOUNT, script_name="sdk").id == made.id

    scripts.deployments.create(
        "sdk", account_id=ACCOUNT, strategy="percentage", versions=[{"version_id": a, "percentage": 100}]
    )
    assert page(edge, "sdk").json()["release"] == "A"


def test_percentages_that_do_not_add_up(client: Cloudflare) -> None:
    """R13: 400, and nothing is deployed."""
    scripts = client.workers.scripts
    scripts.update("sdk-sum", account_id=ACCOUNT, metadata=first("A"), files=[MODULE])
    (a,) = list(scripts.versions.list("sdk-sum", account_id=ACCOUNT))

    with pytest.raises(cloudflare.BadRequestError, match="add up to 90%"):
        scripts.deployments.create(
            "sdk-sum",
            account_id=ACCOUNT,
            strategy="percentage",
            versions=[{"version_id": str(a.id), "percentage": 90}],
        )

    assert len(scripts.deployments.list("sdk-sum", account_id=ACCOUNT).deployments) == 1


def test_secrets(client: Cloudflare, edge: EdgeProcess) -> None:
    """Put, list, read and delete; code sees the text, the API never tells it."""
    scripts = client.workers.scripts
    scripts.update("sdk-secret", account_id=ACCOUNT, metadata=first("A"), files=[MODULE])

    scripts.secrets.update("sdk-secret", account_id=ACCOUNT, name="TOKEN", text="of-gold", type="secret_text")

    assert page(edge, "sdk-secret").json()["token"] == "of-gold"
    listed = list(scripts.secrets.list("sdk-secret", account_id=ACCOUNT))
    assert [(secret.name, secret.type) for secret in listed] == [("TOKEN", "secret_text")]
    assert "of-gold" not in repr(listed)
    scripts.secrets.delete("TOKEN", account_id=ACCOUNT, script_name="sdk-secret")
    assert page(edge, "sdk-secret").json()["token"] is None


def test_settings_triggers_and_the_end(client: Cloudflare, edge: EdgeProcess) -> None:
    """What is no part of a version, then the Worker's end."""
    scripts = client.workers.scripts
    scripts.update("sdk-more", account_id=ACCOUNT, metadata=first("A"), files=[MODULE])

    crons = scripts.schedules.update("sdk-more", account_id=ACCOUNT, body=[{"cron": "7 4 * * *"}])
    assert [schedule.cron for schedule in crons.schedules] == ["7 4 * * *"]
    told = scripts.schedules.get("sdk-more", account_id=ACCOUNT)
    assert [schedule.cron for schedule in told.schedules] == ["7 4 * * *"]
    assert scripts.subdomain.get("sdk-more", account_id=ACCOUNT) is not None
    changed = scripts.settings.edit("sdk-more", account_id=ACCOUNT, tags=["team:edge"])
    assert changed.tags == ["team:edge"]
    settings = scripts.script_and_version_settings.get("sdk-more", account_id=ACCOUNT)
    assert {binding.name for binding in settings.bindings or []} == {"RELEASE", "CF_VERSION_METADATA", "TRACKERS"}
    assert b"VersionTracker" in scripts.content.get("sdk-more", account_id=ACCOUNT).read()
    assert "sdk-more" in {script.id for script in scripts.list(account_id=ACCOUNT)}

    scripts.delete("sdk-more", account_id=ACCOUNT, force=True)

    assert page(edge, "sdk-more").status == 404
    with pytest.raises(cloudflare.NotFoundError):
        list(scripts.versions.list("sdk-more", account_id=ACCOUNT))


def test_a_tail_is_made_and_taken_away(client: Cloudflare) -> None:
    """The SDK makes it; a WebSocket client would listen at its address."""
    scripts = client.workers.scripts
    scripts.update("sdk-tail", account_id=ACCOUNT, metadata=first("A"), files=[MODULE])

    tail = scripts.tail.create("sdk-tail", account_id=ACCOUNT, body={})

    assert tail.url.startswith("ws://")
    scripts.tail.delete(tail.id, account_id=ACCOUNT, script_name="sdk-tail")


def test_the_newer_resources(client: Cloudflare, edge: EdgeProcess) -> None:
    """A Worker first, then versions in JSON, one of them deployed as it is made."""
    workers = client.workers.beta.workers
    worker = workers.create(account_id=ACCOUNT, name="sdk-beta")
    module: Any = {
        "name": "index.js",
        "content_type": "application/javascript+module",
        "content_base64": base64.b64encode(SOURCE).decode("ascii"),
    }
    a = workers.versions.create(worker.id, account_id=ACCOUNT, deploy=True, modules=[module], **first("A"))
    b = workers.versions.create(worker.id, account_id=ACCOUNT, modules=[module], **metadata("B"))

    assert page(edge, "sdk-beta").json()["release"] == "A"
    assert [version.id for version in workers.versions.list(worker.id, account_id=ACCOUNT)] == [b.id, a.id]
    assert workers.versions.get(b.id, account_id=ACCOUNT, worker_id=worker.id).number == 2
    assert workers.get(worker.id, account_id=ACCOUNT).name == "sdk-beta"
    workers.delete(worker.id, account_id=ACCOUNT)
    assert page(edge, "sdk-beta").status == 404
