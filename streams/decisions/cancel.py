"""What an event makes wrong of the actions that were emitted but, as far as is known, not sent."""

from collections.abc import Callable
from typing import cast

from schemas.action import ActionCancelled, moment
from schemas.customer import Contact, Customer
from schemas.event import Arrival, Millis
from schemas.touchpoints.consent import Channel
from schemas.touchpoints.orders import OrderCancelled, OrderPlaced
from streams.customers import consent, orders
from streams.customers.contacts import emitted_and_unsent
from streams.decisions import ledger
from streams.decisions.effects import Effects
from streams.decisions.occasions import touches_consent


def what_became_wrong(row: Customer, arrival: Arrival, effects: Effects) -> None:
    """Cancel every open action that the applied event makes wrong.

    A purchase: what spoke of an abandoned browsing, of a cart that is open no more, of a lapse, or of buying
    that product again. A change of consent, or a complaint or sign-off that the fold takes for one: marketing
    on every channel that is not allowed any more. A cancelled order or item: what was to be said of it.
    Cancelled actions give their place under the cap back.
    """
    if not row.contacts:
        return
    event = arrival.event
    if isinstance(event, OrderPlaced) and orders.is_purchase(row, event):
        _cancel(row, arrival.at, "purchased", lambda each: _answered(row, each, event), effects)
    elif isinstance(event, OrderCancelled):
        _cancel(row, arrival.at, "order_cancelled", lambda each: _is_about(each, event), effects)
    if touches_consent(event):
        _cancel(row, arrival.at, "consent_withdrawn", lambda each: _is_forbidden(row, each), effects)


def _cancel(
    row: Customer, at: Millis, reason: str, is_wrong: Callable[[Contact], bool], effects: Effects
) -> None:
    for contact in emitted_and_unsent(row, at):
        if is_wrong(contact):
            contact.status = ledger.CANCELLED
            contact.status_at = at
            effects.actions.append(
                ActionCancelled(
                    action_id=contact.action_id,
                    trigger=contact.trigger,
                    customer_key=row.key,
                    channel=cast(Channel, contact.channel),
                    reason=reason,
                    at=moment(at),
                )
            )


def _answered(row: Customer, contact: Contact, order: OrderPlaced) -> bool:
    family, _, what = contact.trigger.partition(".")
    if family == "abandonment":
        return what == "browse" or all(contact.business_key != f"cart:{cart.cart_id}" for cart in row.carts)
    if family == "churn_risk":
        return True
    if what not in {"replenishment", "cross_sell"}:
        return False
    return not _products(row, contact).isdisjoint(item.product_id for item in order.items)


def _products(row: Customer, contact: Contact) -> set[str]:
    """The products of the order (`order:<id>`) or item (`item:<its name>`) that it is about."""
    kind, _, name = contact.business_key.partition(":")
    return {
        item.product_id
        for order in row.orders
        for item in order.items
        if (kind == "order" and name == order.order_id)
        or (kind == "item" and name == orders.item_name(order.order_id, item.item_id))
    }


def _is_about(contact: Contact, cancelled: OrderCancelled) -> bool:
    item = f"item:{orders.item_name(cancelled.order_id, cancelled.item_id or '')}"
    if cancelled.item_id is not None:
        return contact.business_key == item
    return contact.business_key == f"order:{cancelled.order_id}" or contact.business_key.startswith(item)


def _is_forbidden(row: Customer, contact: Contact) -> bool:
    channel = cast(Channel, contact.channel)
    return contact.category == "marketing" and not consent.allows(row, "marketing", channel)
