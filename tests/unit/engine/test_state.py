"""What the advance loop owes to one event: refusals, verdicts, timers at the clock, and the books."""

import msgspec
import pytest
from aiokafka.partitioner import DefaultPartitioner
from prometheus_client import CollectorRegistry

from schemas.customer import pack
from schemas.event import Arrival, Millis
from schemas.policy import Policy, Storms
from schemas.touchpoints import BUILT_IN
from schemas.touchpoints.web import WebCustom
from streams.decisions import advance
from streams.engine.batch import Batch, RowTooLarge
from streams.engine.inbox import Tick
from streams.engine.journal import Journal
from streams.engine.outputs import Outputs
from streams.engine.partitions import partition_of
from streams.engine.state import RINGS, TaskState
from streams.engine.store import Store
from streams.engine.task_row import TaskRow, pack_task_row, unpack_task_row
from streams.metrics import Metrics, Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker
from streams.triggers.storms import StormTracker

AT: Millis = 1_700_000_000_000
POLICY = Policy(version="t")
TOPIC = "touchpoints.web"


def _state(task: int = 0, partitions: int = 1) -> TaskState:
    given = Circumstances(
        policy=POLICY,
        policy_version="t",
        scorers={},
        feeds=FeedTracker(POLICY.feeds),
        allowed_lateness_ms={each.name: each.allowed_lateness_ms for each in BUILT_IN},
    )
    tally = Tally(Metrics(CollectorRegistry()))
    return TaskState(task, partitions, Store(100), given, tally)


def _arrival(offset: int, at: Millis = AT, event_id: str | None = None, key: str = "c:1") -> Arrival:
    event = msgspec.convert(
        {
            "event_id": event_id or f"e{offset}",
            "type": "custom",
            "name": "something",
            "event_time": "2023-11-14T22:13:20Z",
            "customer_id": key.removeprefix("c:"),
            "source": "test",
        },
        WebCustom,
    )
    return Arrival(event, at, "web", TOPIC, offset, key.encode(), at, b"{}")


def _advance(state: TaskState, *arrivals: Arrival | Tick) -> Batch:
    batch = Batch(list(arrivals))
    state.advance(batch, len(arrivals))
    return batch


def test_the_books_balance_over_every_verdict() -> None:
    state = _state()
    state.poison[TOPIC, 4] = "poison"
    batch = _advance(
        state,
        _arrival(0),
        _arrival(1, event_id="e0"),
        _arrival(2, at=AT + 10_000_000),
        _arrival(3, at=AT),
        _arrival(4, at=AT + 10_000_000),
    )
    tally = state.tally
    (counts,) = tally.feeds.values()
    counted = [counts.applied, counts.duplicate, counts.late, sum(tally.dead.values())]
    assert counted == [2, 1, 1, 1]
    assert counts.consumed == sum(counted)
    assert [letter.reason for letter in batch.letters] == ["late", "poison"]
    assert state.offsets == {TOPIC: 5}


def test_a_misplaced_record_moves_nothing_but_the_offset() -> None:
    right = partition_of(b"c:1", 4)
    state = _state(task=(right + 1) % 4, partitions=4)
    batch = _advance(state, _arrival(0))
    assert [letter.reason for letter in batch.letters] == ["wrong_partition"]
    assert str(right) in batch.letters[0].message
    assert (batch.rows, state.stream_time, state.offsets) == ({}, 0, {TOPIC: 1})


def test_a_late_event_of_a_stranger_leaves_no_row() -> None:
    state = _state()
    batch = _advance(state, _arrival(0, at=AT + 10_000_000), _arrival(1, at=AT, key="c:2"))
    assert list(batch.rows) == [b"c:1"]
    assert state.store.row(b"c:2") is None


def test_a_timer_that_an_event_sets_behind_the_clock_fires_before_the_next_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A late event may set a timer that was due long ago: it fires at once, with now = due."""
    rung: list[tuple[str, Millis, int]] = []
    taken: list[int] = []

    def take(row: object, arrival: Arrival, *_: object) -> str:
        taken.append(arrival.offset)
        if arrival.offset == 1:
            row.timers["x:late"] = AT - 60_000  # type: ignore[attr-defined]
        return "applied"

    monkeypatch.setattr(advance, "take", take)
    monkeypatch.setattr(advance, "ring", lambda row, timer, due, *_: rung.append((timer, due, len(taken))))
    _advance(_state(), _arrival(0), _arrival(1, at=AT - 120_000), _arrival(2, at=AT - 120_000))
    assert rung == [("x:late", AT - 60_000, 2)]


def test_a_timer_that_sets_itself_at_once_again_is_a_fault_and_not_a_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ring(row: object, timer: str, due: Millis, *_: object) -> None:
        row.timers[timer] = due  # type: ignore[attr-defined]

    monkeypatch.setattr(advance, "ring", ring)
    state = _state()
    batch = _advance(state, _arrival(0))
    state.store.row(b"c:1").timers["x:first"] = AT + 1  # type: ignore[union-attr]
    state.store.schedule(b"c:1", AT + 1)
    batch = Batch([Tick(AT + 10_000, TOPIC, 1)])
    with pytest.raises(RuntimeError, match="due at once"):
        state.advance(batch, 1)
    assert batch.current == (b"c:1", "x:first")


def test_a_flood_of_timers_is_taken_in_turns_and_none_is_left_out() -> None:
    state = _state()
    first = _advance(state, _arrival(0))
    row = first.rows[b"c:1"]
    row.timers.update({f"gone:{n}": AT + n for n in range(3 * RINGS)})
    state.store.schedule(b"c:1", AT)
    batch, turns = Batch([_arrival(1, at=AT + 86_400_000)]), 0
    while not batch.is_done:
        state.advance(batch, 1)
        turns += 1
    assert turns >= 3
    assert not [timer for timer in row.timers if timer.startswith("gone:")]
    assert len(batch.fired) >= 3 * RINGS
    assert [arrival.offset for arrival in batch.applied] == [1]


def test_neither_clock_ever_goes_back() -> None:
    state = _state()
    _advance(state, _arrival(0), Tick(AT + 60_000, TOPIC, 1), Tick(AT, TOPIC, 2), _arrival(3, at=AT - 5))
    grace = POLICY.time.grace
    assert (state.stream_time, state.timer_clock) == (AT + 60_000, AT + 60_000 - grace)
    state.advance_clock(AT + 90_000, Batch([]))
    state.advance_clock(AT, Batch([]))
    _advance(state, Tick(AT + 91_000, TOPIC, 4))
    assert (state.stream_time, state.timer_clock) == (AT + 91_000, AT + 90_000)


def test_what_was_not_committed_is_forgotten() -> None:
    state = _state()
    first = _advance(state, _arrival(0))
    state.store.show(Outputs("log", 1 << 20).pack(first))
    committed = state.task_row()
    _advance(state, _arrival(1, at=AT + 1), _arrival(2, key="c:2"))
    state.load(committed)
    assert state.offsets == {TOPIC: 1}
    assert state.store.row(b"c:2") is None
    row = state.store.row(b"c:1")
    assert row is not None
    assert row.last_seen == AT


@pytest.mark.parametrize("key", [b"c:1", b"a:visitor", "c:ñandú".encode()])
def test_the_partition_is_that_of_the_default_partitioner(key: bytes) -> None:
    every = list(range(12))
    assert partition_of(key, 12) == DefaultPartitioner()(key, every, every)


def test_a_storm_is_held_from_one_task_row_to_the_next_and_a_row_of_earlier_code_knows_none() -> None:
    state = _state()
    state.load(TaskRow())
    state.circumstances.storms = StormTracker(Storms(limit=1), 1)
    state.circumstances.storms.note("churn_risk", AT, 4)
    row = unpack_task_row(pack_task_row(state.task_row()))
    other = _state()
    other.load(row)
    assert other.circumstances.storms.held({}) == ["churn_risk"]
    assert other.task_row() == row
    assert other.circumstances.storms.held({"churn_risk": 5}) == []
    earlier = msgspec.msgpack.encode(msgspec.msgpack.decode(pack_task_row(row))[:-1])
    other.load(unpack_task_row(earlier))
    assert other.circumstances.storms.history.triggers == {}


def test_a_task_that_opens_with_newer_releases_writes_them_into_its_journal() -> None:
    state = _state()
    state.circumstances.reference_version = 5
    state.circumstances.paused = frozenset({"churn_risk"})
    state.circumstances.released = {"abandonment": 5}
    journal = Journal(state)
    journal.open(TaskRow(policy_version="t", reference_version=3))
    journal.note({})
    told = journal.record(Batch([]))
    assert told is not None
    assert told["released"] == {"abandonment": 5}
    assert (told["reference_version"], told["paused"]) == (5, ["churn_risk"])
    journal.open(state.task_row())
    assert journal.record(Batch([])) is None


def test_of_many_events_the_one_that_makes_a_watched_row_too_large_is_named() -> None:
    state = _state()
    sizes = [len(pack(_advance(state, _arrival(offset)).rows[b"c:1"])) for offset in range(5)]
    assert sizes == sorted(sizes)
    assert sizes[2] < sizes[3]

    again = _state()
    again.watched[b"c:1"] = sizes[2]
    batch = Batch([_arrival(offset) for offset in range(5)])
    with pytest.raises(RowTooLarge):
        again.advance(batch, 5)
    assert batch.current == (TOPIC, 3)
