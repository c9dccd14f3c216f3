"""From an order and what is new about it to a proposal."""

from collections.abc import Sequence

from schemas.action import BusinessKey, Content
from schemas.customer import Customer, Order, OrderItem
from schemas.decision import Condition
from schemas.event import Millis
from streams.customers import orders
from streams.triggers import spoken
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances
from streams.triggers.listing import product_of
from streams.triggers.order_news import NEWS, Facts, News
from streams.triggers.texts import reasons

_THANKS_PRIORITY = 50


def thanks(row: Customer, order: Order, now: Millis, circumstances: Circumstances) -> Candidate:
    """The confirmation of an order, with its number and total."""
    policy = circumstances.policy.post_purchase
    total = spoken.money(order.total, order.currency)
    facts: Facts = {"order": order.order_id, "total": total}
    internal, customer = reasons("post_purchase.thanks", facts)
    return Candidate(
        trigger="post_purchase.thanks",
        category="transactional",
        business_key=BusinessKey(kind="order", id=order.order_id),
        occurrence="placed",
        at=now,
        expires_at=order.placed_at + policy.valid_for,
        channels=policy.channels,
        template_id="post_purchase.thanks",
        priority=_THANKS_PRIORITY,
        reason_code="order_placed",
        reason_internal=internal,
        reason_customer=customer,
        conditions=(
            Condition(name="total", value=order.total, met=True),
            Condition(name="items", value=len(order.items), met=True),
        ),
        evidence=(order.event_id,),
        content=Content(
            products=tuple(map(product_of, order.items)), facts={"order": order.order_id, "total": total}
        ),
    )


def order_news(
    row: Customer,
    order: Order,
    what: str,
    now: Millis,
    circumstances: Circumstances,
    occurrence: str,
    *,
    again: bool = False,
) -> Candidate | None:
    """What is true at `now`, ms, of the items not told yet, which are told with this; None for none.

    `again` says it once more of those that were told, because their proposal was held. News that takes the
    place of a held proposal speaks of both.
    """
    news, policy = NEWS[what], circumstances.policy.post_purchase
    if order.cancelled_at is not None or (news.needs_whole and _is_unfinished(row, order)):
        return None
    if news.category == "marketing" and (row.purchases.last_at or 0) > order.placed_at:
        return None
    mark = news.mark or (lambda item: what)
    true = [item for item in order.items if news.is_true(item, now, policy)]
    items = [item for item in true if (mark(item) in item.told) is again]
    if not items:
        return None
    if not again and _is_held(row, order, what):
        items = true
    for item in items:
        item.told[:] = [each for each in item.told if each.partition("@")[0] != what] + [mark(item)]
    # Late news of one more item rings for the same moment again: it is another occurrence.
    told = ",".join(f"{item.item_id}/{mark(item)}" for item in items)
    return _candidate(row, order, what, items, now, circumstances, f"{occurrence}:{told}")


def _candidate(
    row: Customer,
    order: Order,
    what: str,
    items: Sequence[OrderItem],
    now: Millis,
    circumstances: Circumstances,
    occurrence: str,
) -> Candidate:
    news, policy = NEWS[what], circumstances.policy.post_purchase
    trigger = f"post_purchase.{what}"
    products = tuple(map(product_of, items))
    facts: Facts = {
        "order": orders.root(row, order).order_id,
        "total": spoken.money(order.total, order.currency),
        **news.facts(row, order, items, now, circumstances.policy),
    }
    internal, customer = reasons(trigger, {**facts, "products": spoken.products(products)})
    return Candidate(
        trigger=trigger,
        category=news.category,
        business_key=_business_key(order, items, news),
        occurrence=occurrence,
        at=now,
        expires_at=now + policy.valid_for,
        channels=news.channels or policy.channels,
        template_id=trigger,
        priority=news.priority,
        reason_code=what,
        reason_internal=internal,
        reason_customer=customer,
        conditions=(
            Condition(name="items", value=len(items), met=True),
            *(Condition(name=f"item:{item.item_id}", value=item.state, met=True) for item in items),
        ),
        evidence=(order.event_id,) if order.event_id else (),
        content=Content(
            products=products, facts={name: fact for name, fact in facts.items() if isinstance(fact, str)}
        ),
        by_person=news.by_person,
        cancels_on=news.cancels_on,
    )


def _business_key(order: Order, items: Sequence[OrderItem], news: News) -> BusinessKey:
    """The order; for what sells, the dearest of the items."""
    if news.category != "marketing":
        return BusinessKey(kind="order", id=order.order_id)
    dearest = max(items, key=lambda item: (item.price or 0.0) * item.quantity)
    return BusinessKey(kind="item", id=orders.item_name(order.order_id, dearest.item_id))


def _is_unfinished(row: Customer, order: Order) -> bool:
    return orders.is_open(order) or any(map(orders.is_open, orders.follow_ups(row, order.order_id)))


def _is_held(row: Customer, order: Order, what: str) -> bool:
    trigger, key = f"post_purchase.{what}", f"order:{order.order_id}"
    return any(held.trigger == trigger and held.business_key == key for held in row.held)
