"""Post purchase: what is said after an order, about its items, each thing once.

Law. News of several items of an order that come within `gather` make one message. A timer says when to look;
what is said is what is true then: an item that has arrived meanwhile is not announced as shipped.
"""

from collections.abc import Iterable, Mapping

from schemas.customer import MAX_ORDERS, Customer, Held, Order
from schemas.event import Arrival, Event, Millis
from schemas.policy import PostPurchase
from schemas.touchpoints.orders import ItemBackordered, ItemDelivered, ItemShipped, OrderPlaced, OrderUpdated
from streams.customers import orders
from streams.customers.timers import cancel_others, cancel_timer, set_timer
from streams.triggers import replenishment
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.family import Observe
from streams.triggers.order_candidates import order_news, thanks
from streams.triggers.order_news import NEWS, asked_at

NAME = "post_purchase"
TIMERS = 1 + len(NEWS) * MAX_ORDERS
"""One for what runs out, and one for each thing to say of each order."""
_PREFIX = "post_purchase:"
_THANKS = "thanks"
_CHECK = "delivered_check"


def ring(row: Customer, timer_id: str, due: Millis, circumstances: Circumstances) -> Iterable[Candidate]:
    """Look at what the timer was set for. Its id is `post_purchase:<what>:<order id>`."""
    if timer_id == replenishment.TIMER:
        return replenishment.ring(row, due, circumstances)
    _, what, order_id = timer_id.split(":", 2)
    order = orders.find(row, order_id)
    if order is None or what not in NEWS:
        return ()
    candidate = order_news(row, order, what, due, circumstances, str(due))
    if what == _CHECK:
        _check_later(row, order, due, circumstances.policy.post_purchase)
    return (candidate,) if candidate is not None else ()


def recheck(row: Customer, held: Held, now: Millis, circumstances: Circumstances) -> Candidate | None:
    """What was held, if it is still true, of the items that it was about."""
    what = held.trigger.removeprefix("post_purchase.")
    if what == replenishment.WHAT:
        return replenishment.recheck(row, held, now, circumstances)
    order = _named(row, held.business_key)
    if order is None:
        return None
    if what == _THANKS:
        return thanks(row, order, now, circumstances) if order.cancelled_at is None else None
    if what not in NEWS:
        return None
    return order_news(row, order, what, now, circumstances, str(held.since), again=True)


def _placed(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """A purchase is thanked for at once."""
    event, policy = arrival.event, circumstances.policy.post_purchase
    order = orders.find(row, event.order_id) if isinstance(event, OrderPlaced) else None
    if order is None:
        return ()
    _check_later(row, order, arrival.at, policy)
    if not orders.is_purchase(row, event):
        return ()
    replenishment.bought(row, order, arrival.at, policy)
    if order.cancelled_at is not None:
        return ()
    return (thanks(row, order, arrival.at, circumstances),)


def _changed(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """Promises, shipments and shortages: to be told soon, and to be asked about if nothing comes."""
    event, policy = arrival.event, circumstances.policy.post_purchase
    if not isinstance(event, OrderUpdated | ItemShipped | ItemBackordered):
        return ()
    order = orders.find(row, event.order_id)
    if order is None:
        return ()
    _check_later(row, order, arrival.at, policy)
    if not isinstance(event, OrderUpdated):
        what = "shipped" if isinstance(event, ItemShipped) else "backorder"
        _look(row, what, order, arrival.at + policy.gather, restart=False)
    return ()


def _delivered(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """A delivery: is it what was promised, does it complete an order; later: how was it, and what next?"""
    event, policy, at = arrival.event, circumstances.policy.post_purchase, arrival.at
    order = orders.find(row, event.order_id) if isinstance(event, ItemDelivered) else None
    if order is None:
        return ()
    first = orders.root(row, order)
    if first is not order:
        _look(row, "follow_up_delivered", order, at + policy.gather, restart=False)
    _look(row, "delivery_mismatch", order, at + policy.mismatch_after, restart=True)
    _look(row, "how_was_it", first, at + policy.how_was_it_after, restart=True)
    _look(row, "cross_sell", first, at + policy.cross_sell_after, restart=True)
    _check_later(row, order, at, policy)
    return ()


def _look(row: Customer, what: str, order: Order, due: Millis, *, restart: bool) -> None:
    timer_id = f"{NAME}:{what}:{order.order_id}"
    known = row.timers.get(timer_id)
    if known is None or (restart and known < due):
        _set_timer(row, timer_id, due)


def _check_later(row: Customer, order: Order, now: Millis, policy: PostPurchase) -> None:
    """Ask for deliveries when the next item of the order is overdue; of each only once."""
    timer_id = f"{NAME}:{_CHECK}:{order.order_id}"
    times = (asked_at(item, policy) for item in order.items if _CHECK not in item.told)
    due = min((at for at in times if at is not None), default=None)
    if due is None:
        cancel_timer(row, timer_id)
    else:
        _set_timer(row, timer_id, max(due, now + 1))


def _set_timer(row: Customer, timer_id: str, due: Millis) -> None:
    """Set it; those of orders that are gone, which would say nothing, make room before it might be scarce."""
    if len(row.timers) >= TIMERS - 1:
        kept = {order.order_id for order in row.orders}
        for what in NEWS:
            cancel_others(row, f"{_PREFIX}{what}:", kept)
    set_timer(row, timer_id, due)


def _named(row: Customer, business_key: str) -> Order | None:
    """The order of `order:<order id>` or of `item:<order id>:<item id>` (`orders.item_name`)."""
    kind, _, name = business_key.partition(":")
    if kind == "order":
        return orders.find(row, name)
    for order in row.orders:
        if any(name == orders.item_name(order.order_id, item.item_id) for item in order.items):
            return order
    return None


REACTIONS: Mapping[type[Event], Observe] = {
    OrderPlaced: _placed,
    OrderUpdated: _changed,
    ItemShipped: _changed,
    ItemBackordered: _changed,
    ItemDelivered: _delivered,
}
