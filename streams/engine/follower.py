"""Following a compacted topic of one partition: to its end first, then for ever."""

import asyncio
import logging
from abc import ABC, abstractmethod

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.engine import consumers
from streams.engine.progress import FetchProgress
from streams.logs import Seldom
from streams.settings import Settings

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Follower(ABC):
    """Reads partition 0 of `topic`, committed records only, and takes them one by one, in order."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._partition = TopicPartition(topic, 0)
        self._bootstrap = settings.bootstrap
        self.progress = FetchProgress()
        """How `follow` gets on."""
        self._next = 0
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
        self._next = (await self._consumer.beginning_offsets([partition]))[partition]
        self._consumer.seek(partition, self._next)
        end = (await self._consumer.end_offsets([partition]))[partition]
        while await self._consumer.position(partition) < end:
            await self._read(timeout_ms=200)

    async def follow(self) -> None:
        """Read on until cancelled; an error of Kafka's is logged and tried again."""
        complains = Seldom()
        self.progress.expect([self._partition])
        while True:
            try:
                await self._read(timeout_ms=500)
            except KafkaError as failed:
                self.progress.fail(failed)
                if complains():
                    log.warning("%s: %s; it is tried again", self._partition.topic, failed)
                # What was taken out of aiokafka's buffers before it failed is lost to it.
                self._consumer.seek(self._partition, self._next)
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self) -> None:
        """Disconnect."""
        await consumers.stop(self._consumer)

    async def _read(self, timeout_ms: int) -> None:
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                if record.key is not None:
                    self.take(record.key, record.value, record.offset)
                self._next = record.offset + 1
        await self.progress.note(self._consumer, self._partition)
