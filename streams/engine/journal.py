"""What a task is moved by that is not in the log: versions, the wall clock, and topics that were not waited for."""

from itertools import groupby
from operator import attrgetter

from schemas.event import Millis
from streams.engine.batch import Batch
from streams.engine.inbox import BEGINNING_OF_TIME, Item
from streams.engine.state import TaskState
from streams.engine.task_row import TaskRow

_Head = tuple[Millis, str]
_NOTHING: _Head = (BEGINNING_OF_TIME, "")
_UNKNOWN: _Head = (-BEGINNING_OF_TIME, "")
_topic = attrgetter("topic")
_NOT_THE_LOG_S = frozenset({"time_in_future", "poison", "row_too_large"})


class Journal:
    """Collects such facts until a batch is written; its record goes into that batch's transaction.

    Law: a task's log and its records make the same rows and outputs again. Between the batches that records
    tell of, items go in the order of event time (smallest first, ties by topic), up to the next record's
    `began`; a record's versions and `timer_clock_before` hold from there on.
    """

    def __init__(self, state: TaskState) -> None:
        self._state = state
        self._changed: dict[str, object] = {}
        self._began: dict[str, int] = {}
        self._clock_before: Millis = 0
        self._passed: dict[str, _Head] = {}
        """By topic, the last in event time of what others gave since it gave something itself."""

    def open(self, row: TaskRow) -> None:
        """Note what is in force now and was not when the task row was written: another process's policy, say."""
        given = self._state.circumstances
        self._changed, self._passed = {}, {}
        if row.policy_version != given.policy_version:
            self._changed["policy_version"] = given.policy_version
        if row.reference_version != given.reference_version:
            self._changed |= given.reference
        if row.model_versions != given.model_versions:
            self._changed["model_versions"] = given.model_versions

    def note(self, changes: dict[str, object]) -> None:
        """A batch begins, and these versions were taken over for it."""
        self._changed |= changes
        self._began, self._clock_before = dict(self._state.offsets), self._state.timer_clock

    def record(self, batch: Batch) -> dict[str, object] | None:
        """The facts of this batch with its input offsets, before and after, or None if there are none.

        `order` is how the items were taken, as [topic, how many] in turn, where that is not the order of event
        time: a topic was passed that had nothing to give. The timer clock is a fact where the wall has moved
        it past what events say: it decides what fires, now and when a later event sets a timer. `rings` timers
        fired after the items of a batch that was cut, whatever the clock says. `refused` are the records, as
        [topic, offset, reason], whose refusal the log alone does not explain: the wall clock's, a fault of ours.
        """
        facts, self._changed = self._changed, {}
        state = self._state
        order = self._order(batch.items)
        if order is not None:
            facts["order"] = order
        if state.timer_clock > state.stream_time - state.circumstances.policy.time.grace and batch.rows:
            facts |= {"timer_clock_before": self._clock_before, "timer_clock": state.timer_clock}
        if batch.is_cut and batch.rung_since:
            facts["rings"] = batch.rung_since
        refused = [
            (letter.origin.topic, letter.origin.offset, letter.reason)
            for letter in batch.letters
            if letter.reason in _NOT_THE_LOG_S and letter.origin.topic in state.offsets
        ]
        if refused:
            facts["refused"] = refused
        if not facts:
            return None
        return {"task": state.task, "began": self._began, "offsets": dict(state.offsets), **facts}

    def _order(self, items: list[Item]) -> list[tuple[str, int]] | None:
        """The runs of the batch if one of them was overtaken by what was taken before, else None.

        What was taken before the task opened is not known, so the first of each topic counts as overtaken.
        """
        passed, is_overtaken = self._passed, False
        runs: list[tuple[str, int]] = []
        for topic, run in groupby(items, _topic):
            times = [item.at for item in run]
            runs.append((topic, len(times)))
            first = next((at for at in times if at != BEGINNING_OF_TIME), None)
            if first is None:
                continue
            is_overtaken |= (first, topic) < passed.get(topic, _UNKNOWN)
            passed[topic], latest = _NOTHING, (max(times), topic)
            for other, head in passed.items():
                if other != topic and head < latest:
                    passed[other] = latest
        return runs if is_overtaken else None
