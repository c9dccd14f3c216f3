"""Touchpoint `messages`: what became of an action, told by the messaging services."""

from typing import Literal

from schemas.event import Event, Identifier, Text
from schemas.touchpoints.touchpoint import Touchpoint

MessageEventType = Literal[
    "sent",
    "delivered",
    "opened",
    "clicked",
    "replied",
    "dismissed",
    "not_interested",
    "bounced",
    "complained",
    "unsubscribed",
]


class MessageFeedback(Event):
    """Feedback on the action `action_id`, as sent by `channel`."""

    type: MessageEventType
    action_id: Identifier
    channel: Identifier
    reason: Text | None = None


MessagesEvent = MessageFeedback

TOUCHPOINT = Touchpoint(name="messages", event=MessagesEvent, allowed_lateness_ms=86_400_000)
