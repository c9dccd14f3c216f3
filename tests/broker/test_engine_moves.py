"""A lease that moves while its task opens, works or closes: one owner at a time, and everything is taken once."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.broker.holding import AT, GIVEN_UP, HELD, WHILE
from tests.broker.traffic import Traffic
from tests.broker.workers import Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

TASKS = range(4)
SETTINGS: dict[str, Any] = {
    "partitions": len(TASKS),
    "time": "events",
    "idle_ms": 20,
    "agents": ("tests.broker.holding",),
}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "hold"


def test_who_loses_the_lease_between_its_proof_and_the_fencing_fences_nobody(
    kafka: str, marker: Path
) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        traffic = Traffic(shop)
        marker.touch()
        slow = held_at("proved", shop, marker)
        await_true("proofs", lambda: told(slow, HELD) >= Counter(TASKS))
        heir = shop.start()
        moved = await_moved(slow, heir)
        traffic.send()
        await_taken(shop, moved)

        marker.unlink()
        assert_both_go_on(shop, traffic, slow, heir, moved)


def test_a_restore_whose_lease_goes_is_given_up_and_the_next_owner_opens(kafka: str, marker: Path) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        traffic = Traffic(shop)
        traffic.send()
        before = shop.start().await_ready()
        shop.await_taken()
        assert before.stop() == 0, before.said
        marker.touch()
        slow = held_at("restoring", shop, marker)
        await_true("restores", lambda: told(slow, HELD) == Counter(TASKS))
        heir = shop.start()
        moved = await_moved(slow, heir)
        await_true("restores given up", lambda: told(slow, GIVEN_UP) == Counter(moved))
        traffic.send()
        await_taken(shop, moved)

        marker.unlink()
        assert_both_go_on(shop, traffic, slow, heir, moved)


def test_a_task_that_is_given_back_while_it_closes_opens_again_after_it(kafka: str, marker: Path) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        traffic = Traffic(shop)
        marker.touch()
        owner = held_at("closing", shop, marker).await_ready()
        traffic.send()
        shop.await_taken()
        moved = await_lent(shop, traffic, owner)
        assert told(owner, HELD) == Counter(moved)
        assert owner.metric("tasks_open") == len(TASKS) - len(moved)
        assert not owner.is_ready

        marker.unlink()
        assert_goes_on(shop, traffic, owner)
        assert told(owner, "task open") == Counter(TASKS) + Counter(moved)
        assert failed(owner) == Counter()


def test_a_batch_under_way_while_the_lease_goes_and_comes_back_is_thrown_away(
    kafka: str, marker: Path
) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        traffic = Traffic(shop)
        owner = held_at("committing", shop, marker).await_ready()
        traffic.send()
        shop.await_taken()
        marker.touch()
        traffic.send()
        await_true("batches before their commits", lambda: told(owner, HELD) == Counter(TASKS))
        moved = await_lent(shop, traffic, owner)
        assert failed(owner) == Counter()

        marker.unlink()
        assert_goes_on(shop, traffic, owner)
        # The others too, if the machine took longer than a transaction may last.
        assert failed(owner) >= Counter(moved)


def test_the_tasks_of_a_worker_share_what_it_may_keep_unpacked(kafka: str) -> None:
    with deployed(kafka, **SETTINGS, hot_rows=8) as shop:
        traffic = Traffic(shop)
        traffic.send()
        first = shop.start()
        shop.await_taken()
        await_true("rows", lambda: all(first.metric("rows", task=str(task)) > 4 for task in TASKS))
        await_unpacked(first, dict.fromkeys(TASKS, 2))
        kept = set(TASKS) - await_moved(first, shop.start())
        traffic.send()
        await_unpacked(first, dict.fromkeys(kept, 4))


def await_unpacked(worker: Worker, rows: dict[int, int]) -> None:
    await_true(
        f"{rows} rows unpacked by task",
        lambda: {task: worker.metric("rows_unpacked", task=str(task)) for task in rows} == rows,
    )


def held_at(step: str, shop: Deployment, marker: Path) -> Worker:
    return shop.start(**{AT: step, WHILE: str(marker)})


def told(worker: Worker, message: str) -> Counter[int]:
    """How often the worker said so of each task."""
    return Counter(line["task"] for line in list(worker.log) if line["message"] == message)


def failed(worker: Worker) -> Counter[int]:
    return told(worker, "batch failed")


def await_moved(loser: Worker, winner: Worker) -> set[int]:
    """Wait until half of the tasks are open where they moved to; these."""
    await_true("tasks open elsewhere", lambda: told(winner, "task open").total() == len(TASKS) // 2)
    moved = set(told(winner, "task open"))
    await_true("leases lost", lambda: leases_lost(loser) == moved)
    return moved


def leases_lost(worker: Worker) -> set[int]:
    lost = (line for line in list(worker.log) if line["message"] == "lease lost")
    return {task for line in lost if line["topic"].endswith("-tasks") for task in line["tasks"]}


def await_lent(shop: Deployment, traffic: Traffic, owner: Worker) -> set[int]:
    """Another worker takes some of the owner's tasks over, works, and leaves; these, once their leases are back."""
    guest = shop.start()
    moved = await_moved(owner, guest)
    traffic.send()
    await_taken(shop, moved)
    assert guest.stop() == 0, guest.said
    assert failed(guest) == Counter()
    await_true("leases given back", lambda: owner.metric("tasks_wanted") == len(TASKS))
    return moved


def await_taken(shop: Deployment, tasks: set[int]) -> None:
    shop.await_offsets({place: end for place, end in shop.ends().items() if place[1] in tasks})


def assert_goes_on(shop: Deployment, traffic: Traffic, owner: Worker) -> None:
    assert_takes(shop, traffic, owner)
    assert owner.stop() == 0


def assert_takes(shop: Deployment, traffic: Traffic, *workers: Worker) -> None:
    """They have all tasks open, take what comes, and everything was taken once."""
    await_true("all tasks open", lambda: sum(map(open_tasks, workers)) == len(TASKS))
    traffic.send()
    shop.await_taken()
    traffic.assert_taken_once()


def open_tasks(worker: Worker) -> float:
    return worker.metric("tasks_open")


def assert_both_go_on(
    shop: Deployment, traffic: Traffic, slow: Worker, heir: Worker, moved: set[int]
) -> None:
    assert_takes(shop, traffic, slow, heir)
    # Before they stop: what the first gives back then the other may open.
    assert told(heir, "task open") == Counter(moved)
    assert [slow.stop(), heir.stop()] == [0, 0]
    assert failed(slow) == failed(heir) == Counter()
