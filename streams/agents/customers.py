"""The Faust agent that lives the customers' lives: it takes a batch event by event and timer by timer."""

import asyncio
from typing import Any

from streams.engine.work import Culprit, Due

SLICE = 250
"""Items taken before other tasks get their turn."""


def register(app: Any, channel: Any) -> None:
    """Attach the agent to the app. It answers every `Due`, always."""

    @app.agent(channel, name="customers")  # type: ignore[untyped-decorator]
    async def customers(stream: Any) -> None:
        async for due in stream:
            try:
                await take(due)
                due.answer.set_result(None)
            except Exception as broken:
                culprit = Culprit(due.batch.current)
                culprit.__cause__ = broken
                due.answer.set_exception(culprit)


async def take(due: Due) -> None:
    """Advance the task by the batch; then, where it is caught up, by the wall clock."""
    state, batch = due.state, due.batch
    while not batch.is_done:
        state.advance(batch, SLICE)
        await asyncio.sleep(0)
    while due.clock is not None and not state.advance_clock(due.clock, batch):
        await asyncio.sleep(0)
