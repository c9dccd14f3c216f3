from typing import Any

import pytest

from schemas.customer import MAX_ORDER_ITEMS, MAX_ORDERS, Customer, OrderItem
from schemas.event import Arrival
from streams.customers.orders import Entry, find, follow_ups, has_late_item, is_late, open_orders, timeline
from tests.unit.customers.builders import DAY, HOUR, T0, day, folded, order, product

TUESDAY = T0 + DAY


def placed(at: int = T0, order_id: str = "O1", quantity: float = 10, **fields: Any) -> Arrival:
    items = fields.pop("items", [product("P1", 3.0, quantity)])
    return order("order_placed", at, order_id, items=items, total=fields.pop("total", 30.0), **fields)


def of_item(kind: str, at: int, quantity: float = 1, order_id: str = "O1", **fields: Any) -> Arrival:
    return order(kind, at, order_id, item_id=fields.pop("item_id", "P1"), quantity=quantity, **fields)


def missing(at: int, quantity: float, **fields: Any) -> Arrival:
    return of_item("item_backordered", at, quantity, promised_at=day(TUESDAY), **fields)


def item(row: Customer, order_id: str = "O1") -> OrderItem:
    found = find(row, order_id)
    assert found is not None
    return found.items[0]


substitute = {"product_id": "P2", "name": "Another"}
STATES: dict[str, tuple[tuple[Arrival, ...], str]] = {
    "placed": ((), "placed"),
    "partly shipped": ((of_item("item_shipped", T0 + 1, 4),), "shipped"),
    "shipped, partly delivered": (
        (of_item("item_shipped", T0 + 1, 10), of_item("item_delivered", T0 + 2, 4)),
        "shipped",
    ),
    "delivered": ((of_item("item_delivered", T0 + 2, 10),), "delivered"),
    "fewer than ordered": ((of_item("item_delivered", T0 + 2, 9),), "delivered"),
    "pieces missing": ((of_item("item_delivered", T0 + 1, 6), missing(T0 + 2, 4)), "backordered"),
    "missing pieces came": (
        (of_item("item_delivered", T0 + 1, 6), missing(T0 + 2, 4), of_item("item_delivered", T0 + 3, 4)),
        "delivered",
    ),
    "substituted": ((of_item("item_substituted", T0 + 1, 10, substitute=substitute),), "substituted"),
    "substitute delivered": (
        (
            of_item("item_substituted", T0 + 1, 10, substitute=substitute),
            of_item("item_delivered", T0 + 2, 10),
        ),
        "delivered",
    ),
    "item cancelled": ((order("order_cancelled", T0 + 1, item_id="P1"),), "cancelled"),
    "order cancelled": ((order("order_cancelled", T0 + 1),), "cancelled"),
    "the rest cancelled": (
        (of_item("item_delivered", T0 + 1, 4), order("order_cancelled", T0 + 2, item_id="P1")),
        "delivered",
    ),
    "returned": ((of_item("item_delivered", T0 + 1, 10), of_item("item_returned", T0 + 2, 1)), "returned"),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("backwards", [False, True])
def test_an_items_state_follows_from_what_is_known_whatever_came_first(name: str, backwards: bool) -> None:
    story, state = STATES[name]
    arrivals = (placed(), *story)
    row = folded(*(reversed(arrivals) if backwards else arrivals))
    assert item(row).state == state
    assert (item(row).quantity, item(row).name) == (10, "The P1")


def test_news_of_an_unknown_order_waits_for_it() -> None:
    row = folded(of_item("item_shipped", T0 + 9, 2))
    assert (row.orders[0].event_id, row.purchases.count, item(row).quantity) == ("", 0, 0)
    folded(placed(), row=row)
    assert (row.orders[0].placed_at, row.orders[0].total, row.purchases.count) == (T0, 30, 1)
    assert (item(row).shipped, item(row).quantity) == (2, 10)


def test_news_of_an_unknown_order_stands_where_the_earliest_of_it_happened() -> None:
    row = folded(of_item("item_delivered", T0 + 9), placed(T0 + 5, "O2"), of_item("item_shipped", T0 + 1))
    assert [(each.order_id, each.placed_at) for each in row.orders] == [("O1", T0 + 1), ("O2", T0 + 5)]


def test_lines_of_one_product_with_ids_of_their_own_stay_apart_and_without_add_up() -> None:
    two = [product("P1", 3.0, 1) | {"item_id": "L1"}, product("P1", 3.0, 2) | {"item_id": "L2"}]
    row = folded(placed(items=two), of_item("item_delivered", T0 + 1, 2, item_id="L2"))
    assert [(each.item_id, each.state) for each in row.orders[0].items] == [
        ("L1", "placed"),
        ("L2", "delivered"),
    ]
    row = folded(placed(items=[product("P1", 3.0, 1), product("P1", 3.0, 2)]))
    assert [each.quantity for each in row.orders[0].items] == [3]


def test_an_item_can_be_named_by_its_product() -> None:
    row = folded(placed(items=[product("P1", 3.0, 1) | {"item_id": "L1"}]), of_item("item_delivered", T0 + 1))
    assert [(each.item_id, each.state) for each in row.orders[0].items] == [("L1", "delivered")]
    row = folded(of_item("item_delivered", T0 + 1), placed(items=[product("P1") | {"item_id": "L1"}]))
    assert [(each.item_id, each.state) for each in row.orders[0].items] == [("L1", "delivered")]


def test_an_update_changes_what_it_gives_and_an_older_one_nothing_that_is_known() -> None:
    newer = order("order_updated", T0 + 9, items=[product("P1", 3.0, 4)], total=12, promised_at=day(TUESDAY))
    older = order("order_updated", T0 + 5, items=[product("P1", 3.0, 7)], total=21, promised_at=day(T0))
    for story in ((placed(), newer, older), (newer, older, placed())):
        row = folded(*story)
        assert (row.orders[0].total, item(row).quantity, row.purchases.value) == (12, 4, 12)
        assert (row.orders[0].promised_at, item(row).promised_at) == (TUESDAY, TUESDAY)


def test_an_order_placed_again_by_another_event_is_not_bought_twice() -> None:
    row = folded(placed(), placed(T0 + 1, total=40.0))
    assert (row.purchases.count, row.purchases.value, len(row.orders)) == (1, 40, 1)
    assert row.sessions == folded(placed(T0 + 1, total=40.0), placed()).sessions


def test_an_item_is_late_once_its_promise_has_passed_and_not_before() -> None:
    row = folded(placed(promised_at=day(TUESDAY)))
    assert not is_late(item(row), TUESDAY)
    assert is_late(item(row), TUESDAY + 1)
    assert has_late_item(row, TUESDAY + 1)
    folded(of_item("item_delivered", T0 + HOUR, 10), row=row)
    assert not has_late_item(row, TUESDAY + 1)


@pytest.mark.parametrize("end", ["order_cancelled", "item_returned"])
def test_what_was_cancelled_or_returned_is_not_late(end: str) -> None:
    ended = order(end, T0 + 1, item_id="P1")
    assert not has_late_item(folded(placed(promised_at=day(TUESDAY)), ended), TUESDAY + DAY)


def test_the_newest_promise_counts_even_if_it_came_in_first() -> None:
    row = folded(placed(), missing(T0 + 9, 2), of_item("item_shipped", T0 + 5, 8, promised_at=day(T0 + HOUR)))
    assert item(row).promised_at == TUESDAY


def supermarket() -> list[Arrival]:
    follow_up = [product("P1", 3.0, 4)]
    return [
        placed(),
        of_item("item_delivered", T0 + 2 * HOUR, 6),
        missing(T0 + 2 * HOUR, 4, follow_up_order_id="O2"),
        placed(
            T0 + 3 * HOUR, "O2", items=follow_up, total=0.0, promised_at=day(TUESDAY), follows_order_id="O1"
        ),
        of_item("item_delivered", TUESDAY, 4, "O2"),
    ]


def test_a_follow_up_delivery_is_linked_both_ways_and_delivers_the_first_order() -> None:
    row = folded(*supermarket()[:4])
    assert (item(row).state, item(row).follow_up_order_id, item(row).promised_at) == (
        "backordered",
        "O2",
        TUESDAY,
    )
    assert [each.order_id for each in follow_ups(row, "O1")] == ["O2"]
    assert [each.order_id for each in open_orders(row)] == ["O1", "O2"]
    folded(supermarket()[4], row=row)
    first = item(row)
    assert (first.state, first.delivered, first.followed, first.delivered_at) == ("delivered", 10, 4, TUESDAY)
    assert open_orders(row) == []
    assert (row.purchases.count, row.purchases.value) == (1, 30)


def test_a_follow_up_never_delivers_more_than_was_missing() -> None:
    row = folded(*supermarket(), of_item("item_delivered", TUESDAY, 4))
    assert (item(row).delivered, item(row).followed) == (10, 0)


@pytest.mark.parametrize("asked", ["O1", "O2"])
def test_the_timeline_tells_the_order_and_its_follow_up_in_one(asked: str) -> None:
    assert timeline(folded(*supermarket()), asked) == [
        Entry(T0, "placed", "O1", total=30.0),
        Entry(T0 + 2 * HOUR, "item_delivered", "O1", "P1", 6),
        Entry(T0 + 2 * HOUR, "item_backordered", "O1", "P1", 4, date=TUESDAY),
        Entry(T0 + 3 * HOUR, "follow_up_placed", "O2", date=TUESDAY, total=0.0),
        Entry(TUESDAY, "follow_up_delivered", "O2", "P1", 4, total=0.0),
    ]


def test_a_follow_up_announced_by_the_backorder_needs_no_mark_of_its_own() -> None:
    row = folded(placed(), missing(T0 + 1, 4, follow_up_order_id="O2"), placed(T0 + 2, "O2", 4))
    follow_up = find(row, "O2")
    assert follow_up is not None
    assert (follow_up.follows, row.purchases.count, row.purchases.value) == ("O1", 1, 30)


def test_a_pair_of_orders_that_follow_each_other_is_no_endless_story() -> None:
    row = folded(placed(follows_order_id="O2"), placed(T0 + 1, "O2", follows_order_id="O1"))
    assert len(timeline(row, "O1")) == 2


def test_an_unknown_order_has_no_timeline() -> None:
    assert timeline(folded(placed()), "O9") == []


def test_refunds_and_cancellations_take_their_money_out_of_the_value_once() -> None:
    refund = order("order_refunded", T0 + 2, amount=10)
    row = folded(placed(), order("order_paid", T0 + 1), refund)
    assert (row.orders[0].state, row.purchases.value) == ("paid", 20)
    folded(order("order_refunded", T0 + 3, amount=20), row=row)
    assert (row.orders[0].state, row.purchases.value) == ("refunded", 0)
    folded(order("order_cancelled", T0 + 4), row=row)
    assert (row.orders[0].state, row.purchases.value, row.purchases.count) == ("cancelled", 0, 1)


def test_orders_are_bounded_and_a_finished_one_leaves_before_an_open_one() -> None:
    orders = [placed(T0 + i, f"O{i}") for i in range(MAX_ORDERS)]
    row = folded(*orders, of_item("item_delivered", T0 + HOUR, 10, "O3"), placed(T0 + DAY, "new"))
    assert [each.order_id for each in row.orders] == [f"O{i}" for i in range(MAX_ORDERS) if i != 3] + ["new"]
    folded(placed(T0 + DAY + 1, "newer"), row=row)
    assert "O0" not in {each.order_id for each in row.orders}
    assert row.purchases.count == MAX_ORDERS + 2


def test_items_of_an_order_are_bounded() -> None:
    row = folded(placed(items=[product(f"P{i}") for i in range(MAX_ORDER_ITEMS + 5)]))
    folded(of_item("item_delivered", T0 + 1, 1, item_id=f"P{MAX_ORDER_ITEMS}"), row=row)
    assert len(row.orders[0].items) == MAX_ORDER_ITEMS
