"""Which events may have changed what the customer allows."""

from schemas.event import Event
from schemas.touchpoints.consent import ConsentChanged
from schemas.touchpoints.messages import MessageFeedback

_WORDS = (ConsentChanged, MessageFeedback)


def touches_consent(event: Event) -> bool:
    """A word about consent, a sign-off or complaint, or consent as the event's source saw it."""
    if event.context is not None and event.context.consent:
        return True
    return isinstance(event, _WORDS)
