"""Workers are killed by pid while events flow; what they leave behind is what an oracle works out."""

import signal
import threading
import time
from pathlib import Path
from random import Random

import pytest

from tests.broker.workers import Deployment, Worker, deployed
from tests.faults import comparing
from tests.faults.oracle import murmur2, refold
from tests.faults.stream import Sent, portions

pytestmark = [pytest.mark.broker, pytest.mark.faults]

PARTITIONS = 4
CUSTOMERS, DAYS, PORTION = 100, 20, 60
PACE_SECONDS = 0.2
SESSION_MS = 3_000
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
    settings = {"time": "events", "idle_ms": 120_000, "session_timeout_ms": SESSION_MS, "batch_records": 60}
    with deployed(kafka, partitions=PARTITIONS, policy=POLICY, **settings) as shop:
        feeder = Feeder(shop, portions(seed, CUSTOMERS, DAYS, PORTION), len(SCHEDULE))
        alive = disturb(shop, feeder, Random(f"kills:{seed}"))
        feeder.finish()
        # The very last clock record of a topic waits for more of the other topics.
        shop.await_offsets({place: end - 1 for place, end in shop.ends().items()}, 90)
        written = comparing.written(shop)
        expected = refold(comparing.inputs(shop), PARTITIONS)
        assert [worker.stop() for worker in alive] == [0] * len(alive)

    comparing.assert_letters(written, expected)
    comparing.assert_rows(written, expected)
    comparing.assert_decisions(written, expected)
    comparing.assert_actions(written, expected)
    comparing.assert_lapses(written, expected)


class Feeder:
    """Sends the stream from a thread of its own: an even part of it for each step of the schedule."""

    def __init__(self, shop: Deployment, stream: list[list[Sent]], steps: int) -> None:
        self._shop, self._stream = shop, stream
        self._allowed = threading.Semaphore(0)
        self._a_step = -(-len(stream) // steps)
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let the next part flow."""
        self._allowed.release(self._a_step)

    def finish(self) -> None:
        """Wait until everything is sent."""
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _feed(self) -> None:
        for portion in self._stream:
            self._allowed.acquire()
            for sent in portion:
                send(self._shop, sent)
            self._shop.producer.flush()
            time.sleep(PACE_SECONDS)


def disturb(shop: Deployment, feeder: Feeder, rng: Random) -> list[Worker]:
    """Kill and start workers at seeded moments of their work, or of their opening; returns those left."""
    alive = [shop.start()]
    for what in SCHEDULE:
        feeder.step()
        chosen = alive[rng.randrange(len(alive))]
        if rng.random() < OPEN_FIRST:
            chosen.await_ready()
        time.sleep(rng.uniform(0.2, 2.5))  # the moment is part of the schedule
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


def send(shop: Deployment, sent: Sent) -> None:
    """One record to where its key belongs, a misplaced one to its neighbour, a clock record everywhere."""
    if sent.key is None:
        for number in range(PARTITIONS):
            shop.send(sent.touchpoint, None, sent.value, partition=number, headers=sent.headers)
        return
    right = murmur2(sent.key.encode()) % PARTITIONS
    shop.send(sent.touchpoint, sent.key, sent.value, partition=(right + sent.misplaced) % PARTITIONS)
