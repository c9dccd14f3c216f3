"""Reading the touchpoints: one aiokafka consumer without a group, by assignment, for all tasks of the worker."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from streams.clock import wall_millis
from streams.engine import consumers
from streams.engine.inbox import UNREADABLE, Inbox, RawRecord
from streams.engine.progress import FetchProgress
from streams.logs import Seldom
from streams.settings import Settings

log = logging.getLogger(__name__)

Headers = tuple[tuple[str, bytes | None], ...]

POLL_MS = 50
STEP_SECONDS = 0.3
RETRY_SECONDS = 0.1
FULL_SECONDS = 0.005
"""How soon to look again when every inbox is full."""
PACE_SECONDS = 0.01
"""Between two fetches that bring little: one costs as much as dozens of records, however many it brings."""
NOTE_SECONDS = 0.1
"""Live, how often a partition that has no news, and was read to its end, is told of the newest fetch."""


class InputLost(Exception):
    """A task's next input record is not in Kafka any more: retention cut it, or the topic was made anew."""


class Reading:
    """What the source keeps of one task: its inboxes, what to do when something came, how to fail it."""

    def __init__(
        self, inboxes: Mapping[str, Inbox], wake: Callable[[], None], fail: Callable[[Exception], None]
    ) -> None:
        self.inboxes = inboxes
        self.wake = wake
        self.fail = fail


class Source:
    """Fetches into inboxes, bounded in bytes: a full inbox takes its partition out of the assignment.

    Pausing would not do: a paused partition keeps a stale last stable offset, and aiokafka throws away what it
    had prefetched of it.
    """

    def __init__(self, settings: Settings, topics: int) -> None:
        self._settings = settings
        self._full = settings.queue_bytes // topics
        self._readings: dict[int, Reading] = {}
        self._next: dict[TopicPartition, int] = {}
        self._seeking: set[TopicPartition] = set()
        self._full_inboxes: set[TopicPartition] = set()
        self._ended: dict[TopicPartition, int] = {}
        """Partitions whose inboxes know that they were read to their end, and that last stable offset."""
        self._noted_at = 0.0
        self._changed = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Fetched records thrown away, by reason."""
        self.progress = FetchProgress()
        self._complains = Seldom()
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect. Raises KafkaError."""
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            max_partition_fetch_bytes=1 << 20,
            # The long poll of a partition without data must not delay one that was just assigned.
            fetch_max_wait_ms=20,
        )
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await consumers.stop(self._consumer)

    async def beginnings(self, task: int, topics: Iterable[str]) -> dict[str, int]:
        """The first offset that each topic still has of the task's partition. Raises KafkaError."""
        assert self._consumer is not None
        offsets = await self._consumer.beginning_offsets([TopicPartition(topic, task) for topic in topics])
        return {partition.topic: offset for partition, offset in offsets.items()}

    def add(self, task: int, reading: Reading, offsets: Mapping[str, int]) -> None:
        """Begin to read the task's partitions at these offsets; what is still under way for it is not taken."""
        self._readings[task] = reading
        for topic in reading.inboxes:
            partition = TopicPartition(topic, task)
            self._next[partition] = offsets[topic]
            self._seeking.add(partition)
            self._full_inboxes.discard(partition)
        self._changed.set()

    def remove(self, task: int) -> None:
        """Stop reading for the task. What was fetched of it meanwhile is thrown away."""
        reading = self._readings.pop(task, None)
        if reading is not None:
            for topic in reading.inboxes:
                partition = TopicPartition(topic, task)
                del self._next[partition]
                self._full_inboxes.discard(partition)
            self._changed.set()

    async def fetch(self) -> None:
        """Wait for records or a change, and bring the inboxes up to date. To be called in a loop."""
        consumer = self._consumer
        assert consumer is not None
        self._readmit()
        if self._changed.is_set():
            self._changed.clear()
            self._assign(consumer)
        if not consumer.assignment():
            await self._wait_for_change()
            return
        began = monotonic()
        try:
            fetched = await consumer.getmany(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as out_of_range:
            await self._out_of_range(consumer, out_of_range)
            return
        except KafkaError as failed:
            await self._begin_again(consumer, failed)
            return
        except UnicodeDecodeError:
            await self._step_over_unreadable(consumer)
            return
        for partition, records in fetched.items():
            self._put(partition, records)
        await self._note_progress(consumer)
        # A new assignment throws away what has been fetched since, so nothing is to be fetched before it.
        if not self._changed.is_set() and not self._full_inboxes:
            await asyncio.sleep(max(0.0, began + PACE_SECONDS - monotonic()))

    async def _step_over_unreadable(self, consumer: AIOKafkaConsumer) -> None:
        """aiokafka cannot read a record whose header names are not UTF-8, and loses what it read along with it.

        So everything is read again from where it was put, record by record where the bad one lies; in its place
        stands one that the touchpoint's agent refuses.
        """
        self._rewind(consumer)
        for partition in consumer.assignment():
            while partition in self._next and partition not in self._full_inboxes:
                try:
                    found = await asyncio.wait_for(consumer.getone(partition), STEP_SECONDS)
                except (TimeoutError, KafkaError):
                    break
                except UnicodeDecodeError:
                    offset = await consumer.position(partition)
                    if partition not in self._next:
                        break
                    self._readings[partition.partition].inboxes[partition.topic].put(
                        [RawRecord(offset, wall_millis(), None, None, UNREADABLE)]
                    )
                    self._next[partition] = offset + 1
                    consumer.seek(partition, offset + 1)
                    break
                self._put(partition, [found])
        self._changed.set()

    async def _begin_again(self, consumer: AIOKafkaConsumer, failed: KafkaError) -> None:
        """What aiokafka had taken out of its buffers before it failed is lost to it: read from there again."""
        self.progress.fail(failed)
        if self._complains():
            log.warning("fetch: %s; it is tried again", failed)
        self._rewind(consumer)
        await self._note_progress(consumer)
        await asyncio.sleep(RETRY_SECONDS)

    def _rewind(self, consumer: AIOKafkaConsumer) -> None:
        self._ended.clear()
        for partition in consumer.assignment():
            if partition in self._next:
                consumer.seek(partition, self._next[partition])

    async def _wait_for_change(self) -> None:
        timeout = FULL_SECONDS if self._full_inboxes else None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout)

    def _put(self, partition: TopicPartition, records: list[ConsumerRecord]) -> None:
        if partition not in self._next or partition in self._seeking:
            self.dropped["stale_incarnation"] += len(records)
            return
        if records[0].offset < self._next[partition]:
            fresh = [record for record in records if record.offset >= self._next[partition]]
            self.dropped["below_offset"] += len(records) - len(fresh)
            records = fresh
        if not records:
            return
        reading = self._readings[partition.partition]
        inbox = reading.inboxes[partition.topic]
        inbox.put(
            [
                RawRecord(
                    record.offset,
                    record.timestamp,
                    record.key,
                    record.value,
                    _ours(record.headers) if record.headers else (),
                )
                for record in records
            ]
        )
        self._next[partition] = records[-1].offset + 1
        reading.wake()
        if inbox.raw_bytes > self._full:
            self._full_inboxes.add(partition)
            self._changed.set()

    async def _note_progress(self, consumer: AIOKafkaConsumer) -> None:
        """Tell each inbox how far its partition was read, as of its last fetch.

        That fetch was sent when the one before it was answered, or later: what Kafka says is at least so new. The
        time of its own answer would not do: a process that was stopped meanwhile reads an old answer when it wakes.

        Live, those at their end are told so now and then. Whether Kafka has more for them is asked every time:
        an answer may have moved a partition's end, and have had no room for its records, or only aborted ones.
        """
        is_due = self._settings.idle > 0 or monotonic() - self._noted_at >= NOTE_SECONDS
        if is_due:
            self._noted_at = monotonic()
        for partition in consumer.assignment():
            if partition not in self._next or partition in self._seeking:
                continue
            end = self._ended.get(partition)
            if not is_due and end is not None and end == consumer.last_stable_offset(partition):
                continue
            position = await self.progress.note(consumer, partition)
            if position is None:
                continue
            self._next[partition] = position
            reading = self._readings[partition.partition]
            inbox = reading.inboxes[partition.topic]
            was_at_end = inbox.is_read_to_its_end
            inbox.position, inbox.last_stable = position, consumer.last_stable_offset(partition)
            inbox.high_watermark = consumer.highwater(partition)
            answered_at = consumer.last_poll_timestamp(partition)
            if answered_at != inbox.answered_at:
                inbox.fetched_at, inbox.answered_at = inbox.answered_at, answered_at
            if position >= inbox.last_stable and inbox.fetched_at is not None:
                self._ended[partition] = inbox.last_stable
            else:
                self._ended.pop(partition, None)
            if inbox.is_read_to_its_end and not was_at_end:
                reading.wake()

    def _readmit(self) -> None:
        """Take partitions back whose inbox has room again."""
        for partition in list(self._full_inboxes):
            inbox = self._readings[partition.partition].inboxes[partition.topic]
            if inbox.raw_bytes < self._full // 2:
                self._full_inboxes.discard(partition)
                self._changed.set()

    def _assign(self, consumer: AIOKafkaConsumer) -> None:
        """Read exactly the wanted partitions, each at the offset that comes next."""
        wanted = [partition for partition in self._next if partition not in self._full_inboxes]
        consumer.assign(wanted)
        for partition in wanted:
            consumer.seek(partition, self._next[partition])
        self._seeking.clear()
        self._ended.clear()
        self.progress.expect(wanted)

    async def _out_of_range(self, consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError) -> None:
        for partition, offset in error.args[0].items():
            try:
                beginning = (await consumer.beginning_offsets([partition]))[partition]
            except KafkaError:
                # The next fetch finds the same again.
                return
            reading = self._readings.get(partition.partition)
            if reading is not None:
                reading.fail(
                    InputLost(
                        f"{partition.topic}[{partition.partition}]: next is offset {offset}, but the partition "
                        f"begins at {beginning}: records were lost to retention, or the topic was made anew"
                    )
                )


def _ours(headers: Headers) -> Headers:
    """The headers that Pulpero reads; others would only take memory."""
    return tuple(each for each in headers if each[0].startswith("pulpero"))
