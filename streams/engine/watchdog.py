"""A process that makes no progress is worse than one that ends: its leases go to nobody else."""

import logging
import os
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

log = logging.getLogger(__name__)

EXIT_CODE = 70
CHECK_SECONDS = 1.0


class Watched(Protocol):
    """What the watchdog looks at: the phase of a task's work and since when (monotonic seconds)."""

    @property
    def phase(self) -> str:
        """What it is doing; `idle` may last."""
        ...

    @property
    def since(self) -> float:
        """When the phase began, or last made progress."""
        ...


class Watchdog:
    """A thread of its own, so that it sees a wedged event loop too. It ends the process."""

    def __init__(self, tasks: Mapping[int, Watched], patience_seconds: float) -> None:
        self._tasks = tasks
        self._patience = patience_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Cease to watch."""
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(CHECK_SECONDS):
            stuck = stuck_task(self._tasks, monotonic(), self._patience)
            if stuck is not None:
                log.critical("%s; this process ends so that another can go on", stuck)
                os._exit(EXIT_CODE)


def stuck_task(tasks: Mapping[int, Watched], now: float, patience_seconds: float) -> str | None:
    """What is stuck, in words; None if every task moves or has nothing to do."""
    for number, task in list(tasks.items()):
        if task.phase != "idle" and now - task.since > patience_seconds:
            return f"task {number} has made no progress in {task.phase!r} for {now - task.since:.0f} s"
    return None
