from typing import Any

import msgspec

from schemas.customer import Customer
from schemas.event import Arrival, Millis
from schemas.touchpoints import BUILT_IN
from streams.cli.order_lines import order_lines
from streams.customers.fold import fold

AT: Millis = 1_772_409_600_000  # 2026-03-02T00:00Z
HOUR = 3_600_000
_ORDERS = next(each for each in BUILT_IN if each.name == "orders")


def _told(row: Customer, number: int, kind: str, **fields: Any) -> None:
    at = AT + number * HOUR
    event = msgspec.convert(
        {
            "event_id": f"e{number}",
            "type": kind,
            "event_time": f"2026-03-02T{number:02}:00:00Z",
            "customer_id": "1",
            "source": "s",
            **fields,
        },
        _ORDERS.event,
    )
    arrival = Arrival(event, at, "orders", "touchpoints.orders", number, b"c:1", at)
    assert fold(row, arrival, at, {"orders": 7 * 24 * HOUR}) == "applied"


def test_what_was_missing_comes_in_the_same_orders_timeline_with_date_and_total() -> None:
    row = Customer("c:1")
    item = {"product_id": "p1", "item_id": "i1", "name": "Milk", "quantity": 6, "price": 1.0}
    _told(row, 1, "order_placed", order_id="o1", items=[item], total=6.0, currency="EUR")
    _told(
        row,
        2,
        "item_backordered",
        order_id="o1",
        item_id="i1",
        quantity=2,
        promised_at="2026-03-03T18:00:00Z",
        follow_up_order_id="o2",
    )
    follow_up = {**item, "quantity": 2, "price": 0.0}
    _told(row, 3, "order_placed", order_id="o2", items=[follow_up], total=0.0, follows_order_id="o1")
    _told(row, 4, "item_delivered", order_id="o2", item_id="i1", quantity=2)

    lines = order_lines(row, "en")

    assert [line for line in lines if not line.startswith(" ")] == ["o1  placed  6.00 EUR"]
    told = "\n".join(lines)
    assert "2 x Milk: was missing; follows, costs nothing more (promised for 2026-03-03 18:00)" in told
    assert "delivery of what was missing, under way" in told
    assert "2026-03-02 04:00   2 x Milk: what was missing was delivered 0.00 EUR [o2]" in told
    assert "sin coste" in "\n".join(order_lines(row, "es"))
