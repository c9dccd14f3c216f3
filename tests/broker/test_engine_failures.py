"""Faults of ours and of others: a poisonous record goes alone, what cannot go on ends and says why."""

import pytest
from confluent_kafka import TopicPartition

from schemas.customer import unpack
from schemas.topics import ACTIONS, DEAD_LETTERS
from streams.engine.partitions import partition_of
from tests.broker.breaking import BREAKING
from tests.broker.events import SECOND, START, added, key_of, placed
from tests.broker.reading import read, rows, task_rows
from tests.broker.workers import deployed

pytestmark = pytest.mark.broker

SHOP_MODULE = ("tests.broker.breaking",)


def test_a_poisonous_record_is_dead_lettered_alone(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20, agents=SHOP_MODULE) as shop:
        for number in range(20):
            name = f"{BREAKING}-{number}" if number == 7 else f"e{number}"
            shop.send("web", "c:anna", added(name, "anna", START + number * SECOND))
        worker = shop.start().await_ready()
        shop.await_taken()

        (letter,) = (record.json for record in read(kafka, DEAD_LETTERS))
        assert (letter["reason"], letter["event_id"]) == ("poison", f"{BREAKING}-7")
        assert letter["origin"]["offset"] == 7
        row = unpack(rows(read(kafka, shop.changelog))[b"c:anna"])
        assert row.carts[0].items[0].quantity == 19
        assert worker.metric("poison_total") == 1
        assert worker.metric("consumed_total") == 20
        assert worker.is_ready
        assert worker.stop() == 0, worker.said


def test_a_run_of_poisonous_records_stops_the_worker(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20, agents=SHOP_MODULE) as shop:
        for number in range(9):
            name = f"{BREAKING}-{number}" if number in (2, 4, 6) else f"e{number}"
            shop.send("web", "c:anna", added(name, "anna", START + number * SECOND))
        shop.producer.flush()
        worker = shop.start()
        assert worker.wait(60) == 1, worker.said
        assert "poisonous records close together" in worker.said
        assert "anna" not in worker.said


def test_input_that_retention_has_cut_stops_the_worker_which_names_both_offsets(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        task = partition_of(b"c:anna", shop.settings.partitions)
        for number in range(5):
            shop.send("web", "c:anna", added(f"e{number}", "anna", START + number * SECOND))
        worker = shop.start().await_ready()
        shop.await_taken()
        assert worker.stop() == 0, worker.said

        for number in range(5, 30):
            shop.send("web", "c:anna", added(f"e{number}", "anna", START + number * SECOND))
        shop.send("orders", "c:anna", placed("o", "anna", START + 30 * SECOND))
        shop.producer.flush()
        cut = shop.admin.delete_records([TopicPartition("touchpoints.web", task, 20)])
        for done in cut.values():
            done.result()

        worker = shop.start()
        assert worker.wait(60) == 1, worker.said
        assert f"touchpoints.web[{task}]: next is offset 5, but the partition begins at 20" in worker.said
        changelog = read(kafka, shop.changelog)
        row = unpack(rows(changelog)[key_of("anna").encode()])
        assert row.carts[0].items[0].quantity == 5
        assert task_rows(changelog)[task].offsets == {
            **{each.topic: 0 for each in shop.touchpoints},
            "touchpoints.web": 5,
        }
        assert read(kafka, ACTIONS) == read(kafka, DEAD_LETTERS) == []
