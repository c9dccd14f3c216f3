"""The transaction of a batch: everything it says, its rows and its progress become visible together or never."""

import contextlib
from collections.abc import Sequence
from time import monotonic
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.settings import Settings

OPEN_SECONDS = 20.0
COMMIT_SECONDS = 9.0
FLUSH_SECONDS = 0.05
"""Between two looks whether the brokers are there. They take longer to come back."""
TRANSACTION_TIMEOUT_MS = 10_000

NUMBER = "pulpero-batch"
"""Header of the last record that a batch writes to a topic: the batch's number, greater than those before it."""


class OutputRecord(NamedTuple):
    """A record to be written to the partition of the task's own number."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None


class CommitFailed(Exception):
    """The transaction is not known to be committed; the task must open again."""


class BrokersWereAway(CommitFailed):
    """All brokers were, so what was committed last may have no marker; the task must open again."""


def numbered(records: Sequence[OutputRecord], number: int) -> list[OutputRecord]:
    """The records of a batch, the last one of each topic with its number."""
    marked = list(records)
    for index in {record.topic: index for index, record in enumerate(records)}.values():
        headers = records[index].headers or []
        marked[index] = records[index]._replace(headers=[*headers, (NUMBER, str(number))])
    return marked


def number_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """The number that a record's headers tell, or 0."""
    found = next((value for name, value in headers if name == NUMBER and value is not None), b"")
    return int(found) if found.isdigit() else 0


class Transaction:
    """The transactional producer of one task. All methods but `check` block; call them in a thread.

    Opening it fences whoever had the task before, and aborts what that one left open.
    """

    def __init__(self, settings: Settings, transactional_id: str, partition: int) -> None:
        self._partition = partition
        self.brokers_were_away = False
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
                "error_cb": self._note_error,
            }
        )

    def open(self) -> None:
        """Fence previous owners. Raises CommitFailed if Kafka refuses or does not answer in OPEN_SECONDS."""
        self._call(self._producer.init_transactions, OPEN_SECONDS)
        self._call(self._producer.poll, 0)
        self.brokers_were_away = False

    def check(self) -> None:
        """Raises BrokersWereAway if all were since `open`: what is written next could share the fate of what hangs.

        Does not block.
        """
        self._call(self._producer.poll, 0)
        if self.brokers_were_away:
            raise BrokersWereAway("all brokers were away")

    def commit(self, records: Sequence[OutputRecord]) -> int:
        """Write the records, at least one, in one transaction; the offset of the last one.

        Raises CommitFailed unless the transaction is known to be committed.
        """
        self.check()
        report = _Report()
        self._call(self._producer.begin_transaction)
        for record in records[:-1]:
            self._produce(record, None)
        self._produce(records[-1], report)
        self._flush()
        self._call(self._producer.commit_transaction, COMMIT_SECONDS)
        self.check()
        return report.offset

    def _produce(self, record: OutputRecord, report: "_Report | None") -> None:
        try:
            self._producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                headers=record.headers,
                partition=self._partition,
                on_delivery=report,
            )
        except (KafkaException, BufferError) as failed:
            raise CommitFailed(f"produce: {failed}") from failed

    def _flush(self) -> None:
        """Wait until Kafka has it all, or has said why not.

        If all brokers go away, what is still queued must not be sent when they are back: it would follow records that
        have no marker, and if it were aborted, so would they be. Once all of it was sent, its commit is right for both.
        """
        deadline = monotonic() + COMMIT_SECONDS
        while unsent := self._flush_for(FLUSH_SECONDS):
            self.check()
            if monotonic() > deadline:
                raise CommitFailed(f"flush: {unsent} records were not sent within {COMMIT_SECONDS:g} s")

    def _flush_for(self, seconds: float) -> int:
        """How many records are not sent by then."""
        with contextlib.suppress(SystemError):
            # So it is when a fatal error comes up meanwhile; the next call says which.
            return self._producer.flush(seconds)
        return 0

    def close(self) -> None:
        """Drop what is queued, and hear what came last.

        An open transaction is aborted by the next owner's `open`, or by its timeout. A producer that was fenced while
        it committed has nothing left to close, and says so.
        """
        with contextlib.suppress(KafkaException, SystemError):
            self._producer.poll(0)
        self._producer.purge()
        with contextlib.suppress(KafkaException, SystemError):
            self._producer.close()

    def _note_error(self, error: KafkaError) -> None:
        self.brokers_were_away |= error.code() == KafkaError._ALL_BROKERS_DOWN

    def _call(self, method: Any, *arguments: float) -> None:
        try:
            method(*arguments)
        except KafkaException as failed:
            error = failed.args[0]
            raise CommitFailed(f"{method.__name__}: {error.name()}: {error.str()}") from failed


class _Report:
    """Remembers where a record was written."""

    def __init__(self) -> None:
        self.offset = -1

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.offset = message.offset() or 0
