"""When Python's garbage collector looks: seldom, and then at everything.

Reference counts free nearly all that a worker drops: a batch leaves no cycle, only openings, failures and assignments
do. Left to itself the collector looks at all that is under way, twice.
"""

import gc
import logging
import resource
import sys
from time import monotonic

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3_600.0
GROWTH, GROWTH_BYTES = 0.5, 512 << 20
"""A sweep is due when memory has grown since the last one by this part, and by this much."""


class Collector:
    """Python's, of this process, which does not look by itself any more; at what is alive now, never again."""

    def __init__(self, sweep_seconds: float) -> None:
        gc.disable()
        gc.collect()
        gc.freeze()
        self._sweep_seconds = sweep_seconds
        self._swept_at, self._peak = monotonic(), _peak_bytes()

    @property
    def is_due(self) -> bool:
        """It is time for a sweep, or memory has grown."""
        if monotonic() - self._swept_at >= self._sweep_seconds:
            return True
        return _peak_bytes() - self._peak > max(GROWTH_BYTES, GROWTH * self._peak)

    def sweep(self) -> None:
        """Look at everything: a pause of tenths of a second with a million customers."""
        began = monotonic()
        found = gc.collect()
        self._swept_at, self._peak = monotonic(), _peak_bytes()
        log.info("garbage swept", extra={"found": found, "seconds": round(self._swept_at - began, 3)})


def _peak_bytes() -> int:
    """The most that this process has had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
