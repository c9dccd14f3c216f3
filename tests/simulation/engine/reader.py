"""The twin of aiokafka's consumer, with the methods that the engine calls."""

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from tests.simulation.engine.broker import Fetch

if TYPE_CHECKING:
    from tests.simulation.engine.world import World

_MAX_FETCHED = 40


class Got(NamedTuple):
    """A consumer's record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class _Held:
    """What a reader knows of one assigned partition. A fetched part waits in `fetched` until it is taken."""

    def __init__(self) -> None:
        self.position: int | None = None
        self.fetched: Fetch | None = None
        self.last_stable: int | None = None
        self.high_watermark: int | None = None
        self.answered_at: int | None = None


class Reader:
    """aiokafka.AIOKafkaConsumer without a group: fetches ahead in the background, one request at a time."""

    def __init__(self, world: "World", **config: Any) -> None:
        self._world = world
        self._wait = config["fetch_max_wait_ms"] / 1000
        self._committed = config["isolation_level"] == "read_committed"
        self._held: dict[TopicPartition, _Held] = {}
        self._is_asking = False
        self._is_stopped = False
        self._context = contextvars.copy_context()
        self._waiter: asyncio.Future[None] | None = None

    async def start(self) -> None:
        await self._world.journey()

    async def stop(self) -> None:
        self._is_stopped = True

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._world.journey()
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._world.journey()
        known = self._world.broker.partitions
        return {each: known[each.topic, each.partition].last_stable for each in partitions}

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._held = {partition: _Held() for partition in partitions}

    def assignment(self) -> tuple[TopicPartition, ...]:
        """In order: the order of a set would change with every run of Python."""
        return tuple(self._held)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        held = self._held[partition]
        held.position, held.fetched = offset, None
        self._ask()

    def pause(self, *partitions: TopicPartition) -> None:
        """Nothing is fetched before `seek` anyway."""

    async def position(self, partition: TopicPartition) -> int:
        position = self._held[partition].position
        assert position is not None
        return position

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        return self._held[partition].last_stable

    def highwater(self, partition: TopicPartition) -> int | None:
        return self._held[partition].high_watermark

    def last_poll_timestamp(self, partition: TopicPartition) -> int | None:
        return self._held[partition].answered_at

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Got]]:
        taken = self._take(partitions or self.assignment(), max_records)
        if not taken:
            self._waiter = self._world.loop.create_future()
            timer = self._world.loop.call_later(timeout_ms / 1000, self._stop_waiting)
            await self._waiter
            timer.cancel()
            taken = self._take(partitions or self.assignment(), max_records)
        if self._world.fails("fetch"):
            raise KafkaConnectionError("what was taken is lost")
        return taken

    def _take(
        self, partitions: tuple[TopicPartition, ...], max_records: int | None
    ) -> dict[TopicPartition, list[Got]]:
        """Of each partition as many at most: the client's bound is for all of them, but is used for one alone."""
        taken = {}
        for partition in partitions:
            held = self._held.get(partition)
            if held is None or held.fetched is None:
                continue
            fetched, held.fetched = held.fetched, None
            held.position = fetched.next_offset
            if left := fetched.records[max_records:] if max_records else []:
                held.fetched = fetched._replace(records=left)
                held.position = left[0].offset
                fetched = fetched._replace(records=fetched.records[:max_records])
            if fetched.records:
                taken[partition] = [
                    Got(each.offset, each.appended_at, each.key, each.value, tuple(each.headers))
                    for each in fetched.records
                ]
        self._ask()
        return taken

    def _stop_waiting(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _ask(self) -> None:
        """Send the next request, if none is under way and there is something to ask for."""
        if self._is_asking or self._is_stopped:
            return
        asked = {
            partition: held
            for partition, held in self._held.items()
            if held.fetched is None and held.position is not None
        }
        if asked:
            self._is_asking = True
            self._world.loop.outside(self._world.delay(), self._at_broker, asked, self._wait)

    def _at_broker(self, asked: dict[TopicPartition, _Held], wait: float) -> None:
        """The broker answers at once if it has something new, else at the end of the wait."""
        known, loop = self._world.broker.partitions, self._world.loop
        offsets = {partition: held.position or 0 for partition, held in asked.items()}
        found = {
            partition: (
                offset,
                known[partition.topic, partition.partition].fetch(
                    offset, _MAX_FETCHED, committed=self._committed
                ),
            )
            for partition, offset in offsets.items()
        }
        if wait and not any(fetch.next_offset > offset for offset, fetch in found.values()):
            loop.outside(wait, self._at_broker, asked, 0.0)
            return
        loop.call_later(self._world.delay(), self._answer, asked, found, context=self._context)

    def _answer(
        self, asked: dict[TopicPartition, _Held], found: dict[TopicPartition, tuple[int, Fetch]]
    ) -> None:
        self._is_asking = False
        for partition, held in asked.items():
            offset, fetch = found[partition]
            if self._held.get(partition) is not held or held.position != offset or held.fetched is not None:
                continue
            held.last_stable, held.high_watermark = fetch.last_stable, fetch.high_watermark
            held.answered_at = self._world.wall()
            if fetch.next_offset > offset:
                held.fetched = fetch
                self._stop_waiting()
        self._ask()
