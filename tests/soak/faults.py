"""What befalls a deployment while it works: a seeded schedule of kinds, and how each is done."""

import signal
import time
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import NamedTuple

import orjson
from confluent_kafka import Producer

from streams.clock import wall_millis
from streams.local.replayed import iso
from tests.soak.fleet import Broker, Fleet, Worker
from tests.soak.flow import Flow

SPARED = 1
"""So many of the oldest workers are never ended: their memory is what a leak would show in."""
QUIET_BEFORE, QUIET_AFTER = 0.08, 0.90
"""Nothing befalls the deployment outside of these shares of the time."""
EVERY_SECONDS = 120.0
FEWEST, FEWEST_IN_SHORT = 8, 4
SHORT_MINUTES = 6.0


class Due(NamedTuple):
    """A fault to come, seconds after the beginning."""

    at: float
    name: str


class Scene:
    """What the faults work on."""

    def __init__(self, broker: Broker, fleet: Fleet, flow: Flow, session_seconds: float, rng: Random) -> None:
        self.broker, self.fleet, self.flow = broker, fleet, flow
        self.session_seconds = session_seconds
        self.rng = rng

    def victim(self) -> Worker:
        """Somebody who is not spared."""
        return self.rng.choice(self.fleet.workers[SPARED:])


def killed(scene: Scene) -> None:
    """kill -9, and a new worker."""
    scene.fleet.remove(scene.victim(), Worker.kill)
    scene.fleet.start()


def stopped(scene: Scene) -> None:
    """SIGTERM, and a new worker."""
    scene.fleet.remove(scene.victim(), Worker.stop)
    scene.fleet.start()


def frozen(scene: Scene) -> None:
    """SIGSTOP for longer than the session, then SIGCONT; nobody is spared this."""
    worker = scene.rng.choice(scene.fleet.workers)
    worker.signal(signal.SIGSTOP)
    try:
        time.sleep(scene.session_seconds * scene.rng.uniform(1.3, 1.8))
    finally:
        worker.signal(signal.SIGCONT)


def joined(scene: Scene) -> None:
    """A third worker comes, and leaves again."""
    third = scene.fleet.start()
    scene.fleet.await_open()
    time.sleep(scene.rng.uniform(1.0, 5.0))
    scene.fleet.remove(third, Worker.stop)


def foreign_transaction(scene: Scene) -> None:
    """Somebody else's open transaction hides what is written behind it, and is aborted at last."""
    producer = Producer(
        {
            "bootstrap.servers": scene.broker.bootstrap,
            "transactional.id": "somebody-else",
            "transaction.timeout.ms": 60_000,
            "log_level": 0,
        }
    )
    producer.init_transactions(20.0)
    producer.begin_transaction()
    topic = scene.rng.choice(("touchpoints.web", "touchpoints.orders"))
    event = {"event_id": "hidden", "type": "page_viewed", "event_time": iso(wall_millis()), "source": "soak"}
    producer.produce(topic, key=b"c:hidden", value=orjson.dumps({**event, "customer_id": "hidden"}))
    producer.flush(20.0)
    time.sleep(scene.rng.uniform(4.0, 8.0))
    producer.abort_transaction(20.0)


def hostile_records(scene: Scene) -> None:
    """Records that are no events, some of each kind."""
    for _ in range(scene.rng.randint(5, 15)):
        scene.flow.throw_hostile()


def duplicates(scene: Scene) -> None:
    """A producer sends again what it has just sent."""
    for _ in range(scene.rng.randint(1, 3)):
        scene.flow.duplicate()


def broker_paused(scene: Scene) -> None:
    """SIGSTOP of the broker for three seconds."""
    scene.broker.pause(3.0)


KINDS: dict[str, Callable[[Scene], None]] = {
    "kill -9": killed,
    "SIGTERM": stopped,
    "SIGSTOP": frozen,
    "third worker": joined,
    "foreign transaction": foreign_transaction,
    "hostile records": hostile_records,
    "duplicates": duplicates,
    "broker paused": broker_paused,
}


MOVING = ("kill -9", "SIGTERM", "SIGSTOP", "third worker")
"""These come first, as far as may be within the warm-up: who has held all tasks keeps the memory that it took."""


def schedule(seconds: float, rng: Random) -> list[Due]:
    """When what befalls it: every kind once, in a drawn order, before any comes again."""
    fewest = FEWEST_IN_SHORT if seconds < SHORT_MINUTES * 60 else FEWEST
    many = max(fewest, round(seconds * (QUIET_AFTER - QUIET_BEFORE) / EVERY_SECONDS))
    step = seconds * (QUIET_AFTER - QUIET_BEFORE) / many
    moments = (seconds * QUIET_BEFORE + step * (number + rng.uniform(0.0, 0.5)) for number in range(many))
    return [Due(at, name) for at, name in zip(moments, islice(_names(rng), many), strict=True)]


def _names(rng: Random) -> Iterator[str]:
    kinds = rng.sample(list(KINDS), len(KINDS))
    yield from sorted(kinds, key=lambda name: name not in MOVING)
    while True:
        yield from rng.sample(kinds, len(kinds))
