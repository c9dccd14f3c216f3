"""When Python's garbage collector looks at what: at little and often, and not at what has stayed.

A worker keeps millions of containers (rows) and makes next to no cycles. Left to itself the collector looks at all
of them whenever a quarter as many are new: a pause of hundreds of ms. Here what has survived two looks, or was alive
at every third, is looked at only by `sweep`.
"""

import gc
import logging
from time import monotonic

log = logging.getLogger(__name__)

YOUNG, LOOKS = 5_000, 3
"""Containers made between two looks, and looks at the young before those that stayed are looked at once more: pauses
of a few ms (50,000 and 20: of 200 ms, and the whole is no cheaper).
"""
NEVER = 2**31 - 1


def tame() -> None:
    """Set the collector up for this process."""
    gc.set_threshold(YOUNG, LOOKS, NEVER)


def sweep() -> None:
    """Look at everything: a pause of tenths of a second with a million customers."""
    began = monotonic()
    found = gc.collect()
    log.info("garbage swept", extra={"found": found, "seconds": round(monotonic() - began, 3)})
