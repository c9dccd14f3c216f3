"""Touchpoint `web`: what a visitor does on the site."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.event import Amount, Currency, Custom, Event, Identifier, Product, Text
from schemas.touchpoints.touchpoint import Touchpoint


class PageViewed(Event):
    """A page was shown."""

    type: Literal["page_viewed"]
    path: Text | None = None
    title: Text | None = None


class Searched(Event):
    """The visitor searched; `results` is how many hits were shown."""

    type: Literal["searched"]
    query: Text
    results: Annotated[int, Field(ge=0)] | None = None


class ProductViewed(Event):
    """A product's page was shown."""

    type: Literal["product_viewed"]
    product: Product


class CartEvent(Event):
    """Something that happened to a cart; without `cart_id` it is the customer's current cart."""

    cart_id: Identifier | None = None
    currency: Currency | None = None


class ProductAdded(CartEvent):
    """A product, in `product.quantity` pieces, went into the cart."""

    type: Literal["product_added"]
    product: Product


class ProductRemoved(CartEvent):
    """A product, in `product.quantity` pieces, left the cart."""

    type: Literal["product_removed"]
    product: Product


class CartViewed(CartEvent):
    """The cart was shown; `products`, where given, is its whole content."""

    type: Literal["cart_viewed"]
    products: list[Product] | None = Field(default=None, max_length=500)


class CartUpdated(CartEvent):
    """The cart's content is now exactly `products`."""

    type: Literal["cart_updated"]
    products: list[Product] = Field(max_length=500)


class CheckoutStarted(CartEvent):
    """The visitor began to check out."""

    type: Literal["checkout_started"]
    products: list[Product] | None = Field(default=None, max_length=500)
    value: Amount | None = None


class CheckoutStepViewed(CartEvent):
    """A step of the checkout was shown (`delivery`, `payment`, …)."""

    type: Literal["checkout_step_viewed"]
    step: Text


class CheckoutStepCompleted(CartEvent):
    """A step of the checkout was completed."""

    type: Literal["checkout_step_completed"]
    step: Text


class CouponRefused(CartEvent):
    """A coupon was refused."""

    type: Literal["coupon_refused"]
    coupon: Text
    reason: Text | None = None


class PaymentFailed(CartEvent):
    """A payment did not go through."""

    type: Literal["payment_failed"]
    reason: Text | None = None


class OutOfStockShown(CartEvent):
    """The visitor was told that a product is missing."""

    type: Literal["out_of_stock_shown"]
    product: Product


class FormError(CartEvent):
    """A form refused what the visitor typed into `field`."""

    type: Literal["form_error"]
    field: Text
    message: Text | None = None


class WebCustom(Custom):
    """Any other event of the site."""

    type: Literal["custom"]


WebEvent = Annotated[
    PageViewed
    | Searched
    | ProductViewed
    | ProductAdded
    | ProductRemoved
    | CartViewed
    | CartUpdated
    | CheckoutStarted
    | CheckoutStepViewed
    | CheckoutStepCompleted
    | CouponRefused
    | PaymentFailed
    | OutOfStockShown
    | FormError
    | WebCustom,
    Field(discriminator="type"),
]

TOUCHPOINT = Touchpoint(name="web", event=WebEvent, allowed_lateness_ms=3_600_000, reads_segment=True)
