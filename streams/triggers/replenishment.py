"""Replenishment: a product that the customer buys again and again runs out at the customer's own pace.

A product bought n >= 2 times, q_1 … q_n pieces at t_1 … t_n, lasts (t_n - t_1) / (q_1 + … + q_(n-1)) a piece,
so what was bought last is used up at t_n + q_n times that. A supply for more than two years is nobody's habit:
it is not offered again. Only the orders that the row keeps are known.
"""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.action import BusinessKey, Category, Content
from schemas.customer import MAX_EVIDENCE, Customer, Held, Order, OrderItem
from schemas.decision import Condition
from schemas.event import Millis
from schemas.policy import PostPurchase
from streams.customers import orders
from streams.customers.timers import set_timer
from streams.triggers import spoken
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.listing import product_of
from streams.triggers.texts import reasons

WHAT = "replenishment"
TRIGGER = f"post_purchase.{WHAT}"
TIMER = f"post_purchase:{WHAT}"
_CATEGORY: Category = "marketing"
_PRIORITY = 35
_DAY: Millis = 86_400_000
_LONGEST: Millis = 730 * _DAY


class RunsOut(NamedTuple):
    """A product that is used up at `due`, ms: the newest line that brought it, and what showed the pace."""

    due: Millis
    order: Order
    item: OrderItem
    pace: Millis
    evidence: tuple[str, ...]


def running_out(row: Customer, only: frozenset[str] | None = None) -> list[RunsOut]:
    """Every product (of `only`, if given) bought at two moments or more, soonest used up first."""
    bought: dict[str, list[tuple[Order, OrderItem]]] = {}
    for order in row.orders:
        if order.is_purchase and order.cancelled_at is None:
            for item in order.items:
                if (only is None or item.product_id in only) and _was_kept(item):
                    bought.setdefault(item.product_id, []).append((order, item))
    found = [runs_out for lines in bought.values() if (runs_out := _runs_out(lines)) is not None]
    return sorted(found, key=lambda each: (each.due, each.item.product_id))


def bought(row: Customer, order: Order, now: Millis, policy: PostPurchase) -> None:
    """After a purchase: look again when the first of its products is used up, or when it was time anyway."""
    found = running_out(row, frozenset(item.product_id for item in order.items))
    due = _next(found, now, policy)
    if due is not None and due < row.timers.get(TIMER, due + 1):
        set_timer(row, TIMER, due)


def ring(row: Customer, due: Millis, circumstances: Circumstances) -> Iterable[Candidate]:
    """Everything that is used up about now, in one proposal."""
    policy = circumstances.policy.post_purchase
    known = running_out(row)
    found = [each for each in known if _is_about(each, due, policy) and WHAT not in each.item.told]
    for each in found:
        each.item.told.append(WHAT)
    following = _next(known, due, policy)
    if following is not None:
        set_timer(row, TIMER, following)
    return (_candidate(row, found, due, circumstances),) if found else ()


def recheck(row: Customer, held: Held, now: Millis, circumstances: Circumstances) -> Candidate | None:
    """What was held, of the products that were not bought again meanwhile."""
    policy = circumstances.policy.post_purchase
    known = running_out(row)
    found = [each for each in known if _is_about(each, held.since, policy) and WHAT in each.item.told]
    if not found or held.business_key != f"item:{_name(found[0])}":
        return None
    return _candidate(row, found, now, circumstances)


def _next(found: list[RunsOut], now: Millis, policy: PostPurchase) -> Millis | None:
    """When the next product is to be offered; what was used up long ago is not."""
    for each in found:
        if WHAT not in each.item.told and each.due + policy.replenishment_together > now:
            return max(each.due, now + 1)
    return None


def _is_about(found: RunsOut, now: Millis, policy: PostPurchase) -> bool:
    return abs(found.due - now) < policy.replenishment_together


def _was_kept(item: OrderItem) -> bool:
    return item.quantity > 0 and item.cancelled_at is None and item.returned_at is None


def _runs_out(lines: list[tuple[Order, OrderItem]]) -> RunsOut | None:
    (first, _), (last, newest) = lines[0], lines[-1]
    if last.placed_at == first.placed_at:
        return None
    pieces = sum(item.quantity for _, item in lines[:-1])
    pace = (last.placed_at - first.placed_at) * newest.quantity / pieces
    if pace > _LONGEST:
        return None
    evidence = tuple(order.event_id for order, _ in lines[-MAX_EVIDENCE:])
    return RunsOut(last.placed_at + round(pace), last, newest, round(pace), evidence)


def _candidate(row: Customer, found: list[RunsOut], now: Millis, circumstances: Circumstances) -> Candidate:
    policy, soonest = circumstances.policy.post_purchase, found[0]
    products = tuple(product_of(each.item) for each in found)
    internal, customer = reasons(TRIGGER, {"products": spoken.products(products)})
    return Candidate(
        trigger=TRIGGER,
        category=_CATEGORY,
        business_key=BusinessKey(kind="item", id=_name(soonest)),
        occurrence=str(soonest.due),
        at=now,
        expires_at=now + policy.valid_for,
        channels=policy.channels,
        template_id=TRIGGER,
        priority=_PRIORITY,
        reason_code="used_up_at_own_pace",
        reason_internal=internal,
        reason_customer=customer,
        conditions=(
            Condition(name="products", value=len(found), met=True),
            Condition(name="lasts_days", value=round(soonest.pace / _DAY, 1), met=True),
        ),
        evidence=soonest.evidence,
        content=Content(products=products),
        cancels_on=("orders",),
    )


def _name(found: RunsOut) -> str:
    return orders.item_name(found.order.order_id, found.item.item_id)
