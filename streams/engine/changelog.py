"""Restore: the rows and the progress of one task, read back from its partition of the changelog."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.customer import ROW_VERSION
from streams.engine.store import Store
from streams.engine.task_row import TASK_ROW_KEY, NewerCode, TaskRow, unpack_task_row
from streams.settings import Settings

RECORDS = 500
"""Decoded and taken at a time, within a few ms: many tasks may restore at once, and none holds up those that work."""

TELL_SECONDS = 20.0

OnProgress = Callable[[int, int], None]
"""Is told how many records were read and how many offsets remain."""


class Changelog:
    """The changelog partition of one task; remembers how far it was read, so that opening again is quick."""

    def __init__(self, settings: Settings, topic: str, task: int, store: Store) -> None:
        self._bootstrap = settings.bootstrap
        self._partition = TopicPartition(topic, task)
        self._store = store
        self._next = 0
        self.task_row = TaskRow()
        """The last one known to be committed."""

    def note(self, task_row: TaskRow, offset: int) -> None:
        """This task has committed its task row at `offset`, and the store shows what came before it."""
        self.task_row = task_row
        self._next = offset + 1

    def forget(self) -> None:
        """Restore from the beginning next time: what was known to be committed is not."""
        self.task_row, self._next = TaskRow(), 0

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of this partition alone, for `undecided_from` and `restore`. Raises KafkaError."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            # More is not faster, and such answers would hold up the loop for longer.
            max_partition_fetch_bytes=1 << 20,
            fetch_max_wait_ms=20,
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def undecided_from(self, consumer: AIOKafkaConsumer, on_progress: OnProgress) -> int | None:
        """The offset of the first record of a transaction that has no marker, if there is one.

        Raises KafkaError, and TimeoutError if Kafka does not tell in TELL_SECONDS.
        """
        partition = self._partition
        async with asyncio.timeout(TELL_SECONDS):
            # The client asks only about topics that it was assigned.
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            # Anew: what was fetched until now would tell of an older high watermark.
            consumer.assign([partition])
            consumer.seek(partition, end)
            while (high_watermark := consumer.highwater(partition)) is None:
                await consumer.getmany(partition, timeout_ms=20, max_records=1)
                on_progress(0, 0)
        consumer.assign([])
        return end if high_watermark > end else None

    def has_taken(self, offset: int) -> bool:
        """Whether the store shows what lies there."""
        return offset < self._next

    async def restore(self, consumer: AIOKafkaConsumer, on_progress: OnProgress) -> TaskRow:
        """Bring the store up to the partition's end.

        To be called after `Transaction.open`, which has aborted what a dead owner left open, so that the end
        is stable. Raises KafkaError, and NewerCode for rows that only newer code can read.
        """
        partition = self._partition
        consumer.assign([partition])
        beginning = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        consumer.seek(partition, max(self._next, beginning))
        put = self._store.put_restored
        while (position := await consumer.position(partition)) < end:
            found = await consumer.getmany(partition, timeout_ms=200, max_records=RECORDS)
            records = found.get(partition, [])
            for record in records:
                if record.key == TASK_ROW_KEY:
                    self.task_row = unpack_task_row(record.value)
                else:
                    if record.value and record.value[0] > ROW_VERSION:
                        raise NewerCode(
                            f"{partition.topic}[{partition.partition}] has rows of version {record.value[0]}; this "
                            f"code reads up to {ROW_VERSION}: start the version that wrote them"
                        )
                    put(record.key, record.value)
            on_progress(len(records), end - position)
            if len(records) == RECORDS:
                await asyncio.sleep(0)  # there may be more, and the client would hand it out at once
        self._next = position
        return self.task_row
