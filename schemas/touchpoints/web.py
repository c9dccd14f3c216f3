"""Touchpoint `web`: what a visitor does on the site."""

from typing import Annotated

from msgspec import Meta

from schemas.event import Amount, Currency, Custom, Event, Identifier, Product, Text
from schemas.touchpoints.touchpoint import Touchpoint


class PageViewed(Event, tag="page_viewed"):
    """A page was shown."""

    path: Text | None = None
    title: Text | None = None


class Searched(Event, tag="searched"):
    """The visitor searched; `results` is how many hits were shown."""

    query: Text
    results: Annotated[int, Meta(ge=0)] | None = None


class ProductViewed(Event, tag="product_viewed"):
    """A product's page was shown."""

    product: Product


class CartEvent(Event):
    """Something that happened to a cart; without `cart_id` it is the customer's current cart."""

    cart_id: Identifier | None = None
    currency: Currency | None = None


class ProductAdded(CartEvent, tag="product_added"):
    """A product, in `product.quantity` pieces, went into the cart."""

    product: Product


class ProductRemoved(CartEvent, tag="product_removed"):
    """A product, in `product.quantity` pieces, left the cart."""

    product: Product


class CartViewed(CartEvent, tag="cart_viewed"):
    """The cart was shown; `products`, where given, is its whole content."""

    products: Annotated[list[Product], Meta(max_length=500)] | None = None


class CartUpdated(CartEvent, tag="cart_updated"):
    """The cart's content is now exactly `products`."""

    products: Annotated[list[Product], Meta(max_length=500)]


class CheckoutStarted(CartEvent, tag="checkout_started"):
    """The visitor began to check out."""

    products: Annotated[list[Product], Meta(max_length=500)] | None = None
    value: Amount | None = None


class CheckoutStepViewed(CartEvent, tag="checkout_step_viewed"):
    """A step of the checkout was shown (`delivery`, `payment`, …)."""

    step: Text


class CheckoutStepCompleted(CartEvent, tag="checkout_step_completed"):
    """A step of the checkout was completed."""

    step: Text


class CouponRefused(CartEvent, tag="coupon_refused"):
    """A coupon was refused."""

    coupon: Text
    reason: Text | None = None


class PaymentFailed(CartEvent, tag="payment_failed"):
    """A payment did not go through."""

    reason: Text | None = None


class OutOfStockShown(CartEvent, tag="out_of_stock_shown"):
    """The visitor was told that a product is missing."""

    product: Product


class FormError(CartEvent, tag="form_error"):
    """A form refused what the visitor typed into `field`."""

    field: Text
    message: Text | None = None


class WebCustom(Custom, tag="custom"):
    """Any other event of the site."""


WebEvent = (
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
    | WebCustom
)

TOUCHPOINT = Touchpoint(name="web", event=WebEvent, allowed_lateness_ms=3_600_000, reads_segment=True)
