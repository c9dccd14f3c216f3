"""Who sees what, and when: customers by task, strangers on the broker, and readers that note the time."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import uuid4

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.engine.partitions import partition_of
from tests.broker.events import key_of
from tests.broker.reading import Record
from tests.broker.trapping import WRITER


def customers_of(task: int, partitions: int) -> Iterator[str]:
    """Names of ever more customers that belong to this task."""
    names = (f"v{number}" for number in count())
    return (name for name in names if partition_of(key_of(name).encode(), partitions) == task)


def stranger(bootstrap: str) -> Producer:
    """A producer that is none of ours, in a transaction of its own; Kafka lets it hang for a minute."""
    config = {"bootstrap.servers": bootstrap, "transactional.id": f"stranger-{uuid4().hex}", "log_level": 0}
    producer = Producer(config)
    producer.init_transactions(30)
    producer.begin_transaction()
    return producer


def writers(records: Iterable[Record]) -> dict[tuple[str, int], list[str]]:
    """For each partition who wrote to it, in turn. Records without a writer are a stranger's."""
    said: dict[tuple[str, int], list[str]] = {}
    for record in records:
        name = dict(record.headers).get(WRITER)
        if name is not None:
            turns = said.setdefault((record.topic, record.partition), [])
            if turns[-1:] != [name.decode()]:
                turns.append(name.decode())
    return said


class Witness:
    """Notes when each record of a topic becomes visible to who reads committed: monotonic seconds by its mark."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.seen: dict[str, float] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "witness",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def _look(self) -> None:
        while not self._ended.is_set():
            for message in self._consumer.consume(500, 0.01):
                if message.error() is None:
                    self.seen.setdefault(mark_of(message), time.monotonic())


def mark_of(message: Any) -> str:
    """What an action is about; of a stranger's record its key."""
    value = message.value()
    return str(orjson.loads(value)["business_key"]["id"]) if value else message.key().decode()


@contextmanager
def witnessed(bootstrap: str, topic: str, partitions: int) -> Iterator[Witness]:
    """A witness that ends with the block."""
    witness = Witness(bootstrap, topic, partitions)
    try:
        yield witness
    finally:
        witness.end()
