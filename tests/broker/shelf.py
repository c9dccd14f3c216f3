"""A touchpoint of a shop's own, for which no topic was made."""

from schemas.event import Event
from schemas.touchpoints.touchpoint import Touchpoint

TOUCHPOINT = Touchpoint(name="shelf", event=Event, allowed_lateness_ms=0)
