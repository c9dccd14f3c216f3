"""A shop's module whose worker teaches without delay, and is struck while it publishes models where a test wants it.

Loaded by PULPERO_AGENTS in the worker only.
"""

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.topics import MODELS
from streams.engine import learning, task
from streams.engine.commit import OutputRecord, Transaction

STRIKE = "PULPERO_TEST_STRIKE"
"""Environment: a file that names a step of the transaction and a signal, as "commit_transaction SIGKILL".

When it exists, the worker that publishes models next gets that signal before that step, what it has written so
far delivered, and the file is gone.
"""


def register(app: object) -> None:
    """Every batch writes its watermark, every lesson is published; a marker strikes the publisher."""
    task.WATERMARK_SECONDS = 0.0
    learning.PUBLISH_SECONDS = 0.0
    if STRIKE in os.environ:
        _strike_publisher(Path(os.environ[STRIKE]))


def _strike_publisher(marker: Path) -> None:
    commit, call = Transaction.commit, Transaction._call
    publishers = set[Transaction]()

    def commit_known(self: Transaction, records: Sequence[OutputRecord]) -> int:
        if records[0].topic == MODELS:
            publishers.add(self)
        return commit(self, records)

    def call_or_be_struck(self: Transaction, method: Any, *arguments: float) -> None:
        if self in publishers and marker.exists():
            step, number = marker.read_text().split()
            if method.__name__ == step:
                self._producer.flush()
                marker.unlink()
                # To this very thread: it does not go one step further.
                signal.pthread_kill(threading.get_ident(), signal.Signals[number])
        call(self, method, *arguments)

    Transaction.commit = commit_known  # type: ignore[method-assign]
    Transaction._call = call_or_be_struck  # type: ignore[method-assign]
