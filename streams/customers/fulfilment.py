"""What order events do to a row. They may come in any order: news of an unknown order waits for its
placing.
"""

from schemas.customer import Customer
from schemas.event import Millis
from schemas.touchpoints import orders as contract
from streams.customers import order_book, orders, purchases
from streams.customers.items import earlier, later, promise
from streams.customers.order_book import millis
from streams.customers.products import short
from streams.customers.settlement import settle


def place(row: Customer, event: contract.OrderPlaced, at: Millis) -> bool:
    """The order is placed at `at`, ms; returns whether that is a purchase, which is recorded here.

    A follow-up delivery is none. It is one if it says so or if an item's backorder named it. An order that is
    placed again (by another event) is updated, not bought twice.
    """
    order = order_book.known(row, event.order_id, at)
    before, is_new = purchases.net(order), not order.event_id
    if is_new:
        order.event_id, order.cart_id = event.event_id, event.cart_id
        order.follows = (
            order.follows or event.follows_order_id or order_book.announced_by(row, event.order_id)
        )
        order.placed_at = at
        order_book.by_time(row)
    order.currency = event.currency or order.currency
    order_book.tell(order, event.items, event.total, millis(event.promised_at), at)
    is_purchase = is_new and orders.is_purchase(row, event)
    if is_purchase:
        purchases.record(row, at)
    settle(row, order, before)
    return is_purchase


def update(row: Customer, event: contract.OrderUpdated, at: Millis) -> None:
    """Items, total or promised date changed; what is not given stays, and so does what was told later."""
    order = order_book.known(row, event.order_id, at)
    before = purchases.net(order)
    order_book.tell(order, event.items, event.total, millis(event.promised_at), at)
    settle(row, order, before)


def pay(row: Customer, event: contract.OrderPaid, at: Millis) -> None:
    """The order was paid."""
    order = order_book.known(row, event.order_id, at)
    order.paid_at = earlier(order.paid_at, at)
    settle(row, order, purchases.net(order))


def ship(row: Customer, event: contract.ItemShipped, at: Millis) -> None:
    """Pieces left."""
    order = order_book.known(row, event.order_id, at)
    item = order_book.item_of(order, event.item_id)
    if item is not None:
        item.shipped += event.quantity
        item.shipped_at = later(item.shipped_at, at)
        promise(item, millis(event.promised_at), at)
    settle(row, order, purchases.net(order))


def deliver(row: Customer, event: contract.ItemDelivered, at: Millis) -> None:
    """Pieces arrived."""
    order = order_book.known(row, event.order_id, at)
    item = order_book.item_of(order, event.item_id)
    if item is not None:
        item.delivered += event.quantity
        item.own_delivered_at = later(item.own_delivered_at, at)
        item.delivered_at = later(item.delivered_at, at)
    settle(row, order, purchases.net(order))


def substitute(row: Customer, event: contract.ItemSubstituted, at: Millis) -> None:
    """Another product replaces the item; the newest word stays."""
    order = order_book.known(row, event.order_id, at)
    item = order_book.item_of(order, event.item_id)
    if item is not None and (item.substituted_at is None or at >= item.substituted_at):
        item.substitute = short(event.substitute.name) or event.substitute.product_id
        item.substituted_at = at
    settle(row, order, purchases.net(order))


def backorder(row: Customer, event: contract.ItemBackordered, at: Millis) -> None:
    """Pieces are missing and follow; the newest word on how many and until when stays."""
    order = order_book.known(row, event.order_id, at)
    item = order_book.item_of(order, event.item_id)
    if item is not None:
        promise(item, millis(event.promised_at), at)
        if at >= item.backorder_stated_at:
            item.backordered, item.backorder_stated_at = event.quantity, at
            item.follow_up_order_id = event.follow_up_order_id or item.follow_up_order_id
        follow_up = orders.find(row, item.follow_up_order_id) if item.follow_up_order_id else None
        if follow_up is not None and follow_up is not order and follow_up.follows is None:
            before, follow_up.follows = purchases.net(follow_up), order.order_id
            settle(row, follow_up, before)
    settle(row, order, purchases.net(order))


def cancel(row: Customer, event: contract.OrderCancelled, at: Millis) -> None:
    """The order, or one item of it, is cancelled."""
    order = order_book.known(row, event.order_id, at)
    before = purchases.net(order)
    if event.item_id is None:
        order.cancelled_at = earlier(order.cancelled_at, at)
    else:
        item = order_book.item_of(order, event.item_id)
        if item is not None:
            item.cancelled_at = earlier(item.cancelled_at, at)
    settle(row, order, before)


def refund(row: Customer, event: contract.OrderRefunded, at: Millis) -> None:
    """Money went back."""
    order = order_book.known(row, event.order_id, at)
    before = purchases.net(order)
    order.refunded = round(order.refunded + event.amount, 4)
    order.refunded_at = later(order.refunded_at, at)
    settle(row, order, before)


def take_back(row: Customer, event: contract.ItemReturned, at: Millis) -> None:
    """The customer sent the item, or some of it, back."""
    order = order_book.known(row, event.order_id, at)
    item = order_book.item_of(order, event.item_id)
    if item is not None:
        item.returned_at = later(item.returned_at, at)
    settle(row, order, purchases.net(order))
