"""A shop's module whose worker breaks where a test wants it to; loaded by PULPERO_AGENTS in the worker only."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from streams.decisions import advance
from streams.engine import engine
from streams.engine.changelog import Changelog
from streams.engine.commit import Transaction
from streams.engine.source import Source

BREAKING = "breaks"
"""Event ids that begin so break the core."""

HOLD = "PULPERO_TEST_HOLD"
"""Environment: while this file exists no task finishes its restore."""

DIE = "PULPERO_TEST_DIE"
"""Environment: when this file exists the next transaction is written, but its worker dies before the commit."""

DEAF = "PULPERO_TEST_DEAF"
"""Environment: when this file exists, aiokafka's fetch routine dies of an error that nobody expected."""

LOOK = "PULPERO_TEST_LOOK"
"""Environment: look at the topics every so many seconds."""


def register(app: object) -> None:
    """Breaks the core for some events, and whatever the environment asks for."""
    take = advance.take

    def take_or_break(row: Any, arrival: Any, *given: Any) -> Any:
        if arrival.event.event_id.startswith(BREAKING):
            raise ZeroDivisionError("a fault of ours")
        return take(row, arrival, *given)

    advance.take = take_or_break  # type: ignore[assignment]
    if HOLD in os.environ:
        _hold_up_restores(Path(os.environ[HOLD]))
    if DIE in os.environ:
        _die_inside(Path(os.environ[DIE]))
    if DEAF in os.environ:
        _go_deaf(Path(os.environ[DEAF]))
    if LOOK in os.environ:
        engine.TOPICS_SECONDS = float(os.environ[LOOK])


def _hold_up_restores(marker: Path) -> None:
    restore = Changelog.restore

    async def restore_later(self: Changelog, consumer: Any, on_progress: Any) -> Any:
        while marker.exists():
            await asyncio.sleep(0.02)
        return await restore(self, consumer, on_progress)

    Changelog.restore = restore_later  # type: ignore[method-assign]


def _die_inside(marker: Path) -> None:
    call = Transaction._call

    def call_or_die(self: Transaction, method: Any, *arguments: float) -> None:
        if method.__name__ == "commit_transaction" and marker.exists():
            self._producer.flush()
            marker.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        call(self, method, *arguments)

    Transaction._call = call_or_die  # type: ignore[method-assign]


def _go_deaf(marker: Path) -> None:
    fetch = Source.fetch

    async def fetch_or_die(self: Source) -> None:
        if marker.exists():
            assert self._consumer is not None
            self._consumer._fetcher._get_actions_per_node = None
        await fetch(self)

    Source.fetch = fetch_or_die  # type: ignore[method-assign]
