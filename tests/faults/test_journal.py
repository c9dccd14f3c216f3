"""Whenever topics show what they have, and wherever a task opens again: log and journal tell how it was taken."""

from collections import deque
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.engine.batch import Batch
from streams.engine.inbox import BEGINNING_OF_TIME, Item, Refused, Tick
from streams.engine.journal import Journal
from streams.engine.merge import Merge
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.task_row import TaskRow
from streams.metrics import Metrics, Tally
from tests.faults.replaying import in_time_order, taken_in
from tests.property.refusals import LETTER, TOPICS
from tests.unit.decisions.builders import circumstances


class Live(NamedTuple):
    """A log that grows: event times by topic, and by step what shows, how much is taken, and whether it opens anew."""

    times: dict[str, list[int]]
    steps: list[tuple[str, int, int, bool]]


_SELDOM = (*(False,) * 11, True)
_LIVE = st.builds(
    Live,
    st.fixed_dictionaries({topic: st.lists(st.integers(1, 40), max_size=12) for topic in TOPICS}),
    st.lists(
        st.tuples(st.sampled_from(TOPICS), st.integers(1, 4), st.integers(1, 5), st.sampled_from(_SELDOM)),
        max_size=25,
    ),
)


@settings(max_examples=200)
@given(_LIVE)
def test_log_and_journal_tell_the_order_in_which_everything_was_taken(live: Live) -> None:
    taken, told, ends = _lived(live)

    log = {topic: deque(_items(topic, times)) for topic, times in live.times.items()}
    again: list[Item] = []
    for record in told:
        again += in_time_order(log, record["began"])
        again += taken_in(log, record)
    again += in_time_order(log, ends)

    assert _events(again) == _events(taken)


def _items(topic: str, times: list[int]) -> list[Item]:
    """Every fourth record is refused, and has no time."""
    return [
        Refused(BEGINNING_OF_TIME, topic, offset, topic, LETTER) if at % 4 == 0 else Tick(at, topic, offset)
        for offset, at in enumerate(times)
    ]


def _events(items: list[Item]) -> list[Item]:
    """When a refused record is taken changes nothing."""
    return [each for each in items if isinstance(each, Tick)]


def _lived(live: Live) -> tuple[list[Item], list[dict[str, Any]], dict[str, int]]:
    state = TaskState(0, 1, Store(10), circumstances(), Tally(Metrics(CollectorRegistry())))
    row, shown = TaskRow(offsets=dict.fromkeys(TOPICS, 0)), dict.fromkeys(TOPICS, 0)
    taken: list[Item] = []
    told: list[dict[str, Any]] = []
    merge, journal = _opened(state, row)
    last = (TOPICS[0], 0, 1_000, False)
    for topic, more, limit, opens in (*live.steps, *((each, 12, 1, False) for each in TOPICS), last):
        shown[topic] = min(len(live.times[topic]), shown[topic] + more)
        if opens:
            merge, journal = _opened(state, row)
        _fetch(merge, live, shown)
        batch = Batch(merge.take(limit))
        journal.note({})
        state.advance(batch, limit)
        record = journal.record(batch)
        told += [record] if record is not None else []
        taken += batch.items
        row = state.task_row()
    return taken, told, dict(row.offsets)


def _opened(state: TaskState, row: TaskRow) -> tuple[Merge, Journal]:
    state.load(row)
    journal, merge = Journal(state), Merge(TOPICS, idle_ms=0)
    journal.open(row)
    for topic, inbox in merge.inboxes.items():
        inbox.position = row.offsets[topic]
    return merge, journal


def _fetch(merge: Merge, live: Live, shown: dict[str, int]) -> None:
    """Everything that shows by now."""
    for topic, inbox in merge.inboxes.items():
        assert inbox.position is not None
        inbox.put_decoded(_items(topic, live.times[topic])[inbox.position : shown[topic]])
        inbox.position = inbox.last_stable = shown[topic]
        inbox.fetched_at = 0
