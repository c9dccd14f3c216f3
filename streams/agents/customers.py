"""The Faust agent that lives the customers' lives: it takes a batch event by event and timer by timer."""

import asyncio
from typing import Any

from schemas.dead_letter import ReasonCode
from streams.engine.batch import RowTooLarge
from streams.engine.work import Culprit, Due, fail

SLICE = 250
"""Items taken before other tasks get their turn."""

RINGS_PER_BATCH = 5_000
"""After a jump of time any number of timers may be due: so many go into one transaction."""


def register(app: Any, channel: Any) -> None:
    """Attach the agent to the app. It answers every `Due`, always."""

    @app.agent(channel, name="customers")  # type: ignore[untyped-decorator]
    async def customers(stream: Any) -> None:
        async for due in stream:
            try:
                await take(due)
                due.answer.set_result(None)
            except Exception as broken:
                fail(due, _culprit(due, broken))


def _culprit(due: Due, broken: Exception) -> Culprit:
    reason: ReasonCode = "row_too_large" if isinstance(broken, RowTooLarge) else "poison"
    culprit = Culprit(due.batch.current, reason)
    culprit.__cause__ = broken
    return culprit


async def take(due: Due) -> None:
    """Advance the task by the batch; then, where it is caught up, by the wall clock. Timers enough cut the batch."""
    while not _is_through(due):
        if len(due.batch.fired) >= RINGS_PER_BATCH:
            due.batch.is_cut = True
            return
        await asyncio.sleep(0)


def _is_through(due: Due) -> bool:
    """Do one slice; whether nothing is left."""
    if not due.batch.is_done:
        due.state.advance(due.batch, SLICE)
    elif due.clock is not None:
        return due.state.advance_clock(due.clock, due.batch)
    return due.batch.is_done and due.clock is None
