"""Workers are killed by pid while events flow, models change and topics fall silent.

What they leave behind is what an oracle works out.
"""

import signal
import threading
import time
from pathlib import Path
from random import Random

import pytest

from schemas.topics import ACTIONS
from tests.broker.reading import Reader
from tests.broker.workers import Deployment, Worker, deployed
from tests.faults import comparing
from tests.faults.comparing_rows import assert_rows
from tests.faults.oracle import Expected, refold
from tests.faults.oracle_models import assert_learned
from tests.faults.replaying import assert_replays
from tests.faults.sending import send
from tests.faults.stream import AFTERWARDS, FALLS_SILENT, Portion, clock, feedback, portions

pytestmark = [pytest.mark.broker, pytest.mark.faults]

PARTITIONS = 4
CUSTOMERS, DAYS, PORTION = 100, 20, 60
PACE_SECONDS = 0.1
SESSION_MS = 3_000
IDLE_MS = 1_000
TOLD = 0.5
"""Share of the actions of which the messaging services tell."""
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


def assert_as_expected(shop: Deployment) -> Expected:
    """What was written is what the oracle makes of all that was sent."""
    shop.await_taken(90)
    written = comparing.Written(shop)
    expected = refold(comparing.inputs(shop), PARTITIONS, written.told())
    comparing.assert_letters(written, expected)
    assert_rows(written, expected)
    comparing.assert_decisions(written, expected)
    comparing.assert_actions(written, expected)
    comparing.assert_examples(written, expected)
    assert_learned(written.published, written.taught, PARTITIONS)
    assert all(versions.only_rise() for versions in written.told().versions.values())
    return expected


def assert_much_is_under_way(expected: Expected) -> None:
    """What will be over and done with at the end is there to be compared before."""
    watches = [life.watch for life in expected.lives.values()]
    assert any(watch.held or watch.silence.lapsed for watch in watches)
    assert {each.scored.model for watch in watches for each in watch.labels.pending.values()} == {
        "cart",
        "churn",
    }


def assert_much_happened(expected: Expected) -> None:
    """Models were swapped in while scores were asked for, and everything that is compared is there to compare."""
    spoke = {(word.model, word.version) for word in expected.scores.values()}
    for model in ("cart", "churn"):
        # The rule and a learned one at least; how many come in time is the machine's doing.
        assert len({version for name, version in spoke if name == model}) >= 2
    watches = [life.watch for life in expected.lives.values()]
    statuses = {contact.status for watch in watches for contact in watch.ledger.contacts}
    assert statuses >= {"emitted", "cancelled", "sent", "bounced"}
    assert any(watch.labels.pending for watch in watches)
    reasons = {each.reason for each in expected.said}
    assert reasons >= {"cap_reached", "late_item", "score_below_threshold", "already_announced"}
    assert {lesson.label for lesson in expected.lessons} == {True, False}


class Feeder:
    """Sends the stream from a thread of its own: an even part of it for each step of the schedule.

    It plays the messaging services too: of some of the actions it says what became of them.
    """

    def __init__(self, shop: Deployment, stream: list[Portion], steps: int, rng: Random) -> None:
        self._shop, self._stream, self._rng = shop, stream, rng
        self._actions, self._told = Reader(shop.bootstrap, ACTIONS), 0
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
        for number, portion in enumerate(self._stream):
            self._allowed.acquire()
            for sent in portion.sent:
                send(self._shop, sent)
            if FALLS_SILENT not in portion.silent and number % 5 == 0:
                self._tell(portion.at)
            for sent in portion.clock:
                send(self._shop, sent)
            self._shop.producer.flush()
            time.sleep(PACE_SECONDS)

    def _tell(self, at: int) -> None:
        actions = [each.json for each in self._actions.read()[self._told :]]
        self._told += len(actions)
        for action in actions:
            if "template_id" in action and self._rng.random() < TOLD:
                send(self._shop, feedback(action, at, self._rng))


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
