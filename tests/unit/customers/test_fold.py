import json
from pathlib import Path
from typing import Any, Literal

import pytest

from schemas.counts import KINDS, count
from schemas.customer import Customer, Session, pack
from schemas.decoding import Decoder
from schemas.event import Arrival, Event, customer_key
from schemas.touchpoints import BUILT_IN
from streams.customers.fold import fold
from tests.unit.customers.builders import (
    DAY,
    HOUR,
    KEY,
    LATENESS,
    T0,
    arrival,
    day,
    folded,
    order,
    product,
    web,
)


class StoreVisit(Event):
    """What a shop's own touchpoint may look like."""

    type: Literal["store_visit"]


def visited(at: int) -> Arrival:
    event = StoreVisit(
        event_id="v1", type="store_visit", event_time=day(at), customer_id="C1", device_id="D1", source="door"
    )
    return Arrival(event, at, "store", "touchpoints.store", 0, KEY.encode(), at)


def counted(row: Customer, at: int) -> dict[str, int]:
    return {kind: many for kind in KINDS if (many := count(row, kind, DAY, at))}


def test_an_event_of_the_shops_own_touchpoint_is_activity_and_identity_and_nothing_else() -> None:
    row = Customer(KEY)
    assert fold(row, visited(T0), T0, {"store": HOUR}) == "applied"
    expected = Customer(KEY, first_seen=T0, last_seen=T0, last_event_id="v1", sessions=[Session(T0, T0, 1)])
    expected.identity.customer_id, expected.identity.device_id = "C1", "D1"
    expected.counts, expected.seen = row.counts, row.seen
    assert row == expected
    assert counted(row, T0) == {"events": 1}


def test_segments_identify_is_activity_and_identity() -> None:
    stored = json.loads(Path("tests/golden/events/segment/identify.json").read_text())
    stored = stored.get("payload", stored)
    event = Decoder(BUILT_IN[0], 100_000).read(json.dumps(stored).encode())
    assert isinstance(event, Event)
    row = Customer(customer_key(event) or "")
    told = Arrival(event, T0, "web", "touchpoints.web", 0, row.key.encode(), T0)
    assert fold(row, told, T0, LATENESS) == "applied"
    assert (row.identity.customer_id, counted(row, T0)) == (event.customer_id, {"events": 1})
    assert row.identity.time_zone == (event.context and event.context.time_zone)


MESSAGE: dict[str, Any] = {"action_id": "A1", "channel": "email"}
PLACED: dict[str, Any] = {"items": [product()], "total": 1}
EFFECTS: list[tuple[Arrival, dict[str, int]]] = [
    (web("page_viewed", T0), {"events": 1}),
    (web("product_viewed", T0, product=product()), {"events": 1, "views": 1}),
    (web("searched", T0, query="milk", results=3), {"events": 1, "searches": 1}),
    (web("searched", T0, query="milk", results=0), {"events": 1, "searches": 1, "problems": 1}),
    (web("product_added", T0, product=product()), {"events": 1, "adds": 1}),
    (web("checkout_started", T0), {"events": 1, "checkouts": 1}),
    (web("payment_failed", T0), {"events": 1, "problems": 1}),
    (web("custom", T0, name="wave"), {"events": 1}),
    (order("order_placed", T0, **PLACED), {"events": 1, "orders": 1}),
    (order("order_placed", T0, follows_order_id="O0", **PLACED), {}),
    (order("item_delivered", T0, item_id="P1"), {}),
    (order("item_shipped", T0, item_id="P1"), {}),
    (arrival("messages", "sent", T0, **MESSAGE), {"messages": 1}),
    (arrival("messages", "opened", T0, **MESSAGE), {}),
    (arrival("messages", "clicked", T0, **MESSAGE), {"events": 1, "clicks": 1}),
    (arrival("consent", "granted", T0, purpose="marketing", evidence="form"), {"events": 1}),
]


@pytest.mark.parametrize(("told", "counts"), EFFECTS, ids=lambda value: getattr(value, "touchpoint", ""))
def test_what_the_customer_does_counts_and_what_the_shop_does_does_not(
    told: Arrival, counts: dict[str, int]
) -> None:
    row = folded(told)
    assert counted(row, T0) == counts
    is_act = "events" in counts
    assert (len(row.sessions), row.last_seen, row.first_seen) == (int(is_act), T0 if is_act else 0, T0)


@pytest.mark.parametrize("touchpoint", LATENESS)
def test_each_touchpoint_waits_as_long_as_it_says(touchpoint: str) -> None:
    fields = {"web": {}, "orders": {"order_id": "O1"}, "messages": MESSAGE}.get(
        touchpoint, {"purpose": "marketing", "evidence": "form"}
    )
    kind = {"web": "page_viewed", "orders": "order_paid", "messages": "sent"}.get(touchpoint, "granted")
    told = arrival(touchpoint, kind, T0, **fields)
    assert fold(Customer(KEY), told, T0 + LATENESS[touchpoint], LATENESS) == "applied"
    assert fold(Customer(KEY), told, T0 + LATENESS[touchpoint] + 1, LATENESS) == "late"


def test_a_late_or_repeated_event_leaves_every_byte_of_the_row() -> None:
    row = folded(
        web("product_added", T0, product=product()), web("product_viewed", T0 + 1, product=product())
    )
    before = pack(row)
    assert fold(row, web("product_added", T0, product=product()), T0 + 1, LATENESS) == "duplicate"
    assert fold(row, web("product_added", T0 + 2, product=product()), T0 + DAY, LATENESS) == "late"
    assert pack(row) == before
