"""Workers are killed, stopped beyond their session and woken, and broken, each at every named point of their work.

What they leave behind is what an oracle works out.
"""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.broker.workers import deployed
from tests.faults.arming import POINTS, STRIKES, Armed
from tests.faults.crew import Crew, Endless, waves
from tests.faults.replaying import assert_replays
from tests.faults.sending import send
from tests.faults.stream import AFTERWARDS, clock, portions
from tests.faults.verdict import assert_as_expected, assert_much_happened

pytestmark = [pytest.mark.broker, pytest.mark.faults, pytest.mark.timeout(600)]

PARTITIONS = 4
CUSTOMERS, DAYS, PORTION = 100, 20, 30
SESSION_MS = 2_000
IDLE_MS = 400
AGENTS = ["tests.faults.eager", "tests.faults.failpoints"]
POLICY = Path(__file__).with_name("policy.yaml")


def test_every_strike_at_every_point_leaves_no_trace(kafka: str, seed: int, tmp_path: Path) -> None:
    settings = {"time": "events", "idle_ms": IDLE_MS, "session_timeout_ms": SESSION_MS, "batch_records": 60}
    with deployed(kafka, partitions=PARTITIONS, policy=POLICY, agents=AGENTS, **settings) as shop:
        stream = portions(seed, CUSTOMERS, DAYS, PORTION)
        feeder = Endless(shop, stream, len(stream), Random(f"told:{seed}"), pace=0.02)
        crew = Crew(shop, feeder, tmp_path, Random(f"strikes:{seed}"))
        for wave in waves(Random(f"waves:{seed}")):
            crew.suffer(wave)
        assert Counter(crew.struck) == Counter(Armed(point, strike) for point in POINTS for strike in STRIKES)
        last = crew.end()
        for sent in clock(stream[-1].at + AFTERWARDS):
            send(shop, sent)
        assert_much_happened(assert_as_expected(shop))
        assert last.stop() == 0, last.said
        assert_replays(shop)
