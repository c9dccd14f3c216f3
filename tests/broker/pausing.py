"""A shop's module whose worker tells every second for how long its loop stood still; loaded by PULPERO_AGENTS.

What other processes take of a busy machine is no pause of the worker's. So two times are told of a turn of the loop:
the CPU time that it has spent, which they do not lengthen much; and how long it took, less the time for which threads
of the worker were ready to run and had no core. The second sees a call that blocks too, but what remains in it of a
busy machine varies.
"""

import asyncio
import logging
from pathlib import Path
from time import monotonic, thread_time
from typing import Any

log = logging.getLogger(__name__)

TOLD = "pauses of the last second"
LOOK_SECONDS = 0.002
TELL_SECONDS = 1.0


def register(app: Any) -> None:
    """Looks after the worker's loop."""
    app.task(_tell)


async def _tell() -> None:
    while True:
        busy, still = await _longest(monotonic() + TELL_SECONDS)
        log.info(TOLD, extra={"busy_ms": round(busy * 1000), "still_ms": round(still * 1000)})


async def _longest(until: float) -> tuple[float, float]:
    """The most CPU seconds of one turn of the loop, and the longest turn."""
    busy = still = 0.0
    while (began := monotonic()) < until:
        spent, starved = thread_time(), _starved()
        await asyncio.sleep(LOOK_SECONDS)
        took = monotonic() - began - LOOK_SECONDS
        busy = max(busy, thread_time() - spent)
        if took > still:
            still = max(still, took - _starved_since(starved))
    return busy, still


def _starved() -> dict[str, int]:
    """For how long, ns, each thread of this process has waited for a core so far."""
    waited = {}
    for thread in Path("/proc/self/task").iterdir():
        try:
            waited[thread.name] = int((thread / "schedstat").read_text().split()[1])
        except OSError:
            continue  # it has just ended
    return waited


def _starved_since(before: dict[str, int]) -> float:
    """Seconds, of the threads that have not ended since: what those had waited is no time of this turn."""
    return sum(now - before.get(thread, 0) for thread, now in _starved().items()) / 1e9
