"""Touchpoint `orders`: what the shop's order system says about an order and each of its items."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.event import Amount, Currency, Custom, Event, Identifier, Moment, Product, Quantity, Text
from schemas.touchpoints.touchpoint import Touchpoint


class OrderItem(Product):
    """One line of an order; `item_id` defaults to the product's id."""

    item_id: Identifier | None = None
    promised_at: Moment | None = None


class OrderEvent(Event):
    """Something that happened to an order."""

    order_id: Identifier


class OrderPlaced(OrderEvent):
    """The customer ordered. `follows_order_id` marks a follow-up delivery of an earlier order."""

    type: Literal["order_placed"]
    items: list[OrderItem] = Field(min_length=1, max_length=500)
    total: Amount
    currency: Currency | None = None
    cart_id: Identifier | None = None
    promised_at: Moment | None = None
    follows_order_id: Identifier | None = None


class OrderUpdated(OrderEvent):
    """The order's items, total or promised date changed; what is not given stays."""

    type: Literal["order_updated"]
    items: list[OrderItem] | None = Field(default=None, min_length=1, max_length=500)
    total: Amount | None = None
    promised_at: Moment | None = None


class OrderPaid(OrderEvent):
    """The order was paid."""

    type: Literal["order_paid"]
    amount: Amount | None = None


class ItemEvent(OrderEvent):
    """Something that happened to one item of an order."""

    item_id: Identifier
    quantity: Quantity = 1.0


class ItemShipped(ItemEvent):
    """`quantity` pieces of the item left."""

    type: Literal["item_shipped"]
    promised_at: Moment | None = None


class ItemDelivered(ItemEvent):
    """`quantity` pieces of the item arrived."""

    type: Literal["item_delivered"]


class ItemSubstituted(ItemEvent):
    """The item was replaced by another product."""

    type: Literal["item_substituted"]
    substitute: Product


class ItemBackordered(ItemEvent):
    """`quantity` pieces are missing and follow, promised for `promised_at`, under `follow_up_order_id`."""

    type: Literal["item_backordered"]
    promised_at: Moment
    follow_up_order_id: Identifier | None = None


class OrderCancelled(OrderEvent):
    """The order, or only `item_id` of it, was cancelled."""

    type: Literal["order_cancelled"]
    item_id: Identifier | None = None
    reason: Text | None = None


class OrderRefunded(OrderEvent):
    """Money went back."""

    type: Literal["order_refunded"]
    amount: Amount


class ItemReturned(ItemEvent):
    """The customer sent the item back."""

    type: Literal["item_returned"]
    reason: Text | None = None


class OrdersCustom(Custom):
    """Any other event of the order system."""

    type: Literal["custom"]


OrdersEvent = Annotated[
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
    | OrdersCustom,
    Field(discriminator="type"),
]

TOUCHPOINT = Touchpoint(
    name="orders", event=OrdersEvent, allowed_lateness_ms=7 * 86_400_000, reads_segment=True
)
