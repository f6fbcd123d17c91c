"""Which version owns an object: in Python and in JavaScript (``ownership.test.mjs``) by one list of examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.model.deployment import VersionShare
from gateway.model.version import VersionId
from gateway.routing.durable_objects import point_of_object
from gateway.routing.percentages import split_of
from gateway.runtime.workerd.tables import OwnerTable

CASES = json.loads(Path(__file__).with_name("ownership.json").read_text("utf-8"))


def table_of(case: dict[str, Any]) -> OwnerTable:
    """Build the table as the gateway does from a deployment."""
    shares = [VersionShare(VersionId(version), percentage) for version, percentage in case["percentages"]]
    exceptions = {
        bytes.fromhex(object_id): VersionId(version)
        for version, ids in case["table"]["exceptions"].items()
        for object_id in ids
    }
    return OwnerTable(split_of(shares), exceptions)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_the_gateway_decides_as_the_examples_say(case: dict[str, Any]) -> None:
    """R46, R48: and so does each process, which reads the same examples."""
    for wanted in case["objects"]:
        object_id = bytes.fromhex(wanted["id"])
        assert point_of_object(object_id) == wanted["point"]
        assert table_of(case).owner(object_id) == wanted["owner"]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_what_the_processes_are_told_is_what_the_examples_show(case: dict[str, Any]) -> None:
    """Else the JavaScript would be tested with tables that it never gets."""
    told = table_of(case).to_json({})

    assert told == case["table"]
