"""Lines of carts and orders as the products that a message speaks of."""

from schemas.customer import CartItem, OrderItem
from schemas.event import Product

_PIECES_MIN, _PIECES_MAX = 0.001, 1e6


def product_of(item: CartItem | OrderItem) -> Product:
    """The product of a line. Pieces are those of the line within the contract's range, 1 where unknown."""
    return Product(
        product_id=item.product_id,
        name=item.name,
        category=item.category,
        price=item.price,
        quantity=max(_PIECES_MIN, min(item.quantity, _PIECES_MAX)) if item.quantity else 1.0,
    )
