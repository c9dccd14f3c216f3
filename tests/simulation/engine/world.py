"""The world of one simulation: its loop, clock, Kafka, and what goes wrong in it, all from one seed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from confluent_kafka import KafkaError, KafkaException

from schemas.event import Millis
from streams import clock, logs
from streams.decisions import advance
from streams.engine import commit, consumers, fence, lease, progress, source, task, undecided
from tests.simulation.engine.broker import Broker, Place
from tests.simulation.engine.group import Group, Member
from tests.simulation.engine.laws import Laws
from tests.simulation.engine.loop import PROCESS, Process, SimulatedLoop
from tests.simulation.engine.producer import Marker, Producer
from tests.simulation.engine.reader import Reader

Strike = Literal["kill", "freeze", "raise"]

_STRIKES: tuple[Strike, ...] = ("kill", "freeze", "raise")
_CHANCE_OF_STRIKE = 0.012
_CHANCES = {
    "fetch": 0.004,
    "init": 0.02,
    "end lost": 0.006,
    "end unanswered": 0.006,
    "markers lost": 0.03,
    "abort's markers lost": 0.5,
    "settling's markers lost": 0.2,
    "break": 0.003,
}
STALLS = (0.4, 2.0, 4.5, 9.0, 13.0)
"""How long a frozen process sleeps, in seconds: within the session, beyond it, beyond a transaction's timeout."""


class World:
    """Everything outside the engine. Only `rng` draws, so that a seed is the whole story."""

    def __init__(self, seed: int, began: Millis, tasks: int, session_ms: int) -> None:
        self.rng = Random(seed)
        self.loop = SimulatedLoop(self.rng)  # type: ignore[abstract]
        self.began = began
        self.broker = Broker(self.loop, self.wall)
        self.laws = Laws(self)
        self.group = Group(self, tasks, session_ms / 1000)
        self.is_calm = False
        """Nothing goes wrong any more."""
        self.happened: Counter[str] = Counter()
        """What went wrong, by name, how often."""
        self._broken: set[object] = set()

    def wall(self) -> Millis:
        """The wall clock, ms since the epoch."""
        return self.began + int(self.loop.time() * 1000)

    def delay(self) -> float:
        """How long a message is under way, in seconds: mostly short."""
        return self.rng.expovariate(300) if self.rng.random() < 0.95 else self.rng.uniform(0.0, 0.4)

    def travel(self) -> None:
        """In a blocking call: wait for a message to arrive."""
        self.loop.park(self.delay())

    async def journey(self) -> None:
        """In a coroutine: wait for a message to arrive."""
        await asyncio.sleep(self.delay())

    def fails(self, what: str) -> bool:
        """Whether this goes wrong now."""
        if self.is_calm or self.rng.random() >= _CHANCES[what]:
            return False
        self.happened[what] += 1
        return True

    def loses(self, what: str) -> Callable[[Place], bool] | None:
        """Whether markers are lost now, and which: none of them after all, some, or all."""
        if not self.fails(what):
            return None
        chance = self.rng.choice((0.0, 0.5, 1.0))
        return lambda place: self.rng.random() >= chance

    def reach(self, point: str, chance: float = _CHANCE_OF_STRIKE) -> None:
        """In a blocking call: a moment at which a process may be killed or frozen, or the call may fail."""
        if self.is_calm or self.rng.random() >= chance:
            return
        process, strike = PROCESS.get(), self.rng.choice(_STRIKES)
        assert process is not None
        self.happened[f"{strike} when {point}"] += 1
        if strike == "raise":
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, point))
        if strike == "kill":
            self.loop.kill(process)
        else:
            self.freeze(process)
        self.loop.park(0.0)

    def freeze(self, process: Process) -> None:
        """SIGSTOP, and SIGCONT some time later."""
        self.loop.freeze(process)
        self.loop.outside(self.rng.choice(STALLS), self.loop.wake, process)

    def breaks(self, what: object) -> bool:
        """Whether an agent raises here; never twice at the same."""
        if self.is_calm or what in self._broken or self.rng.random() >= _CHANCES["break"]:
            return False
        self._broken.add(what)
        self.happened["an agent raises"] += 1
        return True


@contextmanager
def inhabited(world: World) -> Iterator[None]:
    """The engine lives in this world: its clients, clocks and threads are simulated ones."""
    now = world.loop.time
    real_take, real_ring = advance.take, advance.ring

    def take(row: Any, arrival: Any, *rest: Any) -> Any:
        verdict = real_take(row, arrival, *rest)
        if world.breaks((arrival.topic, arrival.offset, arrival.key)):
            raise RuntimeError("an agent breaks")
        return verdict

    def ring(row: Any, timer_id: str, due: Millis, *rest: Any) -> None:
        real_ring(row, timer_id, due, *rest)
        if world.breaks((row.key, timer_id, due)):
            raise RuntimeError("an agent breaks")

    stub = SimpleNamespace(
        time_ns=lambda: world.wall() * 1_000_000, monotonic_ns=lambda: int(now() * 1_000_000_000)
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit, "Producer", partial(Producer, world))
        for module in (consumers, source):
            patched.setattr(module, "AIOKafkaConsumer", partial(Reader, world))
        patched.setattr(undecided, "AIOKafkaProducer", partial(Marker, world))
        patched.setattr(lease, "Consumer", partial(Member, world))
        patched.setattr(clock, "time", stub)
        for timed in (task, commit, fence, source, progress, logs):
            patched.setattr(timed, "monotonic", now)
        patched.setattr(advance, "take", take)
        patched.setattr(advance, "ring", ring)
        logging.disable()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
