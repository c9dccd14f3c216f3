"""Events as a shop would send them, for tests that look at the engine and not at what events mean."""

from typing import Any

from schemas.action import moment

START = 1_750_000_000_000
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


def key_of(customer: str) -> str:
    """The key of that customer's records."""
    return f"c:{customer}"


def event(event_id: str, customer: str, kind: str, at: int, **fields: Any) -> dict[str, Any]:
    """An event at `at`, ms since the epoch."""
    return {
        "event_id": event_id,
        "type": kind,
        "event_time": moment(at).isoformat(),
        "customer_id": customer,
        "source": "test",
        **fields,
    }


def added(event_id: str, customer: str, at: int) -> dict[str, Any]:
    """One more piece of the same product goes into the same cart."""
    product = {"product_id": "p1", "price": 2.5}
    return event(event_id, customer, "product_added", at, cart_id=f"cart-{customer}", product=product)


def placed(event_id: str, customer: str, at: int) -> dict[str, Any]:
    """An order, which is thanked for at once."""
    items = [{"product_id": "p1", "price": 2.5}]
    return event(event_id, customer, "order_placed", at, order_id=f"o-{event_id}", total=2.5, items=items)


def viewed(event_id: str, customer: str, at: int) -> dict[str, Any]:
    """A page was shown."""
    return event(event_id, customer, "page_viewed", at, path="/")
