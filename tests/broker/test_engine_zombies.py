"""A worker that dies or sleeps inside an open transaction: nobody waits for it, and when it wakes it writes nothing."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path

import pytest

from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS, JOURNAL
from tests.broker.events import SECOND, START, key_of, placed
from tests.broker.reading import Reader, read
from tests.broker.trapping import TIMEOUT_MS, TRAP, UNAWARE_SECONDS, Trap
from tests.broker.witnesses import customers_of, witnessed, writers
from tests.broker.workers import Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

PARTITIONS = 6
SESSION_SECONDS = 6.0
WARM_UP, BASELINE = 150, 250
"""Orders whose way is not timed, and whose way is timed, before the worker is killed."""
MODEST, NOISE_SECONDS = 5, 0.4
"""So many times as long the p99 may be at most. One below the noise is not told from it on a busy machine."""
PROBE = "probe"
SHOP_MODULE = ("tests.broker.trapping",)


class Orders:
    """Orders that flow from a thread of their own until `end`, one after the other to each task in turn."""

    def __init__(self, shop: Deployment, every: float) -> None:
        self.sent: dict[str, tuple[int, float]] = {}
        """By order: its task, and when it was sent, in monotonic seconds."""
        self._shop, self._every = shop, every
        self._ended = threading.Event()
        self._tasks = shop.settings.partitions
        self._customers = [list(islice(customers_of(task, self._tasks), 20)) for task in range(self._tasks)]
        self._numbers = count(1)
        self._thread = threading.Thread(target=self._flow, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def send(self) -> None:
        number = next(self._numbers)
        task = number % self._tasks
        customer = self._customers[task][number // self._tasks % 20]
        self.sent[f"o-{number}"] = task, time.monotonic()
        order = placed(str(number), customer, START + number * SECOND)
        self._shop.send("orders", key_of(customer), order, partition=task)

    def _flow(self) -> None:
        while not self._ended.wait(self._every):
            self.send()


@contextmanager
def flowing(shop: Deployment, every: float = 0.015) -> Iterator[Orders]:
    orders = Orders(shop, every)
    try:
        yield orders
    finally:
        orders.end()


def test_a_worker_killed_inside_a_transaction_delays_no_task_of_another(kafka: str, tmp_path: Path) -> None:
    trap = Trap(tmp_path / "trap")
    settings = {"time": "events", "idle_ms": 20, "session_timeout_ms": int(SESSION_SECONDS * 1000)}
    with deployed(kafka, partitions=PARTITIONS, agents=SHOP_MODULE, **settings) as shop:
        dies, lives = _two_workers(shop, trap)
        with witnessed(kafka, ACTIONS, PARTITIONS) as witness, flowing(shop) as orders:
            await_true("a baseline", lambda: len(witness.seen) > WARM_UP + BASELINE)
            opened, killed = _opened(lives), time.monotonic()
            trap.set(signal.SIGKILL)
            await_true("a worker that is dead", lambda: not dies.is_running)
            _probe(shop, trap)
            await_true("the end of what hid the probe", lambda: PROBE in witness.seen)
            orders.end()
            shop.await_taken()
            await_true("all actions", lambda: orders.sent.keys() <= witness.seen.keys())
        stay = {task for task, times in opened.items() if _opened(lives)[task] == times}
        assert len(stay) == PARTITIONS // 2

    over = witness.seen[PROBE]
    assert over - killed > SESSION_SECONDS / 2, "the transaction hid nothing"
    ways = [
        (at, witness.seen[order]) for order, (task, at) in list(orders.sent.items())[WARM_UP:] if task in stay
    ]
    before = [seen - at for at, seen in ways if seen < killed]
    during = [seen - at for at, seen in ways if seen >= killed and at < over]
    assert max(during) < SESSION_SECONDS / 2
    assert _p99(during) < MODEST * max(_p99(before), NOISE_SECONDS)


def _two_workers(shop: Deployment, trap: Trap, **more: str) -> tuple[Worker, Worker]:
    """One that falls into the trap, and one that does not; each has half of the tasks."""
    falls, other = shop.start(**{TRAP: str(trap.path)}, **more), shop.start()
    half = shop.settings.partitions // 2
    await_true("tasks for both", lambda: [_open(each) for each in (falls, other)] == [half, half], 60)
    return falls, other


def _probe(shop: Deployment, trap: Trap) -> None:
    """A record of nobody's behind the trapped transaction: what hides that hides this."""
    assert trap.task is not None
    shop.producer.produce(ACTIONS, key=PROBE, partition=trap.task)
    shop.producer.flush()


def _open(worker: Worker) -> float:
    return worker.metric("tasks_open")


def _opened(worker: Worker) -> Counter[int]:
    """How often it has opened each task so far."""
    return Counter(line["task"] for line in list(worker.log) if line["message"] == "task open")


def _p99(delays: list[float]) -> float:
    return sorted(delays)[len(delays) * 99 // 100]


def test_a_worker_that_wakes_after_its_session_writes_nothing_and_gets_tasks_again(
    kafka: str, tmp_path: Path
) -> None:
    trap = Trap(tmp_path / "trap")
    settings = {"time": "events", "idle_ms": 20, "session_timeout_ms": 3_000}
    with deployed(kafka, partitions=4, agents=SHOP_MODULE, **settings) as shop:
        # It does not know that its leases went when it wants to open its tasks again.
        sleeps, stays = _two_workers(shop, trap, **{UNAWARE_SECONDS: "1.5"})
        with flowing(shop) as orders:
            trap.set(signal.SIGSTOP)
            await_true("a worker that sleeps", lambda: trap.task is not None)
            await_true("all tasks with the other", lambda: _open(stays) == 4)
            shop.await_offsets(shop.ends())
            sleeps.signal(signal.SIGCONT)
            await_true("tasks for both", lambda: _open(sleeps) == 2 == _open(stays), 60)
        for _ in range(4):
            orders.send()
        shop.await_taken()
        assert "batch failed" not in stays.said, stays.said
        assert "batch failed" in sleeps.said
        assert "lease not confirmed" in [line["message"] for line in sleeps.log]
        _assert_each_once(shop, orders)
        assert [worker.stop() for worker in (sleeps, stays)] == [0, 0]


def test_a_transaction_held_past_its_timeout_is_lost_and_its_task_opens_again(
    kafka: str, tmp_path: Path
) -> None:
    trap = Trap(tmp_path / "trap")
    with deployed(kafka, partitions=2, time="events", idle_ms=20, agents=SHOP_MODULE) as shop:
        worker = shop.start(**{TRAP: str(trap.path), TIMEOUT_MS: "3000"}).await_ready()
        with witnessed(kafka, ACTIONS, 2) as witness, flowing(shop) as orders:
            trap.set(None)
            await_true("a transaction that is held", lambda: trap.task is not None)
            _probe(shop, trap)
            await_true("its end by Kafka", lambda: PROBE in witness.seen, 60)
            trap.release()
        shop.await_taken()
        assert worker.metric("failed_batches_total") >= 1
        await_true("all tasks open", lambda: _open(worker) == 2)
        _assert_each_once(shop, orders)
        assert worker.stop() == 0, worker.said


def _assert_each_once(shop: Deployment, orders: Orders) -> None:
    """Every order is thanked for once, something was written in vain, and no writer came back after another."""
    written = Reader(shop.bootstrap, ACTIONS, isolation="read_uncommitted").read()
    said = read(shop.bootstrap, ACTIONS)
    about = Counter(record.json["business_key"]["id"] for record in said if record.value)
    assert about == Counter(orders.sent.keys())
    assert len(written) > len(said), "nothing was written in vain"
    outputs = (shop.changelog, ACTIONS, DECISIONS, JOURNAL, DEAD_LETTERS)
    for turns in writers(shop.read(*outputs)).values():
        assert len(turns) == len(set(turns))
