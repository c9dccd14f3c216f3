"""The oracle's labels: predictions that wait for what comes of them, and what the models are to learn."""

from typing import NamedTuple

from tests.faults.oracle_customer import Person
from tests.faults.oracle_features import HORIZONS
from tests.faults.oracle_news import Said, Scored

PLACES = 8
"""Predictions of one model that are kept."""


class Pending(NamedTuple):
    """A prediction made with a decision; `due` is when its horizon ends."""

    said: Said
    scored: Scored
    due: int


class Lesson(NamedTuple):
    """What became of it, and when that was known."""

    pending: Pending
    label: bool
    resolved_at: int


class Labels:
    """One customer's. Its timers stand in `timers` as `label:<number>`."""

    def __init__(self, person: Person, timers: dict[str, int]) -> None:
        self.pending: dict[str, Pending] = {}
        self.lessons: list[Lesson] = []
        self._person, self._timers = person, timers
        self._made = 0

    def expect(self, said: Said, scored: Scored) -> None:
        """Wait for what comes of a prediction, if there is a place."""
        if sum(each.scored.model == scored.model for each in self.pending.values()) < PLACES:
            self._made += 1
            timer, due = f"label:{self._made:04}", said.at + HORIZONS[scored.model]
            self.pending[timer] = Pending(said, scored, due)
            self._timers[timer] = due

    def bought(self, at: int, known_at: int) -> None:
        """A purchase: before a prediction it voids it, within its horizon it labels it."""
        for timer, pending in list(self.pending.items()):
            if at <= pending.said.at:
                self._drop(timer)
            elif at <= pending.due:
                self._learn(timer, known_at, bought=True)

    def forget(self) -> None:
        """Profiling is not allowed any more."""
        for timer in list(self.pending):
            self._drop(timer)

    def ring(self, timer: str, due: int) -> None:
        """Nothing was bought until the horizon's end."""
        self._learn(timer, due, bought=False)

    def _learn(self, timer: str, known_at: int, *, bought: bool) -> None:
        pending = self._drop(timer)
        if self._person.allows("profiling"):
            label = bought if pending.scored.model == "cart" else not bought
            self.lessons.append(Lesson(pending, label, known_at))

    def _drop(self, timer: str) -> Pending:
        self._timers.pop(timer, None)
        return self.pending.pop(timer)
