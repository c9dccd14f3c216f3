"""A shop's module whose worker is struck at a named point of its work; loaded by PULPERO_AGENTS in the worker only.

The driver arms a worker through a file, which names one point and one strike; whichever of its tasks comes to that
point first is struck there, and the file is renamed, so that the driver knows.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from schemas.topics import MODELS
from streams.decisions import advance
from streams.engine import engine, fence
from streams.engine.changelog import Changelog
from streams.engine.commit import OutputRecord, Transaction
from streams.engine.lease import Lease
from streams.engine.task_row import TASK_ROW_KEY
from streams.settings import Settings
from tests.faults.arming import ARMED, FENCES, STRUCK, Point, armed, door, struck

log = logging.getLogger(__name__)

_SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}
_END_SECONDS = 5.0


class Struck(Exception):
    """A fault that nothing in the engine knows of."""


class Failpoints:
    """The points of one worker, some of whose tasks' work is in threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._one_only = threading.Lock()

    def is_armed(self, point: Point) -> bool:
        """Whoever comes to this point next is struck."""
        try:
            return armed(self._file).point == point
        except FileNotFoundError:
            return False

    def reach(self, point: Point, task: int | None = None) -> None:
        """Be struck here, if this is the point, and log it. Raises Struck."""
        with self._one_only:
            if not self.is_armed(point):
                return
            strike = armed(self._file).strike
            log.warning(STRUCK, extra={"point": point, "task": task})
            self._file.rename(struck(self._file))
        if strike == "raise":
            raise Struck(point)
        # To this very thread: it does not go one step further.
        signal.pthread_kill(threading.get_ident(), _SIGNALS[strike])


def register(app: object) -> None:
    """Every point of the worker can be armed, and its gauges are true sooner."""
    file = Path(os.environ[ARMED])
    while door(file).exists():
        time.sleep(0.02)
    engine.GAUGE_SECONDS = 0.2
    points = Failpoints(file)
    # The learner's transactions are its own.
    fence.Transaction = partial(_Transaction, points)  # type: ignore[assignment, attr-defined]
    _watch_openings(points)
    _watch_leases(points)
    _watch_the_agent(points)


class _Transaction(Transaction):
    """A task's; struck only in a batch that says or changes something."""

    def __init__(self, points: Failpoints, settings: Settings, transactional_id: str, number: int) -> None:
        super().__init__(settings, transactional_id, number)
        self._points = points
        self._admin = AdminClient({"bootstrap.servers": settings.bootstrap, "log_level": 0})
        self._says_something = False
        self._changelog = ""

    def open(self) -> None:
        super().open()
        log.info(FENCES, extra={"task": self._partition})
        self._points.reach("after_init")

    def commit(self, records: Sequence[OutputRecord]) -> int:
        self._says_something, self._changelog = len(records) > 1, records[-1].topic
        offset = super().commit(records)
        if self._says_something:
            self._points.reach("after_commit_before_show")
        return offset

    def _produce(self, record: OutputRecord, on_delivery: Any) -> None:
        if record.key == TASK_ROW_KEY:
            self._reach_delivered("after_produce")
        super()._produce(record, on_delivery)
        if record.key == TASK_ROW_KEY:
            self._reach_delivered("after_offsets")

    def _call(self, method: Any, *arguments: float) -> None:
        is_commit = method.__name__ == "commit_transaction" and self._says_something
        if is_commit and self._points.is_armed("end_txn_unanswered"):
            self._end_unanswered(method)
            self._points.reach("end_txn_unanswered")
        super()._call(method, *arguments)

    def _reach_delivered(self, point: Point) -> None:
        if self._says_something and self._points.is_armed(point):
            self._producer.flush()
            self._points.reach(point)

    def _end_unanswered(self, commit: Callable[[float], None]) -> None:
        """Have Kafka end the transaction and wait until it has, whatever the client has heard."""
        self._producer.flush()
        try:
            commit(0.0)
        except KafkaException as unanswered:
            if unanswered.args[0].code() != KafkaError._TIMED_OUT:
                raise
        else:
            raise AssertionError("a commit was answered in no time")
        deadline = time.monotonic() + _END_SECONDS
        while self._end_of_changelog(IsolationLevel.READ_COMMITTED) < self._end_of_changelog(
            IsolationLevel.READ_UNCOMMITTED
        ):
            assert time.monotonic() < deadline, "Kafka does not end the transaction"
            time.sleep(0.01)

    def _end_of_changelog(self, isolation: IsolationLevel) -> int:
        """The last stable offset, or the high watermark; only this task writes there."""
        place = TopicPartition(self._changelog, self._partition)
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        (answer,) = self._admin.list_offsets({place: latest}, isolation_level=isolation).values()
        offset: int = answer.result().offset
        return offset


def _watch_openings(points: Failpoints) -> None:
    restore = Changelog.restore

    async def restored(self: Changelog, consumer: Any, on_progress: Any) -> Any:
        row = await restore(self, consumer, on_progress)
        points.reach("after_restore")
        return row

    Changelog.restore = restored  # type: ignore[method-assign]


def _watch_leases(points: Failpoints) -> None:
    prove, lost = Lease.prove, Lease._lost

    def proved(self: Lease, task: int) -> None:
        if self._topic != MODELS:
            points.reach("before_proof", task)
        prove(self, task)

    def losing(self: Lease, consumer: Any, partitions: list[TopicPartition]) -> None:
        if partitions and self._topic != MODELS:
            points.reach("during_lease_move")
        lost(self, consumer, partitions)

    Lease.prove = proved  # type: ignore[method-assign]
    Lease._lost = losing  # type: ignore[method-assign]


def _watch_the_agent(points: Failpoints) -> None:
    take = advance.take

    def taken(*given: Any) -> Any:
        verdict = take(*given)
        points.reach("agent_raises")
        return verdict

    advance.take = taken  # type: ignore[assignment]
