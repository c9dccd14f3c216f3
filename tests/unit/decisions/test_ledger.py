"""What the ledger keeps, and what it forgets first."""

from itertools import count

import pytest
from pydantic import ValidationError

from schemas.action import Action
from schemas.customer import MAX_CONTACTS, Contact, Customer
from streams.decisions.decide import decide
from streams.decisions.effects import Effects
from tests.unit.decisions.builders import AT, DAY, HOUR, candidate, circumstances, contact, customer

_NUMBERS = count(1)


def emitted(row: Customer, category: str = "marketing") -> Action:
    effects = Effects()
    decide(
        row,
        candidate(category=category, occurrence=str(next(_NUMBERS))),
        AT,
        circumstances(contacts={"cap": 20}),
        effects,
    )
    (action,) = effects.actions
    assert isinstance(action, Action)
    return action


def test_an_emitted_action_is_entered_with_its_expiry() -> None:
    row = customer("marketing")

    action = emitted(row)

    assert row.contacts == [
        Contact(
            action_id=action.action_id,
            trigger="abandonment.cart",
            business_key="cart:k1",
            channel="email",
            category="marketing",
            at=AT,
            expires_at=AT + 3 * DAY,
            status="emitted",
            status_at=AT,
        )
    ]


def test_a_full_ledger_forgets_what_is_done_with_then_open_service_then_old_marketing() -> None:
    row = customer("marketing")
    marketing = [contact(AT - DAY - nth, status="sent") for nth in range(MAX_CONTACTS - 2)]
    open_service = contact(AT - 5 * HOUR, category="service", action_id="open")
    bounced = contact(AT - HOUR, status="bounced", action_id="bounced")
    row.contacts = [*marketing, open_service, bounced]

    kept = []
    for _ in range(3):
        emitted(row, "service")
        assert len(row.contacts) == MAX_CONTACTS
        kept.append({"bounced", "open", marketing[-1].action_id} & {each.action_id for each in row.contacts})

    assert kept[0] == {"open", marketing[-1].action_id}
    assert marketing[-1].action_id in kept[-1]
    assert "open" not in kept[1]


def test_no_policy_can_ask_for_a_cap_beyond_what_the_ledger_remembers() -> None:
    with pytest.raises(ValidationError):
        circumstances(contacts={"cap": MAX_CONTACTS})
