"""What a consumer that reads committed sees of a topic, from its beginning to its present end."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaError, TopicPartition

from streams.engine.task_row import TASK_ROW_KEY, TaskRow, unpack_task_row

_SECONDS = 30.0


class Record(NamedTuple):
    """A record as it was read. `appended_at` in ms."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    appended_at: int

    @property
    def json(self) -> Any:
        """The value as JSON."""
        return orjson.loads(self.value or b"null")


class Reader:
    """Reads all partitions of some topics; each `read` goes on where the last one ended."""

    def __init__(self, bootstrap: str, *topics: str, isolation: str = "read_committed") -> None:
        self._config = {
            "bootstrap.servers": bootstrap,
            "group.id": "nobody",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
        consumer = Consumer(self._config)
        known = consumer.list_topics(timeout=_SECONDS).topics
        consumer.close()
        self._next = {(topic, number): 0 for topic in topics for number in known[topic].partitions}
        self.records: list[Record] = []

    def read(self) -> list[Record]:
        """All records so far, in each partition's order."""
        consumer = Consumer(self._config)
        consumer.assign([TopicPartition(*place, max(0, at)) for place, at in self._next.items()])
        unread = set(self._next)
        while unread:
            for message in consumer.consume(2_000, 0.05):
                self._take(message, unread)
        consumer.close()
        return self.records

    def _take(self, message: Any, unread: set[tuple[str, int]]) -> None:
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            place = (message.topic(), message.partition())
            unread.discard(place)
            self._next[place] = max(self._next[place], message.offset())
            return
        record = Record(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            message.headers() or [],
            message.timestamp()[1],
        )
        self._next[record.topic, record.partition] = record.offset + 1
        self.records.append(record)


def read(bootstrap: str, *topics: str) -> list[Record]:
    """All committed records of the topics."""
    return Reader(bootstrap, *topics).read()


def rows(changelog: Iterable[Record]) -> dict[bytes, bytes]:
    """The newest packed row of each customer."""
    newest = {record.key: record.value for record in changelog if record.key != TASK_ROW_KEY}
    return {key: value for key, value in newest.items() if key is not None and value is not None}


def task_rows(changelog: Iterable[Record]) -> dict[int, TaskRow]:
    """The newest task row of each task."""
    return {
        record.partition: unpack_task_row(record.value)
        for record in changelog
        if record.key == TASK_ROW_KEY and record.value is not None
    }
