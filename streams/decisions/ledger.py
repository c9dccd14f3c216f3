"""The contact ledger: every emitted action, kept in the row for caps and cancellations."""

from schemas.action import Action
from schemas.customer import MAX_CONTACTS, Contact, Customer
from schemas.event import Millis
from streams.customers.contacts import emitted_and_unsent

OPEN = "emitted"
CANCELLED = "cancelled"
_GIVEN_BACK = frozenset({"bounced", CANCELLED})


def counts(contact: Contact) -> bool:
    """Whether it takes a place under the cap: marketing that neither bounced nor was cancelled."""
    return contact.category == "marketing" and contact.status not in _GIVEN_BACK


def enter(row: Customer, action: Action, now: Millis, expires_at: Millis) -> None:
    """Reserve the action's place. A full ledger forgets, oldest first, what nobody needs; a counted one last.

    With a cap below MAX_CONTACTS (the policy sees to it) a forgotten counted contact never lets one more
    pass: those that stayed are newer and by themselves reach the cap.
    """
    if len(row.contacts) >= MAX_CONTACTS:
        row.contacts.remove(_least_needed(row, now))
    row.contacts.append(
        Contact(
            action_id=action.action_id,
            trigger=action.trigger,
            business_key=str(action.business_key),
            channel=action.channel,
            category=action.category,
            at=now,
            expires_at=expires_at,
            status=OPEN,
            status_at=now,
        )
    )


def _least_needed(row: Customer, now: Millis) -> Contact:
    still_open = emitted_and_unsent(row, now)
    return min(row.contacts, key=lambda each: (2 if counts(each) else int(each in still_open), each.at))
