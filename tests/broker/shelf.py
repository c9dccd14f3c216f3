"""A touchpoint of a shop's own, for which no topic was made."""

from typing import Annotated

from pydantic import Field

from schemas.event import Event
from schemas.touchpoints.touchpoint import Touchpoint

TOUCHPOINT = Touchpoint(name="shelf", event=Annotated[Event, Field()], allowed_lateness_ms=0)
