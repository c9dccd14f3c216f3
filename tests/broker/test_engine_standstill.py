"""A worker that cannot get on although Kafka answers ends and says what stood still; topics that change end it."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]

from streams.engine import admin
from streams.engine.watchdog import EXIT_CODE
from streams.settings import Settings
from tests.broker.breaking import DEAF, LOOK
from tests.broker.events import START, added, key_of
from tests.broker.workers import Deployment, await_true, deployed

pytestmark = pytest.mark.broker

SHOP_MODULE = ("tests.broker.breaking",)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_dead_fetch_routine_ends_the_worker_and_the_next_goes_on(kafka: str, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    with deployed(kafka, time="events", idle_ms=20, agents=SHOP_MODULE, watchdog_seconds=3) as shop:
        worker = shop.start(**{DEAF: str(deaf)}).await_ready()
        shop.send("web", key_of("anna"), added("e1", "anna", START))
        shop.await_taken()
        deaf.touch()
        shop.send("web", key_of("anna"), added("e2", "anna", START))
        shop.producer.flush()
        assert worker.wait(30) == EXIT_CODE, worker.said
        last = worker.log[-1]
        assert last["level"] == "critical"
        assert last["message"].startswith("nothing was fetched from touchpoints.")
        assert "although Kafka answers; this process ends" in last["message"]

        deaf.unlink()
        shop.start().await_ready()
        shop.await_taken()


def test_partitions_added_while_a_worker_runs_end_it_with_the_way_out(kafka: str) -> None:
    with deployed(kafka, time="events", partitions=3, agents=SHOP_MODULE) as shop:
        assert admin.grown(shop.settings, shop.registry) == []
        worker = shop.start(**{LOOK: "0.2"}).await_ready()
        for done in shop.admin.create_partitions([NewPartitions("touchpoints.orders", 5)]).values():
            done.result()
        assert worker.wait(30) == 1, worker.said
        assert "touchpoints.orders: has 5 partitions, 3 are wanted" in worker.said
        assert "way out: stop the workers, delete the topics" in worker.said
        assert "TopicsUnfit: partitions were added while the worker ran" in worker.said
        assert admin.grown(shop.settings, shop.registry) == admin.faults(shop.settings, shop.registry)


def test_a_topic_that_is_gone_is_not_said_to_have_grown(deployment: Settings) -> None:
    registry = Deployment(deployment.bootstrap, partitions=3).registry
    assert any("is missing" in line for line in admin.faults(deployment, registry))
    assert admin.grown(deployment, registry) == []


def test_kafka_answers_for_what_it_has_and_for_what_it_refuses(deployment: Settings) -> None:
    places = frozenset({("touchpoints.web", 2), ("touchpoints.nobody", 0)})
    await_true("leaders", lambda: admin.answered(deployment, places) == places)


def test_a_silent_broker_answers_for_nothing_within_seconds(silent_port: int) -> None:
    began = time.monotonic()
    silent = Settings(bootstrap=f"127.0.0.1:{silent_port}")
    assert admin.answered(silent, frozenset({("touchpoints.web", 0), ("changelog", 0)})) == frozenset()
    assert time.monotonic() - began < 20
