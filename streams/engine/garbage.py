"""When Python's garbage collector looks: not by itself, but at what is young once a second, and seldom at everything.

Reference counts free nearly all that a worker drops: a batch leaves no cycle, only openings, failures and assignments
do. Left to itself the collector looks at all that is under way, several times over.
"""

import gc
import logging
import resource
import sys
from time import monotonic

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 3_600.0
"""At least so often everything is looked at."""
GROWTH, GROWTH_BYTES = 0.5, 512 << 20
"""Memory has grown since the last sweep: by this part, and by this much."""


class Collector:
    """Python's, for this process, which it takes over: `look` is to be called every LOOK_SECONDS.

    What is alive when it takes over is never looked at again.
    """

    def __init__(self, sweep_seconds: float) -> None:
        gc.disable()
        gc.collect()
        gc.freeze()
        self._sweep_seconds = sweep_seconds
        self._swept_at, self._peak = monotonic(), _peak_bytes()

    def look(self) -> None:
        """Look at what is young, which takes ms; at everything if it is time or memory grew: tenths of a second."""
        if self._is_time:
            self._sweep()
        else:
            gc.collect(1)

    @property
    def _is_time(self) -> bool:
        if monotonic() - self._swept_at >= self._sweep_seconds:
            return True
        return _peak_bytes() - self._peak > max(GROWTH_BYTES, GROWTH * self._peak)

    def _sweep(self) -> None:
        began = monotonic()
        found = gc.collect()
        self._swept_at, self._peak = monotonic(), _peak_bytes()
        log.info("garbage swept", extra={"found": found, "seconds": round(self._swept_at - began, 3)})


def _peak_bytes() -> int:
    """The most that this process has had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
