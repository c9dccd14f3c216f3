"""What makes a touchpoint: its name, its union of events and how late an event may come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from schemas.event import Event, Millis, types_of
from schemas.upcasts import Upcaster


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """An input channel. Its topic is `touchpoints.<name>`; `event` is a class of events or a union of such.

    `schema_version` is the version that `event` describes; `upcasters` turn each earlier version's payload
    into the next one's. With `reads_segment`, payloads of Segment's e-commerce spec v2 are read as well.
    """

    name: str
    event: Any
    allowed_lateness_ms: Millis
    schema_version: int = 1
    upcasters: Mapping[int, Upcaster] = field(default_factory=dict, hash=False)
    reads_segment: bool = False

    @property
    def topic(self) -> str:
        """The touchpoint's topic."""
        return f"touchpoints.{self.name}"

    @property
    def classes(self) -> tuple[type[Event], ...]:
        """The classes of its events, in the union's order."""
        return get_args(self.event) or (self.event,)

    @property
    def types(self) -> tuple[str, ...]:
        """The values that its events' `type` may have."""
        return tuple(name for each in self.classes for name in types_of(each))
