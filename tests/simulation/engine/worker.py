"""A worker as a simulated process: the real tasks, agents, source and lease, driven as the real engine drives them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry

from models.scorers import cold_start
from schemas import topics
from schemas.policy import Policy
from schemas.policy_file import policy_version
from schemas.touchpoints import load
from schemas.touchpoints.touchpoint import Touchpoint
from streams.agents import customers, touchpoints
from streams.agents.touchpoints import TouchpointReader
from streams.engine.batch import Batch
from streams.engine.engine import HOLD_SECONDS
from streams.engine.inbox import Item, RawRecord
from streams.engine.lease import Lease
from streams.engine.outputs import Outputs
from streams.engine.source import Source
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.task import Surroundings, Task
from streams.engine.versions import Versions
from streams.engine.work import Due, Fetched
from streams.metrics import Metrics, Tally
from streams.settings import Settings
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker
from streams.triggers.storms import StormTracker
from tests.simulation.engine.loop import Process
from tests.simulation.engine.world import World

METRICS = Metrics(CollectorRegistry())
_NO_THREADS = ThreadPoolExecutor(1)
"""Never used: the simulated loop runs blocking calls itself."""


class Channel:
    """A Faust channel as the engine and its agents use it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    async def send(self, *, value: Any) -> None:
        if isinstance(value, Due):
            self._world.laws.taking(value)
        self._queue.put_nowait(value)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            yield await self._queue.get()


class Agents:
    """A Faust app as far as agents register with one."""

    def __init__(self) -> None:
        self.begun: list[Coroutine[Any, Any, None]] = []

    def agent(self, channel: Any, name: str) -> Callable[[Any], None]:
        def begin(agent: Any) -> None:
            self.begun.append(agent(channel))

        return begin


class BreakingReader(TouchpointReader):
    """Breaks now and then, at no record twice, and at none at which the customers' agent broke."""

    world: World

    def _read_one(self, fetched: Fetched, record: RawRecord, latest: int) -> Item:
        if self.world.breaks((fetched.topic, record.offset, record.key)):
            raise RuntimeError("the decoder breaks")
        return super()._read_one(fetched, record, latest)


@cache
def _reader(topic: str, max_bytes: int, max_ahead: int, accepts_clock: bool) -> BreakingReader:
    """Making a decoder takes longer than a whole simulation."""
    touchpoint = next(each for each in load(()) if each.topic == topic)
    return BreakingReader(touchpoint, max_bytes, max_ahead, accepts_clock)


class WatchedTask(Task):
    """Lets the laws look at what it opens with."""

    world: World

    async def _open(self) -> None:
        await super()._open()
        self.world.laws.opened(self)


class Worker:
    """One process. Killed, it is never heard of again; `is_gone` says so, or that it has ended by itself."""

    def __init__(
        self, world: World, name: str, settings: Settings, policy: Policy, known: tuple[Touchpoint, ...]
    ) -> None:
        self.process = Process(name)
        self.tasks: dict[int, Task] = {}
        self.has_ended = False
        self._world, self._settings, self._policy, self._known = world, settings, policy, known
        self._jobs: dict[int, asyncio.Task[None]] = {}
        self._draining = False
        world.loop.spawn(self.process, self._live())

    @property
    def is_gone(self) -> bool:
        return self.has_ended or not self.process.is_alive

    def stop(self) -> None:
        """SIGTERM."""
        self._draining = True

    async def _live(self) -> None:
        surroundings = self._surroundings()
        await surroundings.source.start()
        surroundings.lease.join()
        loop = self._world.loop
        loop.spawn(self.process, self._fetch(surroundings.source))
        with suppress(Exception):
            # A task that cannot go on ends its worker.
            await self._hold(surroundings)
        for task in self.tasks.values():
            task.stop()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        await loop.run_in_executor(None, surroundings.lease.leave)
        self.has_ended = True
        loop.kill(self.process)

    async def _hold(self, surroundings: Surroundings) -> None:
        """As streams.engine.engine.Engine does."""
        wanted = surroundings.lease.wanted
        while not self._draining:
            surroundings.lease.poll()
            wanted = surroundings.lease.wanted
            for number in sorted(wanted - self._jobs.keys()):
                task = self.tasks[number] = self._new_task(number, surroundings)
                self._jobs[number] = asyncio.create_task(task.run())
            for number, job in list(self._jobs.items()):
                if job.done():
                    del self._jobs[number], self.tasks[number]
                    await job
            await asyncio.sleep(HOLD_SECONDS)

    async def _fetch(self, source: Source) -> None:
        while not self._draining:
            await source.fetch()

    def _surroundings(self) -> Surroundings:
        """As streams.app.build_app wires them."""
        world, settings, agents = self._world, self._settings, Agents()
        decoders = {touchpoint.topic: Channel(world) for touchpoint in self._known}
        for touchpoint in self._known:
            reader = _reader(
                touchpoint.topic,
                settings.max_record_bytes,
                self._policy.time.max_ahead,
                settings.time == "events",
            )
            reader.world = world
            touchpoints.register(agents, decoders[touchpoint.topic], reader, touchpoint.name)
        core = Channel(world)
        customers.register(agents, core)
        for agent in agents.begun:
            world.loop.spawn(self.process, agent)
        return Surroundings(
            settings=settings,
            lease=Lease(settings, settings.app_id, topics.tasks(settings.app_id)),
            source=Source(settings, len(self._known)),
            versions=Versions(self._policy, policy_version(self._policy), cold_start()),
            outputs=Outputs(topics.changelog(settings.app_id), settings.max_row_bytes),
            changelog_topic=topics.changelog(settings.app_id),
            decoders=decoders,
            core=core,
            metrics=METRICS,
            threads=_NO_THREADS,
            committed=self._committed,
        )

    async def _committed(self, batch: Batch) -> None:
        self._world.laws.committed(batch)

    def _new_task(self, number: int, surroundings: Surroundings) -> Task:
        """As streams.app does."""
        versions, policy = surroundings.versions, self._policy
        given = Circumstances(
            policy=policy,
            policy_version=versions.policy_version,
            scorers=dict(versions.scorers),
            feeds=FeedTracker(policy.feeds),
            allowed_lateness_ms={each.name: each.allowed_lateness_ms for each in self._known},
            storms=StormTracker(policy.storms, self._settings.partitions),
        )
        store = Store(self._settings.hot_rows)
        state = TaskState(number, self._settings.partitions, store, given, Tally(METRICS))
        task = WatchedTask(number, state, surroundings)
        task.world = self._world
        return task
