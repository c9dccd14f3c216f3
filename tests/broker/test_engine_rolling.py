"""Workers with names of their own (static membership) are restarted one by one, and no task moves."""

from typing import Any

import pytest

from tests.broker.traffic import Traffic
from tests.broker.workers import Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

NAMES = ("a", "b", "c")
TASKS = range(6)
SESSION_MS = 60_000
"""Far longer than a worker takes to start again, however busy the machine is."""

SETTINGS: dict[str, Any] = {"partitions": len(TASKS), "time": "events", "idle_ms": 20}


def test_a_rolling_restart_within_the_session_moves_no_task_and_everything_is_taken_once(kafka: str) -> None:
    with deployed(kafka, **SETTINGS, session_timeout_ms=SESSION_MS) as shop:
        traffic = Traffic(shop)
        workers = {name: start(shop, name) for name in NAMES}
        await_true("a third of the tasks for each", lambda: all(map(has_its_third, workers.values())), 60)
        shares = {name: held(worker) for name, worker in workers.items()}
        with traffic.flowing():
            for name in NAMES:
                others = [worker for other, worker in workers.items() if other != name]
                before = [leases(worker) for worker in others]
                assert workers[name].stop() == 0, workers[name].said
                workers[name] = start(shop, name).await_ready()
                assert leases(workers[name]) == [("lease gained", shares[name])]
                assert [leases(worker) for worker in others] == before
        shop.await_taken()
        assert {name: held(worker) for name, worker in workers.items()} == shares
        traffic.assert_taken_once()


def test_of_two_workers_of_one_name_the_first_ends_and_says_why(kafka: str) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        traffic = Traffic(shop)
        first = start(shop, "a").await_ready()
        traffic.send()
        shop.await_taken()
        second = start(shop, "a")
        assert first.wait(60) == 1, first.said
        crash = next(line for line in first.log if line["message"] == "worker crashed")
        assert "Static consumer fenced by other consumer with same group.instance.id" in crash["error"]
        second.await_ready()
        traffic.send()
        shop.await_taken()
        traffic.assert_taken_once()


def start(shop: Deployment, name: str) -> Worker:
    return shop.start(PULPERO_INSTANCE_ID=name)


def leases(worker: Worker) -> list[tuple[str, set[int]]]:
    """What became of its tasks' leases, in turn."""
    return [
        (line["message"], set(line["tasks"]))
        for line in list(worker.log)
        if line["message"].startswith("lease ") and line.get("topic", "").endswith("-tasks") and line["tasks"]
    ]


def held(worker: Worker) -> set[int]:
    """The tasks that it holds the leases of."""
    tasks = set[int]()
    for what, moved in leases(worker):
        tasks = tasks | moved if what == "lease gained" else tasks - moved
    return tasks


def has_its_third(worker: Worker) -> bool:
    return worker.is_ready and len(held(worker)) == len(TASKS) // len(NAMES)
