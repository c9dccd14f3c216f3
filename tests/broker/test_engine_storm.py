"""A trigger that storms is held by the worker itself, through `kill -9`, until a person says `resume`."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from schemas.topics import ACTIONS, DECISIONS, JOURNAL
from tests.broker.events import MINUTE, START, key_of, placed, viewed
from tests.broker.reading import read
from tests.broker.workers import ROOT, Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

WITHIN_SECONDS = 2.0
THANKS = "post_purchase.thanks"
LIMIT = 3


def test_a_storm_is_held_through_a_kill_until_a_person_releases_it(kafka: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"version: tight\nstorms: {{limit: {LIMIT * 4}}}\n")
    with deployed(kafka, time="events", idle_ms=20, policy=policy) as shop:
        worker = shop.start().await_ready()
        assert _holds(worker) == 0
        _order(shop, *"abcde")
        shop.await_taken()
        assert _thanked(kafka) == _orders(*"abc")
        assert _held(kafka) == _orders(*"de")
        await_true("the hold in the metrics", lambda: _holds(worker) == 1, WITHIN_SECONDS)

        worker.kill()
        worker = shop.start().await_ready()
        await_true("the hold in the metrics", lambda: _holds(worker) == 1, WITHIN_SECONDS)
        _order(shop, *"fg")
        shop.await_taken()
        assert _thanked(kafka) == _orders(*"abc")
        assert _held(kafka) == _orders(*"defg")

        _resume(shop)
        await_true("the release", lambda: _holds(worker) == 0, WITHIN_SECONDS)
        shop.send("web", key_of("anna"), viewed("later", "anna", START + 10 * MINUTE))
        shop.await_taken()
        # What was held goes out as far as the next storm.
        assert _thanked(kafka).total() == 2 * LIMIT
        assert _thanked(kafka) <= _orders(*"abcdefg")
        await_true("the next hold", lambda: _holds(worker) == 1, WITHIN_SECONDS)
        assert _released(kafka) == [[THANKS]]


def _order(shop: Deployment, *names: str) -> None:
    """Orders of one customer, so that one task has them all."""
    for name in names:
        shop.send("orders", key_of("anna"), placed(name, "anna", START))


def _orders(*names: str) -> Counter[str]:
    return Counter(f"o-{name}" for name in names)


def _resume(shop: Deployment) -> None:
    pulpero = Path(sys.executable).with_name("pulpero")
    subprocess.run(
        [pulpero, "actions", "resume", "--trigger", THANKS],
        env={**os.environ, **shop.environment()},
        cwd=ROOT,
        check=True,
    )


def _holds(worker: Worker) -> float:
    return worker.metric("storm_held", trigger=THANKS)


def _thanked(kafka: str) -> Counter[str]:
    said = (record.json for record in read(kafka, ACTIONS))
    return Counter(each["business_key"]["id"] for each in said if each["trigger"] == THANKS)


def _held(kafka: str) -> Counter[str]:
    decisions = (record.json for record in read(kafka, DECISIONS))
    return Counter(
        each["business_key"]["id"]
        for each in decisions
        if (each["outcome"], each["reason_code"]) == ("deferred", "storm")
    )


def _released(kafka: str) -> list[list[str]]:
    """What each task's journal says of releases, the empty apart."""
    told = (record.json.get("released") for record in read(kafka, JOURNAL))
    return [list(each) for each in told if each]
