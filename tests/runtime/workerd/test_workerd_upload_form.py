"""What ``wrangler deploy --outfile`` writes, read back: any bytes in modules, nothing guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.worker_code import ModuleKind
from gateway.runtime.workerd.upload_form import (
    CodeModule,
    NoUploadForm,
    UploadForm,
    build_upload_form,
    parse_upload_form,
)

# As wrangler 4.164 writes it, but for the content.
WRITTEN = (
    b'------formdata-undici-0123\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
    b'{"main_module":"index.js","bindings":[]}\r\n'
    b'------formdata-undici-0123\r\nContent-Disposition: form-data; name="index.js"; filename="index.js"\r\n'
    b"Content-Type: application/javascript+module\r\n\r\nexport default {};\n\r\n"
    b'------formdata-undici-0123\r\nContent-Disposition: form-data; name="./ab-x.wasm"; filename="./ab-x.wasm"\r\n'
    b"Content-Type: application/wasm\r\n\r\n\x00asm\r\n\r\n\r\n"
    b"------formdata-undici-0123--\r\n"
)


def test_a_form_of_wranglers() -> None:
    """wrangler-api, section 4: part name = file name = module name; names may begin with ``./``."""
    assert parse_upload_form(WRITTEN) == UploadForm(
        {"main_module": "index.js", "bindings": []},
        (
            CodeModule("index.js", ModuleKind.ES_MODULE, b"export default {};\n"),
            CodeModule("./ab-x.wasm", ModuleKind.WASM, b"\x00asm\r\n\r\n"),
        ),
    )


@given(st.binary(), st.text(st.characters(exclude_characters='"\r\n', codec="utf-8"), min_size=1))
def test_what_was_built_is_read(content: bytes, name: str) -> None:
    """Modules are bytes: line ends, nulls and all."""
    form = UploadForm({"a": [name]}, (CodeModule(name, ModuleKind.DATA, content),))
    body, content_type = build_upload_form(form, "boundary-0123456789")

    assert parse_upload_form(body) == form
    assert content_type == "multipart/form-data; boundary=boundary-0123456789"


BAD = {
    "nothing": b"",
    "text": b"hello\r\nworld",
    "no line": b"--x",
    "cut": WRITTEN[:300],
    "no metadata": WRITTEN.replace(b'name="metadata"', b'name="m"; filename="m"'),
    "metadata no JSON": WRITTEN.replace(b'{"main_module"', b'{"main_module'),
    "metadata no object": WRITTEN.replace(b'{"main_module":"index.js","bindings":[]}', b"[]"),
    "part without head": WRITTEN.replace(b"; filename", b"").replace(b"\r\n\r\nexport", b"\r\nexport"),
    "part without name": WRITTEN.replace(b'name="index.js"; filename="index.js"', b""),
    "unknown kind": WRITTEN.replace(b"application/wasm", b"text/x-python"),
    "no kind": WRITTEN.replace(b"Content-Type: application/wasm\r\n", b""),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_what_is_no_form(content: bytes) -> None:
    """A wrangler to come may write something else; then it is said, not guessed."""
    with pytest.raises(NoUploadForm):
        parse_upload_form(content)
