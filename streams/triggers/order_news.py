"""What there is to say about an order's items: of which it is true, in which words, and who says it.

Each item is told each thing once (`told` in the row), however often an event comes. The category is fixed
here: what belongs to the order is transactional, care for it is service, what sells is marketing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.action import Bilingual, Category
from schemas.customer import Customer, Order, OrderItem
from schemas.event import Millis
from schemas.policy import Policy, PostPurchase
from schemas.touchpoints.consent import Channel
from streams.customers import orders
from streams.customers.items import missing, outstanding
from streams.triggers import spoken

Facts = dict[str, str | Bilingual]
_DAY: Millis = 86_400_000


@dataclass(frozen=True, slots=True)
class News:
    """One thing to say of items of an order.

    `is_true` holds of an item at a moment; `mark` is what stands in its `told` afterwards, one of a kind (the
    part before `@`) at a time; `needs_whole` waits until nothing of the order is to come any more.
    """

    category: Category
    priority: int
    is_true: Callable[[OrderItem, Millis, PostPurchase], bool]
    facts: Callable[[Customer, Order, Sequence[OrderItem], Millis, Policy], Facts]
    mark: Callable[[OrderItem], str] | None = None
    needs_whole: bool = False
    channels: tuple[Channel, ...] | None = None
    """None for the policy's."""
    by_person: bool = False
    cancels_on: tuple[str, ...] = ()


def expected_at(item: OrderItem, policy: PostPurchase) -> Millis | None:
    """When the item should have come: the promised moment, else the usual time after it left."""
    if item.promised_at is not None:
        return item.promised_at
    return item.shipped_at + policy.usual_delivery if item.shipped_at is not None else None


def asked_at(item: OrderItem, policy: PostPurchase) -> Millis | None:
    """When its delivery is asked about; None for nothing to wait for."""
    expected = expected_at(item, policy)
    return expected + policy.delivered_check_after if expected is not None and outstanding(item) else None


def promised_now(item: OrderItem) -> float:
    """Pieces that this very delivery should bring: ordered less those told missing."""
    return item.quantity - item.backordered


def own_delivered(item: OrderItem) -> float:
    """Pieces that came with the order itself, and not with a follow-up."""
    return item.delivered - item.followed


def _is_shipped(item: OrderItem, now: Millis, policy: PostPurchase) -> bool:
    return item.state == "shipped"


def _is_short(item: OrderItem, now: Millis, policy: PostPurchase) -> bool:
    return item.state == "backordered" and item.promised_at is not None and missing(item) > 0


def _is_delivered(item: OrderItem, now: Millis, policy: PostPurchase) -> bool:
    return item.state == "delivered"


def _is_overdue(item: OrderItem, now: Millis, policy: PostPurchase) -> bool:
    at = asked_at(item, policy)
    return at is not None and at <= now


def _is_mismatched(item: OrderItem, now: Millis, policy: PostPurchase) -> bool:
    """Something came, but neither what was promised nor, after all, everything."""
    if not item.quantity or item.returned_at is not None or item.cancelled_at is not None:
        return False
    came = own_delivered(item)
    return came > 0 and came not in (promised_now(item), item.quantity)


def _plain(row: Customer, order: Order, items: Sequence[OrderItem], now: Millis, policy: Policy) -> Facts:
    return {}


def _promise(row: Customer, order: Order, items: Sequence[OrderItem], now: Millis, policy: Policy) -> Facts:
    """The promised days as spoken; that the rest costs nothing more is a fact of its own."""
    expected = (expected_at(item, policy.post_purchase) for item in items)
    zone, default = row.identity.time_zone, policy.time.default_zone
    days = [spoken.local_day(at, zone, default) for at in expected if at is not None]
    return {"promised": spoken.days(days), "promised_dates": " ".join(map(str, sorted(set(days))))}


def _shortage(row: Customer, order: Order, items: Sequence[OrderItem], now: Millis, policy: Policy) -> Facts:
    return _promise(row, order, items, now, policy) | {"extra_cost": spoken.money(0.0, order.currency)}


def _arrival(row: Customer, order: Order, items: Sequence[OrderItem], now: Millis, policy: Policy) -> Facts:
    """The newest delivery's day, how long ago, and what the order itself comes to."""
    at = max((item.delivered_at for item in items if item.delivered_at is not None), default=now)
    day = spoken.local_day(at, row.identity.time_zone, policy.time.default_zone)
    return {
        "delivered": spoken.day(day),
        "delivered_date": str(day),
        "days": str((now - at) // _DAY),
        "order_total": spoken.money(orders.root(row, order).total, order.currency),
    }


def _difference(
    row: Customer, order: Order, items: Sequence[OrderItem], now: Millis, policy: Policy
) -> Facts:
    said = [(item.name or item.product_id, own_delivered(item), promised_now(item)) for item in items]
    return {
        "difference": Bilingual(
            es="; ".join(f"{name}: {came:g} en vez de {promised:g}" for name, came, promised in said),
            en="; ".join(f"{name}: {came:g} instead of {promised:g}" for name, came, promised in said),
        )
    }


def _promised_day(item: OrderItem) -> str:
    """A later promise for another day is news again; the same one, told again, is not."""
    return f"backorder@{(item.promised_at or 0) // _DAY}"


_ORDERS = ("orders",)

NEWS: Mapping[str, News] = {
    "shipped": News("transactional", 60, _is_shipped, _plain),
    "backorder": News("transactional", 80, _is_short, _shortage, mark=_promised_day),
    "follow_up_delivered": News("transactional", 70, _is_delivered, _arrival),
    "delivered_check": News("service", 70, _is_overdue, _promise, cancels_on=_ORDERS),
    "delivery_mismatch": News(
        "service", 90, _is_mismatched, _difference, channels=("call",), by_person=True, cancels_on=_ORDERS
    ),
    "how_was_it": News("service", 30, _is_delivered, _arrival, needs_whole=True, cancels_on=_ORDERS),
    "cross_sell": News("marketing", 20, _is_delivered, _arrival, needs_whole=True, cancels_on=_ORDERS),
}
"""What is said when its timer fires, by the name that stands in the timer, the trigger and `told`."""
