"""Whose fault a failed batch is: Kafka's, or ours at one record or timer, which may become poison."""

import logging

from streams.engine.batch import RecordId, RowTooLarge, TimerId
from streams.engine.state import TaskState
from streams.engine.work import Culprit
from streams.metrics import Metrics

log = logging.getLogger(__name__)

MAX_POISON = 3
"""So many poisonous records within POISON_WINDOW commits are not a record's fault but ours: the worker stops."""
POISON_WINDOW = 100


class TaskBroken(Exception):
    """The task failed again and again; the process must end and say so."""


class Suspects:
    """Of one task. What fails twice at the same place is put into its `poison`, which the next try leaves out.

    A customer whose row outgrew a record is `watched` from then on: the next try finds the event that did it, which
    is the same however batches are cut.
    """

    def __init__(self, task: int, state: TaskState, metrics: Metrics) -> None:
        self._task = task
        self._poison = state.poison
        self._watched = state.watched
        self._metrics = metrics
        self._last: RecordId | TimerId | None = None
        self._commits_since: list[int] = []

    def note(self, failure: Exception) -> bool:
        """Log a failed batch. True if it counts as a failed opening: one at a known place ends by its poison.

        Raises TaskBroken when poison comes in a run.
        """
        suspect = failure.at if isinstance(failure, Culprit) else None
        cause = failure.__cause__ or failure
        self._metrics.failed_batches.labels(type(cause).__name__).inc()
        log.error("batch failed", extra={"task": self._task, "record": _without_key(suspect)}, exc_info=cause)
        if isinstance(failure, RowTooLarge):
            self._watched[failure.key] = failure.limit
            return False
        if not isinstance(failure, Culprit) or suspect is None:
            return True
        if failure.reason == "row_too_large":
            # The customer's doing and not ours: that record alone is left out, at once.
            self._poison[suspect] = failure.reason
            return False
        if suspect == self._last:
            self._poison[suspect] = failure.reason
            self._metrics.poison.inc()
            self._commits_since.append(0)
            if len(self._commits_since) >= MAX_POISON:
                raise TaskBroken(f"task {self._task}: {MAX_POISON} poisonous records close together")
        self._last = suspect
        return False

    def clear(self) -> None:
        """A batch was committed."""
        self._last = None
        self._poison.clear()
        self._commits_since = [n + 1 for n in self._commits_since if n < POISON_WINDOW]


def _without_key(suspect: RecordId | TimerId | None) -> str:
    """The suspect for the log, which must not name a customer."""
    if suspect is None:
        return "no record"
    where, which = suspect
    return f"{where}@{which}" if isinstance(where, str) else f"a timer of family {str(which).split(':')[0]}"
