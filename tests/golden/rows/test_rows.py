"""Rows that were ever released can be read for ever: a packed one of each version, loaded by today's code.

A change of the row's type is a new version: version_1.bin stays, and `everything` says what it reads as.
"""

from pathlib import Path

import pytest

from schemas.customer import (
    PREFIX_BYTES,
    ROW_VERSION,
    Cart,
    CartItem,
    Churn,
    Contact,
    Customer,
    Held,
    Identity,
    Obstacle,
    Order,
    OrderItem,
    Pending,
    Permission,
    Prefix,
    Purchases,
    Session,
    Viewed,
    pack,
    prefix,
    unpack,
)

ROWS = Path(__file__).parent
AT = 1_750_000_000_000


def _item() -> OrderItem:
    return OrderItem(
        item_id="L1",
        product_id="P1",
        quantity=10.0,
        price=2.5,
        name="Oat milk",
        category="Dairy",
        state="delivered",
        shipped=6.0,
        delivered=10.0,
        backordered=4.0,
        promised_at=AT + 86_400_000,
        follow_up_order_id="O2",
        substitute="Soy milk",
        delivered_at=AT + 9,
        told=["shipped"],
        followed=4.0,
        own_delivered_at=AT + 8,
        shipped_at=AT + 5,
        substituted_at=AT + 4,
        cancelled_at=AT + 10,
        returned_at=AT + 11,
        promise_stated_at=AT + 6,
        backorder_stated_at=AT + 7,
    )


def _order() -> Order:
    return Order(
        order_id="O1",
        placed_at=AT,
        total=25.0,
        currency="EUR",
        cart_id="K1",
        state="paid",
        promised_at=AT + 86_400_000,
        follows="O0",
        items=[_item()],
        refunded=2.5,
        event_id="e3",
        updated_at=AT,
        paid_at=AT + 1,
        cancelled_at=AT + 2,
        refunded_at=AT + 3,
    )


def _cart() -> Cart:
    return Cart(
        cart_id="K2",
        opened_at=AT,
        last_at=AT + 60_000,
        items=[CartItem("P2", 2.0, 4.0, "Bread", "Bakery")],
        value=8.0,
        currency="EUR",
        stage="checkout",
        steps=["delivery", "payment"],
        obstacles=[Obstacle("payment_failed", AT + 50_000, "e9", "card refused")],
        evidence=["e8", "e9"],
        fired="cart",
        stated_at=AT + 1,
        advanced_at=AT + 2,
    )


def everything() -> Customer:
    """A row in which no field has its default."""
    digest = "ab" * 32
    return Customer(
        key="c:C1",
        first_seen=AT,
        last_seen=AT + 60_000,
        last_event_id="e9",
        identity=Identity("C1", "L1", digest, digest, "D1", ["A1"], "es-ES", "Europe/Madrid"),
        sessions=[Session(AT, AT + 60_000, 9, 3, 2)],
        carts=[_cart()],
        orders=[_order()],
        purchases=Purchases(3, AT - 86_400_000, AT, 75.0, 2, 7.5, 0.5),
        counts={"events/5m": {AT // 300_000: 9}, "events/1h": {AT // 3_600_000: 9}},
        viewed=[Viewed("P2", AT, "Bread", "Bakery", 4.0, "e1")],
        contacts=[
            Contact("A1", "churn_risk", "customer:c:C1", "email", "marketing", AT, AT + 5, "sent", AT + 1)
        ],
        consent={"marketing/email": Permission("granted", AT, "form 7")},
        timers={"abandonment:cart:K2": AT + 3_600_000, "churn_risk:silence": AT + 7_200_000},
        seen={"web": {2**64 - 1: AT}},
        seen_floor={"web": AT - 1},
        pending=[Pending("d1", "cart", {"log_items": 0.5}, 0.25, 3, AT, AT + 1)],
        held=[Held("abandonment.cart", "cart:K2", "feed_stale", AT, AT + 1, "d2")],
        churn=Churn(True, AT),
        browse_fired=True,
        obstacles=[Obstacle("no_results", AT, "e2", "oat milk")],
    )


def test_a_row_of_version_1_reads_as_what_it_was() -> None:
    assert unpack((ROWS / "version_1.bin").read_bytes()) == everything()


def test_the_golden_row_of_todays_version_is_what_today_writes() -> None:
    assert pack(everything()) == (ROWS / f"version_{ROW_VERSION}.bin").read_bytes()


def test_the_prefix_tells_version_next_timer_and_last_act() -> None:
    packed = pack(everything())
    assert prefix(packed) == Prefix(ROW_VERSION, AT + 3_600_000, AT + 60_000, 0)
    assert prefix(packed[:PREFIX_BYTES]) == prefix(packed)
    assert prefix(pack(Customer("c:C1"))) == Prefix(ROW_VERSION, 0, 0, 0)


def test_no_field_of_the_golden_row_has_its_default() -> None:
    blank = Customer("c:C1")
    for name in Customer.__struct_fields__[1:]:
        assert getattr(everything(), name) != getattr(blank, name), name


def test_a_row_of_a_newer_version_is_refused() -> None:
    packed = bytearray(pack(everything()))
    packed[0] = ROW_VERSION + 1
    with pytest.raises(ValueError, match=f"version {ROW_VERSION + 1} cannot be read"):
        unpack(bytes(packed))
