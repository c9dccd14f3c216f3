"""Touchpoint `orders`: what the shop's order system says about an order and each of its items."""

from typing import Annotated

from msgspec import Meta

from schemas.event import (
    Amount,
    Currency,
    Custom,
    Event,
    Identifier,
    Moment,
    Product,
    Quantity,
    Text,
    check_moments,
)
from schemas.touchpoints.touchpoint import Touchpoint


class OrderItem(Product):
    """One line of an order; `item_id` defaults to the product's id."""

    item_id: Identifier | None = None
    promised_at: Moment | None = None

    def __post_init__(self) -> None:
        check_moments(self)


class OrderEvent(Event):
    """Something that happened to an order."""

    order_id: Identifier


class OrderPlaced(OrderEvent, tag="order_placed"):
    """The customer ordered. `follows_order_id` marks a follow-up delivery of an earlier order."""

    items: Annotated[list[OrderItem], Meta(min_length=1, max_length=500)]
    total: Amount
    currency: Currency | None = None
    cart_id: Identifier | None = None
    promised_at: Moment | None = None
    follows_order_id: Identifier | None = None


class OrderUpdated(OrderEvent, tag="order_updated"):
    """The order's items, total or promised date changed; what is not given stays."""

    items: Annotated[list[OrderItem], Meta(min_length=1, max_length=500)] | None = None
    total: Amount | None = None
    promised_at: Moment | None = None


class OrderPaid(OrderEvent, tag="order_paid"):
    """The order was paid."""

    amount: Amount | None = None


class ItemEvent(OrderEvent):
    """Something that happened to one item of an order."""

    item_id: Identifier
    quantity: Quantity = 1.0


class ItemShipped(ItemEvent, tag="item_shipped"):
    """`quantity` pieces of the item left."""

    promised_at: Moment | None = None


class ItemDelivered(ItemEvent, tag="item_delivered"):
    """`quantity` pieces of the item arrived."""


class ItemSubstituted(ItemEvent, tag="item_substituted"):
    """The item was replaced by another product."""

    substitute: Product


class ItemBackordered(ItemEvent, tag="item_backordered"):
    """`quantity` pieces are missing and follow, promised for `promised_at`, under `follow_up_order_id`."""

    promised_at: Moment
    follow_up_order_id: Identifier | None = None


class OrderCancelled(OrderEvent, tag="order_cancelled"):
    """The order, or only `item_id` of it, was cancelled."""

    item_id: Identifier | None = None
    reason: Text | None = None


class OrderRefunded(OrderEvent, tag="order_refunded"):
    """Money went back."""

    amount: Amount


class ItemReturned(ItemEvent, tag="item_returned"):
    """The customer sent the item back."""

    reason: Text | None = None


class OrdersCustom(Custom, tag="custom"):
    """Any other event of the order system."""


OrdersEvent = (
    OrderPlaced
    | OrderUpdated
    | OrderPaid
    | ItemShipped
    | ItemDelivered
    | ItemSubstituted
    | ItemBackordered
    | OrderCancelled
    | OrderRefunded
    | ItemReturned
    | OrdersCustom
)

TOUCHPOINT = Touchpoint(
    name="orders", event=OrdersEvent, allowed_lateness_ms=7 * 86_400_000, reads_segment=True
)
