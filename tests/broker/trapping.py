"""A shop's module whose worker falls into the traps that a test sets for it; loaded by PULPERO_AGENTS.

Every record that it writes names its writer, so that a test can tell whose it was.
"""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import ACTIONS
from streams.engine import commit
from streams.engine.commit import OutputRecord, Transaction
from streams.engine.lease import Lease

log = logging.getLogger(__name__)

WRITER = "writer"
"""Header of every record that is written: which opening of a task in which process, as "4711-3"."""

TRAP = "PULPERO_TEST_TRAP"
"""Environment: a file; when it exists, the next transaction that has written an action falls into it (see Trap)."""

TIMEOUT_MS = "PULPERO_TEST_TRANSACTION_TIMEOUT_MS"
"""Environment: Kafka aborts a transaction after so long."""

UNAWARE_SECONDS = "PULPERO_TEST_UNAWARE_SECONDS"
"""Environment: so long after it was stopped the worker does not hear that its leases went."""

STARVE = "PULPERO_TEST_STARVE"
"""Environment: of this topic nothing is handed out before its inbox was empty for STARVED_SECONDS."""

STARVED_SECONDS = 0.1
ASLEEP_SECONDS = 2.0
"""Leases are polled many times a second: after such a gap the process was stopped."""
HANDED_OUT = "handed out after a while without"


class Trap:
    """What happens to a transaction that has written an action, all of it delivered, instead of its commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sprung, self._task = path.with_suffix(".sprung"), path.with_suffix(".task")

    def set(self, what: signal.Signals | None) -> None:
        """Its worker gets this signal; with None it is held open until `release`, and committed then."""
        self._task.unlink(missing_ok=True)
        self.path.write_text(what.name if what else "")

    def release(self) -> None:
        self._sprung.unlink()

    @property
    def task(self) -> int | None:
        """Whose transaction fell into it."""
        told = self._task.read_text() if self._task.exists() else ""
        return int(told) if told else None

    def spring(self, task: int) -> None:
        """In the worker: fall into it if it is set and nobody else has."""
        try:
            self.path.rename(self._sprung)
        except FileNotFoundError:
            return
        name = self._sprung.read_text()
        self._task.write_text(str(task))
        if name:
            # To this very thread: it does not go one step further.
            signal.pthread_kill(threading.get_ident(), signal.Signals[name])
        while not name and self._sprung.exists():
            time.sleep(0.02)


def register(app: Any) -> None:
    """Names what is written, and sets the traps that the environment asks for."""
    _name_writers()
    if TIMEOUT_MS in os.environ:
        commit.TRANSACTION_TIMEOUT_MS = int(os.environ[TIMEOUT_MS])
    if UNAWARE_SECONDS in os.environ:
        _hear_late(float(os.environ[UNAWARE_SECONDS]))
    if TRAP in os.environ:
        _trap_commits(Trap(Path(os.environ[TRAP])))
    if STARVE in os.environ:
        _starve(app, os.environ[STARVE])


def _name_writers() -> None:
    produce = Transaction._produce
    openings: dict[Transaction, str] = {}

    def produce_named(self: Transaction, record: OutputRecord, *given: Any) -> None:
        name = openings.setdefault(self, f"{os.getpid()}-{len(openings)}")
        produce(self, record._replace(headers=[*(record.headers or []), (WRITER, name)]), *given)

    Transaction._produce = produce_named  # type: ignore[method-assign, assignment]


def _trap_commits(trap: Trap) -> None:
    commit_all, call = Transaction.commit, Transaction._call
    speaking = set[Transaction]()

    def commit_known(self: Transaction, records: Sequence[OutputRecord]) -> int:
        speaking.discard(self)
        if any(record.topic == ACTIONS for record in records):
            speaking.add(self)
        return commit_all(self, records)

    def call_or_be_trapped(self: Transaction, method: Any, *arguments: float) -> None:
        if method.__name__ == "commit_transaction" and self in speaking and trap.path.exists():
            self._producer.flush()
            trap.spring(self._partition)
        call(self, method, *arguments)

    Transaction.commit = commit_known  # type: ignore[method-assign]
    Transaction._call = call_or_be_trapped  # type: ignore[method-assign]


def _hear_late(seconds: float) -> None:
    poll = Lease.poll
    polled_at, deaf_until = time.monotonic(), 0.0

    def poll_late(self: Lease) -> None:
        nonlocal polled_at, deaf_until
        now = time.monotonic()
        if now - polled_at > ASLEEP_SECONDS:
            deaf_until = now + seconds
        polled_at = now
        if now >= deaf_until:
            poll(self)

    Lease.poll = poll_late  # type: ignore[method-assign]


def _starve(app: Any, topic: str) -> None:
    getmany = AIOKafkaConsumer.getmany
    empty_since: dict[TopicPartition, float] = {}

    def is_starved(partition: TopicPartition) -> bool:
        task = app.engine.tasks.get(partition.partition)
        inbox = None if task is None else task.merge.inboxes[topic]
        if inbox is None or inbox.raw or inbox.decoded or inbox.decoding:
            empty_since.pop(partition, None)
            return False
        return time.monotonic() - empty_since.setdefault(partition, time.monotonic()) > STARVED_SECONDS

    async def getmany_or_starve(
        self: Any, *partitions: TopicPartition, timeout_ms: int, max_records: int | None = None
    ) -> Any:
        if partitions:
            return await getmany(self, *partitions, timeout_ms=timeout_ms, max_records=max_records)
        slow = {each for each in self.assignment() if each.topic == topic}
        fed = {each for each in slow if is_starved(each)}
        if fed == slow:
            found = await getmany(self, timeout_ms=timeout_ms)
        elif handed := self.assignment() - slow | fed:
            found = await getmany(self, *handed, timeout_ms=timeout_ms)
        else:
            await asyncio.sleep(timeout_ms / 1000)
            found = {}
        for partition in fed & found.keys():
            log.info(HANDED_OUT, extra={"partition": partition.partition, "records": len(found[partition])})
        return found

    AIOKafkaConsumer.getmany = getmany_or_starve
