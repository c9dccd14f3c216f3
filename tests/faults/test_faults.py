"""Workers are killed by pid while events flow, models change and topics fall silent.

What they leave behind is what an oracle works out.
"""

import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.broker.workers import Deployment, Worker, deployed
from tests.faults.feeding import Feeder
from tests.faults.oracle import Expected
from tests.faults.replaying import assert_replays
from tests.faults.sending import send
from tests.faults.stream import AFTERWARDS, clock, portions
from tests.faults.verdict import assert_as_expected, assert_much_happened

pytestmark = [pytest.mark.broker, pytest.mark.faults]

PARTITIONS = 4
CUSTOMERS, DAYS, PORTION = 100, 20, 60
SESSION_MS = 3_000
IDLE_MS = 1_000
EAGER = "tests.faults.eager"
OPEN_FIRST = 0.75
"""Share of the moments that wait until the worker has opened its tasks."""
POLICY = Path(__file__).with_name("policy.yaml")

SCHEDULE = (
    *("replace", "replace", "grow"),
    *("replace", "replace", "freeze", "replace", "grow"),
    *("replace", "replace", "replace", "drop", "drop", "replace"),
)
"""What happens at each seeded moment. `replace` and `drop` are kill -9: eleven, among 1, 2, 3 and 1 workers.

A frozen worker (SIGSTOP) wakes up after its leases went to the other one, and must not write a word.
"""


def test_eleven_kills_among_one_two_three_and_one_workers_leave_no_trace(kafka: str, seed: int) -> None:
    settings = {"time": "events", "idle_ms": IDLE_MS, "session_timeout_ms": SESSION_MS, "batch_records": 60}
    with deployed(kafka, partitions=PARTITIONS, policy=POLICY, agents=[EAGER], **settings) as shop:
        stream = portions(seed, CUSTOMERS, DAYS, PORTION)
        feeder = Feeder(shop, stream, len(SCHEDULE), Random(f"told:{seed}"))
        alive = disturb(shop, feeder, Random(f"kills:{seed}"))
        feeder.finish()
        assert_much_is_under_way(assert_as_expected(shop))
        for sent in clock(stream[-1].at + AFTERWARDS):
            send(shop, sent)
        assert_much_happened(assert_as_expected(shop))
        assert [worker.stop() for worker in alive] == [0] * len(alive)
        assert_replays(shop)


def assert_much_is_under_way(expected: Expected) -> None:
    """What will be over and done with at the end is there to be compared before."""
    watches = [life.watch for life in expected.lives.values()]
    assert any(watch.held or watch.silence.lapsed for watch in watches)
    assert {each.scored.model for watch in watches for each in watch.labels.pending.values()} == {
        "cart",
        "churn",
    }


def disturb(shop: Deployment, feeder: Feeder, rng: Random) -> list[Worker]:
    """Kill and start workers at seeded moments of their work, or of their opening; returns those left."""
    alive = [shop.start()]
    for what in SCHEDULE:
        feeder.step()
        chosen = alive[rng.randrange(len(alive))]
        if rng.random() < OPEN_FIRST:
            chosen.await_ready()
        time.sleep(rng.uniform(0.2, 2.0))  # the moment is part of the schedule
        if what == "freeze":
            chosen.signal(signal.SIGSTOP)
            time.sleep(SESSION_MS / 1000 * 1.5)
            chosen.signal(signal.SIGCONT)
            continue
        if what != "grow":
            assert chosen.is_running, chosen.said
            chosen.kill()
            alive.remove(chosen)
        if what != "drop":
            alive.append(shop.start())
    return alive
