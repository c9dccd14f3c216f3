"""How reading gets on: per partition, since when nothing has come although something should."""

from collections.abc import Iterable
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.event import Millis
from streams.logs import error_text


class FetchProgress:
    """Since when each partition that is to be read stands still. Written by the loop, read by other threads.

    A partition gets on when its position moves, or when it is read to its last stable offset and a new fetch says
    so. Answers alone are not enough: a batch that cannot be read is answered again and again.
    """

    def __init__(self) -> None:
        self._failed: tuple[float, str] = (0.0, "")
        self._since: dict[TopicPartition, float] = {}
        self._seen: dict[TopicPartition, tuple[int, Millis | None]] = {}

    def expect(self, partitions: Iterable[TopicPartition]) -> None:
        """These are to be read from now on, and no others. Those that already were keep their time."""
        now = monotonic()
        self._since = {partition: self._since.get(partition, now) for partition in partitions}
        self._seen = {partition: seen for partition, seen in self._seen.items() if partition in self._since}

    async def note(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
        """Look at how far the partition was read; its position, None if no fetch has been answered yet."""
        last_stable = consumer.last_stable_offset(partition)
        if last_stable is None:
            return None
        position: int = await consumer.position(partition)
        fetched_at = consumer.last_poll_timestamp(partition)
        before, seen_at = self._seen.get(partition, (None, None))
        if position != before or (position >= last_stable and fetched_at != seen_at):
            self._seen[partition] = position, fetched_at
            if partition in self._since:
                self._since[partition] = monotonic()
        return position

    def fail(self, error: KafkaError) -> None:
        """Remember what Kafka's client said when a fetch failed."""
        self._failed = monotonic(), error_text(error)

    def error_since(self, since: float) -> str:
        """What the client said last, if that was after `since` (monotonic seconds); else nothing."""
        failed_at, text = self._failed
        return text if failed_at >= since else ""

    def standing(self) -> list[tuple[TopicPartition, float]]:
        """Every partition that is to be read, and since when (monotonic seconds) it stands still."""
        return list(self._since.items())

    def is_silent(self, seconds: float) -> bool:
        """Some partition has stood still for so long."""
        bound = monotonic() - seconds
        return any(since < bound for _, since in self.standing())
