"""What the oracle's triggers ask of carts and orders, and the numbers and words they share."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.faults.oracle_customer import Cart
from tests.faults.oracle_orders import DAY, Bought, Line, OrderBook

HOUR = 3_600_000
BROWSE_AFTER, CART_AFTER, CHECKOUT_AFTER = 45 * 60_000, HOUR, HOUR
BROWSE_PRODUCTS = 2
GIVE_UP = 72 * HOUR
GATHER = 10 * 60_000
CHECK_AFTER, USUAL_DELIVERY, MISMATCH_AFTER = DAY, 7 * DAY, DAY
HOW_WAS_IT_AFTER, CROSS_SELL_AFTER, TOGETHER, VALID_FOR = 5 * DAY, 14 * DAY, DAY, 3 * DAY
LATE_ITEM_RETRY = HOUR
ABANDONED_CHANNELS = ("email", "app", "site", "sms")
ORDER_CHANNELS = ("email", "app", "sms")
RANK = {"": 0, "cart": 1, "checkout": 2}
_MARKETING = ("abandonment.", "churn_risk", "post_purchase.cross_sell", "post_purchase.replenishment")


class Said(NamedTuple):
    """A decision: what about, when, and what came of it."""

    key: str
    trigger: str
    about: str
    at: int
    outcome: str
    reason: str


class Scored(NamedTuple):
    """What a model of that version says of what it was shown."""

    model: str
    version: int
    p: float
    shown: dict[str, float]


Judge = Callable[[str, dict[str, float], int], Scored]
"""(model, what it is shown, when) → its word, by the version in force then."""


class Proposal(NamedTuple):
    """Something that could be said until `expires_at`. Fired, its reason code is the trigger's own.

    `occurrence` tells it from others of its trigger about the same; `unmet` is why it may not be said anyhow.
    """

    trigger: str
    about: str
    expires_at: int
    occurrence: str
    scored: Scored | None = None
    unmet: str = ""


class Held(NamedTuple):
    """A proposal that waits since `since`; `said` is the decision that deferred it."""

    proposal: Proposal
    since: int
    said: Said


RunsOut = tuple[int, str, Bought, Line]
"""When it is used up, the product, and the order and line that brought it last."""


def silence(cart: Cart) -> int:
    return CHECKOUT_AFTER if cart.stage == "checkout" else CART_AFTER


def is_marketing(trigger: str) -> bool:
    return trigger.startswith(_MARKETING)


def cart_left(cart: Cart, scored: Scored | None) -> Proposal:
    about, occurrence = f"cart:{cart.cart_id}", f"{cart.stage}:{cart.last_at}"
    return Proposal(f"abandonment.{cart.stage}", about, cart.last_at + GIVE_UP, occurrence, scored)


def thanks(order: Bought) -> Proposal:
    return Proposal("post_purchase.thanks", f"order:{order.order_id}", order.placed_at + VALID_FOR, "placed")


def runs_out(found: RunsOut, now: int) -> Proposal:
    due, _, order, line = found
    about = f"item:{order.order_id}:{line.item_id}"
    return Proposal("post_purchase.replenishment", about, now + VALID_FOR, str(due))


def next_used_up(found: list[RunsOut], now: int) -> int | None:
    for due, _, _, line in found:
        if "replenishment" not in line.told and due + TOGETHER > now:
            return max(due, now + 1)
    return None


def asked_at(line: Line) -> int | None:
    expected = line.promised
    if expected is None and line.shipped_at is not None:
        expected = line.shipped_at + USUAL_DELIVERY
    return expected + CHECK_AFTER if expected is not None and line.waiting else None


def is_true(what: str, line: Line, now: int) -> bool:
    if what == "shipped":
        return line.state == "shipped"
    if what == "backorder":
        return line.state == "backordered" and line.promised is not None and line.missing > 0
    if what == "delivered_check":
        asked = asked_at(line)
        return asked is not None and asked <= now
    if what == "delivery_mismatch":
        if not line.ordered or line.returned_at is not None or line.cancelled_at is not None:
            return False
        return line.own > 0 and line.own not in (line.ordered - line.short, line.ordered)
    return line.state == "delivered"


def mark(what: str, line: Line) -> str:
    return f"backorder@{(line.promised or 0) // DAY}" if what == "backorder" else what


def is_about(about: str, event: Mapping[str, str]) -> bool:
    item = f"item:{event['order_id']}:"
    if event.get("item_id") is not None:
        return about == f"{item}{event['item_id']}"
    return about == f"order:{event['order_id']}" or about.startswith(item)


def running_out(book: OrderBook) -> list[RunsOut]:
    """When each product that was bought again will be used up, soonest first."""
    bought: dict[str, list[tuple[Bought, Line]]] = {}
    for order in book.orders:
        if order.event_id and order.follows is None and order.cancelled_at is None:
            for line in order.lines:
                if line.ordered and line.cancelled_at is None and line.returned_at is None:
                    bought.setdefault(line.product_id, []).append((order, line))
    found = []
    for product, times in bought.items():
        (first, _), (last, newest) = times[0], times[-1]
        if last.placed_at != first.placed_at:
            pieces = sum(line.ordered for _, line in times[:-1])
            lasts = round((last.placed_at - first.placed_at) * newest.ordered / pieces)
            found.append((last.placed_at + lasts, product, last, newest))
    return sorted(found, key=lambda each: each[:2])
