"""One batch: what was taken, what it changed and what is to be written; thrown away whole if anything fails."""

from dataclasses import dataclass, field

from schemas.customer import Customer
from schemas.dead_letter import DeadLetter
from schemas.event import Arrival, Millis
from streams.decisions.effects import Effects
from streams.engine.inbox import Item

RecordId = tuple[str, int]
"""(topic, offset) of an input record of the task."""

TimerId = tuple[bytes, str]
"""(customer key, timer id)."""


class RowTooLarge(Exception):
    """A customer's row has more bytes than a record may: `limit`."""

    def __init__(self, key: bytes, limit: int) -> None:
        super().__init__(f"a row has more than {limit} bytes")
        self.key = key
        self.limit = limit


@dataclass(slots=True)
class Batch:
    """`done` counts the items already taken; `current` is what is being worked on, for the diagnosis of a failure."""

    items: list[Item]
    done: int = 0
    current: RecordId | TimerId | None = None
    rows: dict[bytes, Customer] = field(default_factory=dict)
    effects: Effects = field(default_factory=Effects)
    letters: list[DeadLetter] = field(default_factory=list)
    applied: list[Arrival] = field(default_factory=list)
    rung: dict[bytes, str] = field(default_factory=dict)
    """The timer that each customer's row was last touched by."""
    fired: list[Millis] = field(default_factory=list)
    """Due times of the timers that fired, those apart that were set when already due."""

    rung_since: int = 0
    """Timers fired since the last item was done."""
    is_cut: bool = False
    """Enough timers fired for one transaction: the items that are left, and the timers due, come with the next."""

    def leave(self) -> list[Item]:
        """Give up the items that were not taken."""
        left = self.items[self.done :]
        del self.items[self.done :]
        return left

    @property
    def is_done(self) -> bool:
        """All items are taken."""
        return self.done == len(self.items)

    def last_touch(self, key: bytes) -> RecordId | TimerId | None:
        """What changed the customer's row last: an event, else a timer."""
        for arrival in reversed(self.applied):
            if arrival.key == key:
                return arrival.topic, arrival.offset
        return (key, self.rung[key]) if key in self.rung else None

    @property
    def has_output(self) -> bool:
        """There is something to write besides progress."""
        effects = self.effects
        return bool(self.rows or self.letters or effects.actions or effects.decisions or effects.examples)
