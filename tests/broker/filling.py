"""A committed changelog of any number of customers, written at once instead of lived through."""

from collections.abc import Sequence
from itertools import cycle

from confluent_kafka import Producer
from msgspec.structs import replace

from schemas.customer import Customer, pack
from schemas.topics import changelog
from streams.engine.partitions import partition_of
from streams.engine.task_row import TASK_ROW_KEY, TaskRow, pack_task_row
from streams.settings import Settings

QUEUED = 50_000


def key_of(number: int) -> bytes:
    """The key of one of the customers that rows are repeated under."""
    return b"c:%d" % number


def fill(settings: Settings, rows: Sequence[Customer], customers: int, stands: TaskRow) -> int:
    """Write these rows, over and over, as those of so many customers, and each task's row; the bytes of all rows.

    In one transaction, so that all of it is committed. No task has read anything yet.
    """
    topic, written = changelog(settings.app_id), 0
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "transactional.id": f"{settings.app_id}-rows",
            "transaction.timeout.ms": 600_000,
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 2 * QUEUED,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for number, row in zip(range(customers), cycle(rows), strict=False):
        key = key_of(number)
        row.key = key.decode()
        packed = pack(row)
        producer.produce(topic, key=key, value=packed, partition=partition_of(key, settings.partitions))
        written += len(packed)
        while len(producer) > QUEUED or (number % 1_000 == 0 and producer.poll(0)):
            producer.poll(0.05)
    task_row = pack_task_row(replace(stands, offsets={}))
    for partition in range(settings.partitions):
        producer.produce(topic, key=TASK_ROW_KEY, value=task_row, partition=partition)
    producer.commit_transaction(120)
    return written
