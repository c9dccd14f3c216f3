"""The oracle's silences: when they are looked at, and whether a look announces a lapse."""

from tests.faults.oracle_customer import Person
from tests.faults.oracle_features import churn_features
from tests.faults.oracle_news import Judge, Proposal, Scored
from tests.faults.oracle_orders import DAY

TIMER = "churn_risk:silence"
# As the fault tests' policy has it.
DEFAULT_CADENCE, FIRST_LOOK, STEP, MIN_STEP, LAST_LOOK = 4 * DAY, 0.5, 0.25, DAY // 2, 12.0
THRESHOLD, RELEASE, VALID_FOR = 0.3, 0.2, 7 * DAY


class Silence:
    """Of one customer; `timers` are the customer's."""

    def __init__(self, person: Person, timers: dict[str, int], judge: Judge) -> None:
        self.lapsed, self.since = False, 0
        self._person, self._timers, self._judge = person, timers, judge

    def bought(self, at: int) -> None:
        """A purchase ends a lapse; the next silence begins."""
        last = self._last
        if at >= last:
            self.lapsed, self.since = False, 0
            self._timers[TIMER] = last + round(self._cadence * FIRST_LOOK)

    def ring(self, due: int) -> Proposal | None:
        """A look."""
        last, own = self._last, self._cadence
        following = due + max(round(own * STEP), MIN_STEP, (due - last) // 4)
        if following <= last + own * LAST_LOOK:
            self._timers[TIMER] = following
        scored = self._score(due)
        if scored is None:
            return None
        was_lapsed = self.lapsed
        if was_lapsed:
            self.lapsed = scored.p >= RELEASE
        elif scored.p >= THRESHOLD:
            self.lapsed, self.since = True, due
        if not self.lapsed:
            return self._look(due, scored, unmet="score_below_threshold")
        return self._look(
            due if was_lapsed else self.since, scored, unmet="already_announced" if was_lapsed else ""
        )

    def again(self, now: int) -> Proposal | None:
        """The held lapse, if it is one still."""
        scored = self._score(now) if self.lapsed else None
        if scored is None:
            return None
        self.lapsed = scored.p >= RELEASE
        return self._look(self.since, scored) if self.lapsed else None

    def _look(self, since: int, scored: Scored, unmet: str = "") -> Proposal:
        about, occurrence = f"customer:{self._person.key}", f"{self._last}:{since}"
        return Proposal("churn_risk", about, since + VALID_FOR, occurrence, scored, unmet)

    def _score(self, now: int) -> Scored | None:
        if not self._person.allows("profiling"):
            return None
        return self._judge("churn", churn_features(self._person, now), now)

    @property
    def _last(self) -> int:
        return max(self._person.book.purchases)

    @property
    def _cadence(self) -> int:
        """Of the days with purchases: the mean gap, drawn to the default with the weight of one gap."""
        days = sorted({at // DAY for at in self._person.book.purchases})
        return round((DEFAULT_CADENCE + (days[-1] - days[0]) * DAY) / len(days))
