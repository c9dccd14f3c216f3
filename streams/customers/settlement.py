"""What follows from a changed order: its items' states, follow-ups both ways, the value of all purchases."""

from schemas.customer import MAX_ORDERS, Customer, Order
from streams.customers import orders, purchases
from streams.customers.items import later, outstanding, state_of


def settle(row: Customer, order: Order, net_before: float) -> None:
    """Draw the conclusions of a change: states, follow-ups both ways, the value of all purchases."""
    current: Order | None = order
    for _ in range(MAX_ORDERS):
        if current is None:
            break
        _credit(row, current)
        for item in current.items:
            if current.cancelled_at is not None and item.cancelled_at is None:
                item.cancelled_at = current.cancelled_at
            item.state = state_of(item)
        current = orders.find(row, current.follows) if current.follows is not None else None
    if order.cancelled_at is not None:
        order.state = "cancelled"
    elif order.event_id and order.refunded >= order.total > 0:
        order.state = "refunded"
    elif order.paid_at is not None:
        order.state = "paid"
    net = purchases.net(order)
    if net != net_before:
        row.purchases.value = round(row.purchases.value + net - net_before, 4)


def _credit(row: Customer, order: Order) -> None:
    """What came with follow-up deliveries came of this order: never more than it still lacked."""
    follow_ups = orders.follow_ups(row, order.order_id)
    for item in order.items if follow_ups else ():
        own, came = item.delivered - item.followed, 0.0
        for follow_up in follow_ups:
            for other in follow_up.items:
                if other.item_id == item.item_id or other.product_id == item.product_id:
                    came += other.delivered
                    if item.follow_up_order_id is None and (item.backordered or outstanding(item)):
                        item.follow_up_order_id = follow_up.order_id
                    if other.delivered_at is not None:
                        item.delivered_at = later(item.delivered_at, other.delivered_at)
        item.followed = min(came, max(item.quantity - own, 0.0))
        item.delivered = own + item.followed
