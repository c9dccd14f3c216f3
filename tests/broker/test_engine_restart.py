"""Kafka goes away and comes back under load: workers wait for it, and go on where they were."""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from schemas.topics import ACTIONS
from streams.engine.outputs import Outputs
from streams.engine.task import MAX_OPENINGS
from tests.broker import brokers, markers
from tests.broker.brokers import Broker, Pair
from tests.broker.traffic import Traffic
from tests.broker.workers import Deployment, Worker, await_true, deployed

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("broker")]

SETTINGS = {"partitions": 4, "time": "events", "idle_ms": 20}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with brokers.broker(tmp_path) as alone:
        yield alone


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with brokers.pair(tmp_path) as both:
        yield both


def test_workers_outlive_a_broker_that_dies_and_comes_back(broker: Broker) -> None:
    with deployed(broker.bootstrap, **SETTINGS, batch_records=50) as shop:
        workers = start_two(shop)
        traffic = traffic_of(shop)
        give_work(workers, traffic)
        with traffic.flowing():
            await_work(workers)
            broker.kill()
            await_true("batches that come to nothing", lambda: all(map(has_failed, workers)))
            assert not any(worker.is_ready for worker in workers)
            broker.start()
            await_work(workers)
        assert_taken_once(shop, traffic)
        assert [worker.stop() for worker in workers] == [0, 0]


def test_tasks_without_work_outlive_a_broker_that_dies_again_and_again(broker: Broker) -> None:
    """Each opens anew; so does one that was frozen all the while, and hears of it only when it wakes."""
    with deployed(broker.bootstrap, **SETTINGS, session_timeout_ms=60_000) as shop:
        worker = shop.start().await_ready()
        for times in range(1, MAX_OPENINGS + 2):
            is_frozen = times % 2 == 0
            if is_frozen:
                worker.signal(signal.SIGSTOP)
            broker.kill()
            broker.start()
            if is_frozen:
                worker.signal(signal.SIGCONT)
            await_true("every task open anew", partial(has_opened, worker, 4 * (times + 1)), 60)
        worker.await_ready()
        assert worker.stop() == 0


def test_what_kafka_left_without_a_marker_is_neither_lost_nor_done_twice(broker: Broker) -> None:
    """Task by task: no output has one, the changelog alone has, all but the changelog have, all but the actions."""
    with deployed(broker.bootstrap, **SETTINGS) as shop:
        topics = set(Outputs(shop.changelog, shop.settings.max_row_bytes).topics)
        spared = [set[str](), {shop.changelog}, topics - {shop.changelog}, topics - {ACTIONS}]
        traffic = traffic_of(shop)
        traffic.send()
        worker = shop.start()
        shop.await_taken()
        assert worker.stop() == 0
        broker.stop()
        for task, keep in enumerate(spared):
            data = broker.folder / "data"
            written = markers.lose_last(data, shop.changelog, ACTIONS, topics, task, keep)
            assert {shop.changelog, ACTIONS} <= written
        broker.start()
        worker = shop.start()
        await_true("all tasks open", lambda: worker.metric("tasks_open") == shop.settings.partitions, 60)
        assert_taken_once(shop, traffic)
        traffic.send()
        assert_taken_once(shop, traffic)
        assert worker.stop() == 0


def test_workers_follow_coordinators_and_leaders_that_move(pair: Pair) -> None:
    with deployed(pair.bootstrap, replication=2, **SETTINGS) as shop:
        assert pair.coordinator == {2}
        workers = start_two(shop)
        traffic = traffic_of(shop)
        with traffic.flowing():
            await_work(workers)
            pair.second.stop()
            await_true("another coordinator", lambda: pair.coordinator == {1})
            await_work(workers)
            pair.second.start()
            await_true("replicas in sync", pair.have_caught_up, 60)
            pair.prefer()
            await_true("the preferred coordinator", lambda: pair.coordinator == {2})
            await_work(workers)
        assert_taken_once(shop, traffic)
        assert [worker.stop() for worker in workers] == [0, 0]


def start_two(shop: Deployment) -> list[Worker]:
    workers = [shop.start(), shop.start()]
    await_true("two workers at work", lambda: all(worker.metric("tasks_open") == 2 for worker in workers), 60)
    return workers


def traffic_of(shop: Deployment) -> Traffic:
    """From a producer that writes each record once, whatever befalls the broker."""
    config = {"bootstrap.servers": shop.bootstrap, "enable.idempotence": True, "linger.ms": 2, "log_level": 0}
    shop.producer = Producer(config)
    return Traffic(shop)


def give_work(workers: list[Worker], traffic: Traffic) -> None:
    """More than they get done before a broker can be killed, so that each has a batch under way then."""
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    traffic.send(20_000)
    for worker in workers:
        worker.signal(signal.SIGCONT)


def await_work(workers: list[Worker], seconds: float = 90.0) -> None:
    """Wait until every worker, ready, has taken more than before."""
    before = [worker.metric("applied_total") for worker in workers]

    def go_on() -> bool:
        assert all(worker.is_running for worker in workers), [worker.said for worker in workers]
        now = [worker.metric("applied_total") for worker in workers]
        return all(a + 20 < b for a, b in zip(before, now, strict=True)) and all(
            worker.is_ready for worker in workers
        )

    await_true("every worker at work", go_on, seconds)


def has_opened(worker: Worker, tasks: int) -> bool:
    opened: int = sum(line["message"] == "task open" for line in list(worker.log))
    return opened >= tasks


def has_failed(worker: Worker) -> bool:
    return any(line["message"].startswith(("batch failed", "Kafka is away")) for line in list(worker.log))


def assert_taken_once(shop: Deployment, traffic: Traffic) -> None:
    # The old one remembers the leaders' former epochs.
    shop.admin = AdminClient({"bootstrap.servers": shop.bootstrap, "log_level": 0})
    shop.await_taken(90)
    traffic.assert_taken_once()
