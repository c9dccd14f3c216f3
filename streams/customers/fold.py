"""What an event does to a row: the one place where the state of a customer changes because of an event."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from schemas.counts import Kind
from schemas.customer import Cart, Customer, Obstacle
from schemas.event import Arrival, Event, Millis
from schemas.touchpoints import consent as consents
from schemas.touchpoints import messages, web
from schemas.touchpoints import orders as contract
from streams.customers import cart, consent, contacts, fulfilment, obstacles, viewed
from streams.customers.counts import add
from streams.customers.identity import identify
from streams.customers.products import short
from streams.customers.seen import admit
from streams.customers.sessions import extend

_RESPONSES = frozenset({"clicked", "replied"})


def fold(
    row: Customer, arrival: Arrival, stream_time: Millis, allowed_lateness_ms: Mapping[str, Millis]
) -> Literal["applied", "duplicate", "late"]:
    """Fold the event into the row, in place. Times in ms.

    Law: a duplicate event id and a late event (before stream time less the touchpoint's allowed lateness, or at
    or below the floor of its full window of ids) change nothing. Sessions, counts and purchases do not depend on
    the order in which punctual events arrive; of orders and purchases that holds where one event places an order
    and a follow-up says what it follows: of two events that place the same order the first to arrive counts. The
    event's class decides, not its topic; a class not known here (a shop's own touchpoint) and `Custom` count as
    an act of the customer and nothing else.
    """
    event, at, touchpoint = arrival.event, arrival.at, arrival.touchpoint
    verdict = admit(row, touchpoint, event.event_id, at, stream_time - allowed_lateness_ms[touchpoint])
    if verdict != "applied":
        return verdict
    if at < row.first_seen or not row.first_seen:
        row.first_seen = at
    if row.carts:
        cart.drop_idle(row, at)
    effect = _EFFECTS.get(type(event), _ACT)
    if effect.is_act:
        _act(row, event, at, effect.kind)
    if effect.apply is not None:
        effect.apply(row, event, at)
    identify(row, event, at)
    if event.context is not None and event.context.consent:
        consent.forbid_as_seen(row, event, event.context.consent, at)
    return "applied"


def _act(row: Customer, event: Event, at: Millis, kind: Kind | None = None) -> None:
    """The customer did something: it is activity, and counts as `kind` too."""
    if at >= row.last_seen:
        row.last_seen, row.last_event_id = at, event.event_id
    extend(row, at, kind == "views", kind == "adds")
    add(row, "events", at)
    if kind is not None:
        add(row, kind, at)


def _added(row: Customer, event: web.ProductAdded, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=True)
    obstacles.overcome(row.obstacles, at, "no_results")
    obstacles.overcome(row.obstacles, at, "out_of_stock", event.product.product_id)
    if found is not None:
        obstacles.overcome(found.obstacles, at, "out_of_stock", event.product.product_id)
        cart.put_in(found, event.product, at)


def _removed(row: Customer, event: web.ProductRemoved, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=False)
    if found is not None:
        cart.take_out(row, found, event.product, at)


def _stated(row: Customer, event: web.CartViewed | web.CartUpdated, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=bool(event.products))
    if found is not None and event.products is not None:
        cart.state(row, found, event.products, at)


def _checked_out(row: Customer, event: web.CheckoutStarted, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=True)
    if found is None:
        return
    found.stage = "checkout"
    if event.products:
        cart.state(row, found, event.products, at)
    if event.value is not None and at >= found.stated_at:
        found.value = event.value


def _stepped(row: Customer, event: web.CheckoutStepViewed | web.CheckoutStepCompleted, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=True)
    if found is None:
        return
    cart.step(found, event.step, at)
    if isinstance(event, web.CheckoutStepCompleted):
        found.advanced_at = max(found.advanced_at, at)
        obstacles.overcome(found.obstacles, at)


def _payment_failed(row: Customer, event: web.PaymentFailed, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=True)
    if found is not None:
        found.stage = "checkout"
        _met(row, found, Obstacle("payment_failed", at, event.event_id, short(event.reason)))


def _coupon_refused(row: Customer, event: web.CouponRefused, at: Millis) -> None:
    detail = short(event.reason or event.coupon)
    found = cart.touch(row, event, at, opens=False)
    _met(row, found, Obstacle("coupon_refused", at, event.event_id, detail))


def _out_of_stock(row: Customer, event: web.OutOfStockShown, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=False)
    _met(row, found, Obstacle("out_of_stock", at, event.event_id, event.product.product_id))


def _form_error(row: Customer, event: web.FormError, at: Millis) -> None:
    found = cart.touch(row, event, at, opens=False)
    _met(row, found, Obstacle("form_error", at, event.event_id, short(event.field)))


def _met(row: Customer, found: Cart | None, obstacle: Obstacle) -> None:
    if found is None:
        obstacles.note(row.obstacles, obstacle)
    elif obstacle.at > found.advanced_at:
        obstacles.note(found.obstacles, obstacle)


def _searched(row: Customer, event: web.Searched, at: Millis) -> None:
    obstacles.search(row, event, at)
    if event.results == 0:
        add(row, "problems", at)


def _placed(row: Customer, event: contract.OrderPlaced, at: Millis) -> None:
    """Whoever tells of an order that the customer made tells of an act; only its first telling is a purchase."""
    if event.follows_order_id is None:
        _act(row, event, at)
    if fulfilment.place(row, event, at):
        add(row, "orders", at)
        cart.close_ordered(row, event.cart_id, frozenset(line.product_id for line in event.items), at)


def _told(row: Customer, event: messages.MessageFeedback, at: Millis) -> None:
    contacts.feedback(row, event, at)
    consent.sign_off(row, event, at)
    if event.type == "sent":
        add(row, "messages", at)
    elif event.type in _RESPONSES:
        _act(row, event, at, "clicks")


class _Effect(NamedTuple):
    """Whether the event is an act of the customer, as what else it counts, and what it does besides."""

    is_act: bool
    kind: Kind | None = None
    apply: Callable[[Customer, Any, Millis], None] | None = None


_ACT = _Effect(True)

_EFFECTS: dict[type[Event], _Effect] = {
    web.Searched: _Effect(True, "searches", _searched),
    web.ProductViewed: _Effect(True, "views", viewed.view),
    web.ProductAdded: _Effect(True, "adds", _added),
    web.ProductRemoved: _Effect(True, None, _removed),
    web.CartViewed: _Effect(True, None, _stated),
    web.CartUpdated: _Effect(True, None, _stated),
    web.CheckoutStarted: _Effect(True, "checkouts", _checked_out),
    web.CheckoutStepViewed: _Effect(True, None, _stepped),
    web.CheckoutStepCompleted: _Effect(True, None, _stepped),
    web.CouponRefused: _Effect(True, "problems", _coupon_refused),
    web.PaymentFailed: _Effect(True, "problems", _payment_failed),
    web.OutOfStockShown: _Effect(True, "problems", _out_of_stock),
    web.FormError: _Effect(True, "problems", _form_error),
    contract.OrderPlaced: _Effect(False, None, _placed),
    contract.OrderUpdated: _Effect(False, None, fulfilment.update),
    contract.OrderPaid: _Effect(False, None, fulfilment.pay),
    contract.ItemShipped: _Effect(False, None, fulfilment.ship),
    contract.ItemDelivered: _Effect(False, None, fulfilment.deliver),
    contract.ItemSubstituted: _Effect(False, None, fulfilment.substitute),
    contract.ItemBackordered: _Effect(False, None, fulfilment.backorder),
    contract.OrderCancelled: _Effect(False, None, fulfilment.cancel),
    contract.OrderRefunded: _Effect(False, None, fulfilment.refund),
    contract.ItemReturned: _Effect(False, None, fulfilment.take_back),
    messages.MessageFeedback: _Effect(False, None, _told),
    consents.ConsentChanged: _Effect(True, None, consent.change),
}
"""Every event class that does more than to show that the customer is there."""
