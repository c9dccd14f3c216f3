"""Laws of the triggers over generated lives of a customer."""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.customer import MAX_TIMERS
from schemas.policy import Feeds
from streams.triggers.feeds import FeedTracker
from tests.unit.triggers.shop import HOUR, MINUTE, START, Shop, product

PRODUCTS = st.sampled_from(["p1", "p2", "p3"]).map(product)
CARTS = st.sampled_from(["k1", "k2"])
ORDERS = st.sampled_from(["o1", "o2"])
PROMISES = st.sampled_from(["2023-11-16T00:00:00Z", "2023-11-20T00:00:00Z"])


def _event(touchpoint: str, type_: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(touchpoint), st.just(type_), st.fixed_dictionaries(fields))


ITEM = {
    "order_id": ORDERS,
    "item_id": st.sampled_from(["p1", "p2"]),
    "quantity": st.sampled_from([1.0, 2.0]),
}
EVENTS = st.one_of(
    _event("web", "page_viewed"),
    _event("web", "product_viewed", product=PRODUCTS),
    _event("web", "product_added", product=PRODUCTS, cart_id=CARTS),
    _event("web", "product_removed", product=PRODUCTS, cart_id=CARTS),
    _event("web", "checkout_started", cart_id=CARTS),
    _event("web", "payment_failed", cart_id=CARTS),
    _event(
        "orders",
        "order_placed",
        order_id=ORDERS,
        items=st.lists(PRODUCTS, min_size=1, max_size=2),
        total=st.just(9.0),
        cart_id=st.none() | CARTS,
    ),
    _event("orders", "item_shipped", **ITEM),
    _event("orders", "item_delivered", **ITEM),
    _event("orders", "item_backordered", promised_at=PROMISES, **ITEM),
    _event("orders", "order_cancelled", order_id=ORDERS),
)
GAPS = st.sampled_from([0, 1, MINUTE, 45 * MINUTE, HOUR, HOUR + 1, 25 * HOUR, 80 * HOUR, 900 * HOUR])
LIVES = st.lists(st.tuples(GAPS, EVENTS), max_size=30)


def live(life: list[Any], *, twice: bool = False) -> Shop:
    """The life from START on and 200 days of silence after it; `twice` tells every event twice."""
    shop, at = Shop(), 0
    for nth, (gap, (touchpoint, type_, fields)) in enumerate(life):
        at += gap
        for _ in range(2 if twice else 1):
            shop.happens(at, touchpoint, type_, **{**fields, "event_id": f"e{nth}"})
    shop.until(at + 200 * 24 * HOUR)
    return shop


@settings(max_examples=150)
@given(LIVES)
def test_a_trigger_never_proposes_the_same_occurrence_twice(life: list[Any]) -> None:
    said = Counter((each.trigger, str(each.business_key), each.occurrence) for each in live(life).proposed)
    assert not [what for what, times in said.items() if times > 1]


@settings(max_examples=100)
@given(LIVES)
def test_events_told_twice_change_neither_the_row_nor_what_is_proposed(life: list[Any]) -> None:
    once, twice = live(life), live(life, twice=True)
    assert once.proposed == twice.proposed
    assert msgspec.msgpack.encode(once.row) == msgspec.msgpack.encode(twice.row)


@settings(max_examples=150)
@given(LIVES)
def test_each_item_is_told_each_thing_once(life: list[Any]) -> None:
    told = Counter(
        (each.trigger, str(each.business_key), item.product_id)
        for each in live(life).proposed
        if each.trigger
        in {"post_purchase.shipped", "post_purchase.delivered_check", "post_purchase.how_was_it"}
        for item in each.content.products
    )
    assert not [what for what, times in told.items() if times > 1]


@settings(max_examples=150)
@given(LIVES)
def test_nothing_left_is_spoken_of_after_an_order_without_a_new_act(life: list[Any]) -> None:
    shop, at, last_act, last_order = Shop(), 0, -1, -1
    placed: set[str] = set()  # an order that is told again is no purchase
    for gap, (touchpoint, type_, fields) in life:
        at += gap
        shop.happens(at, touchpoint, type_, **fields)
        if touchpoint == "web":
            last_act = at
        elif type_ == "order_placed" and fields["order_id"] not in placed:
            placed.add(fields["order_id"])
            last_order = at
    before = len(shop.proposed)
    shop.until(at + 200 * 24 * HOUR)
    if last_order > last_act:
        assert not [each for each in shop.proposed[before:] if each.trigger.startswith("abandonment")]


@settings(max_examples=150)
@given(LIVES)
def test_a_proposal_is_valid_when_it_arises_and_names_its_evidence(life: list[Any]) -> None:
    for each in live(life).proposed:
        assert each.expires_at > each.at
        assert each.channels
        assert each.conditions
        assert each.trigger == "churn_risk" or all(condition.met for condition in each.conditions)
        if each.trigger.startswith("abandonment"):
            assert each.evidence


@settings(max_examples=100)
@given(LIVES)
def test_timers_come_to_an_end(life: list[Any]) -> None:
    shop = live(life)
    assert len(shop.row.timers) <= MAX_TIMERS
    shop.until(5000 * 24 * HOUR)
    assert shop.row.timers == {}


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(["web", "orders"]), st.integers(0, 10**8)), max_size=200))
def test_only_fresh_events_of_the_feed_itself_end_its_staleness(flow: list[tuple[str, int]]) -> None:
    feeds = FeedTracker(Feeds(min_history=2))
    for touchpoint, after in flow:
        was = feeds.is_stale("orders")
        fresh = START + after >= feeds.history.stream_time - Feeds().catch_up
        feeds.observe(touchpoint, START + after)
        if was and not feeds.is_stale("orders"):
            assert touchpoint == "orders"
            assert fresh
        if touchpoint == "orders" and fresh:
            assert not feeds.is_stale("orders")
