"""One line of an order: its state follows from what is known of it, not from when it became known."""

from typing import Literal

from schemas.customer import OrderItem
from schemas.event import Millis

State = Literal["placed", "shipped", "delivered", "backordered", "substituted", "cancelled", "returned"]


def state_of(item: OrderItem) -> State:
    """The state of an item, by the first of these that holds.

    Anything returned → returned; cancelled before anything came → cancelled; cancelled later → delivered;
    pieces told missing that have not come → backordered; something came and nothing is on its way →
    delivered; something left → shipped; replaced → substituted; else placed. A backorder counts as come when
    what came is all that was ordered.
    """
    if item.returned_at is not None:
        return "returned"
    if item.cancelled_at is not None:
        return "delivered" if item.delivered else "cancelled"
    if missing(item):
        return "backordered"
    if item.delivered and item.delivered >= item.shipped:
        return "delivered"
    if item.shipped:
        return "shipped"
    return "placed" if item.substitute is None else "substituted"


def missing(item: OrderItem) -> float:
    """Pieces told missing that have not come since."""
    if not item.backordered or not item.quantity:
        return item.backordered
    return min(item.backordered, max(item.quantity - item.delivered, 0.0))


def outstanding(item: OrderItem) -> float:
    """Pieces that the customer still waits for: ordered, not delivered, neither cancelled nor returned.

    Of an item whose order is not known yet: what left or was told missing and has not come.
    """
    if item.returned_at is not None or item.cancelled_at is not None:
        return 0.0
    expected = item.quantity or max(item.shipped, item.backordered)
    return max(expected - item.delivered, 0.0)


def promise(item: OrderItem, promised_at: Millis | None, at: Millis) -> None:
    """Something told at `at`, ms, promises the item for `promised_at`; the last word by event time stays."""
    if promised_at is not None and at >= item.promise_stated_at:
        item.promised_at, item.promise_stated_at = promised_at, at


def later(known: Millis | None, at: Millis) -> Millis:
    """The later of two moments, of which one may be unknown."""
    return at if known is None else max(known, at)


def earlier(known: Millis | None, at: Millis) -> Millis:
    """The earlier of two moments, of which one may be unknown."""
    return at if known is None else min(known, at)
