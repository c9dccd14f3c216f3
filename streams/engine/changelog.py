"""Restore: the rows and the progress of one task, read back from its partition of the changelog."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.customer import ROW_VERSION
from streams.engine.store import Store
from streams.engine.task_row import TASK_ROW_KEY, NewerCode, TaskRow, unpack_task_row
from streams.settings import Settings

RECORDS = 500
"""Decoded and taken at a time, within a few ms: many tasks may restore at once, and none holds up those that work."""


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

    async def restore(self, on_progress: Callable[[int, int], None]) -> TaskRow:
        """Bring the store up to the partition's end. `on_progress(records read, offsets remaining)`.

        To be called after `Transaction.open`, which has aborted what a dead owner left open, so that the end
        is stable. Raises KafkaError, and NewerCode for rows that only newer code can read.
        """
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
            await self._read(consumer, on_progress)
        finally:
            await consumer.stop()
        return self.task_row

    async def _read(self, consumer: AIOKafkaConsumer, on_progress: Callable[[int, int], None]) -> None:
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
        self._next = end
