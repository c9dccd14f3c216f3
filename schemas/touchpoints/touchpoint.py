"""What makes a touchpoint: its name, its union of events and how late an event may come."""

from dataclasses import dataclass
from typing import Any

from schemas.event import Millis


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """An input channel. Its topic is `touchpoints.<name>`; `event` is any type pydantic can validate."""

    name: str
    event: Any
    allowed_lateness_ms: Millis

    @property
    def topic(self) -> str:
        """The touchpoint's topic."""
        return f"touchpoints.{self.name}"
