"""Opening: refused where the topics are wrong, and ready only when every task is open."""

from pathlib import Path

import pytest
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]

from tests.broker.breaking import HOLD
from tests.broker.events import START, added, key_of
from tests.broker.workers import await_true, deployed

pytestmark = pytest.mark.broker


def test_unequal_partition_counts_are_refused_with_the_way_out(kafka: str) -> None:
    with deployed(kafka, time="events", partitions=3) as shop:
        for done in shop.admin.create_partitions([NewPartitions("touchpoints.orders", 5)]).values():
            done.result()
        await_true(
            "the new partitions",
            lambda: len(shop.admin.list_topics(timeout=10).topics["touchpoints.orders"].partitions) == 5,
        )
        worker = shop.start()
        assert worker.wait(60) == 1, worker.said
        assert "touchpoints.orders: has 5 partitions, 3 are wanted" in worker.said
        assert "way out: stop the workers, delete the topics" in worker.said


def test_a_worker_is_ready_only_when_all_its_tasks_are_open(kafka: str, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    with deployed(kafka, time="events", idle_ms=20, agents=("tests.broker.breaking",)) as shop:
        worker = shop.start(**{HOLD: str(hold)})
        await_true("the leases", lambda: any(line.get("tasks") == [0, 1, 2, 3] for line in worker.log), 40)
        await_true("tasks that open", lambda: worker.metric("tasks_wanted") == 4)
        assert worker.get("/ready") == (503, "not ready\n")
        assert worker.get("/live")[0] == 200
        assert worker.metric("tasks_open") == 0

        hold.unlink()
        worker.await_ready()
        await_true("tasks that are open", lambda: worker.metric("tasks_open") == 4)
        shop.send("web", key_of("anna"), added("e1", "anna", START))
        shop.await_taken()
        assert worker.stop() == 0, worker.said
