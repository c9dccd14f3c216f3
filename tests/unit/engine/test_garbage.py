"""A batch leaves no cycle, failed or not; a sweep finds what leaves one all the same."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.event import Arrival
from schemas.touchpoints import load
from streams.agents import customers, learner, touchpoints
from streams.agents.touchpoints import TouchpointReader
from streams.engine import garbage
from streams.engine.batch import Batch
from streams.engine.garbage import Collector
from streams.engine.inbox import RawRecord
from streams.engine.intake import Intake
from streams.engine.learning import LearnerService
from streams.engine.task import Task
from streams.engine.work import Culprit
from tests.bench import mix, steps
from tests.bench import task as core
from tests.simulation.engine import worker as simulated
from tests.unit.engine.surrounding import surroundings

WEB = next(each for each in load() if each.name == "web")


class _Node:
    itself: "_Node"


class _Text(str):
    """A record's, which can be watched."""


def _knot() -> "weakref.ref[_Node]":
    """A cycle that nobody has any more."""
    node = _Node()
    node.itself = node
    return weakref.ref(node)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


def test_a_cycle_stays_until_a_sweep() -> None:
    collector = Collector(3_600)
    knot = _knot()
    kept: list[list[int]] = [[] for _ in range(100_000)]
    assert knot() is not None
    collector.sweep()
    assert knot() is None
    assert kept


def test_a_sweep_is_due_when_it_is_time_or_memory_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    now, peak = 0.0, 1 << 30
    monkeypatch.setattr(garbage, "_peak_bytes", lambda: peak)
    monkeypatch.setattr(garbage, "monotonic", lambda: now)
    collector = Collector(100.0)

    due = []
    for grown, later, sweeps in (
        (garbage.GROWTH_BYTES, 99.0, False),
        (1, 0.0, True),
        (0, 1.0, False),
        (0, 99.0, True),
    ):
        peak += grown
        now += later
        due.append(collector.is_due)
        if sweeps:
            collector.sweep()
    assert due == [False, True, False, True]


def test_the_pure_steps_of_a_batch_leave_no_cycles() -> None:
    made = mix.named("simulated", 2_000, 100)
    steps.measure(made)
    gc.collect()
    found = []
    for _ in range(3):
        steps.measure(made)
        found.append(gc.collect())
    # Other threads of the test run may leave something now and then; a batch would always.
    assert 0 in found


class Agents(simulated.Agents):
    """Those that run in asyncio's own loop."""

    def start(self) -> None:
        self.running = [asyncio.ensure_future(each) for each in self.begun]


class Channel:
    """A Faust channel, which keeps nothing of what was sent."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    async def send(self, *, value: Any) -> None:
        self._queue.put_nowait(value)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (value := await self._queue.get()) is not None:
            yield value

    async def end(self) -> None:
        """Let go of what was sent last, too."""
        self._queue.put_nowait(None)
        while not self._queue.empty():
            await asyncio.sleep(0)
        await asyncio.sleep(0)


async def _task_whose_batch_fails(channel: Channel, agents: Agents) -> "list[weakref.ref[Any]]":
    """The task and the batch, after a failure that was caught."""
    customers.register(agents, channel)
    agents.start()
    task = Task(0, core.task(0, 1, {}), surroundings(core=channel))
    event: Any = None
    name = _Text("web")
    batch = Batch([Arrival(event, 5, name, WEB.topic, 0, b"c:1", 5, b"")])
    watched: list[weakref.ref[Any]] = [weakref.ref(task), weakref.ref(name)]
    with suppress(Culprit):
        await task._advance(batch, None)
        raise AssertionError("the batch did not fail")
    del task, batch, name
    await channel.end()
    return watched


async def _intake_whose_reader_fails(channel: Channel, agents: Agents) -> "list[weakref.ref[Any]]":
    reader = TouchpointReader(WEB, 1 << 18, 60_000, accepts_clock=False)
    unreadable: Any = None
    reader._decoder = unreadable
    touchpoints.register(agents, channel, reader, "web")
    agents.start()
    intake = Intake(0, {WEB.topic: channel}, 0)
    name = _Text("pulpero")
    intake.merge.inboxes[WEB.topic].put([RawRecord(0, 1, b"c:1", b"{}", ((name, None),))])
    watched: list[weakref.ref[Any]] = [weakref.ref(intake), weakref.ref(name)]
    with suppress(Culprit):
        await intake.take(10, {}, 0)
        raise AssertionError("the reader did not fail")
    del intake, name
    await channel.end()
    return watched


async def _learner_whose_lesson_fails(channel: Channel, agents: Agents) -> "list[weakref.ref[Any]]":
    learner.register(agents, channel)
    agents.start()
    service: Any = SimpleNamespace(_agent=channel)
    example: Any = _Node()
    merge: Any = SimpleNamespace(pop=chain([example], repeat(None)).__next__)
    teacher: Any = _Node()
    watched: list[weakref.ref[Any]] = [weakref.ref(teacher), weakref.ref(example)]
    with suppress(AttributeError):
        await LearnerService._teach(service, teacher, merge)
        raise AssertionError("the lesson did not fail")
    del teacher, example, merge, service
    await channel.end()
    return watched


@pytest.mark.parametrize(
    "failing", [_task_whose_batch_fails, _intake_whose_reader_fails, _learner_whose_lesson_fails]
)
def test_nothing_of_what_failed_waits_for_the_collector(failing: Any) -> None:
    async def fail() -> None:
        watched = await failing(Channel(), Agents())
        assert [each() for each in watched] == [None] * len(watched)

    asyncio.run(fail())
