"""The only place where the wall clock is read."""

import time

from schemas.event import Millis


def wall_millis() -> Millis:
    """Wall time in ms since the epoch."""
    return time.time_ns() // 1_000_000
