"""The pure core on a simulated log: time, batches, crashes and circumstances are data of the test.

One task over rows kept as packed bytes. A batch commits as a whole or is lost as a whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge as merge_sorted
from itertools import cycle
from typing import NamedTuple

import msgspec

from schemas.customer import Customer, pack, unpack
from schemas.event import Arrival, Millis
from streams.decisions.advance import ring, take
from streams.decisions.effects import Effects
from streams.triggers.circumstances import Circumstances
from streams.triggers.storms import StormHistory, StormTracker


class Tick(NamedTuple):
    """Only time goes on (a `clock.advanced` record)."""

    at: Millis


class Change(NamedTuple):
    """Somebody pauses or resumes triggers, feeds become stale or fresh: what a journal records."""

    at: Millis
    paused: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()


Entry = Arrival | Tick | Change


@dataclass(frozen=True)
class Stale:
    """Feeds of which some are stale by decree."""

    names: frozenset[str]

    def is_stale(self, touchpoint: str) -> bool:
        return touchpoint in self.names


@dataclass
class Task:
    """What is committed: rows and storms as bytes, the next entry, both clocks, what is in force, outputs by batch."""

    circumstances: Circumstances
    rows: dict[bytes, bytes] = field(default_factory=dict)
    storms: bytes = msgspec.msgpack.encode(StormHistory())
    position: int = 0
    stream_time: Millis = 0
    clock: Millis = 0
    outputs: list[Effects] = field(default_factory=list)

    @property
    def said(self) -> dict[str, list[str]]:
        """All outputs as JSON, in order."""
        return {
            "actions": [each.to_json().decode() for one in self.outputs for each in one.actions],
            "decisions": [each.to_json().decode() for one in self.outputs for each in one.decisions],
            "examples": [each.to_json().decode() for one in self.outputs for each in one.examples],
        }


@dataclass
class Batch:
    """What a batch works on until it commits."""

    circumstances: Circumstances
    rows: dict[bytes, Customer]
    stream_time: Millis
    clock: Millis
    effects: Effects = field(default_factory=Effects)


def merged(log: Mapping[str, Sequence[Entry]]) -> list[Entry]:
    """The log's topics as one task takes them: smallest event time first, ties by topic name, then offset.

    A topic's own order stays, so an event behind its predecessor comes late.
    """

    def heads(topic: str) -> Iterator[tuple[Millis, str, int, Entry]]:
        newest = 0
        for offset, entry in enumerate(log[topic]):
            newest = max(newest, entry.at)
            yield newest, topic, offset, entry

    return [entry for *_, entry in merge_sorted(*map(heads, sorted(log)), key=lambda head: head[:3])]


def run(
    entries: Sequence[Entry],
    circumstances: Circumstances,
    sizes: Iterable[int] = (10_000,),
    crashes: frozenset[int] = frozenset(),
) -> Task:
    """Take all entries in batches of these sizes, over and over.

    `crashes` counts entries as they are tried: at such a one the worker dies, and the next one goes on from
    what was committed, with the next batch size.
    """
    task, tried, size = Task(circumstances), 0, cycle(sizes)
    while task.position < len(entries):
        taken = entries[task.position : task.position + next(size)]
        batch = _open(task)
        for entry in taken:
            tried += 1
            if tried in crashes:
                break
            advance(batch, entry)
        else:
            _commit(task, batch, len(taken))
    return task


def advance(batch: Batch, entry: Entry) -> None:
    """Move a task on by one entry.

    The timer clock moves to what it will be with this entry; every timer due by then fires, whosever it is,
    in (due, customer, timer id) order; then the event is taken; a timer that it sets at or behind the clock
    fires at once. A firing timer sees now = due.
    """
    grace = batch.circumstances.policy.time.grace
    batch.clock = max(batch.clock, entry.at - grace)
    while (due := _first_due(batch)) is not None:
        _ring(batch, *due)
    batch.stream_time = max(batch.stream_time, entry.at)
    if isinstance(entry, Change):
        batch.circumstances = replace(batch.circumstances, paused=entry.paused, feeds=Stale(entry.stale))
    elif isinstance(entry, Arrival):
        row = batch.rows.get(entry.key) or Customer(key=entry.key.decode())
        if take(row, entry, batch.stream_time, batch.circumstances, batch.effects) == "applied":
            batch.rows[entry.key] = row
            while (due := _first_due(batch)) is not None:
                _ring(batch, *due)


def _first_due(batch: Batch) -> tuple[Millis, bytes, str] | None:
    due = (
        (at, key, timer_id)
        for key, row in batch.rows.items()
        for timer_id, at in row.timers.items()
        if at <= batch.clock
    )
    return min(due, default=None)


def _ring(batch: Batch, due: Millis, key: bytes, timer_id: str) -> None:
    row = batch.rows[key]
    del row.timers[timer_id]
    before = dict(row.timers)
    ring(row, timer_id, due, batch.circumstances, batch.effects)
    for each, at in row.timers.items():
        assert at > due or before.get(each) == at, f"{timer_id} set {each} for {at}, not later than {due}"


def _open(task: Task) -> Batch:
    rows = {key: unpack(packed) for key, packed in task.rows.items()}
    history = msgspec.msgpack.decode(task.storms, type=StormHistory)
    storms = StormTracker(task.circumstances.policy.storms, 1, history)
    return Batch(replace(task.circumstances, storms=storms), rows, task.stream_time, task.clock)


def _commit(task: Task, batch: Batch, taken: int) -> None:
    task.rows = {key: pack(row) for key, row in batch.rows.items()}
    task.circumstances, task.stream_time, task.clock = batch.circumstances, batch.stream_time, batch.clock
    task.storms = msgspec.msgpack.encode(batch.circumstances.storms.history)
    task.position += taken
    task.outputs.append(batch.effects)
