"""The stop button acts on all tasks within a second or two, outlives a restart, and what it held goes out."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import ACTIONS, DECISIONS
from streams.engine.partitions import partition_of
from tests.broker.events import MINUTE, START, key_of, placed, viewed
from tests.broker.reading import read
from tests.broker.workers import ROOT, Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

WITHIN_SECONDS = 2.0


def test_a_pause_acts_at_once_on_all_tasks_survives_a_restart_and_releases_what_it_held(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        customers = _one_a_task(shop)
        worker = shop.start().await_ready()
        _order(shop, customers, "before", START)
        shop.await_taken()
        assert _thanked(kafka) == _orders(customers, "before")

        _press(shop, "pause")
        await_true("the pause", lambda: _is_paused(worker), WITHIN_SECONDS)
        _order(shop, customers, "paused", START + MINUTE)
        shop.await_taken()
        assert _thanked(kafka) == _orders(customers, "before")
        assert _held(kafka) == _orders(customers, "paused")

        assert worker.stop() == 0, worker.said
        worker = shop.start().await_ready()
        assert _is_paused(worker)
        _order(shop, customers, "restarted", START + 2 * MINUTE)
        shop.await_taken()
        assert _thanked(kafka) == _orders(customers, "before")

        _press(shop, "resume")
        await_true("the release", lambda: not _is_paused(worker), WITHIN_SECONDS)
        for customer in customers:
            shop.send("web", key_of(customer), viewed(f"later-{customer}", customer, START + 10 * MINUTE))
        shop.await_taken()
        assert _thanked(kafka) == _orders(customers, "before", "paused", "restarted")


def test_a_pause_of_one_trigger_leaves_the_others_alone(kafka: str) -> None:
    with deployed(kafka, time="events", idle_ms=20) as shop:
        worker = shop.start().await_ready()
        _press(shop, "pause", "--trigger", "abandonment")
        await_true("the pause", lambda: worker.metric("paused", trigger="abandonment") == 1, WITHIN_SECONDS)
        _order(shop, ["anna"], "meanwhile", START)
        shop.await_taken()
        assert _thanked(kafka) == _orders(["anna"], "meanwhile")


def _one_a_task(shop: Deployment) -> list[str]:
    """A customer for each task."""
    found: dict[int, str] = {}
    for number in range(100):
        found.setdefault(partition_of(f"c:v{number}".encode(), shop.settings.partitions), f"v{number}")
    assert len(found) == shop.settings.partitions
    return list(found.values())


def _order(shop: Deployment, customers: list[str], name: str, at: int) -> None:
    for customer in customers:
        shop.send("orders", key_of(customer), placed(f"{name}-{customer}", customer, at))


def _orders(customers: list[str], *names: str) -> Counter[str]:
    return Counter(f"o-{name}-{customer}" for name in names for customer in customers)


def _press(shop: Deployment, *button: str) -> None:
    pulpero = Path(sys.executable).with_name("pulpero")
    subprocess.run(
        [pulpero, "actions", *button], env={**os.environ, **shop.environment()}, cwd=ROOT, check=True
    )


def _is_paused(worker: Worker) -> bool:
    return worker.metric("paused", trigger="*") == 1


def _thanked(kafka: str) -> Counter[str]:
    return _about(record.json for record in read(kafka, ACTIONS))


def _held(kafka: str) -> Counter[str]:
    decisions = (record.json for record in read(kafka, DECISIONS))
    return _about(
        each for each in decisions if (each["outcome"], each["reason_code"]) == ("deferred", "paused")
    )


def _about(said: Any) -> Counter[str]:
    return Counter(each["business_key"]["id"] for each in said)
