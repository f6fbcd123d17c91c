"""The shop's checkout: one version serves the flow, or it fails in plain sight."""

import html
import json
import re

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from sample_workers.runtime import CodeVersion, Settings, VersionMetadata
from sample_workers.shop.app import build_app
from sample_workers.shop.cart import BadCart, Cart, CartOfOtherVersion, read_cart, write_cart

Client = TestClient[Request, Application]

FULL_CART = Cart({"Mug": 2, "Pencil": 1}, deliver_to="Ada", paid=True)


async def shop(aiohttp_client: AiohttpClient, version: CodeVersion) -> Client:
    """Return a client of one version."""
    metadata = VersionMetadata(tag=version)
    return await aiohttp_client(build_app(Settings("shop", version, port=9101, metadata=metadata)))


def hidden_state(page: str) -> str:
    """Return what the page's form carries on."""
    found = re.search(r'<input type="hidden" name="state" value="([^"]*)">', page)
    assert found
    return html.unescape(found[1])


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_one_version_serves_the_whole_flow(aiohttp_client: AiohttpClient, version: CodeVersion) -> None:
    """Each POST answers 303 to the next step; the receipt knows everything the steps were told."""
    client = await shop(aiohttp_client, version)
    fields = {"/cart": {"Mug": "2", "Pencil": "1"}, "/checkout": {"deliver_to": "Ada & Co"}, "/pay": {}}
    page = await (await client.get("/cart")).text()

    for path, given in fields.items():
        response = await client.post(path, data={"state": hidden_state(page), **given}, allow_redirects=False)
        assert response.status == 303
        page = await (await client.get(response.headers["Location"])).text()

    assert URL(response.headers["Location"]).path == "/receipt"
    assert "Thank you, Ada &amp; Co" in page
    assert "25.90 €" in page
    assert f"One version, <strong>{version}</strong>, made every step" in page


@pytest.mark.parametrize(("maker", "reader"), [("v1", "v2"), ("v2", "v1")])
@pytest.mark.parametrize("step", ["/checkout", "/pay", "/receipt"])
async def test_page_of_a_step_refuses_the_other_versions_cart(
    aiohttp_client: AiohttpClient, maker: CodeVersion, reader: CodeVersion, step: str
) -> None:
    """R51: a renamed field breaks a flow that changes its version between a POST and the GET it redirects to."""
    client = await shop(aiohttp_client, reader)

    response = await client.get(step, params={"state": write_cart(FULL_CART, maker)})

    assert response.status == 409
    assert f"this cart was made by {maker}, I am {reader}" in await response.text()


@pytest.mark.parametrize(("maker", "reader"), [("v1", "v2"), ("v2", "v1")])
@pytest.mark.parametrize("step", ["/cart", "/checkout", "/pay"])
async def test_form_of_a_step_refuses_the_other_versions_cart(
    aiohttp_client: AiohttpClient, maker: CodeVersion, reader: CodeVersion, step: str
) -> None:
    """R51: the same between a page and the POST of its form, the first one included."""
    ours, theirs = await shop(aiohttp_client, maker), await shop(aiohttp_client, reader)
    page = await ours.get("/cart" if step == "/cart" else step, params={"state": write_cart(FULL_CART, maker)})

    response = await theirs.post(step, data={"state": hidden_state(await page.text()), "deliver_to": "Ada"})

    assert response.status == 409
    assert f"this cart was made by {maker}, I am {reader}" in await response.text()


def test_the_two_shapes_differ_in_one_renamed_field() -> None:
    """The rename is the whole difference: everything else a version writes, the other could read."""
    one, two = json.loads(write_cart(FULL_CART, "v1")), json.loads(write_cart(FULL_CART, "v2"))

    assert one.pop("items") == two.pop("lines")
    assert one == two


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_version_reads_what_it_wrote(version: CodeVersion) -> None:
    """A cart survives its journey through the forms."""
    assert read_cart(write_cart(FULL_CART, version), version) == FULL_CART


def test_a_cart_with_both_fields_is_read_by_both_versions() -> None:
    """R51: expand first, contract later: a cart that has the old and the new field fails nowhere."""
    both = json.dumps({"items": {"Mug": 1}, "lines": {"Mug": 1}})

    assert read_cart(both, "v1") == read_cart(both, "v2") == Cart({"Mug": 1})


BAD_STATES = [
    "",
    "{",
    "[]",
    "null",
    "{}",
    "[" * 100_000,
    '{"items": []}',
    '{"items": {"Rocket": 1}}',
    '{"items": {"Mug": 0}}',
    '{"items": {"Mug": 100}}',
    '{"items": {"Mug": true}}',
    '{"items": {"Mug": 1.5}}',
    '{"items": {"Mug": "1"}}',
    '{"items": {}, "paid": "yes"}',
    '{"items": {}, "deliver_to": 7}',
    '{"items": {}, "deliver_to": "\\ud800"}',
    '{"items": {}, "deliver_to": "a\\u0000b"}',
    json.dumps({"items": {}, "deliver_to": "x" * 101}),
]


@pytest.mark.parametrize("state", BAD_STATES, ids=range(len(BAD_STATES)))
def test_a_state_that_is_no_cart_is_told_from_one_of_the_other_version(state: str) -> None:
    """Only a mix of versions is a 409; anything else is bad input."""
    with pytest.raises(BadCart) as error:
        read_cart(state, "v1")

    assert not isinstance(error.value, CartOfOtherVersion)


async def test_bad_state_gets_a_page_that_says_what_is_wrong_and_escapes_it(
    aiohttp_client: AiohttpClient,
) -> None:
    """400, and nothing the client sent becomes markup."""
    client = await shop(aiohttp_client, "v1")

    response = await client.get("/pay", params={"state": '{"items": {"<script>": 1}}'})

    assert response.status == 400
    text = await response.text()
    assert "the shop has no &#x27;&lt;script&gt;&#x27;" in text
    assert "<script>" not in text


async def test_recipient_is_escaped_in_page_and_form(aiohttp_client: AiohttpClient) -> None:
    """A name full of markup is shown as it is, and travels on unharmed."""
    client = await shop(aiohttp_client, "v1")
    name = "\"><b>'&amp;"
    state = write_cart(Cart({"Mug": 1}, deliver_to=name), "v1")

    page = await (await client.get("/pay", params={"state": state})).text()

    assert "<b>" not in page
    assert read_cart(hidden_state(page), "v1").deliver_to == name


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"Mug": "1"}, "the field &#x27;state&#x27; with the cart is missing"),
        ({"state": '{"items": {}}'}, "the cart is empty"),
        ({"state": '{"items": {}}', "Mug": "0"}, "the cart is empty"),
        ({"state": '{"items": {}}', "Mug": "-1"}, "the quantity of Mug must be a whole number"),
        ({"state": '{"items": {}}', "Mug": "²"}, "the quantity of Mug must be a whole number"),
        ({"state": '{"items": {}}', "Mug": "9" * 5000}, "the quantity of Mug must be a whole number"),
    ],
)
async def test_cart_form_says_what_is_wrong(
    aiohttp_client: AiohttpClient, data: dict[str, str], said: str
) -> None:
    """Bad input gets a clear error."""
    client = await shop(aiohttp_client, "v1")

    response = await client.post("/cart", data=data, allow_redirects=False)

    assert response.status == 400
    assert said in await response.text()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"a=b", "application/x-www-form-urlencoded; charset=none"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"a=b", "multipart/form-data"),
        (b"{}", "application/json"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    aiohttp_client: AiohttpClient, body: bytes, content_type: str
) -> None:
    """Bad input gets 400, never 500."""
    client = await shop(aiohttp_client, "v1")

    response = await client.post("/cart", data=body, headers={"Content-Type": content_type})

    assert response.status == 400


async def test_checkout_wants_a_recipient(aiohttp_client: AiohttpClient) -> None:
    """The order cannot go on without one."""
    client = await shop(aiohttp_client, "v2")
    state = write_cart(Cart({"Mug": 1}), "v2")

    response = await client.post("/checkout", data={"state": state, "deliver_to": "  "})

    assert response.status == 400
    assert "say for whom the order is" in await response.text()


@pytest.mark.parametrize(
    ("step", "cart", "said"),
    [
        ("/checkout", Cart(), "the step Cart comes before Checkout"),
        ("/pay", Cart({"Mug": 1}), "the step Checkout comes before Pay"),
        ("/receipt", Cart({"Mug": 1}, deliver_to="Ada"), "the step Pay comes before Receipt"),
    ],
)
async def test_no_step_can_be_left_out(aiohttp_client: AiohttpClient, step: str, cart: Cart, said: str) -> None:
    """A page builds on what the steps before it asked."""
    client = await shop(aiohttp_client, "v1")

    response = await client.get(step, params={"state": write_cart(cart, "v1")})

    assert response.status == 400
    assert said in await response.text()


@pytest.mark.parametrize("step", ["/checkout", "/pay", "/receipt"])
async def test_a_step_without_a_cart_leads_to_the_first(aiohttp_client: AiohttpClient, step: str) -> None:
    """Who opens a step by hand begins where carts begin."""
    client = await shop(aiohttp_client, "v1")

    response = await client.get(step, allow_redirects=False)

    assert (response.status, response.headers["Location"]) == (303, "/cart")
