"""Restore: the rows and the progress of one task, read back from its partition of the changelog."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.customer import ROW_VERSION
from streams.engine.commit import number_of
from streams.engine.store import RELEASED, Store
from streams.engine.task_row import TASK_ROW_KEY, NewerCode, TaskRow, unpack_task_row

RECORDS = 500
"""Decoded and taken at a time, within a few ms: many tasks may restore at once, and none holds up those that work."""

OnProgress = Callable[[int, int], None]
"""Is told how many records were read and how many offsets remain."""


class Changelog:
    """The changelog partition of one task; remembers how far it was read, so that opening again is quick."""

    def __init__(self, topic: str, task: int, store: Store) -> None:
        self.partition = TopicPartition(topic, task)
        self._store = store
        self._next = 0
        self.task_row = TaskRow()
        """The last one known to be committed."""
        self.batches = 0
        """The number of the last batch known to be committed."""

    def note(self, task_row: TaskRow, offset: int) -> None:
        """This task's next batch has committed its task row at `offset`, and the store shows what came before it."""
        self.task_row = task_row
        self.batches += 1
        self._next = offset + 1

    def forget(self) -> None:
        """Restore from the beginning next time: what was known to be committed may have been aborted since."""
        self.task_row, self._next = TaskRow(), 0

    async def restore(self, consumer: AIOKafkaConsumer, on_progress: OnProgress) -> TaskRow:
        """Bring the store up to the partition's end.

        To be called after `Fence.open`, which leaves nothing undecided, so that the end is stable. Raises KafkaError,
        and NewerCode for rows that only newer code can read.
        """
        partition = self.partition
        while self._next == 0 and self._store.release(RELEASED):
            await asyncio.sleep(0)
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
                    self.batches = number_of(record.headers)
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
