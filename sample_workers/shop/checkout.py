"""The checkout: ``/cart`` → ``/checkout`` → ``/pay`` → ``/receipt``.

The shop keeps no session. The cart travels as JSON in a hidden field of each form, and in the query of the
303 that follows each POST. So every step is two requests, and each may be drawn to another version (R24): one
that cannot read the cart answers 409. An affinity key keeps the whole flow on one version (R37, R84).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web
from yarl import URL

from sample_workers.pages import Markup, join, load_template, page, render
from sample_workers.runtime import SETTINGS
from sample_workers.shop.cart import (
    ITEMS_FIELD,
    MOST_OF_A_PRODUCT,
    PRICES_IN_CENTS,
    BadCart,
    Cart,
    CartOfOtherVersion,
    checked_name,
    chosen_items,
    read_cart,
    write_cart,
)

PAGES = Path(__file__).with_name("pages")
CART_PAGE = load_template(PAGES / "cart.html")
CHECKOUT_PAGE = load_template(PAGES / "checkout.html")
PAY_PAGE = load_template(PAGES / "pay.html")
RECEIPT_PAGE = load_template(PAGES / "receipt.html")
PROBLEM_PAGE = load_template(PAGES / "problem.html")
MIXED_PAGE = load_template(PAGES / "mixed.html")
PRODUCT_ROW = load_template(PAGES / "product_row.html")
ITEM_ROW = load_template(PAGES / "item_row.html")
STEP = load_template(PAGES / "step.html")

STEPS = ("Cart", "Checkout", "Pay", "Receipt")


def add_checkout(app: web.Application) -> None:
    """Add the four steps to an application."""
    app.middlewares.append(answer_bad_carts)
    app.router.add_get("/cart", show_cart)
    app.router.add_post("/cart", submit_cart)
    app.router.add_get("/checkout", show_checkout)
    app.router.add_post("/checkout", submit_checkout)
    app.router.add_get("/pay", show_pay)
    app.router.add_post("/pay", submit_pay)
    app.router.add_get("/receipt", show_receipt)


async def show_cart(request: web.Request) -> web.Response:
    """Ask what to buy; the form already carries an empty cart of this version."""
    rows = join(
        [
            render(PRODUCT_ROW, product=product, price=euros(price), most=str(MOST_OF_A_PRODUCT))
            for product, price in PRICES_IN_CENTS.items()
        ]
    )
    return step_page(request, "Cart", render(CART_PAGE, rows=rows, state=state_of(request, Cart())))


async def submit_cart(request: web.Request) -> web.Response:
    """Take the quantities, go on to the checkout."""
    form = await posted_fields(request)
    # Even the empty cart has a shape: a form of the other version is refused at the first step.
    cart_in(request, form)
    return go_on(request, "/checkout", Cart(items=chosen_items(form)))


async def show_checkout(request: web.Request) -> web.Response:
    """Show the cart and ask for the recipient."""
    cart = cart_at_step(request, "Checkout")
    body = render(CHECKOUT_PAGE, state=state_of(request, cart), **listing(cart))
    return step_page(request, "Checkout", body)


async def submit_checkout(request: web.Request) -> web.Response:
    """Take the recipient, go on to the payment."""
    form = await posted_fields(request)
    cart = cart_in(request, form)
    deliver_to = checked_name(form.get("deliver_to", ""))
    if not deliver_to:
        raise BadCart("say for whom the order is")
    return go_on(request, "/pay", Cart(items=cart.items, deliver_to=deliver_to))


async def show_pay(request: web.Request) -> web.Response:
    """Ask for the (pretended) payment."""
    cart = cart_at_step(request, "Pay")
    body = render(PAY_PAGE, state=state_of(request, cart), deliver_to=cart.deliver_to, **listing(cart))
    return step_page(request, "Pay", body)


async def submit_pay(request: web.Request) -> web.Response:
    """Pretend to take the money, go on to the receipt."""
    form = await posted_fields(request)
    cart = cart_in(request, form)
    return go_on(request, "/receipt", Cart(items=cart.items, deliver_to=cart.deliver_to, paid=True))


async def show_receipt(request: web.Request) -> web.Response:
    """Show that one version served the whole flow."""
    cart = cart_at_step(request, "Receipt")
    version = request.app[SETTINGS].version
    body = render(RECEIPT_PAGE, version=version, deliver_to=cart.deliver_to, **listing(cart))
    return step_page(request, "Receipt", body)


async def posted_fields(request: web.Request) -> dict[str, str]:
    """Return the text fields of a form.

    Raises:
        BadCart: The body cannot be read as a form.
    """
    try:
        form = await request.post()
    except (ValueError, LookupError):
        raise BadCart("the body is no form") from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


def cart_in(request: web.Request, fields: Mapping[str, str]) -> Cart:
    """Return the cart that a form or a query carries.

    Raises:
        CartOfOtherVersion: It was made by the other version.
        BadCart: It is no cart, or there is none.
    """
    if "state" not in fields:
        raise BadCart("the field 'state' with the cart is missing")
    return read_cart(fields["state"], request.app[SETTINGS].version)


def cart_at_step(request: web.Request, step: str) -> Cart:
    """Return the cart in the query of a GET, with everything in it that the step builds on.

    Raises:
        web.HTTPSeeOther: There is none: back to where carts begin.
        CartOfOtherVersion: It was made by the other version.
        BadCart: It is no cart, or a step was left out.
    """
    if "state" not in request.query:
        raise web.HTTPSeeOther("/cart")
    cart = cart_in(request, request.query)
    done = (bool(cart.items), bool(cart.deliver_to), cart.paid)
    for missing, is_done in zip(STEPS[: STEPS.index(step)], done, strict=False):
        if not is_done:
            raise BadCart(f"the step {missing} comes before {step}")
    return cart


def go_on(request: web.Request, path: str, cart: Cart) -> web.Response:
    """Return the 303 to the next step, the cart in its query."""
    location = URL(path).with_query(state=state_of(request, cart))
    return web.Response(status=303, headers={"Location": str(location)})


@web.middleware
async def answer_bad_carts(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a cart that this version cannot go on with: 409 where the versions are mixed, else 400."""
    settings = request.app[SETTINGS]
    try:
        return await handler(request)
    except CartOfOtherVersion as error:
        body = render(
            MIXED_PAGE,
            message=str(error),
            made_by=error.made_by,
            read_by=error.read_by,
            their_field=ITEMS_FIELD[error.made_by],
            our_field=ITEMS_FIELD[error.read_by],
        )
        return page(settings, title="Versions mixed", body=body, status=409)
    except BadCart as error:
        body = render(PROBLEM_PAGE, message=str(error))
        return page(settings, title="That does not work", body=body, status=400)


def step_page(request: web.Request, step: str, body: Markup) -> web.Response:
    """Return one page of the flow, with the list of steps above its body."""
    steps = join(
        [render(STEP, name=name, current=Markup(' aria-current="step"') if name == step else "") for name in STEPS]
    )
    body = Markup(f'<nav aria-label="Steps"><ol class="steps">{steps}</ol></nav>\n{body}')
    return page(request.app[SETTINGS], title=step, body=body)


def state_of(request: web.Request, cart: Cart) -> str:
    """Return the cart in the shape of the version that answers."""
    return write_cart(cart, request.app[SETTINGS].version)


def listing(cart: Cart) -> dict[str, str]:
    """Return the rows and the total of a cart, as the pages show them."""
    rows = [
        render(
            ITEM_ROW,
            product=product,
            quantity=str(quantity),
            price=euros(quantity * PRICES_IN_CENTS[product]),
        )
        for product, quantity in cart.items.items()
    ]
    return {"rows": join(rows), "total": euros(cart.total_in_cents)}


def euros(cents: int) -> str:
    """Return a price as people write it."""
    return f"{cents // 100}.{cents % 100:02d} €"
