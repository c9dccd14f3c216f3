"""Abandonment: browsing, a cart or a checkout that the customer left, spoken of once and only while true.

Law. Browsing < cart < checkout; of what one silence leaves behind, the most significant is proposed. A
silence timer runs for the browsing and for each cart; whatever the customer does on the site restarts those
that run, an order ends them at once. A cart is announced once a stage, so a second cart is announced again;
after `give_up` without anything new it is not spoken of any more, and what happens to it later is a new case.
"""

from collections.abc import Iterable, Mapping
from typing import get_args

from schemas.customer import MAX_CARTS, Cart, Customer, Held, Viewed
from schemas.event import Arrival, Event, Millis
from schemas.policy import Abandonment
from schemas.touchpoints.orders import OrderPlaced
from schemas.touchpoints.web import CartEvent, ProductViewed, WebEvent
from streams.customers.cart import named
from streams.customers.orders import is_purchase
from streams.customers.timers import cancel_others, cancel_timer, set_timer
from streams.triggers.abandonment_candidates import browse_left, cart_left
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.family import Observe

NAME = "abandonment"
TIMERS = 2 + 2 * MAX_CARTS
"""The browsing and each cart have two: one runs while it can be left, one until its case is closed."""
_BROWSE = "abandonment:browse"
_CART = "abandonment:cart:"
_BROWSE_CLOSED = "abandonment:closed_browse"
_CART_CLOSED = "abandonment:closed_cart:"
_RANK: Mapping[str, int] = {"": 0, "cart": 1, "checkout": 2}


def ring(row: Customer, timer_id: str, due: Millis, circumstances: Circumstances) -> Iterable[Candidate]:
    """A silence is long enough, or a case is closed."""
    policy = circumstances.policy.abandonment
    if timer_id == _BROWSE_CLOSED:
        row.browse_fired = False
        return ()
    if timer_id.startswith(_CART_CLOSED):
        _close(row, timer_id, due, policy)
        return ()
    if timer_id == _BROWSE:
        viewed = _left_browsing(row, due, policy)
        if row.browse_fired or not viewed:
            return ()
        row.browse_fired = True
        set_timer(row, _BROWSE_CLOSED, due + policy.give_up)
        return (browse_left(row, viewed, due, circumstances),)
    cart = _left_cart(row, timer_id.removeprefix(_CART), due, policy)
    if cart is None or _RANK[cart.fired] >= _RANK[cart.stage]:
        return ()
    cart.fired = cart.stage
    _set_cart_timer(row, _CART_CLOSED, cart, cart.last_at + policy.give_up)
    return (cart_left(row, cart, due, circumstances),)


def recheck(row: Customer, held: Held, now: Millis, circumstances: Circumstances) -> Candidate | None:
    """The held proposal as it would be made now. None if it is no longer true.

    A customer who came back meanwhile has left nothing yet: the silence timer runs again.
    """
    policy = circumstances.policy.abandonment
    if held.trigger == "abandonment.browse":
        viewed = _left_browsing(row, now, policy)
        if viewed and _is_back(row, viewed[-1].at + policy.browse_after, now, policy.browse_after):
            row.browse_fired = False
            set_timer(row, _BROWSE, max(viewed[-1].at, row.last_seen) + policy.browse_after)
            return None
        return browse_left(row, viewed, now, circumstances) if viewed else None
    cart = _left_cart(row, held.business_key.removeprefix("cart:"), now, policy)
    if cart is None or held.trigger != f"abandonment.{cart.stage}":
        return None
    if _is_back(row, cart.last_at + _silence(cart, policy), now, _silence(cart, policy)):
        cart.fired = ""
        _set_cart_timer(row, _CART, cart, max(cart.last_at, row.last_seen) + _silence(cart, policy))
        return None
    return cart_left(row, cart, now, circumstances)


def _active(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """Anything on the site restarts the timers that run."""
    policy, timers, at = circumstances.policy.abandonment, row.timers, arrival.at
    if _BROWSE in timers and timers[_BROWSE] < at + policy.browse_after:
        timers[_BROWSE] = at + policy.browse_after
    for cart in row.carts:
        timer_id = _CART + cart.cart_id
        if timer_id in timers:
            due = at + (policy.checkout_after if cart.stage == "checkout" else policy.cart_after)
            if timers[timer_id] < due:
                timers[timer_id] = due
    return ()


def _viewed(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """A product's page, the first that makes them enough, begins a browsing that can be left."""
    policy = circumstances.policy.abandonment
    if not row.browse_fired and _BROWSE not in row.timers and len(row.viewed) >= policy.browse_products:
        since = arrival.at - policy.give_up
        if sum(each.at > since for each in row.viewed) >= policy.browse_products:
            set_timer(row, _BROWSE, row.last_seen + policy.browse_after)
    return _active(row, arrival, circumstances)


def _in_cart(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """What happens to a cart makes it one that can be left, unless it was announced in this stage."""
    event = arrival.event
    cart = named(row, event.cart_id) if isinstance(event, CartEvent) else None
    if (
        cart is not None
        and cart.evidence[-1:] == [event.event_id]
        and _RANK[cart.fired] < _RANK[cart.stage]
        and _CART + cart.cart_id not in row.timers
        and not _bought_since(row, cart)
    ):
        _set_cart_timer(row, _CART, cart, arrival.at + _silence(cart, circumstances.policy.abandonment))
    return _active(row, arrival, circumstances)


def _ordered(row: Customer, arrival: Arrival, circumstances: Circumstances) -> tuple[Candidate, ...]:
    """An order ends what was left before it. A follow-up delivery is the shop's doing and ends nothing."""
    if not is_purchase(row, arrival.event):
        return ()
    if row.timers.get(_BROWSE, 0) <= arrival.at + circumstances.policy.abandonment.browse_after:
        cancel_timer(row, _BROWSE)
        cancel_timer(row, _BROWSE_CLOSED)
        row.browse_fired = False
    cancel_others(row, _CART, {cart.cart_id for cart in row.carts if not _bought_since(row, cart)})
    return ()


def _left_browsing(row: Customer, now: Millis, policy: Abandonment) -> list[Viewed]:
    """The products looked at and left; empty if they are too few or a cart outranks them."""
    since = max(now - policy.give_up, row.purchases.last_at or 0)
    viewed = [each for each in row.viewed if each.at > since]
    if len(viewed) < policy.browse_products or any(cart.last_at > since for cart in row.carts):
        return []
    return viewed


def _left_cart(row: Customer, cart_id: str, now: Millis, policy: Abandonment) -> Cart | None:
    """The cart, if it is still worth a word: something in it, not bought, not given up, not outranked."""
    cart = named(row, cart_id)
    if cart is None or not cart.items or _bought_since(row, cart) or now >= cart.last_at + policy.give_up:
        return None
    return None if any(_outranks(each, cart, now, policy) for each in row.carts) else cart


def _outranks(other: Cart, cart: Cart, now: Millis, policy: Abandonment) -> bool:
    """Whether the other cart is the more significant one that the same silence left behind."""
    if other is cart or not other.items or now >= other.last_at + policy.give_up:
        return False
    earlier_case = other.fired == other.stage and other.last_at + _silence(other, policy) <= cart.last_at
    return not earlier_case and (_RANK[other.stage], other.last_at) > (_RANK[cart.stage], cart.last_at)


def _is_back(row: Customer, due: Millis, now: Millis, silence: Millis) -> bool:
    return now < max(due, row.last_seen + silence)


def _close(row: Customer, timer_id: str, due: Millis, policy: Abandonment) -> None:
    """The case is closed unless something happened to the cart: then it is closed later."""
    cart = named(row, timer_id.removeprefix(_CART_CLOSED))
    if cart is None:
        return
    if cart.last_at + policy.give_up <= due:
        cart.fired = ""
    else:
        _set_cart_timer(row, _CART_CLOSED, cart, cart.last_at + policy.give_up)


def _set_cart_timer(row: Customer, prefix: str, cart: Cart, due: Millis) -> None:
    """Set it; those of carts that are gone, which would say nothing, make room when carts may have no more."""
    if sum(each.startswith(prefix) for each in row.timers) >= MAX_CARTS:
        cancel_others(row, prefix, {each.cart_id for each in row.carts})
    set_timer(row, prefix + cart.cart_id, due)


def _silence(cart: Cart, policy: Abandonment) -> Millis:
    return policy.checkout_after if cart.stage == "checkout" else policy.cart_after


def _bought_since(row: Customer, cart: Cart) -> bool:
    return row.purchases.last_at is not None and row.purchases.last_at >= cart.last_at


def _reactions() -> dict[type[Event], Observe]:
    union = get_args(WebEvent)
    web = dict.fromkeys(union, _active)
    carts = {event: _in_cart for event in union if issubclass(event, CartEvent)}
    return {**web, **carts, ProductViewed: _viewed, OrderPlaced: _ordered}


REACTIONS: Mapping[type[Event], Observe] = _reactions()
