"""Who runs which task: Kafka's group protocol decides, and nothing else does.

A group subscribes to its lease topic and never reads it. *Partition i is the right to run task i.* The tasks'
lease topic has N empty partitions; the learner's is the topic `models`, whose one partition it alone writes.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.logs import Seldom
from streams.settings import Settings

log = logging.getLogger(__name__)

LEAVE_SECONDS = 5.0


class LeaseLost(Exception):
    """Kafka does not confirm that this worker may run the task."""


class Lease:
    """This worker's membership in the group. `wanted` is the set of tasks it holds the lease of.

    `poll` must be called from the loop that runs the tasks: if that loop is wedged for longer than
    `max.poll.interval.ms`, the lease goes to somebody else.
    """

    def __init__(self, settings: Settings, group: str, lease_topic: str) -> None:
        self.wanted: set[int] = set()
        self._gains: Counter[int] = Counter()
        self.moves = 0
        self.has_joined = False
        self._topic = lease_topic
        self._complains = Seldom()
        self._has_left = False
        self._commits = 0
        self._quiet = threading.Condition()
        """Guards `_has_left` and `_commits`, the number of commits under way; told when one ends."""
        self._config: dict[str, Any] = {
            "bootstrap.servers": settings.bootstrap,
            "group.id": group,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": settings.session_timeout_ms,
            "heartbeat.interval.ms": min(3_000, max(300, settings.session_timeout_ms // 6)),
            "max.poll.interval.ms": max(30_000, settings.session_timeout_ms),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
            "error_cb": self._complain,
        }
        if settings.instance_id is not None:
            self._config["group.instance.id"] = settings.instance_id
        self._consumer: Consumer

    def join(self) -> None:
        """Ask for leases."""
        self._consumer = Consumer(self._config)
        self._consumer.subscribe(
            [self._topic], on_assign=self._gained, on_revoke=self._lost, on_lost=self._expelled
        )

    def poll(self) -> None:
        """Let Kafka's callbacks edit `wanted`. Does not block. Raises KafkaException on a fatal error."""
        if self._has_left:
            return
        message = self._consumer.poll(0)
        if message is not None and (error := message.error()) is not None:
            # Of what a group is told that its client cannot go on, only the code says that it is fatal.
            if error.fatal() or error.code() == KafkaError._FATAL:
                raise KafkaException(error)
            log.warning("lease: %s", error.str())

    def term(self, task: int) -> int:
        """How often this worker has gained the lease of `task`: between two terms others may have run it."""
        return self._gains[task]

    def prove(self, task: int) -> None:
        """Return only if this worker holds the lease of `task` now. Blocks; raises LeaseLost otherwise."""
        self._commit([TopicPartition(self._topic, task, 0)])

    def publish(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit the tasks' input offsets under the group, for lag tools. Blocks; raises LeaseLost."""
        self._commit([TopicPartition(topic, task, offset) for (topic, task), offset in offsets.items()])

    def leave(self) -> None:
        """Give all leases back at once (with a static membership Kafka keeps them for the session).

        Blocks: librdkafka's consumer must not be closed under a commit of another thread, which it would crash. If
        one does not end within LEAVE_SECONDS, the leases end with the session instead.
        """
        with self._quiet:
            self._has_left = True
            is_quiet = self._quiet.wait_for(lambda: self._commits == 0, LEAVE_SECONDS)
        if is_quiet:
            self._consumer.close()
        else:
            log.warning("a commit does not end; the leases are not given back but run out")

    def _commit(self, offsets: list[TopicPartition]) -> None:
        with self._quiet:
            if self._has_left:
                raise LeaseLost("this worker has left the group")
            self._commits += 1
        try:
            committed = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as refused:
            raise LeaseLost(str(refused)) from refused
        finally:
            with self._quiet:
                self._commits -= 1
                self._quiet.notify_all()
        for partition in committed or ():
            if partition.error is not None:
                raise LeaseLost(str(partition.error))

    def _complain(self, error: KafkaError) -> None:
        """What the client says by itself, a silent broker above all; once in a while."""
        if self._complains():
            log.warning("kafka: %s", error.str())

    def _gained(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self.has_joined = True
        gained = [partition.partition for partition in partitions]
        self.wanted.update(gained)
        self._gains.update(gained)
        self._moved("gained", partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.wanted -= {partition.partition for partition in partitions}
        self._moved("lost", partitions)

    def _expelled(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The group goes on without this worker, or there is no group any more."""
        self.has_joined = False
        self._lost(consumer, partitions)

    def _moved(self, verb: str, partitions: list[TopicPartition]) -> None:
        if partitions:
            self.moves += 1
            tasks = sorted(partition.partition for partition in partitions)
            log.info(f"lease {verb}", extra={"topic": self._topic, "tasks": tasks})
