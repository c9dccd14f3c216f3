"""The storm breaker: a trigger that fires far more than it usually does is held until a person has looked."""

from collections.abc import Mapping

import msgspec

from schemas.event import Millis
from schemas.policy import Storms as StormsPolicy

_KEEPS = 0.99
"""What each completed window leaves of those before it: usual is what about the last hundred with firings had."""


class Firings(msgspec.Struct, array_like=True):
    """One trigger's firings in one task.

    `window_at` is the begin of the present window and `count` its firings; `windows` were completed since the
    first firing. `total` and `squares` are the decayed sums of the counts of those, and of their squares. While
    `held_at` is not 0 the trigger is held since then, and `held_version` is the reference data's at that moment.
    """

    window_at: Millis
    count: int = 0
    windows: int = 0
    total: float = 0.0
    squares: float = 0.0
    held_at: Millis = 0
    held_version: int = 0


class StormHistory(msgspec.Struct, array_like=True):
    """All that a tracker remembers; a task keeps it in its task row."""

    window: Millis = 0
    triggers: dict[str, Firings] = {}  # in the order in which they first fired


class StormTracker:
    """Counts each trigger's firings in one task by event time, and holds the trigger whose count is a storm's.

    Law. Windows of `window` ms follow each other from the epoch on; a firing falls into that of its `now`, and
    into the present one if it is older. With c firings in the present window and c₁, c₂, … in the completed ones
    before it, weighted so that the newest counts most, usual is

        u = Σ w c² / Σ w c

    the size of the window in which a firing usually finds itself (the contraharmonic mean). The trigger is held
    from the firing on, itself still going out, at which

        c ≥ limit,    or    c ≥ min_count  and  c > factor · u  and  min_history windows are completed.

    `limit` and `min_count` are the deployment's: each task has its share of them, at least 1. A held trigger
    stays held until the reference data say, by a record newer than the hold, that a person has released it, its
    family or all (`*`); with its next firing a new window's count begins, and neither the storm nor the time
    of the hold becomes usual.

    Why not the mean count of all windows: what fires once a day, such as all that a warehouse's nightly file
    sets off, is 24 times its own mean whenever it fires, yet exactly its u; and nights and silences take nothing
    from what is usual by day. For a trigger that fires evenly both are the same (u is mean + 1 for a Poisson
    count, more by its variance in general). In the replays of GMS, UCI and the simulated shop the busiest hour
    of a trigger had up to 54 times its mean, and never more than 4.1 u.

    A backlog of hours that is worked off at once is no storm: its firings fall into the windows in which they
    would have fallen.

    Limits: a task judges its own share, so in a storm each holds by itself, a little sooner or later than the
    others. A rate that grows less than `factor`-fold in a window becomes usual, up to `limit`. One source's
    backlog that comes in behind stream time falls into one window: of more than `factor` windows, it is a
    storm. If the topic of the reference data is made anew, its records count as new only once they are more.

    >>> storms = StormTracker(StormsPolicy(min_count=50), partitions=1)
    >>> for hour in range(100):
    ...     for _ in range(8):
    ...         storms.note("abandonment.cart", 3_600_000 * hour, reference_version=7)
    >>> storms.held({})
    []
    >>> for _ in range(81):
    ...     storms.note("abandonment.cart", 3_600_000 * 100, reference_version=7)
    >>> storms.held({}), storms.held({"abandonment": 7}), storms.held({"abandonment": 8})
    (['abandonment.cart'], ['abandonment.cart'], [])
    """

    __slots__ = ("_limit", "_min_count", "_policy", "history")

    def __init__(self, policy: StormsPolicy, partitions: int, history: StormHistory | None = None) -> None:
        self._policy = policy
        self._limit = -(-policy.limit // partitions)
        self._min_count = -(-policy.min_count // partitions)
        self.history = history if history is not None else StormHistory()
        if self.history.window != policy.window:
            self._begin_anew(self.history)

    def note(self, trigger: str, now: Millis, reference_version: int) -> None:
        """Take note of a firing at `now`, ms. One of a held trigger says that the hold was released."""
        triggers, begin = self.history.triggers, now - now % self._policy.window
        firings = triggers.get(trigger)
        if firings is None:
            firings = triggers[trigger] = Firings(begin)
        elif firings.held_at:
            firings.window_at, firings.count = max(begin, firings.window_at), 0
            firings.held_at = firings.held_version = 0
        elif begin > firings.window_at:
            self._complete(firings, begin)
        firings.count += 1
        if self._is_storm(firings):
            firings.held_at, firings.held_version = now, reference_version

    def is_held(self, trigger: str, released: Mapping[str, int]) -> bool:
        """Whether it is held; `released` says at which version of the reference data a name was released last."""
        firings = self.history.triggers.get(trigger)
        if firings is None or not firings.held_at:
            return False
        names = (trigger, trigger.partition(".")[0], "*")
        return all(released.get(name, 0) <= firings.held_version for name in names)

    def held(self, released: Mapping[str, int]) -> list[str]:
        """The triggers that are held."""
        return [trigger for trigger in self.history.triggers if self.is_held(trigger, released)]

    def _complete(self, firings: Firings, begin: Millis) -> None:
        """The present window ends, and so did the empty ones up to `begin`, which leave the sums as they are."""
        firings.windows += (begin - firings.window_at) // self._policy.window
        firings.total = firings.total * _KEEPS + firings.count
        firings.squares = firings.squares * _KEEPS + firings.count * firings.count
        firings.window_at, firings.count = begin, 0

    def _is_storm(self, firings: Firings) -> bool:
        if firings.count >= self._limit:
            return True
        if firings.count < self._min_count or firings.windows < self._policy.min_history:
            return False
        return firings.count * firings.total > self._policy.factor * firings.squares

    def _begin_anew(self, history: StormHistory) -> None:
        """What was usual in windows of another length says nothing of these; what is held stays held."""
        history.window = self._policy.window
        for trigger, was in history.triggers.items():
            begin = was.window_at - was.window_at % history.window
            history.triggers[trigger] = Firings(begin, held_at=was.held_at, held_version=was.held_version)
