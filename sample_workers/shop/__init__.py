"""The shop: pages, scripts, an API and a checkout whose two versions do not understand each other, on purpose.

What v2 changed, and what breaks when both versions answer one visitor:

- the page's script has another name, and each version has only its own: 404 (``app``)
- the API's price field has another name than the other version's script reads (``products``)
- the cart's field has another name than the other version's checkout reads: 409 (``cart``)
"""
