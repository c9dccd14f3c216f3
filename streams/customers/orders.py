"""What can be asked about a customer's orders. What events do to them stands in fulfilment.py."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from schemas.customer import MAX_ORDERS, Customer, Order, OrderItem
from schemas.event import Event, Millis
from schemas.touchpoints.orders import OrderPlaced
from streams.customers.items import missing, outstanding

What = Literal[
    "placed",
    "paid",
    "item_shipped",
    "item_delivered",
    "item_substituted",
    "item_backordered",
    "item_cancelled",
    "item_returned",
    "cancelled",
    "refunded",
    "follow_up_placed",
    "follow_up_delivered",
]


class Entry(NamedTuple):
    """A line of an order's timeline. Times in ms; `date` is a promised day, `total` money, `quantity`
    pieces.
    """

    at: Millis
    what: What
    order_id: str
    item_id: str | None = None
    quantity: float | None = None
    date: Millis | None = None
    total: float | None = None


def find(row: Customer, order_id: str) -> Order | None:
    """The order of that id, if the row keeps it."""
    for order in reversed(row.orders):
        if order.order_id == order_id:
            return order
    return None


def is_purchase(row: Customer, event: Event) -> bool:
    """Whether the customer bought something with this event, which the row has folded in.

    Not with a follow-up delivery, whoever announced it, and not with an order that is told again.
    """
    if not isinstance(event, OrderPlaced):
        return False
    order = find(row, event.order_id)
    return order is not None and order.is_purchase and order.event_id == event.event_id


def root(row: Customer, order: Order) -> Order:
    """The order that a follow-up delivery belongs to in the end; the order itself if it follows none."""
    for _ in range(MAX_ORDERS):
        parent = find(row, order.follows) if order.follows is not None else None
        if parent is None:
            return order
        order = parent
    return order


def item_name(order_id: str, item_id: str) -> str:
    """What names an item among all of a customer's: `<order id>:<item id>`.

    Percent signs and colons of the order's id are percent-encoded, so the first colon always ends it.
    """
    return f"{order_id.replace('%', '%25').replace(':', '%3A')}:{item_id}"


def follow_ups(row: Customer, order_id: str) -> list[Order]:
    """The follow-up deliveries of the order, by time."""
    return [order for order in row.orders if order.follows == order_id]


def is_late(item: OrderItem, now: Millis) -> bool:
    """Whether pieces were promised for a moment before `now`, ms, and have not come."""
    return item.promised_at is not None and item.promised_at < now and outstanding(item) > 0


def has_late_item(row: Customer, now: Millis) -> bool:
    """Whether the customer waits for something that is late at `now`, ms."""
    return any(is_late(item, now) for order in row.orders for item in order.items)


def is_open(order: Order) -> bool:
    """Whether pieces of the order are still to come, as far as the shop tells deliveries."""
    return order.cancelled_at is None and any(outstanding(item) > 0 for item in order.items)


def open_orders(row: Customer) -> list[Order]:
    """The orders of which something is still to come, by time."""
    return [order for order in row.orders if is_open(order)]


def timeline(row: Customer, order_id: str) -> list[Entry]:
    """What happened to the order and its follow-up deliveries, by event time: one timeline for all of them.

    Asked for a follow-up it tells the whole story too. Empty for an unknown order.
    """
    order = find(row, order_id)
    if order is None:
        return []
    first = root(row, order)
    told = [first]
    for each in told:
        told.extend(more for more in follow_ups(row, each.order_id) if more not in told)
    entries = [entry for each in told for entry in _entries(each, is_follow_up=each is not first)]
    return sorted(entries, key=lambda entry: entry.at)


def _entries(order: Order, *, is_follow_up: bool) -> Iterator[Entry]:
    if order.event_id:
        placed: What = "follow_up_placed" if is_follow_up else "placed"
        yield Entry(order.placed_at, placed, order.order_id, date=order.promised_at, total=order.total)
    if order.paid_at is not None:
        yield Entry(order.paid_at, "paid", order.order_id)
    for item in order.items:
        yield from _item_entries(order, item, "follow_up_delivered" if is_follow_up else "item_delivered")
    if order.cancelled_at is not None:
        yield Entry(order.cancelled_at, "cancelled", order.order_id)
    if order.refunded_at is not None:
        yield Entry(order.refunded_at, "refunded", order.order_id, total=order.refunded)


def _item_entries(order: Order, item: OrderItem, delivered: What) -> Iterator[Entry]:
    own = item.delivered - item.followed
    moments: tuple[tuple[Millis | None, What, float], ...] = (
        (item.shipped_at, "item_shipped", item.shipped),
        (item.substituted_at, "item_substituted", item.quantity),
        (item.own_delivered_at, delivered, own),
        (item.cancelled_at if order.cancelled_at is None else None, "item_cancelled", item.quantity),
        (item.returned_at, "item_returned", item.quantity),
    )
    for at, what, quantity in moments:
        if at is not None:
            total = order.total if what == "follow_up_delivered" else None
            yield Entry(at, what, order.order_id, item.item_id, quantity, total=total)
    if item.backordered:
        date = item.promised_at if missing(item) or item.follow_up_order_id else None
        yield Entry(
            item.backorder_stated_at, "item_backordered", order.order_id, item.item_id, item.backordered, date
        )
