"""A shop's module whose worker stops at one step of its tasks' lives; loaded by PULPERO_AGENTS in the worker only."""

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.engine import consumers
from streams.engine.changelog import Changelog
from streams.engine.commit import Transaction
from streams.engine.lease import Lease

log = logging.getLogger(__name__)

AT = "PULPERO_TEST_HOLD_AT"
"""Environment: the step, one of `_STEPS`."""

WHILE = "PULPERO_TEST_HOLD_WHILE"
"""Environment: every task waits at the step while this file exists."""

HELD = "held by the test"
GIVEN_UP = "restore given up"
_LOOK_SECONDS = 0.02


def register(app: object) -> None:
    """Holds up what the environment asks for."""
    if AT in os.environ:
        _STEPS[os.environ[AT]](Path(os.environ[WHILE]))


def _wait(marker: Path, task: int) -> None:
    if marker.exists():
        log.info(HELD, extra={"task": task})
    while marker.exists():
        time.sleep(_LOOK_SECONDS)


def _once_proved(marker: Path) -> None:
    prove = Lease.prove

    def prove_and_wait(self: Lease, task: int) -> None:
        prove(self, task)
        _wait(marker, task)

    Lease.prove = prove_and_wait  # type: ignore[method-assign]


def _while_restoring(marker: Path) -> None:
    """The first record is read, and then nothing comes."""
    restore = Changelog.restore

    class Slow(AIOKafkaConsumer):  # type: ignore[misc]
        has_read = False

        async def getmany(self, *partitions: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:
            if self.has_read and marker.exists():
                await asyncio.sleep(_LOOK_SECONDS)
                return {}
            found = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=1)
            self.has_read |= bool(found)
            return found

    async def restore_and_tell(self: Changelog, consumer: Any, on_progress: Any) -> Any:
        task = {"task": self.partition.partition}
        log.info(HELD, extra=task)
        try:
            return await restore(self, consumer, on_progress)
        except Exception:
            log.info(GIVEN_UP, extra=task)
            raise

    consumers.AIOKafkaConsumer = Slow  # type: ignore[attr-defined]
    Changelog.restore = restore_and_tell  # type: ignore[method-assign]


def _while_closing(marker: Path) -> None:
    close = Transaction.close

    def wait_and_close(self: Transaction) -> None:
        _wait(marker, self._partition)
        close(self)

    Transaction.close = wait_and_close  # type: ignore[method-assign]


def _before_the_commit(marker: Path) -> None:
    """All records of the transaction are delivered."""
    call = Transaction._call

    def wait_and_call(self: Transaction, method: Any, *arguments: float) -> None:
        if method.__name__ == "commit_transaction" and marker.exists():
            self._producer.flush()
            _wait(marker, self._partition)
        call(self, method, *arguments)

    Transaction._call = wait_and_call  # type: ignore[method-assign]


_STEPS = {
    "proved": _once_proved,
    "restoring": _while_restoring,
    "closing": _while_closing,
    "committing": _before_the_commit,
}
