"""A shop's module whose worker's next commit ends as a test wants it; loaded by PULPERO_AGENTS in the worker only."""

import logging
import os
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from streams.engine.commit import Transaction

log = logging.getLogger(__name__)

ENDS = "PULPERO_TEST_COMMIT_ENDS"
"""Environment: a file that names how the next commit ends, one of `_ENDS`; then the file is gone."""

_HARDLY_A_SECOND = 0.0005


def register(app: object) -> None:
    """The next commit ends as the file says."""
    if ENDS in os.environ:
        _make_uncertain(Path(os.environ[ENDS]))


def _make_uncertain(marker: Path) -> None:
    call = Transaction._call

    def call_and_end(self: Transaction, method: Any, *arguments: float) -> None:
        if method.__name__ != "commit_transaction" or not (wanted := _taken(marker)):
            call(self, method, *arguments)
            return

        def commit_transaction(seconds: float) -> None:
            self._producer.flush()
            _ENDS[wanted](method, seconds)

        call(self, commit_transaction, *arguments)

    Transaction._call = call_and_end  # type: ignore[method-assign]


def _taken(marker: Path) -> str:
    """What the file says, to the one thread that takes it away."""
    try:
        return marker.rename(marker.with_suffix(".taken")).read_text()
    except FileNotFoundError:
        return ""


def _committed_unanswered(commit: Any, seconds: float) -> None:
    """Kafka has committed, and its answer is lost."""
    commit(seconds)
    raise _failure(KafkaError._TIMED_OUT)


def _never_sent(commit: Any, seconds: float) -> None:
    """Kafka was never asked."""
    raise _failure(KafkaError._TIMED_OUT)


def _not_waited_for(commit: Any, seconds: float) -> None:
    """Kafka is asked, and may be at it, or not, when its client stops to wait."""
    commit(_HARDLY_A_SECOND)
    raise _failure(KafkaError._TIMED_OUT)


def _to_be_tried_again(commit: Any, seconds: float) -> None:
    raise _failure(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)


def _failure(code: int) -> KafkaException:
    return KafkaException(KafkaError(code, "made by the test", retriable=True))


_ENDS = {
    "committed unanswered": _committed_unanswered,
    "never sent": _never_sent,
    "not waited for": _not_waited_for,
    "to be tried again": _to_be_tried_again,
}
