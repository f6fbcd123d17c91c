"""Which requests belong to which Durable Object."""

from __future__ import annotations

import pytest

from gateway.routing.object_names import (
    STUB_PREFIX,
    InvalidObjectSource,
    NameSource,
    StubAddress,
    name_in,
    parse_binding,
    parse_stub,
)


def name_of(setting: str, target: str = "/", **headers: str) -> str | None:
    """Return the name that ``setting`` finds in a request; ``x_cart`` stands for the header ``x-cart``."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return name_in(parse_binding("Cart", setting), target, fields.get)


PATHS = [
    ("path:/cart/{name}", "/cart/42", "42"),
    ("path:/cart/{name}", "/cart/42/items", "42"),
    ("path:/cart/{name}", "/cart/42/", "42"),
    ("path:/cart/{name}", "/cart/42?x=1", "42"),
    ("path:/cart/{name}", "/cart/42/items?x=/cart/7", "42"),
    ("path:/cart/{name}", "/cart/a%20b", "a b"),
    ("path:/cart/{name}", "/cart/a%2Fb", "a/b"),
    ("path:/cart/{name}", "/cart/%C3%BC", "\u00fc"),
    ("path:/cart/{name}", "/cart/%FF", "\udcff"),
    ("path:/cart/{name}", "/cart/a+b", "a+b"),
    ("path:/cart/{name}", "/cart/", None),
    ("path:/cart/{name}", "/cart", None),
    ("path:/cart/{name}", "/cart/?x=1", None),
    ("path:/cart/{name}", "/Cart/42", None),
    ("path:/cart/{name}", "/carts/42", None),
    ("path:/cart/{name}", "/shop/cart/42", None),
    ("path:/cart/{name}", "/?path=/cart/42", None),
    ("path:/cart/{name}", "*", None),
    ("path:/{name}", "/42", "42"),
    ("path:/{name}", "/", None),
    ("path:/cart/{name}/items", "/cart/42/items", "42"),
    ("path:/cart/{name}/items", "/cart/42/items/7", "42"),
    ("path:/cart/{name}/items", "/cart/42/itemsize", None),
    ("path:/cart/{name}/items", "/cart/42", None),
    ("path:/cart/{name}/items/", "/cart/42/items", "42"),
    ("path:/cart/{name}.json", "/cart/42.json", "42"),
    ("path:/cart/{name}.json", "/cart/42xjson", None),
    ("path:/c.rt/{name}", "/cart/42", None),
    ("path:/user-{name}", "/user-7/x", "7"),
]


@pytest.mark.parametrize(("setting", "target", "name"), PATHS, ids=[f"{s} {t}" for s, t, _ in PATHS])
def test_a_name_in_the_path(setting: str, target: str, name: str | None) -> None:
    """Design 5, 6: ``path:/cart/{name}``; the name is one segment, percent-decoded, and more path may follow."""
    assert name_of(setting, target) == name


def test_a_name_in_a_header() -> None:
    """Design 6: ``header:X-Cart``; the header's name has no case, an empty value is no name."""
    assert name_of("header:X-Cart", x_cart="42") == "42"
    assert name_of("header:X-Cart", x_cart="") is None
    assert name_of("header:X-Cart") is None


QUERIES = [
    ("/?cart=42", "42"),
    ("/?a=1&cart=42&cart=7", "42"),
    ("/?cart=a%20b+c", "a b c"),
    ("/?cart=%FF", "\udcff"),
    ("/?Cart=42", None),
    ("/?carts=42", None),
    ("/?cart=", None),
    ("/?cart", None),
    ("/", None),
    ("/cart=42", None),
]


@pytest.mark.parametrize(("target", "name"), QUERIES, ids=[target for target, _ in QUERIES])
def test_a_name_in_the_query(target: str, name: str | None) -> None:
    """Design 6: ``query:cart``; the first one counts, decoded as forms are."""
    assert name_of("query:cart", target) == name


COOKIES = [
    ("cart=42", "42"),
    ("a=1; cart=42; b=2", "42"),
    ("a=1;cart=42", "42"),
    ('cart="42"', "42"),
    ("cart=a=b", "a=b"),
    ("cart=1; cart=2", "1"),
    ("xcart=42", None),
    ("cart=", None),
    ("cart", None),
    ("", None),
    ("a=cart=42", None),
]


@pytest.mark.parametrize(("cookie", "name"), COOKIES, ids=[cookie or "empty" for cookie, _ in COOKIES])
def test_a_name_in_a_cookie(cookie: str, name: str | None) -> None:
    """Design 6: ``cookie:cart``; RFC 6265 section 4.2.1 pairs, the first one counts."""
    assert name_of("cookie:cart", cookie=cookie) == name


def test_a_request_without_cookies_names_nothing() -> None:
    """Design 6: no ``Cookie`` field, no object."""
    assert name_of("cookie:cart") is None


GOOD_SETTINGS = {
    "path:/cart/{name}": (NameSource.PATH, "/cart/{name}"),
    "header:X-Cart": (NameSource.HEADER, "x-cart"),
    "query:Cart": (NameSource.QUERY, "Cart"),
    "cookie:Cart": (NameSource.COOKIE, "Cart"),
}


@pytest.mark.parametrize(("setting", "parts"), GOOD_SETTINGS.items(), ids=GOOD_SETTINGS)
def test_settings_name_a_source_and_its_parameter(setting: str, parts: tuple[NameSource, str]) -> None:
    """Design 6: only headers have no case."""
    binding = parse_binding("Cart", setting)

    assert (binding.source, binding.parameter) == parts


BAD_SETTINGS = [
    "", "cart", "path:", "header:", "Path:/cart/{name}", "body:cart", "path:cart/{name}", "path:/cart",
    "path:{name}", "path:/cart/{id}", "path:/{name}/{name}", "path:/cart/{name}?x", "path:/cart/{name}#x",
    "path:/cart/{{name}}",
]  # fmt: skip


@pytest.mark.parametrize("setting", BAD_SETTINGS, ids=[setting or "empty" for setting in BAD_SETTINGS])
def test_other_settings_are_refused_with_what_would_do(setting: str) -> None:
    """Design 6: every error names the value and the remedy."""
    with pytest.raises(InvalidObjectSource, match=r"path"):
        parse_binding("Cart", setting)


STUBS = [
    ("shop/Cart/foo/add?x=1", StubAddress("shop", "Cart", "foo", "/add?x=1")),
    ("shop/Cart/foo/", StubAddress("shop", "Cart", "foo", "/")),
    ("shop/Cart/foo", StubAddress("shop", "Cart", "foo", "/")),
    ("shop/Cart/foo?x", StubAddress("shop", "Cart", "foo", "/?x")),
    ("shop/Cart/a%2Fb/c%2Fd", StubAddress("shop", "Cart", "a/b", "/c%2Fd")),
    ("shop/Cart/foo//a", StubAddress("shop", "Cart", "foo", "//a")),
    ("shop/Cart/foo/a?b?c", StubAddress("shop", "Cart", "foo", "/a?b?c")),
    ("", None),
    ("shop", None),
    ("shop/Cart", None),
    ("shop/Cart/", None),
    ("shop//foo/x", None),
    ("/Cart/foo/x", None),
    ("?shop/Cart/foo", None),
]


@pytest.mark.parametrize(("rest", "address"), STUBS, ids=[rest or "empty" for rest, _ in STUBS])
def test_the_address_at_which_any_code_can_call_an_object(rest: str, address: StubAddress | None) -> None:
    """Design 5: ``/cdn-cgi/gateway/do/<worker>/<class>/<name>/<path>``; the object sees the path byte for byte."""
    assert parse_stub(STUB_PREFIX + rest) == address
