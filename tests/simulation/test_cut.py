"""After a jump of time more timers are due than go into one transaction: the batch is cut, and nothing else changes."""

import asyncio
from typing import NamedTuple

import pytest

from schemas.decoding import Decoder
from schemas.event import Arrival, Event, Millis, happened_at
from schemas.touchpoints import load
from streams.agents import customers
from streams.engine.batch import Batch
from streams.engine.inbox import Item, Tick
from streams.engine.intake import Intake
from streams.engine.journal import Journal
from streams.engine.outputs import Outputs
from streams.engine.task_row import pack_task_row
from streams.engine.work import Due
from tests.bench import mix
from tests.bench.task import declared_lateness, task

DAY = 86_400_000
DECODERS = {each.name: Decoder(each, 1 << 18) for each in load()}
MANY = 1 << 30


class Left(NamedTuple):
    """What a run leaves: all outputs in order, the rows, where it stands, and the rings of each batch's end."""

    said: list[bytes]
    rows: dict[bytes, bytes]
    stands: bytes
    rings: list[object]


def _items(count: int) -> list[Item]:
    """A simulated shop's events as one task takes them, and then three days of silence."""
    items: list[Item] = []
    for offset, (touchpoint, key, value, at) in enumerate(mix.events(count, 50)):
        event = DECODERS[touchpoint].decode(key, value)
        assert isinstance(event, Event)
        topic = f"touchpoints.{touchpoint}"
        items.append(Arrival(event, happened_at(event, at), touchpoint, topic, offset, key, at, value))
    return [*items, Tick(items[-1].at + 3 * DAY, "touchpoints.web", count)]


def _run(items: list[Item], clock: Millis | None, rings: int, monkeypatch: pytest.MonkeyPatch) -> Left:
    monkeypatch.setattr("streams.engine.state.RINGS", min(rings, 500))
    monkeypatch.setattr(customers, "RINGS_PER_BATCH", rings)
    state, outputs = task(0, 1, declared_lateness()), Outputs("log", 1 << 20)
    journal, loop = Journal(state), asyncio.new_event_loop()
    left, said, told = list(items), list[bytes](), list[object]()
    while True:
        batch = Batch(left)
        journal.note({})
        loop.run_until_complete(customers.take(Due(state, batch, clock, loop.create_future())))
        left = batch.leave()
        told.append((journal.record(batch) or {}).get("rings", 0))
        effects = batch.effects
        said += [each.to_json() for each in (*effects.actions, *effects.decisions, *effects.examples)]
        state.store.show(outputs.pack(batch))
        if not batch.is_cut:
            loop.close()
            assert left == []
            return Left(said, dict(state.store.packed), pack_task_row(state.task_row()), told)


@pytest.mark.parametrize("moved_by", ["an event", "the wall clock"])
def test_a_cut_batch_says_and_leaves_what_a_whole_one_does(
    moved_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = _items(2_000)
    clock = None
    if moved_by == "the wall clock":
        clock = items.pop().at
    whole = _run(items, clock, MANY, monkeypatch)
    cut = _run(items, clock, 7, monkeypatch)
    assert sorted(cut.said) == sorted(whole.said)
    assert (cut.rows, cut.stands) == (whole.rows, whole.stands)
    assert whole.rings == [0]
    assert len(cut.rings) > 50
    assert cut.rings[-1] == 0
    assert 7 in cut.rings


def test_what_a_cut_batch_leaves_is_taken_next_in_its_order() -> None:
    items = _items(30)
    intake = Intake(0, {f"touchpoints.{name}": _Nobody() for name in DECODERS}, 0)
    batch = Batch(list(items), done=10)
    intake.put_back(batch.leave())
    assert batch.items == items[:10]
    for inbox in intake.merge.inboxes.values():
        inbox.position = inbox.last_stable = inbox.fetched_at = 0
    assert intake.merge.take(100) == items[10:]


class _Nobody:
    """The channel of an agent that is not asked."""

    async def send(self, *, value: object) -> None:
        raise AssertionError(value)
