"""The only place where the wall clock is read."""

import time
from collections.abc import Callable

from schemas.event import Millis

PACE = 2
"""How much faster than time passes a wall clock that jumped ahead is followed."""


def wall_millis() -> Millis:
    """Wall time in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _passed_millis() -> Millis:
    return time.monotonic_ns() // 1_000_000


class SteadyClock:
    """Wall time that no single step of the host's clock moves far ahead: what it fires cannot be taken back.

    It follows the wall clock, but at most PACE times as fast as time passes since the last reading: of a jump that
    is mended within ten minutes, ten minutes are seen. A jump that events have made too is true (the host slept,
    or its clock was behind) and is followed at once. The first reading is believed.
    """

    def __init__(
        self, wall: Callable[[], Millis] = wall_millis, passed: Callable[[], Millis] = _passed_millis
    ) -> None:
        self._wall = wall
        self._passed = passed
        self._believed = wall()
        self._believed_at = passed()

    def now(self, reached: Millis = 0) -> Millis:
        """Wall time in ms, at most what is believed. `reached` is the time that events are known to have reached."""
        passed = self._passed()
        bound = max(self._believed + PACE * (passed - self._believed_at), reached)
        now = min(self._wall(), bound)
        if now >= self._believed:
            self._believed, self._believed_at = now, passed
        return now
