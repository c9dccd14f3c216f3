import random
from collections import Counter, defaultdict
from functools import cache
from itertools import islice, pairwise

from streams.local.replayed import Replayed, millis
from streams.local.simulator.shop import Shop
from streams.local.simulator.shopper import DAY, HOUR
from tests.unit.local.contract import assert_valid

START = millis("2026-03-01T00:00:00Z")


@cache
def simulated(seed: int = 7, customers: int = 250, days: int = 40) -> tuple[list[Replayed], Shop]:
    shop = Shop(seed, START, customers)
    return list(shop.until(START + days * DAY)), shop


def test_the_same_seed_gives_the_same_events_and_the_same_truth() -> None:
    once, first = simulated()
    again, second = simulated.__wrapped__()
    assert once == again
    assert first.truth == second.truth


def test_another_seed_gives_another_shop() -> None:
    assert simulated(seed=1, customers=5)[0] != simulated(seed=2, customers=5)[0]


def test_events_do_not_depend_on_anybody_else_s_randomness() -> None:
    once = list(islice(Shop(7, START, 10).events(), 500))
    again: list[Replayed] = []
    for event in islice(Shop(7, START, 10).events(), 500):
        random.seed(len(again))
        again.append(event)
    assert once == again


def test_events_are_of_the_contract_in_time_order_with_unique_ids() -> None:
    assert_valid(simulated()[0])


def test_the_shop_goes_on_when_its_first_customers_have_left() -> None:
    events, shop = simulated(customers=10, days=400)
    assert len(shop.truth.lapses) > 10
    assert events[-1].at > START + 399 * DAY


def test_a_left_cart_stays_quiet_for_an_hour_and_only_recovered_ones_become_orders() -> None:
    events, shop = simulated()
    carts: defaultdict[str, list[Replayed]] = defaultdict(list)
    for event in events:
        if "cart_id" in event.payload:
            carts[event.payload["cart_id"]].append(event)
    end = START + 40 * DAY
    for cart_id in shop.truth.causes:
        seen = carts[cart_id]
        ordered = any(event.payload["type"] == "order_placed" for event in seen)
        gaps = [after.at - before.at for before, after in pairwise(seen)]
        if cart_id in shop.truth.recovered and seen and seen[-1].at < end - DAY:
            assert ordered, cart_id
            assert max(gaps) >= HOUR, cart_id
        if cart_id not in shop.truth.recovered:
            assert not ordered, cart_id


def test_most_causes_of_leaving_can_be_read_off_the_events() -> None:
    """A reader as simple as can be names 80 %: the last obstacle, else the last checkout step, else nothing."""
    events, shop = simulated()
    obstacle: dict[str, str] = {}
    step: dict[str, str] = {}
    for event in events:
        kind, cart_id = event.payload["type"], event.payload.get("cart_id", "")
        if kind in ("payment_failed", "coupon_refused", "form_error"):
            obstacle[cart_id] = kind
        elif kind == "out_of_stock_shown":
            obstacle[cart_id] = "out_of_stock"
        elif kind == "checkout_step_viewed":
            step[cart_id] = event.payload["step"]
    named = Counter[bool]()
    for cart_id, cause in shop.truth.causes.items():
        if cart_id in shop.truth.recovered:
            continue
        guess = obstacle.get(cart_id, "shipping_cost" if step.get(cart_id) == "delivery" else "just_browsing")
        named[guess == cause] += 1
    assert named.total() > 500
    assert 0.8 <= named[True] / named.total() < 1.0


def test_a_customer_who_lapsed_never_visits_again() -> None:
    events, shop = simulated()
    assert shop.truth.lapses
    for event in events:
        if event.touchpoint == "web" and event.key in shop.truth.lapses:
            assert event.at <= shop.truth.lapses[event.key]


def test_missing_pieces_are_promised_under_a_follow_up_that_costs_nothing_more() -> None:
    events, shop = simulated()
    orders = {e.payload["order_id"]: e for e in events if e.payload["type"] == "order_placed"}
    backordered = [e for e in events if e.payload["type"] == "item_backordered"]
    assert backordered
    for event in backordered:
        assert millis(event.payload["promised_at"]) > event.at
        follow_up = orders.get(event.payload["follow_up_order_id"])
        if follow_up is None:
            assert event.at > START + 40 * DAY - 2 * HOUR
            continue
        assert follow_up.payload["follows_order_id"] == event.payload["order_id"]
        assert follow_up.payload["total"] == 0.0
    assert shop.truth.broken_promises


def test_consent_is_granted_by_most_denied_by_some_and_withdrawn_later_by_a_few() -> None:
    said = Counter(e.payload["type"] for e in simulated()[0] if e.touchpoint == "consent")
    assert said["granted"] > said["denied"] > 0
    assert said["granted"] > said["withdrawn"] > 0


def test_every_event_says_that_it_is_simulated() -> None:
    assert {event.payload["source"] for event in simulated()[0]} == {"simulator"}
