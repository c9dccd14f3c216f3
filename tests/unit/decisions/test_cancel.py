"""What a purchase, a withdrawal and a cancelled order make wrong, and nothing else."""

from typing import Any

import msgspec
import pytest

from schemas.action import ActionCancelled, moment
from schemas.customer import Cart, Contact, Customer, Order, OrderItem, Permission
from schemas.event import Event, Millis
from schemas.touchpoints import consent, messages, orders
from streams.customers.orders import item_name
from streams.decisions import cancel
from streams.decisions.effects import Effects
from tests.unit.decisions.builders import AT, DAY, HOUR, arrival, contact, customer

ENVELOPE: dict[str, Any] = {"event_id": "e", "event_time": moment(AT), "source": "shop", "customer_id": "1"}


def purchase(**changes: Any) -> orders.OrderPlaced:
    given = {"type": "order_placed", "order_id": "o9", "total": 5, "items": [{"product_id": "p1"}]}
    made: orders.OrderPlaced = msgspec.convert(ENVELOPE | given | changes, orders.OrderPlaced)
    return made


def order_cancelled(**changes: Any) -> orders.OrderCancelled:
    given = {"type": "order_cancelled", "order_id": "o1"}
    made: orders.OrderCancelled = msgspec.convert(ENVELOPE | given | changes, orders.OrderCancelled)
    return made


def with_contacts(*contacts: Contact) -> Customer:
    row = customer("marketing")
    row.contacts = list(contacts)
    bought = [OrderItem(item_id=f"i{n}", product_id=f"p{n}", quantity=1) for n in (1, 2)]
    row.orders = [
        Order(order_id="o1", placed_at=AT - 9 * DAY, total=9.0, items=bought),
        Order(order_id="o9", placed_at=AT, total=5.0, event_id="e"),
        Order(order_id="o10", placed_at=AT, total=5.0, event_id="e", follows="o1"),
    ]
    row.carts = [Cart(cart_id="k2", opened_at=AT - DAY, last_at=AT - HOUR)]
    return row


def about(trigger: str, business_key: str, **changes: Any) -> Contact:
    return contact(AT - HOUR, trigger=trigger, business_key=business_key, **changes)


def cancelled_by(row: Customer, event: Event, at: Millis = AT) -> list[ActionCancelled]:
    effects = Effects()
    cancel.what_became_wrong(row, arrival(event, "orders", at), effects)
    assert all(isinstance(each, ActionCancelled) for each in effects.actions)
    return [each for each in effects.actions if isinstance(each, ActionCancelled)]


@pytest.mark.parametrize(
    ("trigger", "business_key", "wrong"),
    [
        ("abandonment.browse", "customer:c:1", True),
        ("abandonment.cart", "cart:k1", True),
        ("abandonment.checkout", "cart:k1", True),
        ("abandonment.cart", "cart:k2", False),
        ("churn_risk", "customer:c:1", True),
        ("post_purchase.replenishment", "item:o1:i1", True),
        ("post_purchase.replenishment", "item:o1:i2", False),
        ("post_purchase.cross_sell", "item:o1:i1", True),
        ("post_purchase.cross_sell", "order:o1", True),
        ("post_purchase.thanks", "order:o1", False),
        ("post_purchase.how_was_it", "item:o1:i1", False),
    ],
)
def test_a_purchase_makes_wrong_what_asked_for_it(trigger: str, business_key: str, wrong: bool) -> None:
    row = with_contacts(about(trigger, business_key))

    said = cancelled_by(row, purchase(cart_id="k1"))

    assert [each.reason for each in said] == (["purchased"] if wrong else [])
    assert row.contacts[0].status == ("cancelled" if wrong else "emitted")


def test_a_cancellation_names_the_action_and_travels_with_it() -> None:
    row = with_contacts(about("churn_risk", "customer:c:1", channel="sms"))

    (said,) = cancelled_by(row, purchase())

    assert (said.action_id, said.customer_key) == (row.contacts[0].action_id, "c:1")
    assert (said.channel, said.at) == ("sms", moment(AT))
    assert row.contacts[0].status_at == AT


def test_a_follow_up_delivery_is_no_purchase() -> None:
    row = with_contacts(about("churn_risk", "customer:c:1"))

    assert cancelled_by(row, purchase(order_id="o10")) == []


@pytest.mark.parametrize(
    "changes", [{"status": "sent"}, {"status": "cancelled"}, {"status": "bounced"}, {"expires_at": AT}]
)
def test_only_what_is_neither_sent_nor_expired_can_be_cancelled(changes: dict[str, Any]) -> None:
    row = with_contacts(about("churn_risk", "customer:c:1", **changes))

    assert cancelled_by(row, purchase()) == []


def test_what_is_cancelled_once_is_not_cancelled_again() -> None:
    row = with_contacts(about("churn_risk", "customer:c:1"))

    assert len(cancelled_by(row, purchase())) == 1
    assert cancelled_by(row, purchase()) == []


def test_an_order_that_is_told_again_is_no_purchase() -> None:
    row = with_contacts(about("churn_risk", "customer:c:1"))

    assert cancelled_by(row, purchase(event_id="e2")) == []


def test_a_withdrawal_ends_marketing_on_its_channel_and_no_service() -> None:
    row = with_contacts(
        about("abandonment.cart", "cart:k1", channel="email"),
        about("abandonment.cart", "cart:k2", channel="app"),
        about("post_purchase.shipped", "item:o1:i1", channel="email", category="service"),
    )
    row.consent["marketing/email"] = Permission("withdrawn", AT, "form")
    given = {"type": "withdrawn", "purpose": "marketing", "channel": "email", "evidence": "form"}

    said = cancelled_by(row, msgspec.convert(ENVELOPE | given, consent.ConsentChanged))

    assert [(each.reason, each.channel) for each in said] == [("consent_withdrawn", "email")]
    assert [each.status for each in row.contacts] == ["cancelled", "emitted", "emitted"]


def test_a_sign_off_that_the_row_knows_of_ends_marketing() -> None:
    row = with_contacts(about("churn_risk", "customer:c:1"))
    row.consent["marketing/email"] = Permission("withdrawn", AT, "message e")
    given = {"type": "unsubscribed", "action_id": "x", "channel": "email"}

    said = cancelled_by(row, msgspec.convert(ENVELOPE | given, messages.MessageFeedback))

    assert [each.reason for each in said] == ["consent_withdrawn"]


def test_a_cancelled_order_silences_what_was_to_be_said_of_it() -> None:
    row = with_contacts(
        about("post_purchase.thanks", "order:o1"),
        about("post_purchase.shipped", "item:o1:i1"),
        about("post_purchase.thanks", "order:o11"),
        about("post_purchase.shipped", "item:o11:i1"),
        about("churn_risk", "customer:c:1"),
    )

    assert [each.reason for each in cancelled_by(row, order_cancelled())] == ["order_cancelled"] * 2
    assert [each.status for each in row.contacts] == ["cancelled", "cancelled", *["emitted"] * 3]


def test_a_cancelled_item_silences_only_its_own() -> None:
    row = with_contacts(
        about("post_purchase.thanks", "order:o1"),
        about("post_purchase.shipped", "item:o1:i1"),
        about("post_purchase.shipped", "item:o1:i2"),
    )

    cancelled_by(row, order_cancelled(item_id="i2"))

    assert [each.status for each in row.contacts] == ["emitted", "emitted", "cancelled"]


def test_a_cancelled_order_silences_no_order_whose_id_begins_alike() -> None:
    names = [item_name("o1", "x:i1"), item_name("o1:x", "i1"), item_name("o1%3Ax", "i1")]
    row = with_contacts(*(about("post_purchase.cross_sell", f"item:{name}") for name in names))

    cancelled_by(row, order_cancelled(item_id="x"))
    assert [each.status for each in row.contacts] == ["emitted"] * 3
    cancelled_by(row, order_cancelled(order_id="o1:x"))
    assert [each.status for each in row.contacts] == ["emitted", "cancelled", "emitted"]
    cancelled_by(row, order_cancelled())
    assert [each.status for each in row.contacts] == ["cancelled", "cancelled", "emitted"]
