"""The transaction of a batch: everything it says, its rows and its progress become visible together or never."""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.settings import Settings

OPEN_SECONDS = 20.0
COMMIT_SECONDS = 9.0
TRANSACTION_TIMEOUT_MS = 10_000


class OutputRecord(NamedTuple):
    """A record to be written to the partition of the task's own number."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None


class CommitFailed(Exception):
    """The transaction is not known to be committed; the task must open again."""


class Transaction:
    """The transactional producer of one task. All methods block; call them in a thread.

    Opening it fences whoever had the task before, and aborts what that one left open.
    """

    def __init__(self, settings: Settings, transactional_id: str, partition: int) -> None:
        self._partition = partition
        self._producer = Producer(
            {
                "bootstrap.servers": settings.bootstrap,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "delivery.timeout.ms": TRANSACTION_TIMEOUT_MS - 1_000,
                "linger.ms": 1,
                "batch.size": 1 << 20,
                "queue.buffering.max.messages": 1_000_000,
                # Transactions back to back meet CONCURRENT_TRANSACTIONS; the default waits 100 ms for each.
                "retry.backoff.ms": 1,
                "retry.backoff.max.ms": 50,
                "compression.type": "lz4",
                "log_level": 0,
            }
        )

    def open(self) -> None:
        """Fence previous owners. Raises CommitFailed if Kafka refuses or does not answer in OPEN_SECONDS."""
        self._call(self._producer.init_transactions, OPEN_SECONDS)

    def commit(self, records: Sequence[OutputRecord]) -> int:
        """Write the records, at least one, in one transaction; the offset of the last one.

        Raises CommitFailed unless the transaction is known to be committed.
        """
        self._call(self._producer.begin_transaction)
        offset = _Offset()
        try:
            for record in records[:-1]:
                self._produce(record, None)
            self._produce(records[-1], offset)
        except (KafkaException, BufferError) as failed:
            raise CommitFailed(f"produce: {failed}") from failed
        self._call(self._producer.commit_transaction, COMMIT_SECONDS)
        self._producer.poll(0)
        return offset.value

    def _produce(self, record: OutputRecord, on_delivery: "_Offset | None") -> None:
        self._producer.produce(
            record.topic,
            value=record.value,
            key=record.key,
            headers=record.headers,
            partition=self._partition,
            on_delivery=on_delivery,
        )

    def close(self) -> None:
        """Drop what is queued. An open transaction is aborted by the next owner's `open`, or by its timeout.

        A producer that was fenced while it committed has nothing left to close, and says so.
        """
        self._producer.purge()
        with contextlib.suppress(KafkaException):
            self._producer.close()

    def _call(self, method: Any, *arguments: float) -> None:
        try:
            method(*arguments)
        except KafkaException as failed:
            error = failed.args[0]
            raise CommitFailed(f"{method.__name__}: {error.name()}: {error.str()}") from failed


class _Offset:
    """Remembers where a record was written."""

    def __init__(self) -> None:
        self.value = -1

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        self.value = message.offset() or 0
