"""Reading topics for people: read-committed, without a group, from where the command wants."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from schemas.event import Millis
from streams.cli.terminal import fail

ANSWER_SECONDS = 10.0
BATCH = 500


class Record(NamedTuple):
    """A committed record. `appended_at` is the broker's time, in ms."""

    topic: str
    partition: int
    offset: int
    appended_at: Millis
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Reader:
    """A consumer without a group; a context manager. Exits with 1 and one line if Kafka does not answer."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def partition_count(self, topic: str) -> int:
        """How many partitions the topic has."""
        try:
            found = self._consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
        except KafkaException as error:
            fail(f"Kafka at {self._bootstrap}: {error.args[0].str()}")
        if found.error is not None:
            fail(f"topic {topic}: {found.error.str()}; `pulpero topics create` makes it")
        return len(found.partitions)

    def follow(self, topic: str, *, from_beginning: bool) -> Iterator[list[Record]]:
        """The topic's records for ever, in batches; an empty batch now and then when nothing comes."""
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        numbers = range(self.partition_count(topic))
        self._consumer.assign([TopicPartition(topic, number, start) for number in numbers])
        while True:
            yield list(self._take(timeout_seconds=0.5, ended=set()))

    def newest(self, topic: str) -> dict[bytes, bytes]:
        """What a compacted topic holds at present: the newest value of every key that is not deleted."""
        found = {record.key: record.value for record in self.to_end(topic)}
        return {key: value for key, value in found.items() if key is not None and value is not None}

    def to_end(self, topic: str, partitions: Iterable[int] | None = None) -> Iterator[Record]:
        """The records of these partitions (None: of all) up to their present end."""
        # Asking for the count also tells librdkafka the leaders, which it would look up a second later.
        every: Sequence[int] = range(self.partition_count(topic))
        numbers = every if partitions is None else sorted(set(partitions))
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])
        ended: set[int] = set()
        while len(ended) < len(numbers):
            before = len(ended)
            records = list(self._take(timeout_seconds=ANSWER_SECONDS, ended=ended))
            if not records and len(ended) == before:
                fail(f"Kafka at {self._bootstrap}: no answer for topic {topic}")
            yield from records

    def _take(self, *, timeout_seconds: float, ended: set[int]) -> Iterator[Record]:
        messages = self._consumer.consume(1, timeout_seconds)
        messages += self._consumer.consume(BATCH, 0.01) if messages else []
        for message in messages:
            error = message.error()
            if error is None:
                yield _record(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition() or 0)
            elif not error.retriable() and error.code() != KafkaError._ALL_BROKERS_DOWN:
                fail(f"Kafka at {self._bootstrap}: {error.str()}")


def _record(message: Message) -> Record:
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        dict(headers),
    )
