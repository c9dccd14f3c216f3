"""A product as an event names it, cut to what a row keeps."""

from collections.abc import Iterable

from schemas.customer import MAX_CART_ITEMS, MAX_TEXT, CartItem
from schemas.event import Product


def short(text: str | None) -> str | None:
    """At most MAX_TEXT characters of it; None for nothing."""
    return text[:MAX_TEXT] if text else None


def cart_item(product: Product) -> CartItem:
    """The product as a line of a cart."""
    return CartItem(
        product.product_id, product.quantity, product.price, short(product.name), short(product.category)
    )


def cart_items(products: Iterable[Product]) -> list[CartItem]:
    """One line a product, quantities added up; the first MAX_CART_ITEMS products."""
    items: dict[str, CartItem] = {}
    for product in products:
        known = items.get(product.product_id)
        if known is not None:
            known.quantity += product.quantity
        elif len(items) < MAX_CART_ITEMS:
            items[product.product_id] = cart_item(product)
    return list(items.values())
