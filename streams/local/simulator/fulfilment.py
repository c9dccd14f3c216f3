"""What the simulated shop does with an order: it ships and delivers, and makes up for pieces it is short of.

The supermarket's case: missing pieces are promised for a day and come as a follow-up order that costs nothing
more; now and then fewer come than promised, or later.
"""

from collections.abc import Iterator

from schemas.event import Millis
from streams.local.replayed import Replayed, iso
from streams.local.simulator.catalogue import Good
from streams.local.simulator.shopper import DAY, HOUR, MINUTE, Shopper
from streams.local.simulator.visit import Basket

_CANCELLED = 0.03
_SHORT = 0.10
_SUBSTITUTED = 0.03
_RETURNED = 0.04
_PROMISE_BROKEN = 0.15


def fulfilment(shopper: Shopper, basket: Basket) -> Iterator[Replayed]:
    """All that happens to the order of `basket`, in no particular order of time."""
    rng, at, order_id = shopper.rng, basket.at, f"order-{basket.cart_id.removeprefix('cart-')}"
    total = round(sum(good.price * pieces for good, pieces in basket.lines), 2)
    items = [good.named(pieces) for good, pieces in basket.lines]
    promised = at + rng.randint(2, 4) * DAY
    about = {"order_id": order_id}
    bought = {"items": items, "total": total, "currency": "EUR", "cart_id": basket.cart_id}
    yield shopper.event("orders", at, "order_placed", **about, **bought, promised_at=iso(promised))
    yield shopper.event("orders", at + rng.randint(1, 5) * MINUTE, "order_paid", **about, amount=total)
    if rng.random() < _CANCELLED:
        cancelled_at = at + rng.randint(1, 8) * HOUR
        yield shopper.event("orders", cancelled_at, "order_cancelled", **about, reason="changed my mind")
        yield shopper.event("orders", cancelled_at + HOUR, "order_refunded", **about, amount=total)
        return
    shipped = at + rng.randint(12, 30) * HOUR
    delivered = min(shipped + rng.randint(8, 40) * HOUR, promised)
    missing = []
    for good, pieces in basket.lines:
        short = rng.randint(1, pieces) if rng.random() < _SHORT else 0
        if short:
            missing.append((good, short))
        if short < pieces:
            yield from _sent(shopper, order_id, good, pieces - short, shipped, delivered)
    if missing:
        yield from _follow_up(shopper, order_id, missing, shipped)


def _sent(
    shopper: Shopper, order_id: str, good: Good, pieces: int, shipped: Millis, delivered: Millis
) -> Iterator[Replayed]:
    rng = shopper.rng
    about = {"order_id": order_id, "item_id": good.product_id}
    if rng.random() < _SUBSTITUTED:
        other = rng.choice(shopper.goods)
        yield shopper.event("orders", shipped - HOUR, "item_substituted", **about, substitute=other.named())
    yield shopper.event("orders", shipped, "item_shipped", **about, quantity=pieces)
    yield shopper.event("orders", delivered, "item_delivered", **about, quantity=pieces)
    if rng.random() < _RETURNED:
        back = delivered + rng.randint(1, 10) * DAY
        yield shopper.event("orders", back, "item_returned", **about, quantity=pieces, reason="broken")
        amount = round(good.price * pieces, 2)
        yield shopper.event("orders", back + DAY, "order_refunded", order_id=order_id, amount=amount)


def _follow_up(
    shopper: Shopper, order_id: str, missing: list[tuple[Good, int]], noticed: Millis
) -> Iterator[Replayed]:
    rng = shopper.rng
    promised = noticed + rng.randint(1, 3) * DAY
    follow_up_id = f"{order_id}-rest"
    for good, pieces in missing:
        yield shopper.event(
            "orders",
            noticed,
            "item_backordered",
            order_id=order_id,
            item_id=good.product_id,
            quantity=pieces,
            promised_at=iso(promised),
            follow_up_order_id=follow_up_id,
        )
    yield shopper.event(
        "orders",
        noticed + HOUR,
        "order_placed",
        order_id=follow_up_id,
        follows_order_id=order_id,
        items=[good.named(pieces) | {"price": 0.0} for good, pieces in missing],
        total=0.0,
        currency="EUR",
        promised_at=iso(promised),
    )
    keeps = rng.random() >= _PROMISE_BROKEN
    if not keeps:
        shopper.truth.broken_promises.add(order_id)
    delivered = promised - 4 * HOUR if keeps else promised + 2 * DAY
    for good, pieces in missing:
        about = {"order_id": follow_up_id, "item_id": good.product_id}
        yield shopper.event("orders", delivered - 6 * HOUR, "item_shipped", **about, quantity=pieces)
        if keeps or pieces > 1:
            arrived = pieces if keeps else pieces - 1
            yield shopper.event("orders", delivered, "item_delivered", **about, quantity=arrived)
