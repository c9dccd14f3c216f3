"""What the projector reads: every partition of changelog and decisions, read-committed, without a group."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

POLL_MS = 50
MAX_RECORDS = 5_000

Partition = tuple[str, int]


class Bounds(NamedTuple):
    """The first offset of a partition and the one after its last committed record."""

    beginning: int
    end: int


class Inputs:
    """A reader of some topics. Its methods raise aiokafka's KafkaError."""

    def __init__(self, bootstrap: str, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self.topic_ids: dict[str, str] = {}
        self._partitions: list[Partition] = []
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._bootstrap = bootstrap
        self._connected: AIOKafkaConsumer | None = None

    async def close(self) -> None:
        """Disconnect."""
        if self._connected is not None:
            await self._connected.stop()

    async def open(self) -> dict[Partition, Bounds]:
        """Connect if need be and assign all partitions that the topics have now; their bounds.

        Raises UnknownTopicOrPartitionError if a topic does not exist.
        """
        await self._connect()
        self.topic_ids, self._partitions = await asyncio.to_thread(self._describe)
        partitions = [TopicPartition(*each) for each in self._partitions]
        self._consumer.assign(partitions)
        beginnings = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        return {(each.topic, each.partition): Bounds(beginnings[each], ends[each]) for each in partitions}

    def seek(self, offsets: Mapping[Partition, int]) -> None:
        """Go on from these offsets; every assigned partition must be named."""
        for partition in self._partitions:
            self._consumer.seek(TopicPartition(*partition), offsets[partition])

    async def take(self) -> list[ConsumerRecord]:
        """The next records, at most MAX_RECORDS, in each partition's order; empty after POLL_MS."""
        batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
        return [record for batch in batches.values() for record in batch]

    async def positions(self) -> dict[Partition, int]:
        """The next offset of every partition, transaction markers passed over."""
        return {each: await self._consumer.position(TopicPartition(*each)) for each in self._partitions}

    def lag(self, positions: Mapping[Partition, int]) -> dict[str, int]:
        """Offsets not read yet, by topic, as far as the last fetch knows."""
        lag = dict.fromkeys(self.topics, 0)
        for (topic, number), position in positions.items():
            end = self._consumer.highwater(TopicPartition(topic, number))
            lag[topic] += max(0, (end or 0) - position)
        return lag

    async def were_replaced(self) -> bool:
        """Whether a topic was deleted and made anew since `open`."""
        topic_ids, _ = await asyncio.to_thread(self._describe)
        return topic_ids != self.topic_ids

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        if self._connected is None:
            raise RuntimeError("read before open")
        return self._connected

    async def _connect(self) -> None:
        if self._connected is not None:
            return
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            fetch_max_wait_ms=POLL_MS,
            fetch_max_bytes=16 << 20,
            max_partition_fetch_bytes=1 << 20,
        )
        try:
            await consumer.start()
        except KafkaError:
            await consumer.stop()
            raise
        self._connected = consumer

    def _describe(self) -> tuple[dict[str, str], list[Partition]]:
        topic_ids, partitions = {}, []
        for topic, answer in self._admin.describe_topics(
            TopicCollection(list(self.topics)), request_timeout=5
        ).items():
            try:
                found = answer.result()
            except KafkaException as error:
                raise UnknownTopicOrPartitionError(f"{topic}: {error.args[0].str()}") from error
            topic_ids[topic] = str(found.topic_id)
            partitions += [(topic, each.id) for each in found.partitions]
        return topic_ids, sorted(partitions)
