"""The twin of a transactional producer, with the methods that the engine calls."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from tests.simulation.engine.loop import PROCESS

if TYPE_CHECKING:
    from tests.simulation.engine.world import World


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
        """All brokers are, and nothing can be sent; `_is_left` when it has noticed."""
        self._is_left = False
        self._tell_error: Callable[[KafkaError], None] = config["error_cb"]

    def init_transactions(self, timeout: float) -> None:
        world = self._world
        world.travel()
        if world.fails("init"):
            world.loop.park(timeout)
            raise _error(KafkaError._TIMED_OUT, "init")
        world.laws.fencing(self._process, self._id)
        self._epoch = world.broker.init(self._id)
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
        self._world.reach("produced")
        return len(self._queued)

    def abort_transaction(self, timeout: float) -> None:
        world = self._world
        if self._fault is not None:
            raise self._fault
        assert self._epoch is not None
        world.broker.end(self._id, self._epoch, "aborted")
        world.reach("settled")
        world.travel()

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
        """It has noticed that all brokers are gone; from now on they may be back."""
        self._is_gone, self._is_left = False, True

    def _end(self, answers: list[KafkaException | None]) -> None:
        assert self._epoch is not None
        world = self._world
        is_left = world.fails("markers lost")
        try:
            world.broker.end(self._id, self._epoch, "left" if is_left else "committed")
        except KafkaException as refused:
            answers.append(refused)
        else:
            # What loses markers is the end of all brokers, before or after the answer.
            if is_left:
                self._is_gone = True
                world.loop.outside(world.delay(), self._leave)
            if not is_left or world.rng.random() < 0.5:
                answers.append(None)


def _error(code: int, text: str) -> KafkaException:
    return KafkaException(KafkaError(code, text))
