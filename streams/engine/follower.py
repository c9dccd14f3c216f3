"""Following a compacted topic of one partition: to its end first, then for ever."""

import logging
from abc import ABC, abstractmethod

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.settings import Settings

log = logging.getLogger(__name__)


class Follower(ABC):
    """Reads partition 0 of `topic`, committed records only, and takes them one by one, in order."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._partition = TopicPartition(topic, 0)
        self._bootstrap = settings.bootstrap
        self._consumer: AIOKafkaConsumer

    @abstractmethod
    def take(self, key: bytes, value: bytes | None, offset: int) -> None:
        """Take a record; None for a value says that the key is deleted."""

    async def start(self) -> None:
        """Read to the present end. Raises KafkaError."""
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
        )
        await self._consumer.start()
        partition = self._partition
        self._consumer.assign([partition])
        beginning = (await self._consumer.beginning_offsets([partition]))[partition]
        self._consumer.seek(partition, beginning)
        end = (await self._consumer.end_offsets([partition]))[partition]
        while await self._consumer.position(partition) < end:
            await self._read(timeout_ms=200)

    async def follow(self) -> None:
        """Read on until cancelled; an error of Kafka's is logged and tried again."""
        while True:
            try:
                await self._read(timeout_ms=500)
            except KafkaError as failed:
                log.warning("%s: %s", self._partition.topic, failed)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def _read(self, timeout_ms: int) -> None:
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                if record.key is not None:
                    self.take(record.key, record.value, record.offset)
