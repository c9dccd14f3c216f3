"""The oracle: refolds the input topics in plain Python and shares no code with the program.

It works from the bytes in Kafka alone: the order in which one task takes its records, which of them are events,
duplicates, late or none, and from there each customer's life.
"""

import json
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.faults.oracle_customer import Person
from tests.faults.oracle_features import Features
from tests.faults.oracle_labels import Lesson
from tests.faults.oracle_ledger import Name
from tests.faults.oracle_models import Published, Versions
from tests.faults.oracle_news import Said, Scored
from tests.faults.oracle_orders import DAY, Json, ms
from tests.faults.oracle_triggers import Watch

GRACE = 5_000
LATENESS = {"web": 3_600_000, "orders": 7 * DAY, "messages": DAY, "consent": 366 * DAY}
_LEAVING_AFTER = 600_000
_CLOCK = ("pulpero", b"clock.advanced")
_BEGINNING = -1


class Input(NamedTuple):
    """A record of an input topic, as Kafka has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]]


class Told(NamedTuple):
    """What no input tells: of which decision an action's id is, and what tasks found besides their input.

    `orders` holds, by task, where a topic that had nothing to give was passed: (offsets before, the records'
    topics in turn with how many of each).
    """

    names: Mapping[str, Name]
    orders: Mapping[int, list[tuple[Mapping[str, int], list[tuple[str, int]]]]]
    versions: Mapping[int, Versions]
    published: Published


class Letter(NamedTuple):
    """A record that must be found among the dead letters."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass
class Life:
    """One customer: the person, what was said to them, and the ids that were applied, by touchpoint."""

    person: Person
    watch: Watch
    applied: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    window: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Expected:
    """What must be found in the output topics."""

    lives: dict[str, Life] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    books: Counter[tuple[str, str]] = field(default_factory=Counter)  # (touchpoint, verdict)

    @property
    def said(self) -> list[Said]:
        return [each for life in self.lives.values() for each in life.watch.said]

    @property
    def cancelled(self) -> list[tuple[str, str, int, str]]:
        return [each for life in self.lives.values() for each in life.watch.cancelled]

    @property
    def scores(self) -> dict[Said, Scored]:
        return {said: each for life in self.lives.values() for said, each in life.watch.scores.items()}

    @property
    def lessons(self) -> list[Lesson]:
        return [each for life in self.lives.values() for each in life.watch.labels.lessons]


def refold(records: Iterable[Input], partitions: int, told: Told) -> Expected:
    """What the input topics, read to their ends, must have led to."""
    expected = Expected()
    for task in range(partitions):
        logs: _Logs = defaultdict(deque)
        for record in sorted((each for each in records if each.partition == task), key=lambda e: e.offset):
            logs[record.topic].append((record, _read(record)))
        _Task(task, partitions, expected, told).live(logs)
    return expected


class _Task:
    """One partition of all topics, taken in the order of event time."""

    def __init__(self, number: int, partitions: int, expected: Expected, told: Told) -> None:
        self.number, self.partitions, self.expected, self.told = number, partitions, expected, told
        self.stream_time = 0
        self.lives: dict[str, Life] = {}
        self.clocks: list[int] = []
        """The timer clock with each record taken."""
        self.rings_now = False

    def live(self, logs: "_Logs") -> None:
        """Everything, and then the timers that are due by the end."""
        for began, order in self.told.orders.get(self.number, ()):
            self._take_until(logs, began)
            for topic, count in order:
                for _ in range(count):
                    self._take(*logs[topic].popleft())
        self._take_until(logs, {topic: log[-1][0].offset + 1 for topic, log in logs.items() if log})
        for life in self.lives.values():
            life.watch.ring_until(self.stream_time - GRACE)
        self.expected.lives.update(self.lives)

    def _take_until(self, logs: "_Logs", ends: Mapping[str, int]) -> None:
        """The smallest head first, ties by topic; what is no event goes with its predecessor."""
        while True:
            heads = [
                (log[0][1].at, topic) for topic, log in logs.items() if log and log[0][0].offset < ends[topic]
            ]
            if not heads:
                break
            self._take(*logs[min(heads)[1]].popleft())

    def _take(self, record: Input, read: "_Reading") -> None:
        touchpoint = record.topic.removeprefix("touchpoints.")
        reason = read.reason
        if not reason and not read.is_clock and murmur2(record.key or b"") % self.partitions != self.number:
            reason = "wrong_partition"
        if not reason:
            self.stream_time = max(self.stream_time, read.at)
        self.clocks.append(self.stream_time - GRACE)
        if read.is_clock:
            return
        verdict = "dead" if reason else self._apply(touchpoint, read, (record.key or b"").decode())
        self.expected.books[touchpoint, verdict] += 1
        if verdict in ("dead", "late"):
            self.expected.letters.append(Letter(*record[:3], reason or "late"))

    def _apply(self, touchpoint: str, read: "_Reading", key: str) -> str:
        life = self.lives.get(key)
        if life is None:
            person = Person(key)
            life = Life(person, Watch(person, self._judge, self.told.names))
        life.watch.ring_until(self.stream_time - GRACE)
        verdict = _admit(life, touchpoint, read, self.stream_time - LATENESS[touchpoint])
        if verdict == "applied":
            self.lives[key] = life
            is_purchase = life.person.take(touchpoint, read.event, read.at)
            life.watch.observe(touchpoint, read.event, read.at, self.stream_time, is_purchase=is_purchase)
            self.rings_now = True
            life.watch.ring_until(self.stream_time - GRACE)
            self.rings_now = False
        return verdict

    def _judge(self, model: str, shown: Features, due: int) -> Scored:
        """By the version in force when the timer fired: now, or with the record that moved the clock there."""
        position = len(self.clocks) - 1 if self.rings_now else bisect_left(self.clocks, due)
        version = self.told.versions[self.number].at(position, model)
        return Scored(model, version, self.told.published.p(model, version, shown), shown)


def _admit(life: Life, touchpoint: str, read: "_Reading", horizon: int) -> str:
    """Once only, and not too late. Ids before the horizon are forgotten together, from time to time."""
    event_id, window = read.event["event_id"], life.window[touchpoint]
    if any(event_id == known for known, _ in window):
        return "duplicate"
    if read.at < horizon:
        return "late"
    window.append((event_id, read.at))
    if window[0][1] < horizon - _LEAVING_AFTER:
        window[:] = [(known, at) for known, at in window if at >= horizon]
    assert len(window) <= 1_000, "the row's bound on remembered ids would begin to matter"
    life.applied[touchpoint][event_id] = read.at
    return "applied"


class _Reading(NamedTuple):
    """What a record is: an event, a clock, or nothing for a reason."""

    at: int
    event: Json
    reason: str = ""
    is_clock: bool = False


_Logs = dict[str, deque[tuple[Input, _Reading]]]
_KEYS = (("customer_id", "c:"), ("anonymous_id", "a:"))


def _read(record: Input) -> _Reading:
    """The kinds of bad records that the stream has are told apart here, no others."""
    if record.value is None:
        return _Reading(_BEGINNING, {}, "null_value")
    try:
        event: Any = json.loads(record.value)
    except ValueError:
        return _Reading(_BEGINNING, {}, "truncated_json")
    if _CLOCK in list(record.headers):
        at = ms(event["event_time"])
        assert at is not None
        return _Reading(at, {}, is_clock=True)
    if "event_id" not in event:
        return _Reading(_BEGINNING, {}, "missing_field")
    if event["type"] == "never_heard_of":
        return _Reading(_BEGINNING, {}, "unknown_type")
    key = next(f"{prefix}{event[name]}" for name, prefix in _KEYS if name in event)
    if record.key != key.encode():
        return _Reading(_BEGINNING, {}, "key_mismatch" if record.key else "bad_key")
    at = ms(event["event_time"])
    assert at is not None
    return _Reading(at, event)


def murmur2(data: bytes) -> int:
    """MurmurHash2 by A. Appleby, seed 0x9747b28c, as Kafka's Java client uses it; without the sign bit."""
    mixer, mask = 0x5BD1E995, 0xFFFFFFFF
    hashed = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for begin in range(0, whole, 4):
        word = int.from_bytes(data[begin : begin + 4], "little") * mixer & mask
        hashed = (hashed * mixer & mask) ^ ((word ^ word >> 24) * mixer & mask)
    if data[whole:]:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * mixer & mask
    hashed = (hashed ^ hashed >> 13) * mixer & mask
    return (hashed ^ hashed >> 15) & 0x7FFFFFFF
