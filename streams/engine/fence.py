"""The sole right to write for a task: who opens it shuts out the owner before, and decides what that one left."""

import logging
from concurrent.futures import Executor
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine.changelog import Changelog
from streams.engine.commit import CommitFailed, Transaction
from streams.engine.lease import Lease
from streams.engine.outputs import Outputs
from streams.engine.threads import in_thread
from streams.engine.undecided import Ends, OnWait, are_committed, decide, read_ends
from streams.settings import Settings

log = logging.getLogger(__name__)

DECIDED_SECONDS = 10.0


class Fence:
    """One task's; `transaction` writes for it once `open` has answered."""

    def __init__(
        self, settings: Settings, lease: Lease, outputs: Outputs, changelog: Changelog, threads: Executor
    ) -> None:
        number = changelog.partition.partition
        self._settings = settings
        self._lease = lease
        self._changelog = changelog
        self._threads = threads
        self._number = number
        self._transactional_id = f"{settings.app_id}-{number}"
        self._partitions = [TopicPartition(topic, number) for topic in outputs.topics]
        self._transaction: Transaction | None = None

    @property
    def transaction(self) -> Transaction:
        """The task's transactional producer."""
        assert self._transaction is not None, "a transaction of a task that is not open"
        return self._transaction

    async def open(self, consumer: AIOKafkaConsumer, on_wait: OnWait) -> None:
        """Prove the lease, fence whoever wrote before, decide what Kafka has left undecided of that one's.

        The proof comes first: a worker that lost its lease must not fence the rightful owner. Fencing aborts the
        transaction that is open; what has no marker then gets none any more, if not from here. Raises LeaseLost,
        CommitFailed, KafkaError and TimeoutError.
        """
        await self._take(on_wait)
        ends = await read_ends(consumer, self._partitions, on_wait)
        if _undecided(ends):
            await self._settle(ends, on_wait)
            deadline = monotonic() + DECIDED_SECONDS
            # A transaction's end is answered before its markers are written.
            while left := _undecided(await read_ends(consumer, self._partitions, on_wait)):
                if monotonic() > deadline:
                    named = ", ".join(f"{each.topic}[{each.partition}]" for each in left)
                    raise CommitFailed(
                        f"{named} stay undecided: a producer that Kafka has forgotten, or one of another id, left them "
                        "so; kafka-transactions.sh abort ends that"
                    )

    async def close(self) -> None:
        """Let go of the producer. What it has left open is aborted by the next owner."""
        if self._transaction is not None:
            transaction, self._transaction = self._transaction, None
            await in_thread(self._threads, transaction.close)
            if transaction.brokers_were_away:
                self._changelog.forget()

    async def _take(self, on_wait: OnWait) -> None:
        await self._prove(on_wait)
        self._transaction = Transaction(self._settings, self._transactional_id, self._number)
        await in_thread(self._threads, self._transaction.open)

    async def _prove(self, on_wait: OnWait) -> None:
        await in_thread(self._threads, self._lease.prove, self._number)
        on_wait()  # revoked meanwhile: fencing would be the rightful owner's

    async def _settle(self, ends: dict[TopicPartition, Ends], on_wait: OnWait) -> None:
        """Give the records that have no marker the one that the rest of their batch got."""
        await self.close()
        known = self._changelog.batches
        verdicts = await are_committed(self._settings, self._changelog.partition, known, ends, on_wait)
        log.warning(
            "records without a marker",
            extra={
                "task": self._number,
                "committed": {each.topic: verdict for each, verdict in verdicts.items()},
            },
        )
        for verdict in (True, False):
            alike = [each for each, committed in verdicts.items() if committed is verdict]
            if alike:
                await self._prove(on_wait)
                await decide(self._settings, self._transactional_id, alike, commit=verdict)
        await self._take(on_wait)


def _undecided(ends: dict[TopicPartition, Ends]) -> list[TopicPartition]:
    return [each for each, found in ends.items() if found.is_undecided]
