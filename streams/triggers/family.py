"""What a family of triggers is."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from schemas.customer import Customer, Held
from schemas.event import Arrival, Event, Millis
from streams.triggers.candidate import Candidate
from streams.triggers.circumstances import Circumstances

Observe = Callable[[Customer, Arrival, Circumstances], tuple[Candidate, ...]]
"""(row with the event folded in, arrival, circumstances) → what it makes true. Sets and ends timers."""


class Family(Protocol):
    """A module of this room: its name, and what it does when something happens to a customer."""

    NAME: str
    TIMERS: int
    """So many timers of the family a row holds at most."""
    REACTIONS: Mapping[type[Event], Observe]
    """Only events of exactly these classes concern the family."""

    def ring(
        self, row: Customer, timer_id: str, due: Millis, circumstances: Circumstances, /
    ) -> Iterable[Candidate]:
        """One of the family's timers fired, and stands in the row no more; now is `due`, ms."""
        ...

    def recheck(
        self, row: Customer, held: Held, now: Millis, circumstances: Circumstances, /
    ) -> Candidate | None:
        """The held candidate as it would be proposed at `now`, ms; None if it is no longer true."""
        ...
