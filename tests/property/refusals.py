"""A task's topics, and a refused record of theirs of which only the place matters."""

from schemas.dead_letter import DeadLetter, Origin

TOPICS = ("touchpoints.consent", "touchpoints.orders", "touchpoints.web")
LETTER = DeadLetter(
    origin=Origin(topic="", partition=0, offset=0, appended_at=0),
    source=None,
    event_id=None,
    reason="late",
    message="",
    key=None,
    value=None,
)
