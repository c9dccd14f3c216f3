"""Abandonment at its edges: what restarts, what ends, what outranks, what is said."""

from typing import Any

import pytest

from schemas.touchpoints.web import CartEvent
from tests.unit.triggers.shop import DAY, HOUR, MINUTE, START, Shop, product

CART, CHECKOUT, BROWSE = "abandonment.cart", "abandonment.checkout", "abandonment.browse"


def shop_with_cart(cart_id: str = "k1", **sections: Any) -> Shop:
    shop = Shop(**sections)
    assert not shop.happens(0, "web", "product_added", cart_id=cart_id, product=product())
    return shop


def order(shop: Shop, after: int, order_id: str = "o1", **fields: object) -> None:
    shop.happens(after, "orders", "order_placed", order_id=order_id, items=[product()], total=10.0, **fields)


def test_a_cart_is_announced_exactly_when_its_silence_is_over() -> None:
    shop = shop_with_cart()
    assert not shop.until(60 * MINUTE - 1)
    (left,) = shop.until(60 * MINUTE)
    assert (left.trigger, left.at, str(left.business_key)) == (CART, START + 60 * MINUTE, "cart:k1")
    assert left.category == "marketing"
    assert left.expires_at == START + 72 * HOUR
    assert left.cancels_on == ("web", "orders")


def test_an_event_that_only_restarts_the_timer_proposes_nothing() -> None:
    shop = shop_with_cart()
    for minutes in (30, 59, 100):
        assert not shop.happens(minutes * MINUTE, "web", "page_viewed", path="/")
    assert shop.cart_model.shown == []
    assert not shop.until(160 * MINUTE - 1)
    assert [each.trigger for each in shop.until(160 * MINUTE)] == [CART]


def test_activity_that_arrives_out_of_order_never_shortens_the_silence() -> None:
    shop = shop_with_cart()
    shop.happens(30 * MINUTE, "web", "page_viewed")
    shop.happens(10 * MINUTE, "web", "page_viewed")
    assert not shop.until(90 * MINUTE - 1)
    assert shop.until(90 * MINUTE)


@pytest.mark.parametrize("minutes", [1, 59, 60])
def test_an_order_up_to_the_due_moment_ends_it(minutes: int) -> None:
    shop = shop_with_cart()
    order(shop, minutes * MINUTE, cart_id="k1")
    assert "abandonment" not in " ".join(shop.row.timers)
    shop.until(3 * DAY)
    assert CART not in shop.triggers


def test_an_order_without_the_cart_s_id_ends_it_too() -> None:
    shop = shop_with_cart()
    shop.happens(10 * MINUTE, "orders", "order_placed", order_id="till-9", items=[product("other")], total=3)
    shop.until(3 * DAY)
    assert CART not in shop.triggers


def test_an_order_older_than_the_cart_ends_nothing() -> None:
    shop = shop_with_cart("k1")
    shop.happens(20 * MINUTE, "web", "product_added", cart_id="k2", product=product("p2"))
    order(shop, 10 * MINUTE, cart_id="k1")
    shop.until(2 * HOUR)
    assert [str(each.business_key) for each in shop.proposed if each.trigger == CART] == ["cart:k2"]


def test_a_follow_up_delivery_ends_nothing() -> None:
    shop = shop_with_cart()
    order(shop, 10 * MINUTE, "o2", follows_order_id="o1")
    assert [each.trigger for each in shop.until(60 * MINUTE)] == [CART]


def test_a_second_cart_fires_again_and_the_same_one_does_not() -> None:
    shop = shop_with_cart()
    shop.until(2 * HOUR)
    shop.happens(3 * HOUR, "web", "cart_viewed", cart_id="k1")
    shop.until(5 * HOUR)
    assert shop.triggers == [CART]
    shop.happens(6 * HOUR, "web", "product_added", cart_id="k2", product=product("p2"))
    shop.until(8 * HOUR)
    assert [str(each.business_key) for each in shop.proposed] == ["cart:k1", "cart:k2"]


def test_the_same_cart_fires_again_in_a_more_significant_stage_only() -> None:
    shop = shop_with_cart()
    shop.until(2 * HOUR)
    shop.happens(3 * HOUR, "web", "checkout_started", cart_id="k1")
    shop.until(5 * HOUR)
    shop.happens(6 * HOUR, "web", "product_added", cart_id="k1", product=product("p2"))
    shop.until(8 * HOUR)
    assert shop.triggers == [CART, CHECKOUT]
    assert shop.proposed[0].occurrence != shop.proposed[1].occurrence


def test_after_giving_up_the_same_cart_is_a_new_case() -> None:
    shop = shop_with_cart()
    shop.until(72 * HOUR)
    shop.happens(73 * HOUR, "web", "product_added", cart_id="k1", product=product("p2"))
    shop.until(75 * HOUR)
    assert shop.triggers == [CART, CART]
    assert shop.proposed[0].occurrence != shop.proposed[1].occurrence


def test_a_cart_is_given_up_after_72_hours_though_the_customer_kept_looking_around() -> None:
    shop = shop_with_cart()
    for minutes in range(30, 73 * 60, 30):
        shop.happens(minutes * MINUTE, "web", "page_viewed")
    shop.until(80 * HOUR)
    assert CART not in shop.triggers


def test_browsing_is_announced_after_45_minutes_and_two_products() -> None:
    shop = Shop()
    shop.happens(0, "web", "product_viewed", product=product("p1"))
    shop.happens(MINUTE, "web", "product_viewed", product=product("p2"))
    assert not shop.until(46 * MINUTE - 1)
    (left,) = shop.until(46 * MINUTE)
    assert left.trigger == BROWSE
    assert [each.product_id for each in left.content.products] == ["p2", "p1"]
    assert left.evidence == ("e2", "e1")


def test_one_product_looked_at_is_not_worth_a_word() -> None:
    shop = Shop()
    shop.happens(0, "web", "product_viewed", product=product("p1"))
    shop.happens(MINUTE, "web", "product_viewed", product=product("p1"))
    assert not shop.until(2 * HOUR)


def test_browsing_that_cannot_be_left_yet_has_no_timer() -> None:
    shop = Shop()
    shop.happens(0, "web", "product_viewed", product=product("p1"))
    assert not shop.row.timers
    shop.happens(80 * HOUR, "web", "product_viewed", product=product("p2"))  # p1 is given up
    assert not shop.row.timers
    shop.happens(81 * HOUR, "web", "product_viewed", product=product("p3"))
    assert shop.row.timers == {"abandonment:browse": START + 81 * HOUR + 45 * MINUTE}


def test_a_second_product_told_of_late_does_not_shorten_the_silence() -> None:
    shop = Shop()
    shop.happens(30 * MINUTE, "web", "product_viewed", product=product("p1"))
    shop.happens(10 * MINUTE, "web", "product_viewed", product=product("p2"))
    assert not shop.until(75 * MINUTE - 1)
    assert [each.trigger for each in shop.until(75 * MINUTE)] == [BROWSE]


def test_browsing_is_announced_once_until_it_is_given_up() -> None:
    shop = Shop()
    for hours in (0, 5, 20, 73, 74):
        for name in ("p1", "p2"):
            shop.happens(hours * HOUR, "web", "product_viewed", product=product(name))
    shop.until(80 * HOUR)
    assert shop.triggers == [BROWSE, BROWSE]


def test_browsing_says_nothing_when_there_is_a_cart() -> None:
    shop = Shop()
    for name in ("p1", "p2", "p3"):
        shop.happens(0, "web", "product_viewed", product=product(name))
    shop.happens(MINUTE, "web", "product_added", product=product("p1"))
    shop.until(3 * HOUR)
    assert shop.triggers == [CART]


def test_of_two_carts_left_in_one_silence_the_checkout_is_announced() -> None:
    shop = shop_with_cart("k1")
    shop.happens(MINUTE, "web", "product_added", cart_id="k2", product=product("p2"))
    shop.happens(MINUTE, "web", "checkout_started", cart_id="k1")
    shop.until(1 * DAY)
    assert [(each.trigger, str(each.business_key)) for each in shop.proposed] == [(CHECKOUT, "cart:k1")]


def test_a_cart_left_after_another_was_announced_is_a_case_of_its_own() -> None:
    shop = shop_with_cart("k1")
    shop.happens(MINUTE, "web", "checkout_started", cart_id="k1")
    shop.until(2 * HOUR)
    shop.happens(5 * HOUR, "web", "product_added", cart_id="k2", product=product("p2"))
    shop.until(1 * DAY)
    assert [(each.trigger, str(each.business_key)) for each in shop.proposed] == [
        (CHECKOUT, "cart:k1"),
        (CART, "cart:k2"),
    ]


def test_an_order_from_one_cart_ends_what_was_left_in_the_others_too() -> None:
    shop = shop_with_cart("k1")
    shop.happens(MINUTE, "web", "product_added", cart_id="k2", product=product("p2"))
    shop.happens(
        2 * MINUTE, "orders", "order_placed", order_id="o1", cart_id="k2", items=[product("p2")], total=1
    )
    shop.until(1 * DAY)
    assert CART not in shop.triggers


def test_emptying_one_cart_is_not_activity_in_another() -> None:
    shop = shop_with_cart("k1")
    shop.happens(MINUTE, "web", "product_added", cart_id="k2", product=product("p2"))
    shop.happens(MINUTE, "web", "checkout_started", cart_id="k2")
    shop.until(2 * HOUR)
    shop.happens(3 * HOUR, "web", "product_removed", product=product("p2"))
    assert [cart.cart_id for cart in shop.row.carts] == ["k1"]
    shop.until(6 * HOUR)
    assert shop.triggers == [CHECKOUT]


def test_an_emptied_cart_is_not_announced() -> None:
    shop = shop_with_cart()
    shop.happens(MINUTE, "web", "product_removed", cart_id="k1", product=product())
    shop.until(2 * HOUR)
    assert shop.triggers == []


@pytest.mark.parametrize(
    ("type_", "fields", "cause"),
    [
        ("payment_failed", {"reason": "declined"}, "payment_failed"),
        ("out_of_stock_shown", {"product": product()}, "out_of_stock"),
        ("form_error", {"field": "postcode"}, "form_error"),
    ],
)
def test_after_an_obstacle_that_help_answers_help_is_offered(
    type_: str, fields: dict[str, object], cause: str
) -> None:
    shop = shop_with_cart()
    shop.happens(MINUTE, "web", type_, cart_id="k1", **fields)
    (left,) = shop.until(2 * HOUR)
    assert left.content.offer_class == "help"
    assert left.template_id == f"abandonment.help.{cause}"
    assert left.content.facts["likely_cause"] == cause
    assert left.evidence[0] == "e2"
    assert left.category == "marketing"


def test_a_refused_coupon_is_named_and_is_not_a_case_for_help() -> None:
    shop = shop_with_cart()
    shop.happens(MINUTE, "web", "coupon_refused", cart_id="k1", coupon="SAVE10")
    (left,) = shop.until(2 * HOUR)
    assert (left.content.offer_class, left.content.facts["likely_cause"]) == ("none", "coupon_refused")


def test_the_action_names_the_last_step_the_products_and_the_value() -> None:
    shop = shop_with_cart()
    shop.happens(MINUTE, "web", "checkout_started", cart_id="k1", currency="EUR")
    shop.happens(2 * MINUTE, "web", "checkout_step_viewed", cart_id="k1", step="payment")
    (left,) = shop.until(2 * HOUR)
    assert left.trigger == CHECKOUT
    assert left.content.facts["last_step"] == "payment"
    assert left.content.facts["value"] == "10.00 EUR"
    assert [each.name for each in left.content.products] == ["Product p1"]


def test_the_score_comes_with_its_features_where_profiling_is_allowed() -> None:
    (left,) = shop_with_cart().until(HOUR)
    assert (left.score, left.model, left.model_version) == (0.3, "cart", 7)
    assert left.features
    assert left.horizon_ms


def test_without_profiling_nothing_is_scored_and_the_cart_is_announced_all_the_same() -> None:
    shop = Shop(profiling=False)
    shop.happens(0, "web", "product_added", cart_id="k1", product=product())
    (left,) = shop.until(HOUR)
    assert (left.score, left.model, left.features) == (None, None, None)
    assert shop.cart_model.shown == []


def test_what_was_held_is_said_again_with_the_same_occurrence_while_it_is_true() -> None:
    shop = shop_with_cart()
    (left,) = shop.until(HOUR)
    again = shop.recheck(left, 5 * HOUR)
    assert again is not None
    assert (again.occurrence, again.at) == (left.occurrence, START + 5 * HOUR)
    assert shop.recheck(left, 72 * HOUR) is None


def test_what_was_held_is_dropped_by_an_order() -> None:
    shop = shop_with_cart()
    (left,) = shop.until(HOUR)
    order(shop, 2 * HOUR, cart_id="k1")
    assert shop.recheck(left, 3 * HOUR) is None


def test_a_customer_who_came_back_while_it_was_held_is_left_alone_until_silent_again() -> None:
    shop = shop_with_cart()
    (left,) = shop.until(HOUR)
    shop.happens(2 * HOUR, "web", "page_viewed")
    assert shop.recheck(left, 2 * HOUR + 10 * MINUTE) is None
    assert not shop.until(3 * HOUR - 1)
    assert [each.trigger for each in shop.until(3 * HOUR)] == [CART]


def test_held_browsing_is_dropped_once_there_is_a_cart() -> None:
    shop = Shop()
    for name in ("p1", "p2"):
        shop.happens(0, "web", "product_viewed", product=product(name))
    (left,) = shop.until(HOUR)
    assert shop.recheck(left, 2 * HOUR) is not None
    shop.happens(3 * HOUR, "web", "product_added", product=product())
    assert shop.recheck(left, 4 * HOUR) is None


def test_the_silences_are_the_policy_s() -> None:
    shop = shop_with_cart(abandonment={"cart_after": "5m", "channels": ["site", "email"]})
    (left,) = shop.until(5 * MINUTE)
    assert left.channels == ("site", "email")


def test_every_event_of_a_cart_concerns_the_family() -> None:
    from streams.triggers.abandonment import REACTIONS

    assert set(CartEvent.__subclasses__()) <= set(REACTIONS)
