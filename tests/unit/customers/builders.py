"""Events and rows for the tests of the customers' room, written as briefly as a test wants to read them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.customer import Customer
from schemas.event import Arrival, Event, Millis
from schemas.touchpoints import BUILT_IN
from streams.customers.fold import fold

KEY = "c:C1"
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
T0: Millis = 1_750_000_000_000
LATENESS = {touchpoint.name: touchpoint.allowed_lateness_ms for touchpoint in BUILT_IN}

_CONTRACTS = {each.name: each.event for each in BUILT_IN}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day(at: Millis) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)


def arrival(touchpoint: str, kind: str, at: Millis, event_id: str | None = None, **fields: Any) -> Arrival:
    payload = {
        "event_id": event_id or f"{kind}@{at - T0}#{sorted(fields.items(), key=str)}"[:128].strip(),
        "type": kind,
        "event_time": day(at),
        "customer_id": "C1",
        "source": "test",
        **fields,
    }
    event: Event = msgspec.convert(payload, _CONTRACTS[touchpoint])
    return Arrival(event, at, touchpoint, f"touchpoints.{touchpoint}", 0, KEY.encode(), at)


def web(kind: str, at: Millis, **fields: Any) -> Arrival:
    return arrival("web", kind, at, **fields)


def order(kind: str, at: Millis, order_id: str = "O1", **fields: Any) -> Arrival:
    return arrival("orders", kind, at, order_id=order_id, **fields)


def product(product_id: str = "P1", price: float | None = 2.5, quantity: float = 1.0) -> dict[str, Any]:
    return {"product_id": product_id, "name": f"The {product_id}", "price": price, "quantity": quantity}


def folded(*arrivals: Arrival, row: Customer | None = None) -> Customer:
    """The row after these arrivals, all of which must be applied; stream time follows the events."""
    row = row or Customer(KEY)
    stream_time = 0
    for each in arrivals:
        stream_time = max(stream_time, each.at)
        assert fold(row, each, stream_time, LATENESS) == "applied", each
    return row
