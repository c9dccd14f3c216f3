from collections.abc import Callable

import pytest

from schemas.customer import MAX_CART_ITEMS, MAX_CARTS, MAX_EVIDENCE, MAX_OBSTACLES, MAX_STEPS
from schemas.event import Arrival
from streams.customers.cart import CART_IDLE, last_step, likely_cause
from tests.unit.customers.builders import DAY, HOUR, MINUTE, T0, folded, order, product, web


def added(at: int, product_id: str = "P1", cart_id: str | None = "K1", **fields: object) -> Arrival:
    return web("product_added", at, product=product(product_id), cart_id=cart_id, **fields)


def placed(at: int, *product_ids: str, cart_id: str | None = None, order_id: str = "O1") -> Arrival:
    items = [product(each) for each in product_ids]
    return order("order_placed", at, order_id, items=items, total=10, cart_id=cart_id)


def carts(*arrivals: Arrival) -> list[str]:
    return [cart.cart_id for cart in folded(*arrivals).carts]


def test_pieces_add_up_and_leave_and_the_value_follows() -> None:
    row = folded(
        web("product_added", T0, cart_id="K1", currency="EUR", product=product("P1", 2.5, 3)),
        web("product_added", T0 + 1, cart_id="K1", product=product("P2", None, 1)),
        web("product_removed", T0 + 2, cart_id="K1", product=product("P1", 2.5, 1)),
    )
    (cart,) = row.carts
    assert [(item.product_id, item.quantity) for item in cart.items] == [("P1", 2), ("P2", 1)]
    assert (cart.value, cart.currency, cart.opened_at, cart.last_at) == (5.0, "EUR", T0, T0 + 2)
    assert len(cart.evidence) == 3


def test_a_cart_that_is_emptied_is_none_any_more() -> None:
    assert carts(added(T0), web("product_removed", T0 + 1, cart_id="K1", product=product("P1"))) == []
    assert carts(added(T0), web("cart_updated", T0 + 1, cart_id="K1", products=[])) == []


def test_what_was_told_of_the_whole_content_beats_older_single_steps() -> None:
    row = folded(
        added(T0, "P1"),
        web("cart_updated", T0 + 10, cart_id="K1", products=[product("P2", 4, 2)]),
        added(T0 + 5, "P3"),
    )
    assert [item.product_id for item in row.carts[0].items] == ["P2"]
    assert row.carts[0].value == 8


def test_showing_the_cart_without_its_content_changes_nothing_in_it() -> None:
    row = folded(added(T0), web("cart_viewed", T0 + 9, cart_id="K1"))
    assert (len(row.carts[0].items), row.carts[0].last_at) == (1, T0 + 9)


def test_an_unnamed_cart_gets_one_id_made_of_the_customer_and_the_opening_event() -> None:
    first = added(T0, cart_id=None)
    row = folded(first, added(T0 + 1, "P2", cart_id=None))
    assert len(row.carts) == 1
    assert row.carts[0].cart_id == carts(first)[0]
    assert row.carts[0].cart_id != carts(added(T0 + 1, "P2", cart_id=None))[0]


def test_without_a_name_the_current_cart_is_meant() -> None:
    row = folded(added(T0, cart_id="K1"), added(T0 + 1, cart_id="K2"), added(T0 + 2, "P2", cart_id=None))
    assert [(cart.cart_id, len(cart.items)) for cart in row.carts] == [("K1", 1), ("K2", 2)]


def test_the_cart_used_last_stands_last_whatever_the_order_of_arrival() -> None:
    assert carts(added(T0), added(T0 + 9, cart_id="K2"), added(T0 + 5)) == ["K1", "K2"]
    assert carts(added(T0), added(T0 + 9, cart_id="K2"), added(T0 + 10)) == ["K2", "K1"]


@pytest.mark.parametrize(("idle", "kept"), [(CART_IDLE, ["K1"]), (CART_IDLE + 1, [])])
def test_a_cart_is_dropped_after_ten_idle_days_with_the_next_event(idle: int, kept: list[str]) -> None:
    assert CART_IDLE == 10 * DAY
    assert carts(added(T0), web("page_viewed", T0 + idle)) == kept


def test_steps_of_the_checkout_are_kept_in_order_once_each() -> None:
    row = folded(
        added(T0),
        web("checkout_started", T0 + 1, cart_id="K1", value=33.5),
        web("checkout_step_viewed", T0 + 2, cart_id="K1", step="delivery"),
        web("checkout_step_completed", T0 + 3, cart_id="K1", step="delivery"),
        web("checkout_step_viewed", T0 + 9, cart_id="K1", step="payment"),
        web("checkout_step_viewed", T0 + 5, cart_id="K1", step="address"),
    )
    (cart,) = row.carts
    assert cart.steps == ["delivery", "address", "payment"]
    assert (cart.stage, last_step(cart), cart.value) == ("checkout", "payment", 33.5)


def test_the_last_step_of_a_cart_without_steps_is_its_stage() -> None:
    assert last_step(folded(added(T0)).carts[0]) == "cart"


def test_an_order_closes_the_cart_it_names_and_no_other() -> None:
    assert carts(added(T0), added(T0 + 1, "P2", cart_id="K2"), placed(T0 + 2, "P1", cart_id="K1")) == ["K2"]


def test_an_order_without_a_cart_closes_the_current_one() -> None:
    assert carts(added(T0), added(T0 + 1, "P2", cart_id="K2"), placed(T0 + 2, "P9")) == ["K1"]


def test_an_order_closes_every_cart_all_of_whose_products_it_has() -> None:
    two = (added(T0), added(T0 + 1, "P2", cart_id="K2"))
    assert carts(*two, placed(T0 + 2, "P1", "P2", cart_id="K2")) == []


def test_an_order_of_a_cart_unknown_here_closes_an_unnamed_cart_but_not_a_named_one() -> None:
    assert carts(added(T0, cart_id=None), placed(T0 + 1, "P9", cart_id="K9")) == []
    assert carts(added(T0, cart_id="K1"), placed(T0 + 1, "P9", cart_id="K9")) == ["K1"]


def test_an_older_order_does_not_close_a_cart_that_was_opened_later() -> None:
    assert carts(added(T0), placed(T0 - 1, "P1", cart_id="K1")) == ["K1"]


def test_of_a_cart_used_after_the_order_only_what_was_not_ordered_stays() -> None:
    row = folded(added(T0), added(T0 + 9, "P2"), placed(T0 + 5, "P1", cart_id="K1"))
    assert [item.product_id for item in row.carts[0].items] == ["P2"]
    assert row.carts[0].value == 2.5


def test_news_older_than_the_order_does_not_bring_its_cart_back_and_newer_does() -> None:
    before = (added(T0), placed(T0 + 10, "P1", cart_id="K1"))
    assert carts(*before, added(T0 + 5, "P2")) == []
    assert carts(*before, added(T0 + 10, "P2")) == []
    assert carts(*before, added(T0 + 11, "P2")) == ["K1"]
    assert carts(*before, added(T0 + 5, "P2", cart_id="K2")) == ["K2"]


def test_a_follow_up_delivery_closes_no_cart() -> None:
    follow_up = order("order_placed", T0 + 1, "O2", items=[product("P1")], total=0, follows_order_id="O1")
    assert carts(added(T0), follow_up) == ["K1"]


def test_everything_in_a_row_is_bounded_and_the_newest_stays() -> None:
    row = folded(*(added(T0 + i, cart_id=f"K{i}") for i in range(MAX_CARTS + 2)))
    assert [cart.cart_id for cart in row.carts] == [f"K{i}" for i in range(2, MAX_CARTS + 2)]
    row = folded(
        *(added(T0 + i, f"P{i}") for i in range(MAX_CART_ITEMS + 2)),
        *(web("checkout_step_viewed", T0 + 99 + i, cart_id="K1", step=f"s{i}") for i in range(MAX_STEPS + 2)),
        *(web("form_error", T0 + 199 + i, cart_id="K1", field=f"f{i}") for i in range(MAX_OBSTACLES + 2)),
    )
    (cart,) = row.carts
    assert len(cart.items) == MAX_CART_ITEMS
    assert cart.steps[-1] == f"s{MAX_STEPS + 1}"
    assert len(cart.steps) == MAX_STEPS
    assert [each.detail for each in cart.obstacles] == [f"f{i}" for i in range(2, MAX_OBSTACLES + 2)]
    assert len(cart.evidence) == MAX_EVIDENCE


def failed(at: int) -> Arrival:
    return web("payment_failed", at, cart_id="K1", reason="card refused")


def out_of_stock(at: int, product_id: str = "P7", cart_id: str | None = "K1") -> Arrival:
    return web("out_of_stock_shown", at, product=product(product_id), cart_id=cart_id)


def completed(at: int, step: str = "payment") -> Arrival:
    return web("checkout_step_completed", at, cart_id="K1", step=step)


def searched(at: int, results: int) -> Arrival:
    return web("searched", at, query="oat milk", results=results)


CAUSES: dict[str, tuple[tuple[Arrival, ...], tuple[str, str | None] | None]] = {
    "nothing happened": ((), None),
    "a failed payment": ((failed(T0 + 5),), ("payment_failed", "card refused")),
    "a failed payment that was overcome": ((failed(T0 + 5), completed(T0 + 6)), None),
    "overcome, told in the wrong order": ((completed(T0 + 6), failed(T0 + 5)), None),
    "a failed payment after a step": (
        (completed(T0 + 4), failed(T0 + 5)),
        ("payment_failed", "card refused"),
    ),
    "a failed payment after a step that was told later": (
        (failed(T0 + 9), completed(T0 + 6)),
        ("payment_failed", "card refused"),
    ),
    "a missing product": ((out_of_stock(T0 + 5),), ("out_of_stock", "P7")),
    "a missing product that came back": ((out_of_stock(T0 + 5), added(T0 + 6, "P7")), None),
    "another product does not bring it back": (
        (out_of_stock(T0 + 5), added(T0 + 6, "P8")),
        ("out_of_stock", "P7"),
    ),
    "the newest obstacle": ((failed(T0 + 5), out_of_stock(T0 + 9)), ("out_of_stock", "P7")),
    "the newest by event time": ((out_of_stock(T0 + 9), failed(T0 + 5)), ("out_of_stock", "P7")),
    "the one before, when the newest was overcome": (
        (failed(T0 + 5), out_of_stock(T0 + 9), added(T0 + 10, "P7")),
        ("payment_failed", "card refused"),
    ),
    "a refused coupon": (
        (web("coupon_refused", T0 + 5, cart_id="K1", coupon="TEN"),),
        ("coupon_refused", "TEN"),
    ),
    "a form": ((web("form_error", T0 + 5, cart_id="K1", field="postcode"),), ("form_error", "postcode")),
    "a search in vain": ((searched(T0 + 5, 0),), ("no_results", "oat milk")),
    "the newest, wherever it was met": (
        (searched(T0 + 5, 0), failed(T0 + 6)),
        ("payment_failed", "card refused"),
    ),
    "a search in vain, then not": ((searched(T0 + 5, 0), searched(T0 + 6, 3)), None),
    "a search in vain before the cart": ((searched(T0 - 5, 0),), None),
    "a search in vain half an hour after": ((searched(T0 + 30 * MINUTE, 0),), ("no_results", "oat milk")),
    "a search in vain long after": ((searched(T0 + 30 * MINUTE + 1, 0),), None),
    "trouble in another cart": ((added(T0, cart_id="K2"), out_of_stock(T0 + 5, cart_id="K2")), None),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_likely_cause_is_the_newest_obstacle_that_was_not_overcome(name: str) -> None:
    story, expected = CAUSES[name]
    row = folded(added(T0), *story)
    cause = likely_cause(next(cart for cart in row.carts if cart.cart_id == "K1"), row)
    assert (cause and (cause.kind, cause.detail)) == expected
    if cause is not None:
        assert cause.event_id in {each.event.event_id for each in story}


STORIES: list[Callable[[], tuple[Arrival, ...]]] = [
    lambda: (out_of_stock(T0, cart_id=None),),
    lambda: (searched(T0, 0), web("page_viewed", T0 + 30 * MINUTE)),
]


@pytest.mark.parametrize("story", STORIES)
def test_without_a_cart_the_last_session_tells_the_cause(story: Callable[[], tuple[Arrival, ...]]) -> None:
    row = folded(*story())
    cause = likely_cause(None, row)
    assert cause is not None
    assert cause.at == T0
    folded(web("page_viewed", T0 + 2 * HOUR), row=row)
    assert likely_cause(None, row) is None


def test_a_failed_payment_without_a_known_cart_opens_one_in_checkout() -> None:
    (cart,) = folded(failed(T0)).carts
    assert (cart.cart_id, cart.stage, cart.items) == ("K1", "checkout", [])
