"""The cart and the two shapes in which it travels between the steps of the checkout.

v2 renamed a field. A change that only one version understands is what R51 warns of: during a split a cart of
one version reaches the other, which can make nothing of it. The sample does it on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sample_workers.runtime import CodeVersion

PRICES_IN_CENTS: Mapping[str, int] = {"Mug": 1200, "Notebook": 750, "Pencil": 190}
MOST_OF_A_PRODUCT = 99
LONGEST_NAME = 100
# The rename that breaks the flow when two versions serve it.
ITEMS_FIELD: Mapping[CodeVersion, str] = {"v1": "items", "v2": "lines"}


class BadCart(Exception):
    """The state is no cart at all, of whatever version."""


class CartOfOtherVersion(BadCart):
    """The cart has the shape of the other version."""

    def __init__(self, made_by: CodeVersion, read_by: CodeVersion) -> None:
        super().__init__(f"this cart was made by {made_by}, I am {read_by}")
        self.made_by = made_by
        self.read_by = read_by


@dataclass(frozen=True, slots=True)
class Cart:
    """What the customer chose so far; a step that is not done yet has left its field empty."""

    items: Mapping[str, int] = field(default_factory=dict)
    deliver_to: str = ""
    paid: bool = False

    @property
    def total_in_cents(self) -> int:
        """The price of everything in the cart."""
        return sum(PRICES_IN_CENTS[product] * quantity for product, quantity in self.items.items())


def write_cart(cart: Cart, version: CodeVersion) -> str:
    """Return the cart as JSON in the shape of a version."""
    return json.dumps({ITEMS_FIELD[version]: dict(cart.items), "deliver_to": cart.deliver_to, "paid": cart.paid})


def read_cart(text: str, version: CodeVersion) -> Cart:
    """Return the cart in a JSON text, as the given version understands it.

    Raises:
        CartOfOtherVersion: The shape is the other version's.
        BadCart: It is no cart.
    """
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        raise BadCart("the cart is not JSON") from None
    if not isinstance(state, dict):
        raise BadCart("the cart is not a JSON object")
    if ITEMS_FIELD[version] not in state:
        for other, items_field in ITEMS_FIELD.items():
            if items_field in state:
                raise CartOfOtherVersion(made_by=other, read_by=version)
        raise BadCart(f"the cart has no field {ITEMS_FIELD[version]!r}")
    deliver_to, paid = state.get("deliver_to", ""), state.get("paid", False)
    if not isinstance(deliver_to, str) or not isinstance(paid, bool):
        raise BadCart("'deliver_to' must be a string and 'paid' true or false")
    return Cart(items=_items(state[ITEMS_FIELD[version]]), deliver_to=checked_name(deliver_to), paid=paid)


def _items(given: object) -> dict[str, int]:
    if not isinstance(given, dict):
        raise BadCart("the items must be an object of quantities by product")
    for product, quantity in given.items():
        if product not in PRICES_IN_CENTS:
            raise BadCart(f"the shop has no {product!r}; it has {', '.join(PRICES_IN_CENTS)}")
        if type(quantity) is not int or not 1 <= quantity <= MOST_OF_A_PRODUCT:
            raise BadCart(f"the quantity of {product} must be a whole number from 1 to {MOST_OF_A_PRODUCT}")
    return dict(given)


def chosen_items(quantities: Mapping[str, str]) -> dict[str, int]:
    """Return the products of which a form asks for at least one.

    Args:
        quantities: The text in the form's field by product; empty or missing means none.

    Raises:
        BadCart: A quantity is no number in range, or nothing was chosen.
    """
    items: dict[str, int] = {}
    for product in PRICES_IN_CENTS:
        text = quantities.get(product, "").strip() or "0"
        if not (text.isascii() and text.isdecimal() and int(text[:5]) <= MOST_OF_A_PRODUCT):
            raise BadCart(f"the quantity of {product} must be a whole number from 0 to {MOST_OF_A_PRODUCT}")
        if int(text):
            items[product] = int(text)
    if not items:
        raise BadCart("the cart is empty: choose at least one thing")
    return items


def checked_name(text: str) -> str:
    """Return the name of a recipient without white space around it.

    Raises:
        BadCart: It is too long, or cannot be written as text.
    """
    name = text.strip()
    if len(name) > LONGEST_NAME or not all(sign.isprintable() for sign in name):
        raise BadCart(f"the name must be text of at most {LONGEST_NAME} characters")
    return name
