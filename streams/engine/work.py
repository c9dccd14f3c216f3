"""What the engine hands to the agents, and how they answer: with a result or an exception, always."""

from asyncio import Future
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.dead_letter import ReasonCode
from streams.engine.batch import Batch, RecordId, TimerId
from streams.engine.inbox import Item, RawRecord
from streams.engine.state import TaskState


class Channel(Protocol):
    """Where the engine puts work: a Faust channel that one agent reads."""

    async def send(self, *, value: Any) -> Any:
        """Put one value."""
        ...


@dataclass(slots=True, eq=False)
class Fetched:
    """Records of one touchpoint and task, to be decoded in order."""

    topic: str
    task: int
    records: list[RawRecord]
    poison: frozenset[RecordId | TimerId]
    answer: "Future[list[Item]]"


@dataclass(slots=True, eq=False)
class Due:
    """A batch to be taken by the core, event by event; `clock` is what a live, caught-up task may move to."""

    state: TaskState
    batch: Batch
    clock: int | None
    answer: "Future[None]"


class Culprit(Exception):
    """Processing broke at one record or timer: a fault of ours, not Kafka's. The cause is chained."""

    def __init__(self, at: RecordId | TimerId | None, reason: ReasonCode = "poison") -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


class Asked(Protocol):
    """What is answered."""

    answer: "Future[Any]"


async def ask(channel: Channel, asked: Asked) -> Any:
    """Send it, and wait for the answer. Raises what it is answered with."""
    answer = asked.answer
    await channel.send(value=asked)
    try:
        return await answer
    finally:
        # As `fail` says; so nobody else who waits may keep the future.
        del answer


def fail(asked: Asked, failure: Exception) -> None:
    """Answer with a failure, and let go of the answer.

    A future keeps its failure, whose traceback keeps the frames that know what was asked: a cycle that would hold a
    batch with its rows until the garbage collector comes.
    """
    answer = asked.answer
    del asked.answer
    answer.set_exception(failure)
