"""What became of the messages: feedback brings the contact ledger up to date."""

from schemas.customer import Contact, Customer
from schemas.event import Millis
from schemas.touchpoints.messages import MessageFeedback

_RANKS = {
    status: rank
    for rank, status in enumerate(
        (
            "emitted",
            "cancelled",
            "sent",
            "delivered",
            "bounced",
            "opened",
            "dismissed",
            "clicked",
            "replied",
            "not_interested",
            "unsubscribed",
            "complained",
        )
    )
}


def feedback(row: Customer, event: MessageFeedback, at: Millis) -> None:
    """Bring the contact of the event's action up to date; feedback on an unknown action changes nothing.

    A status only rises in the order of `_RANKS`, so feedback may come in any order: delivered before sent,
    a bounce after a delivery. `status_at`, ms, is the newest moment at which the status was told.
    """
    for contact in reversed(row.contacts):
        if contact.action_id == event.action_id:
            told, known = _RANKS[event.type], _RANKS[contact.status]
            if told > known:
                contact.status, contact.status_at = event.type, at
            elif told == known:
                contact.status_at = max(contact.status_at, at)
            return


def emitted_and_unsent(row: Customer, now: Millis) -> list[Contact]:
    """What was emitted and, as far as is known, neither sent nor cancelled nor expired at `now`, ms."""
    return [each for each in row.contacts if each.status == "emitted" and now < each.expires_at]
