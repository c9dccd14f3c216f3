"""Eight touchpoints of a shop's own: with the built-in ones a worker reads twelve topics.

One file makes all of their modules: the first import of any of them makes the others too.
"""

import sys
from types import ModuleType

from schemas.event import Event
from schemas.touchpoints.touchpoint import Touchpoint

ALLOWED_LATENESS_MS = 60_000


class Seen(Event, tag="seen"):
    """The customer was seen at a stall."""


TOUCHPOINTS = tuple(
    Touchpoint(name=f"stall_{number}", event=Seen, allowed_lateness_ms=ALLOWED_LATENESS_MS)
    for number in range(8)
)
MODULES = tuple(f"{__name__}.{touchpoint.name}" for touchpoint in TOUCHPOINTS)

for _name, _touchpoint in zip(MODULES, TOUCHPOINTS, strict=True):
    sys.modules[_name] = ModuleType(_name)
    vars(sys.modules[_name])["TOUCHPOINT"] = _touchpoint
