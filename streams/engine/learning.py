"""The one writer of models: it reads all examples in one order, has them learned, and publishes snapshots."""

import asyncio
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from time import monotonic

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import KafkaException
from mode import Service

from models.example_merge import ExampleMerge, Merged
from models.learner import Learner
from models.snapshot import (
    NewerSnapshotError,
    Snapshot,
    SnapshotReader,
    SnapshotRefusedError,
    to_records,
)
from schemas.example import Example, ExamplesWatermark
from schemas.topics import EXAMPLES, MODELS
from streams.engine import consumers
from streams.engine.commit import OutputRecord, Transaction
from streams.engine.lease import Lease, LeaseLost
from streams.engine.published_models import read_record
from streams.engine.threads import in_thread
from streams.engine.work import Channel, ask
from streams.metrics import Metrics
from streams.settings import Settings

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 5.0
LESSON = 500
QUEUED_MAX = 10_000
"""Records of one partition held back for the others; beyond it the partition is not read."""
RETRY_SECONDS = 1.0

_read = msgspec.json.Decoder(Example | ExamplesWatermark).decode


@dataclass(slots=True, eq=False)
class Lesson:
    """Examples to be taught in this order; the answer is how many were learned."""

    learner: Learner
    examples: list[Merged]
    answer: "Future[int]"


class LearnerService(Service):
    """Learns while it holds the lease of the models' only partition; otherwise it waits for it.

    Its own transactional id fences a predecessor. It goes on at the offsets that the last published snapshots
    contain, so that the same examples make the same bytes, whoever learns.
    """

    def __init__(
        self,
        settings: Settings,
        lease: Lease,
        agent: Channel,
        metrics: Metrics,
        threads: Executor,
        fail: Callable[[Exception], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._fail = fail
        self._settings = settings
        self._lease = lease
        self._agent = agent
        self._metrics = metrics
        self._threads = threads

    async def on_start(self) -> None:
        """Ask for the lease."""
        self._lease.join()

    async def on_stop(self) -> None:
        """Give the lease back."""
        await in_thread(self._threads, self._lease.leave)

    @Service.task
    async def _poll(self) -> None:
        while not self.should_stop:
            try:
                self._lease.poll()
            except KafkaException as fatal:
                await self._fail(fatal)
                return
            await asyncio.sleep(0.1)

    @Service.task
    async def _learn(self) -> None:
        while not self.should_stop:
            if self._lease.wanted:
                try:
                    await self._hold()
                except LeaseLost as lost:
                    log.warning("learner: lease not confirmed", exc_info=lost)
                except SnapshotRefusedError as refused:
                    log.error("learner: the published models are refused", extra={"why": str(refused)})
                except Exception as failed:
                    log.exception("learner: begins again", exc_info=failed)
            await asyncio.sleep(RETRY_SECONDS)

    async def _hold(self) -> None:
        """Open, learn while the lease lasts, close."""
        await in_thread(self._threads, self._lease.prove, 0)
        transaction = Transaction(self._settings, f"{self._settings.app_id}-learner", 0)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        try:
            await consumer.start()
            await in_thread(self._threads, transaction.open)
            learner = Learner()
            kept = learner.restore(await self._published(consumer))
            merge = ExampleMerge(range(self._settings.partitions), await self._read_on(consumer, kept))
            log.info("learner open", extra={"versions": _versions(learner)})
            await self._work(consumer, learner, merge, transaction)
        finally:
            await consumers.stop(consumer)
            await in_thread(self._threads, transaction.close)

    async def _published(self, consumer: AIOKafkaConsumer) -> dict[str, Snapshot]:
        """The newest snapshots, read to the end of the topic. Raises NewerSnapshotError if newer code wrote them."""
        partition = TopicPartition(MODELS, 0)
        consumer.assign([partition])
        consumer.seek(partition, (await consumer.beginning_offsets([partition]))[partition])
        end = (await consumer.end_offsets([partition]))[partition]
        reader, newest = SnapshotReader(), dict[str, Snapshot]()
        newer: NewerSnapshotError | None = None
        while await consumer.position(partition) < end:
            fetched = await consumer.getmany(partition, timeout_ms=200)
            for record in fetched.get(partition, ()):
                try:
                    snapshot = read_record(reader, record.key, record.value, record.offset)
                except NewerSnapshotError as refused:
                    newer = refused
                    continue
                if snapshot is not None:
                    newest[snapshot.model], newer = snapshot, None
        if newer is not None:
            raise newer
        return newest

    async def _read_on(self, consumer: AIOKafkaConsumer, kept: dict[int, int]) -> dict[int, int]:
        """Read on where the snapshots stand; those offsets. Lost examples are lost lessons, so say it and go on."""
        partitions = [TopicPartition(EXAMPLES, number) for number in range(self._settings.partitions)]
        beginnings, ends = (
            await consumer.beginning_offsets(partitions),
            await consumer.end_offsets(partitions),
        )
        consumer.assign(partitions)
        offsets: dict[int, int] = {}
        for partition in partitions:
            number, beginning, end = partition.partition, beginnings[partition], ends[partition]
            offset = kept.get(number, beginning)
            if not beginning <= offset <= end:
                where = {"partition": number, "next": offset, "begins": beginning, "ends": end}
                log.error("examples were lost to retention, or their topic was made anew", extra=where)
                offset = beginning
            if number in kept:
                offsets[number] = offset
            consumer.seek(partition, offset)
        return offsets

    async def _work(
        self, consumer: AIOKafkaConsumer, learner: Learner, merge: ExampleMerge, transaction: Transaction
    ) -> None:
        published, unpublished = monotonic(), 0
        while self._lease.wanted and not self.should_stop:
            readable = [p for p in consumer.assignment() if merge.queued(p.partition) < QUEUED_MAX]
            fetched = await consumer.getmany(*readable, timeout_ms=500, max_records=LESSON * 4)
            for partition, records in fetched.items():
                for record in records:
                    _push(merge, partition.partition, record.offset, record.value)
            unpublished += await self._teach(learner, merge)
            if unpublished and monotonic() - published >= PUBLISH_SECONDS:
                await self._publish(learner, merge, transaction)
                published, unpublished = monotonic(), 0

    async def _teach(self, learner: Learner, merge: ExampleMerge) -> int:
        learned, loop = 0, asyncio.get_running_loop()
        while lesson := [each for _ in range(LESSON) if (each := merge.pop()) is not None]:
            learned += await ask(self._agent, Lesson(learner, lesson, loop.create_future()))
        return learned

    async def _publish(self, learner: Learner, merge: ExampleMerge, transaction: Transaction) -> None:
        """All models' snapshots at one position, in one transaction."""
        records = [
            OutputRecord(MODELS, key.encode(), value)
            for snapshot in learner.snapshots(merge.next_offsets()).values()
            for key, value in to_records(snapshot)
        ]
        await in_thread(self._threads, transaction.commit, records)
        self._gauge(learner)
        log.info("models published", extra={"versions": _versions(learner)})

    def _gauge(self, learner: Learner) -> None:
        for name, learning in learner.learning.items():
            self._metrics.model_examples.labels(name).set(learning.version)
            if (auc := learning.scored.auc()) is not None:
                self._metrics.model_auc.labels(name).set(auc)
            if (loss := learning.scored.log_loss()) is not None:
                self._metrics.model_log_loss.labels(name).set(loss)


def _push(merge: ExampleMerge, partition: int, offset: int, value: bytes | None) -> None:
    """A record that is no example takes its place in the order as nothing: only a foreign writer makes one."""
    try:
        merge.push(partition, offset, _read(value or b""))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        log.warning("examples: not an example", extra={"partition": partition, "offset": offset})


def _versions(learner: Learner) -> dict[str, int]:
    return {name: learning.version for name, learning in learner.learning.items()}
