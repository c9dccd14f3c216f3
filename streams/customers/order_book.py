"""The orders a row keeps: found, begun when first heard of, and told their terms."""

from datetime import datetime

from schemas.customer import MAX_ORDER_ITEMS, MAX_ORDERS, Customer, Order, OrderItem
from schemas.event import Millis, to_millis
from schemas.touchpoints import orders as contract
from streams.customers import orders
from streams.customers.items import promise
from streams.customers.products import short


def known(row: Customer, order_id: str, at: Millis) -> Order:
    """The order, begun here if it is unknown. MAX_ORDERS stay: the oldest one with nothing to come leaves."""
    order = orders.find(row, order_id)
    if order is not None:
        if not order.event_id and at < order.placed_at:
            order.placed_at = at
            by_time(row)
        return order
    order = Order(order_id, at, 0.0)
    row.orders.append(order)
    by_time(row)
    if len(row.orders) > MAX_ORDERS:
        others = [each for each in row.orders if each is not order]
        row.orders.remove(next((each for each in others if not orders.is_open(each)), others[0]))
    return order


def item_of(order: Order, item_id: str) -> OrderItem | None:
    """The item, by its id or its product's, begun here if it is unknown; None beyond MAX_ORDER_ITEMS."""
    for item in order.items:
        if item.item_id == item_id:
            return item
    for item in order.items:
        if item.product_id == item_id:
            return item
    return _begin(order, item_id)


def tell(
    order: Order,
    lines: list[contract.OrderItem] | None,
    total: float | None,
    promised_at: Millis | None,
    at: Millis,
) -> None:
    """Take the order's terms as told at `at`, ms. Older ones only fill what no newer ones told."""
    is_newest = at >= order.updated_at
    if total is not None and (is_newest or not order.total):
        order.total = total
    if promised_at is not None and (is_newest or order.promised_at is None):
        order.promised_at = promised_at
    told: set[str] = set()
    for line in lines or ():
        item = _line(order, line)
        if item is None:
            continue
        if item.item_id in told:
            item.quantity += line.quantity
        elif is_newest or not item.quantity:
            told.add(item.item_id)
            item.product_id, item.quantity, item.price = line.product_id, line.quantity, line.price
            item.name, item.category = short(line.name), short(line.category)
        promise(item, millis(line.promised_at) or promised_at, at)
    if lines is None and promised_at is not None:
        for item in order.items:
            promise(item, promised_at, at)
    if is_newest and (lines is not None or total is not None):
        order.updated_at = at


def _line(order: Order, line: contract.OrderItem) -> OrderItem | None:
    """The item that the line tells of: the one of its id, else one heard of by its product's id only."""
    item_id = line.item_id or line.product_id
    for item in order.items:
        if item.item_id == item_id:
            return item
    for item in order.items:
        if item.item_id == line.product_id and not item.quantity:
            item.item_id = item_id
            return item
    return _begin(order, item_id)


def _begin(order: Order, item_id: str) -> OrderItem | None:
    if len(order.items) >= MAX_ORDER_ITEMS:
        return None
    item = OrderItem(item_id, item_id, 0.0)
    order.items.append(item)
    return item


def announced_by(row: Customer, order_id: str) -> str | None:
    """The order of which an item was announced to follow under this id."""
    for order in row.orders:
        if order.order_id != order_id and any(item.follow_up_order_id == order_id for item in order.items):
            return order.order_id
    return None


def by_time(row: Customer) -> None:
    """Put the orders in the order of their placing."""
    row.orders.sort(key=_placed_at)


def millis(moment: datetime | None) -> Millis | None:
    """A moment of the contract in ms since the epoch."""
    return None if moment is None else to_millis(moment)


def _placed_at(order: Order) -> Millis:
    return order.placed_at
