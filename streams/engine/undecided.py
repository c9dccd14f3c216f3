"""What Kafka leaves undecided: records whose transaction has ended without a marker in their partition.

Kafka decides a transaction while partitions have no leader, takes those for deleted, and writes no marker there
(TransactionMarkerChannelManager: "these partitions are likely deleted already and hence can be skipped"). The records
stay hidden until the next marker of the same transactional id in that partition, and then share its fate. So a task
that opens gives them the marker that the rest of their batch got.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.engine.commit import TRANSACTION_TIMEOUT_MS, number_of
from streams.engine.consumers import connected
from streams.settings import Settings

TELL_SECONDS = 20.0
STOP_SECONDS = 5.0
_TAIL = 10
"""Offsets at the end of a partition that are looked at first; if all of them are markers and aborted records, more."""

OnWait = Callable[[], None]
"""Called now and then; raises what ends the waiting."""


class Ends(NamedTuple):
    """Of a partition: its last stable offset, where the first record without a marker lies, and its high watermark."""

    stable: int
    high_watermark: int

    @property
    def is_undecided(self) -> bool:
        """There are records without a marker."""
        return self.high_watermark > self.stable


async def read_ends(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], on_wait: OnWait
) -> dict[TopicPartition, Ends]:
    """The ends of the partitions. To be asked once whoever writes to them is fenced.

    Raises KafkaError, and TimeoutError if Kafka does not tell in TELL_SECONDS.
    """
    async with asyncio.timeout(TELL_SECONDS):
        # The client asks only about topics that it was assigned; nothing is to be fetched of them yet.
        consumer.assign(partitions)
        consumer.pause(*partitions)
        stable = await consumer.end_offsets(partitions)
        # Anew: what was fetched until now would tell of an older high watermark.
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, stable[partition])
        while any(consumer.highwater(partition) is None for partition in partitions):
            await consumer.getmany(*partitions, timeout_ms=20, max_records=1)
            on_wait()
    ends = {each: Ends(stable[each], consumer.highwater(each)) for each in partitions}
    consumer.assign([])
    return ends


async def are_committed(
    settings: Settings,
    changelog: TopicPartition,
    known: int,
    ends: Mapping[TopicPartition, Ends],
    on_wait: OnWait,
) -> dict[TopicPartition, bool]:
    """For each partition with records without a marker, whether their batch is committed.

    It is where one of the other partitions shows the same number, where the changelog shows a greater one, and up to
    `known`, of which Kafka has told this process. Of all others nobody has seen anything. `ends` has all partitions of
    the task. Raises KafkaError, and TimeoutError if Kafka does not tell in TELL_SECONDS.
    """
    stable = {each: found.stable for each, found in ends.items()}
    undecided = {each: found.high_watermark for each, found in ends.items() if found.is_undecided}
    async with asyncio.timeout(TELL_SECONDS):
        shown = await _last_numbers(settings, "read_committed", stable, on_wait)
        hidden = await _last_numbers(settings, "read_uncommitted", undecided, on_wait)
    newest = max(shown[changelog], known)
    return {
        each: number > 0 and (number in shown.values() or number <= newest) for each, number in hidden.items()
    }


async def decide(
    settings: Settings, transactional_id: str, partitions: Iterable[TopicPartition], *, commit: bool
) -> None:
    """Write markers to the partitions: a transaction of that id has them, and no records.

    It fences all who have the id. Raises KafkaError, and TimeoutError if Kafka does not do it in TELL_SECONDS.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
    )
    try:
        async with asyncio.timeout(TELL_SECONDS):
            await producer.start()
            await producer.begin_transaction()
            for partition in partitions:
                # What `send` does first. No client has it in public, and a record would be seen.
                producer._txn_manager.maybe_add_partition_to_txn(partition)
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()


async def _last_numbers(
    settings: Settings, isolation: str, ends: Mapping[TopicPartition, int], on_wait: OnWait
) -> dict[TopicPartition, int]:
    """The number of the last record before each end that is seen at this isolation level; 0 if it has none."""
    numbers: dict[TopicPartition, int] = {}
    async with connected(settings.bootstrap, isolation) as consumer:
        consumer.assign(list(ends))
        beginnings = await consumer.beginning_offsets(list(ends))
        tail = _TAIL
        while unseen := {each: end for each, end in ends.items() if each not in numbers}:
            consumer.assign(list(unseen))
            for partition, end in unseen.items():
                consumer.seek(partition, max(beginnings[partition], end - tail))
            read_whole = [each for each, end in unseen.items() if end - tail <= beginnings[each]]
            numbers |= dict.fromkeys(read_whole, 0) | await _read_numbers(consumer, unseen, on_wait)
            tail *= 10
    return numbers


async def _read_numbers(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], on_wait: OnWait
) -> dict[TopicPartition, int]:
    """The number of the last record that is seen from the present positions on, of the partitions that show any."""
    numbers: dict[TopicPartition, int] = {}
    while [each for each, end in ends.items() if await consumer.position(each) < end]:
        fetched = await consumer.getmany(timeout_ms=20)
        for partition, records in fetched.items():
            for record in records:
                if record.offset < ends[partition]:
                    numbers[partition] = number_of(record.headers)
        on_wait()
    return numbers
