"""Carts: what is in them, how far the customer got with them, and what probably stopped them."""

from collections.abc import Sequence
from hashlib import blake2b

from schemas.customer import MAX_CART_ITEMS, MAX_CARTS, MAX_EVIDENCE, MAX_STEPS, Cart, Customer, Obstacle
from schemas.event import Millis, Product
from schemas.touchpoints.web import CartEvent
from streams.customers.products import cart_item, cart_items, short
from streams.customers.sessions import SESSION_GAP

CART_IDLE: Millis = 10 * 86_400_000
"""A cart that nothing happened to for longer is dropped with the customer's next event (Braze's rule)."""


def likely_cause(cart: Cart | None, row: Customer) -> Obstacle | None:
    """What probably made the customer leave the cart (None: leave while browsing), with the event that shows
    it.

    The rule: the newest obstacle that was not overcome. Of a cart: those met in it, and those met elsewhere
    on the site between its opening and SESSION_GAP after the last thing that happened to it. Without a cart:
    those of the last session. Overcome is, by later events: every obstacle of a cart when a checkout step is
    completed (whoever goes on got past it), a missing product when it can be added after all, a search
    without results when another search finds something or a product is added. Nothing is guessed from prices
    or costs, which the events do not complain about: no obstacle, no cause.
    """
    if cart is None:
        since = row.sessions[-1].start if row.sessions else row.last_seen
        met = [each for each in row.obstacles if each.at >= since]
    else:
        since, until = max(cart.opened_at, cart.advanced_at), cart.last_at + SESSION_GAP
        met = cart.obstacles + [each for each in row.obstacles if since <= each.at <= until]
    return max(met, key=lambda each: each.at, default=None)


def last_step(cart: Cart) -> str:
    """How far the customer got: the newest named step of the checkout, else the stage."""
    return cart.steps[-1] if cart.steps else cart.stage


def named(row: Customer, cart_id: str | None) -> Cart | None:
    """The cart of that id; without one the current cart, which is the one that something happened to last."""
    if cart_id is None:
        return row.carts[-1] if row.carts else None
    for cart in reversed(row.carts):
        if cart.cart_id == cart_id:
            return cart
    return None


def touch(row: Customer, event: CartEvent, at: Millis, *, opens: bool) -> Cart | None:
    """The cart that the event at `at`, ms, is about, brought up to date; None if there is none.

    Where `opens`, a missing cart is opened, unless the event is older than the order that the cart became. A
    cart that the source does not name gets an id made of the customer's key and the opening event's id.
    """
    cart = named(row, event.cart_id)
    if cart is None:
        if not opens or _was_ordered(row, event.cart_id, at):
            return None
        cart = Cart(event.cart_id or _made_up_id(row.key, event.event_id), at, at)
        row.carts.append(cart)
    elif at > cart.last_at:
        cart.last_at = at
    elif at < cart.opened_at:
        cart.opened_at = at
    if cart is not row.carts[-1] or (len(row.carts) > 1 and row.carts[-2].last_at > at):
        row.carts.sort(key=_last_at)
    if len(row.carts) > MAX_CARTS:
        del row.carts[0]
    if event.currency is not None:
        cart.currency = event.currency
    cart.evidence.append(event.event_id)
    if len(cart.evidence) > MAX_EVIDENCE:
        del cart.evidence[0]
    return cart


def put_in(cart: Cart, product: Product, at: Millis) -> None:
    """The product's pieces go in, unless the whole content was told since. MAX_CART_ITEMS products are
    kept.
    """
    if at < cart.stated_at:
        return
    for item in cart.items:
        if item.product_id == product.product_id:
            item.quantity += product.quantity
            if product.price is not None:
                item.price = product.price
            break
    else:
        if len(cart.items) < MAX_CART_ITEMS:
            cart.items.append(cart_item(product))
    _value(cart)


def take_out(row: Customer, cart: Cart, product: Product, at: Millis) -> None:
    """The product's pieces leave; a cart that this empties is none any more."""
    if at < cart.stated_at:
        return
    for place, item in enumerate(cart.items):
        if item.product_id == product.product_id:
            item.quantity -= product.quantity
            if item.quantity <= 0:
                del cart.items[place]
            break
    else:
        return
    _value(cart)
    if not cart.items:
        row.carts.remove(cart)


def state(row: Customer, cart: Cart, products: Sequence[Product], at: Millis) -> None:
    """The cart's content is exactly `products`, unless it was told since; an empty cart is none any more."""
    if at < cart.stated_at:
        return
    cart.stated_at = at
    cart.items = cart_items(products)
    _value(cart)
    if not cart.items:
        row.carts.remove(cart)


def step(cart: Cart, name: str, at: Millis) -> None:
    """A step of the checkout; a step older than the cart's newest event goes before the newest step."""
    cart.stage = "checkout"
    label, steps = short(name) or "", cart.steps
    if at < cart.last_at and steps:
        if label not in steps:
            steps.insert(len(steps) - 1, label)
    elif not steps or steps[-1] != label:
        steps.append(label)
    if len(steps) > MAX_STEPS:
        del steps[0]


def drop_idle(row: Customer, at: Millis) -> None:
    """Drop the carts that nothing happened to for longer than CART_IDLE before `at`, ms."""
    while row.carts and row.carts[0].last_at < at - CART_IDLE:
        del row.carts[0]


def close_ordered(row: Customer, cart_id: str | None, products: frozenset[str], at: Millis) -> None:
    """An order of `products` placed at `at`, ms, closes the cart it came from.

    That is the cart it names; if it names none, or one unknown here, the current cart unless the source named
    that one otherwise; and besides every cart all of whose products were ordered. A cart opened later stays.
    Of a cart that was used later only what was ordered leaves.
    """
    own = named(row, cart_id) or named(row, None)
    if own is not None and cart_id is not None and own.cart_id != cart_id and not _is_made_up(own.cart_id):
        own = None
    for cart in tuple(row.carts):
        is_ordered = bool(cart.items) and all(item.product_id in products for item in cart.items)
        if cart.opened_at > at or not (cart is own or is_ordered):
            continue
        if cart.last_at > at:
            cart.items = [item for item in cart.items if item.product_id not in products]
            _value(cart)
        if cart.last_at <= at or not cart.items:
            row.carts.remove(cart)


def _was_ordered(row: Customer, cart_id: str | None, at: Millis) -> bool:
    return any(
        order.is_purchase
        and order.placed_at >= at
        and (order.cart_id is None or cart_id is None or order.cart_id == cart_id)
        for order in row.orders
    )


_MADE_UP = "~"


def _made_up_id(key: str, event_id: str) -> str:
    return _MADE_UP + blake2b(f"{key}\0{event_id}".encode(), digest_size=8).hexdigest()


def _is_made_up(cart_id: str) -> bool:
    return cart_id.startswith(_MADE_UP)


def _value(cart: Cart) -> None:
    cart.value = round(sum(item.quantity * item.price for item in cart.items if item.price is not None), 4)


def _last_at(cart: Cart) -> Millis:
    return cart.last_at
