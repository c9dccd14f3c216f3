"""A task's log and its journal, through the pure task: no Kafka, no clock, and the same outputs to the byte."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from prometheus_client import CollectorRegistry

from models.scorer import Scorer
from models.scorers import ModelScorer, cold_start
from models.snapshot import SnapshotReader
from schemas.policy import Policy
from schemas.policy_file import load_policy, policy_version
from schemas.topics import ACTIONS, DEAD_LETTERS, DECISIONS, EXAMPLES, JOURNAL, MODELS
from schemas.touchpoints.touchpoint import Touchpoint
from streams.agents.touchpoints import TouchpointReader
from streams.engine.batch import Batch
from streams.engine.commit import NUMBER, OutputRecord
from streams.engine.inbox import Item, RawRecord
from streams.engine.outputs import Outputs
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.task_row import TaskRow
from streams.engine.work import Fetched
from streams.metrics import Metrics, Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker
from tests.broker.reading import Record, rows, task_rows
from tests.faults.comparing import Shop

FAR = 1 << 60
Journal = Mapping[str, Any]
_OUTPUTS = (ACTIONS, DECISIONS, EXAMPLES, DEAD_LETTERS)


_TIMED = (b"late", b"wrong_partition", b"row_too_large", b"poison")
"""Reasons of dead letters that an event got when its turn had come."""


class Output(NamedTuple):
    """What a record says, wherever it lies."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Replayed(NamedTuple):
    """What one task leaves: rows, outputs by topic in their order, and where it stands."""

    rows: dict[bytes, bytes]
    outputs: dict[str, list[Output]]
    stands: TaskRow


def published(models: Iterable[Record]) -> dict[tuple[str, int], Scorer]:
    """The scorer of each model and version ever published."""
    reader, scorers = SnapshotReader(), dict[tuple[str, int], Scorer]()
    for record in models:
        snapshot = reader.feed((record.key or b"").decode(), record.value)
        if snapshot is not None:
            scorers[snapshot.model, snapshot.version] = ModelScorer(snapshot)
    return scorers


def assert_replays(shop: Shop) -> None:
    """Log and journal, through the pure task, make every row and every output again: the same bytes."""
    records = shop.read(*(each.topic for each in shop.touchpoints))
    models, journal = shop.read(MODELS), shop.read(JOURNAL)
    changelog, outputs = shop.read(shop.changelog), shop.read(*_OUTPUTS)
    for task, stands in task_rows(changelog).items():
        replay = Replay(shop, task, _of(records, task), models)
        replayed = replay.run([each.json for each in _of(journal, task)], stands.offsets)
        written = rows(_of(changelog, task))
        assert replayed.rows.keys() == written.keys()
        assert not [key for key, packed in written.items() if replayed.rows[key] != packed]
        for fact in ("stream_time", "feeds", "storms"):
            assert getattr(replayed.stands, fact) == getattr(stands, fact)
        for topic, made in replayed.outputs.items():
            said = [output(each) for each in _of(outputs, task) if each.topic == topic and _counts(each)]
            for part in (_timeless, _timed):
                assert part(made) == part(said)


def _of(records: Iterable[Record], task: int) -> list[Record]:
    return [each for each in records if each.partition == task]


def _counts(record: Record) -> bool:
    """Watermarks of examples go out by the wall clock, and say nothing."""
    return record.topic != EXAMPLES or record.json["kind"] == "example"


def _timed(outputs: list[Output]) -> list[Output]:
    return [each for each in outputs if not _is_timeless(each)]


def _timeless(outputs: list[Output]) -> list[Output]:
    """Dead letters of what could not be read: without a time they have no place among those of other topics."""
    return sorted(
        filter(_is_timeless, outputs), key=lambda each: orjson.loads(each.value or b"")["origin"]["topic"]
    )


def _is_timeless(said: Output) -> bool:
    return said.topic == DEAD_LETTERS and dict(said.headers)["reason"] not in _TIMED


def output(record: Record) -> Output:
    """A record as it was read, without its place."""
    headers = tuple(each for each in record.headers if each[0] != NUMBER)
    return Output(record.topic, record.key, record.value, headers)


def in_time_order(log: Mapping[str, deque[Item]], up_to: Mapping[str, int]) -> list[Item]:
    """The items below these offsets, out of the log: smallest event time first, ties by topic."""
    taken: list[Item] = []
    while True:
        heads = [
            (items[0].at, topic)
            for topic, items in log.items()
            if items and items[0].offset < up_to.get(topic, 0)
        ]
        if not heads:
            return taken
        taken.append(log[min(heads)[1]].popleft())


def taken_in(log: Mapping[str, deque[Item]], told: Journal) -> list[Item]:
    """The items of the batch that a journal's record tells of, out of the log."""
    if "order" not in told:
        return in_time_order(log, told["offsets"])
    return [log[topic].popleft() for topic, count in told["order"] for _ in range(count)]


class Replay:
    """One task of a deployment, replayed. `log` and `journal` are that task's own, in order."""

    def __init__(self, shop: Shop, task: int, log: Iterable[Record], models: Iterable[Record]) -> None:
        path = shop.settings.policy
        assert path is not None, "the fault tests' deployments have policies of their own"
        policy = load_policy(path.read_text())
        self._scorers = published(models)
        self._state = _state(task, shop, policy)
        self._shop, self._task = shop, task
        self._raw = {(each.topic, each.offset): each for each in log}
        self._items = _decoded(shop, task, self._raw.values())
        self._outputs: dict[str, list[Output]] = {topic: [] for topic in _OUTPUTS}

    def run(self, journal: Iterable[Journal], ends: Mapping[str, int]) -> Replayed:
        """Everything up to the offsets `ends`."""
        for told in journal:
            self._take(in_time_order(self._items, told["began"]))
            self._change(told)
            self._refuse(told)
            if "timer_clock_before" in told:
                fired = self._ring(told["timer_clock_before"])
                assert not fired, "a timer fired between two batches, and nobody wrote it down"
            self._take(taken_in(self._items, told))
            assert {topic: self._state.offsets.get(topic, 0) for topic in told["offsets"]} == told["offsets"]
            if "timer_clock" in told:
                self._ring(told["timer_clock"])
            if "rings" in told:
                self._ring_so_many(told["rings"])
        self._take(in_time_order(self._items, ends))
        return Replayed(dict(self._state.store.packed), self._outputs, self._state.task_row())

    def _change(self, told: Journal) -> None:
        given = self._state.circumstances
        assert told.get("policy_version", given.policy_version) == given.policy_version
        given.paused = frozenset(told.get("paused", given.paused))
        given.released = told.get("released", given.released)
        given.reference_version = told.get("reference_version", given.reference_version)
        rules = cold_start()
        versions: Mapping[str, int] = told.get("model_versions", {})
        newer = {
            name: self._scorers[name, version] if version else rules[name]
            for name, version in versions.items()
        }
        given.scorers = {**given.scorers, **newer}

    def _take(self, items: list[Item]) -> None:
        batch = Batch(items)
        while not batch.is_done:
            self._state.advance(batch, len(items))
        self._write(batch)

    def _ring(self, clock: int) -> int:
        batch = Batch([])
        while not self._state.advance_clock(clock, batch):
            pass
        self._write(batch)
        return len(batch.fired)

    def _ring_so_many(self, count: int) -> None:
        """A batch was cut: these timers fired, and the clock had not come there yet."""
        batch = Batch([])
        self._state._rings_left = count
        assert not self._state._ring_until(FAR, batch)
        self._write(batch)

    def _refuse(self, told: Journal) -> None:
        """What the wall clock or a fault refused then is refused again."""
        for topic, offset, reason in told.get("refused", ()):
            if reason != "time_in_future":
                self._state.poison[topic, offset] = reason
                continue
            items = self._items[topic]
            place = next(nth for nth, each in enumerate(items) if each.offset == offset)
            items[place] = _read(self._shop, self._task, topic, [self._raw[topic, offset]], -FAR)[0]

    def _write(self, batch: Batch) -> None:
        outputs = Outputs("log", 1 << 20)
        rows = outputs.pack(batch)
        for record in outputs.records(batch, rows, None, self._state.task_row()):
            if record.topic in self._outputs:
                self._outputs[record.topic].append(_as_read(record))
        self._state.store.show(rows)
        while self._state.store.cool(10):
            pass


def _as_read(record: OutputRecord) -> Output:
    headers = [
        (name, value.encode() if isinstance(value, str) else value or b"")
        for name, value in record.headers or ()
    ]
    return Output(record.topic, record.key, record.value, tuple(headers))


def _state(task: int, shop: Shop, policy: Policy) -> TaskState:
    given = Circumstances(
        policy=policy,
        policy_version=policy_version(policy),
        scorers=cold_start(),
        feeds=FeedTracker(policy.feeds),
        allowed_lateness_ms={each.name: each.allowed_lateness_ms for each in shop.touchpoints},
    )
    tally = Tally(Metrics(CollectorRegistry()))
    state = TaskState(task, shop.settings.partitions, Store(hot_rows=50), given, tally)
    state.load(TaskRow(offsets={each.topic: 0 for each in shop.touchpoints}))
    return state


def _decoded(shop: Shop, task: int, log: Iterable[Record]) -> dict[str, deque[Item]]:
    """As it would be read without a wall clock: nothing is too far ahead."""
    items: dict[str, deque[Item]] = defaultdict(deque)
    for topic, records in groupby(sorted(log, key=lambda each: each[:3]), lambda each: each.topic):
        items[topic].extend(_read(shop, task, topic, records, FAR))
    return items


def _read(shop: Shop, task: int, topic: str, records: Iterable[Record], max_ahead: int) -> list[Item]:
    touchpoint = next(each for each in shop.touchpoints if each.topic == topic)
    reader = _reader(touchpoint, shop.settings.max_record_bytes, max_ahead, shop.settings.time == "events")
    raw = [RawRecord(*_raw(each)) for each in records]
    loop = asyncio.new_event_loop()
    items = reader.read(Fetched(topic, task, raw, frozenset(), loop.create_future()))
    loop.close()
    return items


@cache
def _reader(
    touchpoint: Touchpoint, max_bytes: int, max_ahead_ms: int, accepts_clock: bool
) -> TouchpointReader:
    """Making one takes longer than to replay a short log."""
    return TouchpointReader(touchpoint, max_bytes, max_ahead_ms, accepts_clock)


def _raw(record: Record) -> tuple[Any, ...]:
    return record.offset, record.appended_at, record.key, record.value, tuple(record.headers)
