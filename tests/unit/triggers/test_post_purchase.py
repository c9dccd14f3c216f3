"""After the order: each thing once, per item; and the supermarket's case from shortage to completion."""

from typing import Any

import pytest

from schemas.action import Bilingual
from streams.customers.orders import find, timeline
from streams.triggers.candidate import Candidate
from tests.unit.triggers.shop import DAY, HOUR, MINUTE, START, Shop, product

PROMISED = "2023-11-17T12:00:00Z"  # START + 2 d 13 h 46 m 40 s
PROMISED_AFTER = (2 * 24 + 13) * HOUR + 46 * MINUTE + 40_000


def ordered(shop: Shop, *items: dict[str, Any], order_id: str = "o1", after: int = 0, **fields: Any) -> Shop:
    shop.happens(
        after,
        "orders",
        "order_placed",
        order_id=order_id,
        items=list(items or (product(),)),
        **{"total": 20.0, "currency": "EUR", **fields},
    )
    return shop


def happens(shop: Shop, after: int, type_: str, item_id: str = "p1", **fields: Any) -> list[Candidate]:
    return shop.happens(after, "orders", type_, **{"order_id": "o1", "item_id": item_id, **fields})


def said(shop: Shop, what: str) -> list[Candidate]:
    return [each for each in shop.proposed if each.trigger == f"post_purchase.{what}"]


def test_an_order_is_thanked_for_at_once_and_once() -> None:
    shop = ordered(Shop())
    (thanks,) = shop.proposed
    assert (thanks.trigger, thanks.category, thanks.at) == ("post_purchase.thanks", "transactional", START)
    assert str(thanks.business_key) == "order:o1"
    ordered(shop, after=HOUR)
    assert len(said(shop, "thanks")) == 1


def test_a_duplicate_of_any_event_says_nothing_more() -> None:
    shop = Shop()
    for _ in range(2):
        ordered(shop, product("p1", quantity=2), event_id="placed")
        happens(shop, DAY, "item_shipped", event_id="shipped", quantity=2)
        shop.until(2 * DAY)
        happens(shop, 3 * DAY, "item_delivered", event_id="delivered", quantity=2)
        shop.until(30 * DAY)
    assert sorted(shop.triggers) == sorted(
        f"post_purchase.{what}" for what in ("thanks", "shipped", "how_was_it", "cross_sell")
    )


def test_the_same_news_told_by_new_events_is_said_once() -> None:
    shop = ordered(Shop(), product(quantity=2))
    happens(shop, DAY, "item_shipped")
    shop.until(DAY + HOUR)
    happens(shop, DAY + 2 * HOUR, "item_shipped")
    shop.until(2 * DAY)
    assert len(said(shop, "shipped")) == 1


def test_items_shipped_together_make_one_message_and_later_ones_another() -> None:
    shop = ordered(Shop(), product("p1"), product("p2"), product("p3"))
    happens(shop, DAY, "item_shipped", "p1")
    happens(shop, DAY + 9 * MINUTE, "item_shipped", "p2")
    shop.until(DAY + 10 * MINUTE)
    happens(shop, 2 * DAY, "item_shipped", "p3")
    shop.until(3 * DAY)
    assert [[each.product_id for each in one.content.products] for one in said(shop, "shipped")] == [
        ["p1", "p2"],
        ["p3"],
    ]


def test_what_arrived_meanwhile_is_not_announced_as_shipped() -> None:
    shop = ordered(Shop())
    happens(shop, DAY, "item_shipped")
    happens(shop, DAY + 5 * MINUTE, "item_delivered")
    shop.until(2 * DAY)
    assert said(shop, "shipped") == []


def test_a_delivery_is_asked_about_a_day_after_its_promise_and_only_if_it_did_not_come() -> None:
    shop = ordered(Shop(), product("p1"), product("p2"), promised_at=PROMISED)
    happens(shop, DAY, "item_delivered", "p2")
    assert said(shop, "delivered_check") == []
    shop.until(PROMISED_AFTER + DAY - 1)
    assert said(shop, "delivered_check") == []
    shop.until(PROMISED_AFTER + DAY)
    (check,) = said(shop, "delivered_check")
    assert check.category == "service"
    assert [each.product_id for each in check.content.products] == ["p1"]
    shop.until(60 * DAY)
    assert len(said(shop, "delivered_check")) == 1


def test_a_shipment_without_a_promise_is_asked_about_after_the_usual_time() -> None:
    shop = ordered(Shop())
    happens(shop, DAY, "item_shipped")
    shop.until(9 * DAY - 1)
    assert said(shop, "delivered_check") == []
    shop.until(9 * DAY)
    assert len(said(shop, "delivered_check")) == 1


def test_how_was_it_waits_for_the_last_item() -> None:
    shop = ordered(Shop(), product("p1"), product("p2"))
    happens(shop, DAY, "item_delivered", "p1")
    shop.until(20 * DAY)
    assert said(shop, "how_was_it") == []
    happens(shop, 21 * DAY, "item_delivered", "p2")
    shop.until(26 * DAY - 1)
    assert said(shop, "how_was_it") == []
    shop.until(26 * DAY)
    (ask,) = said(shop, "how_was_it")
    assert (ask.category, len(ask.content.products)) == ("service", 2)


def test_a_returned_item_is_not_asked_about() -> None:
    shop = ordered(Shop())
    happens(shop, DAY, "item_delivered")
    happens(shop, 2 * DAY, "item_returned")
    shop.until(40 * DAY)
    assert shop.triggers == ["post_purchase.thanks"]


def test_a_cancelled_order_is_not_spoken_of_any_more() -> None:
    shop = ordered(Shop(), promised_at=PROMISED)
    happens(shop, DAY, "item_shipped")
    shop.happens(DAY + MINUTE, "orders", "order_cancelled", order_id="o1")
    shop.until(60 * DAY)
    assert [each for each in shop.triggers if each.startswith("post_purchase")] == ["post_purchase.thanks"]


def test_an_order_cancelled_after_a_delivery_is_not_asked_about() -> None:
    shop = ordered(Shop())
    happens(shop, DAY, "item_delivered")
    shop.happens(2 * DAY, "orders", "order_cancelled", order_id="o1")
    shop.until(40 * DAY)
    assert shop.triggers == ["post_purchase.thanks"]


def test_nothing_is_sold_for_an_order_that_was_followed_by_another() -> None:
    shop = ordered(Shop())
    happens(shop, DAY, "item_delivered")
    ordered(shop, product("p9"), order_id="o2", after=5 * DAY)
    shop.until(60 * DAY)
    assert said(shop, "cross_sell") == []


def test_what_goes_with_a_delivered_order_is_offered_once_as_marketing() -> None:
    shop = ordered(Shop(), product("p1", price=1.0), product("p2", price=30.0))
    for item in ("p1", "p2"):
        happens(shop, DAY, "item_delivered", item)
    shop.until(60 * DAY)
    (offer,) = said(shop, "cross_sell")
    assert (offer.category, offer.at) == ("marketing", START + 15 * DAY)
    assert str(offer.business_key) == "item:o1:p2"


class TestReplenishment:
    def test_a_product_is_offered_when_the_own_pace_says_that_it_runs_out(self) -> None:
        shop = ordered(Shop(), product("coffee"), order_id="a")
        ordered(shop, product("coffee"), order_id="b", after=10 * DAY)
        assert said(shop, "replenishment") == []
        shop.until(20 * DAY - 1)
        assert said(shop, "replenishment") == []
        shop.until(20 * DAY)
        (offer,) = said(shop, "replenishment")
        assert (offer.category, str(offer.business_key)) == ("marketing", "item:b:coffee")
        shop.until(300 * DAY)
        assert len(said(shop, "replenishment")) == 1

    def test_two_pieces_last_twice_as_long(self) -> None:
        shop = ordered(Shop(), product("coffee"), order_id="a")
        ordered(shop, product("coffee", quantity=2), order_id="b", after=10 * DAY)
        shop.until(30 * DAY - 1)
        assert said(shop, "replenishment") == []
        shop.until(30 * DAY)
        assert len(said(shop, "replenishment")) == 1

    def test_buying_it_again_in_time_makes_the_offer_unnecessary(self) -> None:
        shop = Shop()
        for day in (0, 10, 19):
            ordered(shop, product("coffee"), order_id=f"o{day}", after=day * DAY)
        shop.until(19 * DAY + 9 * DAY)
        assert said(shop, "replenishment") == []
        shop.until(19 * DAY + 9 * DAY + 12 * HOUR)
        assert len(said(shop, "replenishment")) == 1

    def test_products_that_run_out_together_share_one_message(self) -> None:
        shop = ordered(Shop(), product("coffee"), product("milk"), product("tea"), order_id="a")
        ordered(shop, product("coffee"), order_id="b", after=10 * DAY)
        ordered(shop, product("milk"), order_id="c", after=10 * DAY + 11 * HOUR)
        ordered(shop, product("tea"), order_id="d", after=15 * DAY)
        shop.until(60 * DAY)
        offers = [[each.product_id for each in one.content.products] for one in said(shop, "replenishment")]
        assert offers == [["coffee", "milk"], ["tea"]]

    def test_one_purchase_shows_no_pace(self) -> None:
        shop = ordered(Shop(), product("coffee"))
        assert "post_purchase:replenishment" not in shop.row.timers

    def test_what_lasts_longer_than_two_years_is_never_used_up(self) -> None:
        shop = ordered(Shop(), product("coffee", quantity=0.001), order_id="a")
        ordered(shop, product("coffee", quantity=0.074), order_id="b", after=10 * DAY)
        assert "post_purchase:replenishment" not in shop.row.timers
        ordered(shop, product("tea", quantity=1), order_id="c", after=10 * DAY)
        ordered(shop, product("tea", quantity=73), order_id="d", after=20 * DAY)
        assert shop.row.timers["post_purchase:replenishment"] == START + 750 * DAY

    def test_what_was_held_is_dropped_once_it_was_bought_again(self) -> None:
        shop = ordered(Shop(), product("coffee"), order_id="a")
        ordered(shop, product("coffee"), order_id="b", after=10 * DAY)
        shop.until(20 * DAY)
        (offer,) = said(shop, "replenishment")
        again = shop.recheck(offer, 20 * DAY + HOUR)
        assert again is not None
        assert again.occurrence == offer.occurrence
        ordered(shop, product("coffee"), order_id="c", after=21 * DAY)
        assert shop.recheck(offer, 21 * DAY + HOUR) is None


class TestTheSupermarketsCase:
    """Five of ten cartons are short, promised for Friday, and come with an order of their own."""

    def shortage(self) -> Shop:
        shop = ordered(Shop(), product("milk", quantity=10), product("bread"), promised_at=PROMISED)
        happens(
            shop, DAY, "item_backordered", "milk", quantity=5, promised_at=PROMISED, follow_up_order_id="f1"
        )
        happens(shop, DAY + HOUR, "item_delivered", "milk", quantity=5)
        happens(shop, DAY + HOUR, "item_delivered", "bread")
        return shop

    def follow_up(self, shop: Shop, quantity: int) -> Shop:
        ordered(
            shop,
            product("milk", quantity=5),
            order_id="f1",
            after=2 * DAY,
            total=0.0,
            follows_order_id="o1",
        )
        happens(shop, 3 * DAY, "item_delivered", "milk", order_id="f1", quantity=quantity)
        return shop

    def test_the_promised_day_and_that_it_costs_nothing_more_are_told_once(self) -> None:
        shop = self.shortage()
        for hours in range(2, 20):
            happens(shop, DAY + hours * HOUR, "item_backordered", "milk", quantity=5, promised_at=PROMISED)
        shop.until(2 * DAY)
        (short,) = said(shop, "backorder")
        assert short.category == "transactional"
        assert short.at == START + DAY + 10 * MINUTE
        assert short.reason_customer == Bilingual(
            es="Porque falta una parte del pedido o1: Product milk. "
            "Llega el 17 de noviembre y no cuesta nada más.",
            en="Because order o1 is not complete: Product milk. "
            "It comes on 17 November, and costs nothing more.",
        )
        assert short.content.facts["promised_dates"] == "2023-11-17"
        assert short.content.facts["extra_cost"] == "0.00 EUR"

    def test_a_promise_for_another_day_is_told_again(self) -> None:
        shop = self.shortage()
        happens(
            shop, DAY + 2 * HOUR, "item_backordered", "milk", quantity=5, promised_at="2023-11-19T12:00:00Z"
        )
        shop.until(2 * DAY)
        assert [each.content.facts["promised_dates"] for each in said(shop, "backorder")] == [
            "2023-11-17",
            "2023-11-19",
        ]

    def test_the_shortage_as_announced_is_no_mismatch(self) -> None:
        shop = self.follow_up(self.shortage(), 5)
        shop.until(10 * DAY)
        assert said(shop, "delivery_mismatch") == []

    def test_the_follow_up_is_not_thanked_for_and_stands_in_the_same_timeline(self) -> None:
        shop = self.follow_up(self.shortage(), 5)
        shop.until(4 * DAY)
        assert [str(each.business_key) for each in said(shop, "thanks")] == ["order:o1"]
        (done,) = said(shop, "follow_up_delivered")
        assert done.category == "transactional"
        assert done.content.facts["order"] == "o1"
        assert done.content.facts["delivered_date"] == "2023-11-17"
        assert done.content.facts["total"] == "0.00 EUR"
        story = [(each.what, each.order_id, each.total) for each in timeline(shop.row, "o1")]
        assert ("follow_up_delivered", "f1", 0.0) in story

    def test_too_few_delivered_is_a_person_s_call(self) -> None:
        shop = self.follow_up(self.shortage(), 3)
        assert not shop.until(4 * DAY - 1) or said(shop, "delivery_mismatch") == []
        shop.until(4 * DAY)
        (call,) = said(shop, "delivery_mismatch")
        assert (call.by_person, call.channels, call.category) == (True, ("call",), "service")
        assert "3 instead of 5" in call.reason_internal.en
        shop.until(60 * DAY)
        assert len(said(shop, "delivery_mismatch")) == 1

    def test_what_the_follow_up_lacks_is_not_held_against_the_first_delivery(self) -> None:
        shop = self.shortage()
        ordered(shop, product("milk", quantity=5), order_id="f1", after=DAY + 2 * HOUR, total=0.0)
        happens(shop, DAY + 3 * HOUR, "item_delivered", "milk", order_id="f1", quantity=3)
        shop.until(10 * DAY)
        assert [str(each.business_key) for each in said(shop, "delivery_mismatch")] == ["order:f1"]

    def test_a_delivery_completed_within_a_day_is_nobody_s_call(self) -> None:
        shop = self.follow_up(self.shortage(), 3)
        happens(shop, 3 * DAY + 12 * HOUR, "item_delivered", "milk", order_id="f1", quantity=2)
        shop.until(60 * DAY)
        assert said(shop, "delivery_mismatch") == []

    def test_how_was_it_is_asked_once_all_of_it_came(self) -> None:
        shop = self.shortage()
        shop.until(10 * DAY)
        assert said(shop, "how_was_it") == []
        shop = self.follow_up(self.shortage(), 5)
        shop.until(30 * DAY)
        (ask,) = said(shop, "how_was_it")
        assert str(ask.business_key) == "order:o1"
        assert ask.at == START + 8 * DAY


def test_pieces_short_that_nobody_announced_are_a_person_s_call() -> None:
    shop = ordered(Shop(), product(quantity=3))
    happens(shop, DAY, "item_delivered", quantity=2)
    shop.until(2 * DAY)
    assert len(said(shop, "delivery_mismatch")) == 1


def test_a_delivery_of_an_order_not_known_yet_is_nobody_s_call() -> None:
    shop = Shop()
    happens(shop, DAY, "item_delivered", quantity=2)
    shop.until(40 * DAY)
    assert said(shop, "delivery_mismatch") == []


def test_pieces_short_that_were_cancelled_or_sent_back_are_nobody_s_call() -> None:
    for type_ in ("order_cancelled", "item_returned"):
        shop = ordered(Shop(), product(quantity=3))
        happens(shop, DAY, "item_delivered", quantity=2)
        happens(shop, DAY + HOUR, type_)
        shop.until(40 * DAY)
        assert said(shop, "delivery_mismatch") == []


def test_pieces_too_many_are_a_person_s_call() -> None:
    shop = ordered(Shop())
    happens(shop, DAY, "item_delivered", quantity=2)
    shop.until(2 * DAY)
    assert len(said(shop, "delivery_mismatch")) == 1


@pytest.mark.parametrize("order_id", ["a:b", "::", "o:p1:x"])
def test_an_order_id_may_hold_colons(order_id: str) -> None:
    shop = ordered(Shop(), order_id=order_id)
    happens(shop, DAY, "item_shipped", order_id=order_id)
    shop.until(2 * DAY)
    (shipped,) = said(shop, "shipped")
    assert shop.recheck(shipped, 2 * DAY) is not None
    happens(shop, 3 * DAY, "item_delivered", order_id=order_id)
    shop.until(60 * DAY)
    (offer,) = said(shop, "cross_sell")
    assert shop.recheck(offer, 60 * DAY) is not None


def test_held_news_is_said_again_of_the_same_items_and_dropped_when_untrue() -> None:
    shop = ordered(Shop(), product("p1"), product("p2"))
    happens(shop, DAY, "item_shipped", "p1")
    (shipped,) = shop.until(DAY + HOUR)
    happens(shop, DAY + 2 * HOUR, "item_shipped", "p2")
    again = shop.recheck(shipped, DAY + 2 * HOUR)
    assert again is not None
    assert [each.product_id for each in again.content.products] == ["p1"]
    assert again.occurrence == shipped.occurrence
    happens(shop, DAY + 2 * HOUR, "item_delivered", "p1")
    assert shop.recheck(shipped, DAY + 2 * HOUR) is None


def test_news_that_takes_the_place_of_held_news_speaks_of_its_items_too() -> None:
    shop = ordered(Shop(), product("p1"), product("p2"))
    happens(shop, DAY, "item_shipped", "p1")
    (first,) = shop.until(DAY + HOUR)
    shop.hold(first)
    happens(shop, DAY + 2 * HOUR, "item_shipped", "p2")
    (second,) = shop.until(DAY + 3 * HOUR)
    assert [each.product_id for each in second.content.products] == ["p1", "p2"]


def test_the_told_list_of_an_item_stays_short() -> None:
    shop = ordered(Shop(), product(quantity=5))
    for day in range(1, 60):
        happens(
            shop,
            day * HOUR,
            "item_backordered",
            promised_at=f"2024-{1 + day // 28:02}-{1 + day % 28:02}T00:00:00Z",
        )
    order = find(shop.row, "o1")
    assert order is not None
    assert len(order.items[0].told) == 1
