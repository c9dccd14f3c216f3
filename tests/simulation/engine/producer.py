"""The twins of transactional producers, with the methods that the engine calls."""

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, ProducerFenced
from confluent_kafka import KafkaError, KafkaException

from tests.simulation.engine.broker import Place, nothing
from tests.simulation.engine.loop import PROCESS

if TYPE_CHECKING:
    from tests.simulation.engine.world import World


_BACK_SECONDS = 0.5, 5.0
"""How long it takes until brokers are back, at least longer than `FLUSH_SECONDS`."""


class Delivered(NamedTuple):
    """A delivery report."""

    at: int

    def offset(self) -> int:
        return self.at


class Producer:
    """confluent_kafka.Producer: sends in the background, commits in a blocking call."""

    def __init__(self, world: "World", config: dict[str, Any]) -> None:
        process = PROCESS.get()
        assert process is not None
        self._world, self._process = world, process
        self._id: str = config["transactional.id"]
        self._timeout: float = config["transaction.timeout.ms"] / 1000
        self._epoch: int | None = None
        self._writer = ""
        self._queued: list[tuple[dict[str, Any], Callable[..., None] | None]] = []
        self._reports: list[tuple[Callable[..., None], int]] = []
        self._fault: KafkaException | None = None
        self._is_gone = False
        """All brokers are, and nothing can be sent; `_is_left` once it has noticed, which is before they are back."""
        self._is_left = False
        self._is_back = False
        self._tell_error: Callable[[KafkaError], None] = config["error_cb"]
        self._context = contextvars.copy_context()

    def init_transactions(self, timeout: float) -> None:
        world = self._world
        world.travel()
        if world.fails("init"):
            world.loop.park(timeout)
            raise _error(KafkaError._TIMED_OUT, "init")
        world.laws.fencing(self._process, self._id)
        # If all brokers end here, they are back before it is answered.
        lose = world.loses("abort's markers lost") if world.broker.has_open(self._id) else None
        self._epoch = world.broker.init(self._id, lose or nothing)
        self._writer = world.laws.next_writer(self._process)
        world.reach("initialised")
        world.travel()

    def begin_transaction(self) -> None:
        if self._epoch is None:
            raise _error(KafkaError._STATE, "init_transactions was not called")

    def produce(self, topic: str, *, on_delivery: Callable[..., None] | None, **record: Any) -> None:
        if self._fault is not None:
            raise self._fault
        if not self._queued:
            self._world.loop.call_later(self._world.rng.expovariate(200), self._send)
        self._queued.append(({"topic": topic, **record}, on_delivery))

    def commit_transaction(self, timeout: float) -> None:
        world = self._world
        if self._fault is not None:
            raise self._fault
        answers: list[KafkaException | None] = []
        delay = world.delay()
        if not world.fails("end lost"):
            world.loop.outside(delay, self._end, answers)
        is_answered = not world.fails("end unanswered")
        world.reach("end sent")
        world.loop.park(2 * delay if is_answered else timeout)
        if not (answers and is_answered):
            world.loop.park(timeout)
            raise _error(KafkaError._TIMED_OUT, "commit")
        if answers[0] is not None:
            raise answers[0]
        world.reach("committed")
        world.travel()

    def flush(self, timeout: float) -> int:
        self._world.reach("producing")
        self._world.travel()
        self._send()
        if self._queued:
            self._world.loop.park(timeout)
        if self._is_back:
            self._world.reach("produced after all brokers were away", 0.5)
        self._world.reach("produced")
        return len(self._queued)

    def poll(self, timeout: float) -> None:
        if self._is_left:
            self._tell_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "nobody is there"))
        for report, offset in self._reports:
            report(None, Delivered(offset))
        self._reports.clear()

    def purge(self) -> None:
        self._queued.clear()

    def close(self) -> None:
        self._queued.clear()

    def _send(self) -> None:
        """What is queued goes to the broker; the first record of a transaction opens it there."""
        world, queued = self._world, self._queued
        if not queued or self._epoch is None or self._fault is not None or self._is_gone:
            return
        self._queued = []
        try:
            txn = world.broker.begin(self._id, self._epoch, self._writer, self._timeout)
        except KafkaException as fenced:
            self._fault = fenced
            return
        for record, on_delivery in queued:
            headers = [
                (name, value.encode() if isinstance(value, str) else value or b"")
                for name, value in record["headers"] or ()
            ]
            place = (record["topic"], record["partition"])
            offset = world.broker.append(place, record["key"], record["value"], headers, txn)
            if on_delivery is not None:
                self._reports.append((on_delivery, offset))

    def _leave(self) -> None:
        """It notices that all brokers are gone."""
        self._is_left = True
        back = self._world.rng.uniform(*_BACK_SECONDS)
        self._world.loop.call_later(back, self._return, context=self._context)

    def _return(self) -> None:
        """They are back, and it sends what is queued."""
        self._is_gone, self._is_back = False, True
        self._send()

    def _end(self, answers: list[KafkaException | None]) -> None:
        assert self._epoch is not None
        world = self._world
        lose = world.loses("markers lost")
        try:
            world.broker.end(self._id, self._epoch, "committed", lose or nothing)
        except KafkaException as refused:
            answers.append(refused)
        else:
            # What loses markers is the end of all brokers, before or after the answer.
            if lose:
                self._is_gone = True
                world.loop.call_later(world.delay(), self._leave, context=self._context)
            if not lose or world.rng.random() < 0.5:
                answers.append(None)


class Marker:
    """aiokafka.AIOKafkaProducer, as it is used to write markers without records.

    Nobody is struck between its two requests, "these partitions" and "commit": then Kafka would abort in them, which
    nothing can mend (deploy/docs/delivery.md).
    """

    def __init__(self, world: "World", *, transactional_id: str, **config: Any) -> None:
        process = PROCESS.get()
        assert process is not None
        self._world, self._process = world, process
        self._id = transactional_id
        self._timeout: float = config["transaction_timeout_ms"] / 1000
        self._epoch = -1
        self._writer = ""
        self._places: set[Place] = set()
        self._txn_manager = self

    async def start(self) -> None:
        await self._world.journey()

    async def stop(self) -> None:
        await self._world.journey()

    async def begin_transaction(self) -> None:
        world = self._world
        await world.journey()
        world.laws.fencing(self._process, self._id)
        self._epoch = world.broker.init(self._id)
        self._writer = world.laws.next_writer(self._process)
        await world.journey()

    def maybe_add_partition_to_txn(self, partition: TopicPartition) -> None:
        self._places.add((partition.topic, partition.partition))

    async def commit_transaction(self) -> None:
        await self._end("committed")

    async def abort_transaction(self) -> None:
        await self._end("aborted")

    async def _end(self, state: Literal["committed", "aborted"]) -> None:
        world = self._world
        await world.journey()
        try:
            txn = world.broker.begin(self._id, self._epoch, self._writer, self._timeout)
            txn.places |= self._places
            lose = world.loses("settling's markers lost")
            world.broker.end(self._id, self._epoch, state, lose or nothing)
        except KafkaException as refused:
            raise ProducerFenced from refused
        if world.fails("end unanswered"):
            raise KafkaConnectionError("the end of markers is not answered")
        await world.journey()


def _error(code: int, text: str) -> KafkaException:
    return KafkaException(KafkaError(code, text))
