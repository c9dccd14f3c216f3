from itertools import permutations

import pytest

from schemas.customer import Contact, Customer
from streams.customers.contacts import emitted_and_unsent
from tests.unit.customers.builders import HOUR, KEY, T0, arrival, folded


def contacted(status: str = "emitted") -> Customer:
    contact = Contact("A1", "abandonment.cart", "cart:K1", "email", "marketing", T0, T0 + HOUR, status, T0)
    return Customer(KEY, contacts=[contact, Contact("A2", "t", "k", "sms", "marketing", T0, T0 + HOUR)])


def status_after(*kinds: str, start: str = "emitted") -> tuple[str, int]:
    row = contacted(start)
    for kind in kinds:
        folded(arrival("messages", kind, T0 + len(kind), action_id="A1", channel="email"), row=row)
    assert row.contacts[1].status == "emitted"
    return row.contacts[0].status, row.contacts[0].status_at


def test_feedback_in_any_order_ends_in_the_same_status() -> None:
    kinds = ("sent", "delivered", "opened", "clicked")
    assert {status_after(*each) for each in permutations(kinds)} == {("clicked", T0 + len("clicked"))}


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("delivered", "bounced"), "bounced"),
        (("bounced", "opened"), "opened"),
        (("opened", "unsubscribed"), "unsubscribed"),
        (("complained", "clicked"), "complained"),
    ],
)
def test_the_stronger_news_stays(kinds: tuple[str, ...], status: str) -> None:
    assert status_after(*kinds)[0] == status


def test_a_cancelled_action_that_was_sent_all_the_same_counts_as_sent() -> None:
    assert status_after("sent", start="cancelled")[0] == "sent"


def test_feedback_on_an_unknown_action_changes_no_contact() -> None:
    row = contacted()
    folded(arrival("messages", "sent", T0, action_id="A9", channel="email"), row=row)
    assert row.contacts == contacted().contacts


def test_emitted_and_unsent_ends_with_the_expiry_and_with_the_sending() -> None:
    row = contacted()
    assert [each.action_id for each in emitted_and_unsent(row, T0 + HOUR - 1)] == ["A1", "A2"]
    assert emitted_and_unsent(row, T0 + HOUR) == []
    folded(arrival("messages", "sent", T0, action_id="A1", channel="email"), row=row)
    assert [each.action_id for each in emitted_and_unsent(row, T0)] == ["A2"]
