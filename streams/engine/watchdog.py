"""A process that makes no progress is worse than one that ends: its leases go to nobody else."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic
from typing import NamedTuple, Protocol

from streams.engine.progress import FetchProgress
from streams.logs import Seldom

log = logging.getLogger(__name__)

EXIT_CODE = 70
CHECK_SECONDS = 1.0
ASLEEP_SECONDS = 5.0
"""A look so much late says that the whole process was stopped: nobody could make progress."""

Place = tuple[str, int]
"""Topic and partition."""


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


class Standing(NamedTuple):
    """What makes no progress, since when, and the partitions whose leaders must be there for it to make any."""

    what: str
    since: float
    needs: tuple[Place, ...]


class Watchdog:
    """A thread of its own, so that it sees a wedged event loop too. It ends the process.

    What stands still while Kafka does not answer for it waits for Kafka, for ever; its patience begins anew with
    Kafka's answers. `answered` says which of the places Kafka answers for; it may block for seconds.
    """

    def __init__(
        self,
        tasks: Mapping[int, Watched],
        fetches: Iterable[FetchProgress],
        topics: tuple[str, ...],
        patience_seconds: float,
        answered: Callable[[frozenset[Place]], frozenset[Place]],
    ) -> None:
        self._tasks = tasks
        self._fetches = tuple(fetches)
        self._topics = topics
        self._patience = patience_seconds
        self._answered = answered
        self._away_at: dict[Place, float] = {}
        self._asleep_at = 0.0
        self._says_that_it_waits = Seldom()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Cease to watch."""
        self._done.set()

    def look(self, now: float) -> str | None:
        """What is stuck through no fault of Kafka's, in words; None if all moves, waits or has nothing to do."""
        standing = [
            each
            for each in (*_fetches(self._fetches), *_tasks(self._tasks, self._topics))
            if now - max(each.since, self._asleep_at) > self._patience / 2
        ]
        needed = frozenset(place for each in standing for place in each.needs)
        away = needed - self._answered(needed) if needed else frozenset()
        self._away_at |= dict.fromkeys(away, now)
        for each in standing:
            if now - max(each.since, self._asleep_at) <= self._patience:
                continue
            still = f"{each.what} for {now - each.since:.0f} s"
            absent = max((self._away_at.get(place, 0.0) for place in each.needs), default=0.0)
            if now - absent > self._patience:
                return f"{still}, although Kafka answers" if each.needs else still
            if self._says_that_it_waits():
                log.warning("%s; waiting for Kafka, which does not answer for it", still)
        return None

    def _watch(self) -> None:
        looked_at = monotonic()
        while not self._done.wait(CHECK_SECONDS):
            now = monotonic()
            if now - looked_at > CHECK_SECONDS + ASLEEP_SECONDS:
                self._asleep_at = now
            stuck = self._seen(now)
            if stuck is not None and not self._done.is_set():
                log.critical("%s; this process ends so that another can go on", stuck)
                os._exit(EXIT_CODE)
            looked_at = monotonic()

    def _seen(self, now: float) -> str | None:
        """What `look` says; a look that fails must not be the last."""
        try:
            return self.look(now)
        except Exception as failed:
            log.exception("the watchdog cannot look", exc_info=failed)
            return None


def _fetches(fetches: tuple[FetchProgress, ...]) -> Iterator[Standing]:
    """The most precise words come first."""
    for fetch in fetches:
        for partition, since in fetch.standing():
            what = f"nothing was fetched from {partition.topic}[{partition.partition}]"
            if error := fetch.error_since(since):
                what += f" (the client's last error: {error})"
            yield Standing(what, since, ((partition.topic, partition.partition),))


def _tasks(tasks: Mapping[int, Watched], topics: tuple[str, ...]) -> Iterator[Standing]:
    for number, task in list(tasks.items()):
        if task.phase != "idle":
            needs = () if task.phase == "advance" else tuple((topic, number) for topic in topics)
            yield Standing(f"task {number} has made no progress in {task.phase!r}", task.since, needs)
