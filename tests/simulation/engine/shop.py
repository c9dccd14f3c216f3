"""A deployment on a simulated Kafka: its settings, its workers, and how records get into its topics."""

from functools import cache
from pathlib import Path
from random import Random
from typing import Literal

from schemas import topics
from schemas.event import Millis
from schemas.policy import Policy
from schemas.policy_file import load_policy
from schemas.touchpoints import load
from streams.engine.partitions import partition_of
from streams.engine.task_row import TaskRow
from streams.settings import Settings
from tests.broker.reading import Record, task_rows
from tests.faults.stream import Sent
from tests.simulation.engine.broker import Place, Txn
from tests.simulation.engine.worker import Worker
from tests.simulation.engine.world import World

FAULTS = Path(__file__).parents[2] / "faults"
SESSION_MS = 3_000
LIVE_SLACK_MS = 3_000
"""By so much a caught-up task may be behind the wall, and its grace."""


def settings_of(rng: Random, time: Literal["live", "events"]) -> Settings:
    """Small batches, small queues and few hot rows make for many cuts."""
    return Settings(
        app_id="simulated",
        partitions=rng.choice((1, 2, 3)),
        time=time,
        policy=FAULTS / ("policy.yaml" if time == "events" else "live.yaml"),
        idle_ms=1_000 if time == "events" else None,
        session_timeout_ms=SESSION_MS,
        batch_records=rng.choice((3, 10, 30, 4_000)),
        queue_bytes=rng.choice((1 << 16, 32 << 20)),
        hot_rows=rng.choice((0, 3, 20_000)),
    )


@cache
def _policy_of(path: Path) -> Policy:
    return load_policy(path.read_text())


class Shop:
    """A deployment on a simulated Kafka, as far as the oracles look at one."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.settings = settings
        self.touchpoints = load(())
        self.changelog = topics.changelog(settings.app_id)
        assert settings.policy is not None
        self.policy: Policy = _policy_of(settings.policy)
        self.workers: list[Worker] = []
        self.rng = Random(f"shop:{world.rng.random()}")

    def read(self, *names: str) -> list[Record]:
        """All committed records of the topics."""
        return self.world.broker.read(*names)

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.is_gone]

    def start(self) -> None:
        """One more worker."""
        name = f"worker{len(self.workers)}"
        self.workers.append(Worker(self.world, name, self.settings, self.policy, self.touchpoints))

    def places(self, sent: Sent) -> list[Place]:
        """Where the record goes: to where its key belongs, a misplaced one to its neighbour, a clock everywhere."""
        topic, count = f"touchpoints.{sent.touchpoint}", self.settings.partitions
        if sent.key is None:
            return [(topic, number) for number in range(count)]
        return [(topic, (partition_of(sent.key.encode(), count) + sent.misplaced) % count)]

    def send(self, sent: Sent, txn: Txn | None = None) -> None:
        """One record, now."""
        headers = [
            (name, value.encode() if isinstance(value, str) else value or b"")
            for name, value in sent.headers or ()
        ]
        key = None if sent.key is None else sent.key.encode()
        for place in self.places(sent):
            self.world.broker.append(place, key, sent.value, headers, txn)

    @property
    def has_taken_everything(self) -> bool:
        """The task rows say that every visible record is taken, and nothing is undecided."""
        stands = task_rows(self.read(self.changelog))
        for (topic, task), partition in self.world.broker.partitions.items():
            if topic.startswith("touchpoints."):
                offset = stands[task].offsets.get(topic, 0) if task in stands else 0
                if any(True for _ in self.world.broker.visible_behind((topic, task), offset, float("inf"))):
                    return False
                if partition.open:
                    return False
        return True

    def fired_until(self, stands: TaskRow) -> Millis:
        """No timer of a task that has taken everything is due by then: events say so, or the wall."""
        if self.settings.time == "events":
            return stands.timer_clock
        return self.world.wall() - self.policy.time.grace - LIVE_SLACK_MS
