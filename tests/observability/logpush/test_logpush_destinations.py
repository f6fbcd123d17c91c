"""Where batches may go, and what is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import BadRequest
from gateway.observability.logpush.destinations import (
    FolderDestination,
    HttpDestination,
    dated,
    parse_destination,
)


def test_a_folder_that_is_there_can_be_used(tmp_path: Path) -> None:
    """Issue C, Logpush: a local folder; ``{DATE}`` as in Cloudflare's destinations stands for the day."""
    folder = tmp_path / "my logs"
    folder.mkdir()
    plain = parse_destination(f"file://{tmp_path}/my%20logs", tmp_path)
    daily = parse_destination(f"file://{tmp_path}/my%20logs/{{DATE}}/a", tmp_path)
    own = parse_destination("folder://shop/errors", tmp_path / "own")

    assert plain == FolderDestination(folder)
    assert daily == FolderDestination(folder / "{DATE}" / "a")
    assert dated(folder / "{DATE}" / "a", "20270115") == folder / "20270115" / "a"
    assert own == FolderDestination(tmp_path / "own" / "shop" / "errors")
    assert own.shown == str(tmp_path / "own" / "shop" / "errors")


def test_headers_of_an_endpoint_stand_in_its_address() -> None:
    """Cloudflare docs, Logpush to HTTP destination: ``header_*`` are headers, all else stays."""
    found = parse_destination(
        "https://me:pw@logs.test:8443/in?a=b%20c&header_Authorization=Basic%20eHk%3D&header_X-Team=a", Path()
    )

    assert found == HttpDestination(
        "https://me:pw@logs.test:8443/in?a=b%20c", (("Authorization", "Basic eHk="), ("X-Team", "a"))
    )
    assert found.shown == "https://logs.test:8443/in"


REFUSED = {
    "s3://bucket/path": "'s3'",
    "": "kind ''",
    "file://relative/path": "absolute",
    "file:///no/such/folder/there": "not there",
    "file:///tmp/../etc": "'..'",
    "file:///tmp/%00": "zero",
    "folder://": "''",
    "folder://../up": "'..'",
    "folder://a/%2e%2e/b": "'..'",
    "folder://a/b%2fc": "b/c",
    "https:///path": "no host",
    "https://logs.test:port/": "cannot be read",
    "https://logs.test/?header_Host=other": "'Host'",
    "https://logs.test/?header_Transfer-Encoding=chunked": "'Transfer-Encoding'",
    "https://logs.test/?header_X%0d%0aY=1": "cannot be set",
    "https://logs.test/?header_X=a%0d%0aY:b": "no header can have",
    "https://logs.test/\r\n": "control characters",
}


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=[repr(text) for text in REFUSED])
def test_what_cannot_be_used_is_refused(text: str, says: str, tmp_path: Path) -> None:
    """House rule 8: the error names what is wrong and what to do; no way out of the state folder."""
    with pytest.raises(BadRequest) as caught:
        parse_destination(text, tmp_path)

    assert says in caught.value.message
    assert caught.value.remedy


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """As above."""
    (tmp_path / "a").write_text("")
    with pytest.raises(BadRequest, match="not there"):
        parse_destination(f"file://{tmp_path}/a", tmp_path)
