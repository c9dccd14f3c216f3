"""What a task knows, and how one batch moves it on: event by event, timer by timer. No I/O, no clock.

This is step 4 and 5 of a batch's way (advance, decide); `streams/engine/task.py` does the others.
"""

import msgspec

from schemas.customer import Customer, pack
from schemas.dead_letter import DeadLetter, Origin, ReasonCode
from schemas.event import Arrival, Millis
from streams.decisions import advance
from streams.engine.batch import Batch, RecordId, RowTooLarge, TimerId
from streams.engine.inbox import Refused, Tick
from streams.engine.partitions import partition_of
from streams.engine.store import Store
from streams.engine.task_row import TaskRow
from streams.metrics import Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedHistory, FeedTracker
from streams.triggers.storms import StormHistory, StormTracker

RINGS = 500
"""Timers fired before other tasks get their turn."""


class TaskState:
    """Rows, time and versions of one task. Everything here can be rebuilt from the changelog.

    `timer_clock` is stream time less the policy's grace, or further where a live task was moved by the wall.
    Neither ever goes back.
    """

    def __init__(
        self, task: int, partitions: int, store: Store, circumstances: Circumstances, tally: Tally
    ) -> None:
        self.task = task
        self.partitions = partitions
        self.store = store
        self.circumstances = circumstances
        self.tally = tally
        self.offsets: dict[str, int] = {}
        self.stream_time: Millis = 0
        self.timer_clock: Millis = 0
        self._rings_left = 0
        self.poison: dict[RecordId | TimerId, ReasonCode] = {}
        """What must not be processed again, and the reason its dead letter gives."""
        self.watched: dict[bytes, int] = {}
        """Customers whose row outgrew a record before, and its limit in bytes: looked at after each event."""

    def load(self, row: TaskRow) -> None:
        """Stand where the task row says; uncommitted changes of the rows are forgotten."""
        self.store.forget()
        self.tally.discard()
        self.offsets = dict(row.offsets)
        self.stream_time = row.stream_time
        self.timer_clock = row.timer_clock
        given, policy = self.circumstances, self.circumstances.policy
        given.feeds = FeedTracker(policy.feeds, _decode_feeds(row.feeds) if row.feeds else None)
        storms = _decode_storms(row.storms) if row.storms else None
        given.storms = StormTracker(policy.storms, self.partitions, storms)

    def task_row(self) -> TaskRow:
        """Where the task stands now."""
        return TaskRow(
            offsets=dict(self.offsets),
            stream_time=self.stream_time,
            timer_clock=self.timer_clock,
            policy_version=self.circumstances.policy_version,
            reference_version=self.circumstances.reference_version,
            model_versions=self.circumstances.model_versions,
            feeds=_encode(self.feeds.history),
            storms=_encode(self.circumstances.storms.history),
        )

    @property
    def feeds(self) -> FeedTracker:
        """The task's feed tracker."""
        feeds = self.circumstances.feeds
        assert isinstance(feeds, FeedTracker)
        return feeds

    def advance(self, batch: Batch, count: int) -> None:
        """Take up to `count` more items of the batch, and fire at most RINGS timers; to be called until it is done.

        For each: the timer clock moves to what it will be with this event; every timer due by then fires; then
        the event is folded; a timer that the fold sets at or behind the clock fires at once.
        """
        self._rings_left = RINGS
        for item in batch.items[batch.done : batch.done + count]:
            batch.current = (item.topic, item.offset)
            if isinstance(item, Arrival):
                row = self.store.row(item.key)
                refusal = self._refusal(item, row) if row is None or self.poison else None
                if refusal is None and item.at > self.stream_time and not self._move_time(item.at, batch):
                    return
                self._take(item, row, refusal, batch)
            elif isinstance(item, Tick):
                if not self._move_time(item.at, batch):
                    return
            else:
                self._refuse(item, batch)
            self.offsets[item.topic] = item.offset + 1
            batch.done += 1
            batch.rung_since = 0
        batch.current = None

    def advance_clock(self, to: Millis, batch: Batch) -> bool:
        """Move the timer clock alone (a live, caught-up task: wall time less grace) and fire what is due.

        False if RINGS were not enough: call it again.
        """
        self._rings_left = RINGS
        if to > self.timer_clock:
            if not self._ring_until(to, batch):
                return False
            self.timer_clock = to
        return True

    def _take(
        self,
        arrival: Arrival,
        row: Customer | None,
        refusal: tuple[ReasonCode, str] | None,
        batch: Batch,
    ) -> None:
        tally = self.tally
        counts = tally.feeds[arrival.touchpoint, arrival.event.source]
        counts.consumed += 1
        counts.newest = arrival.appended_at
        if extra := arrival.event.unknown_fields:
            tally.unknown_fields[arrival.event.source] += extra
        if refusal is not None:
            batch.letters.append(_letter(self.task, arrival, *refusal))
            tally.dead[arrival.touchpoint, arrival.event.source, refusal[0]] += 1
            return
        is_new = row is None
        row = row or self.store.new_row(arrival.key)
        before = len(batch.effects.actions)
        verdict = advance.take(row, arrival, self.stream_time, self.circumstances, batch.effects)
        if verdict == "applied":
            if self.watched:
                self._weigh(arrival.key, row)
            counts.applied += 1
            self.feeds.observe(arrival.touchpoint, arrival.at)
            batch.rows[arrival.key] = row
            batch.applied.append(arrival)
            self._settle(arrival.key, row, batch)
            if len(batch.effects.actions) > before:
                tally.acted_on.extend([arrival.appended_at] * (len(batch.effects.actions) - before))
            return
        if is_new:
            self.store.drop(arrival.key)
        if verdict == "duplicate":
            counts.duplicate += 1
        else:
            counts.late += 1
            batch.letters.append(_letter(self.task, arrival, "late", _LATE.format(arrival.touchpoint)))

    def _refusal(self, arrival: Arrival, row: Customer | None) -> tuple[ReasonCode, str] | None:
        """Why this event cannot be taken, found out only here: a poisonous or a misplaced record."""
        if self.poison and (arrival.topic, arrival.offset) in self.poison:
            return self.poison[arrival.topic, arrival.offset], _POISON
        if row is None and partition_of(arrival.key, self.partitions) != self.task:
            right = partition_of(arrival.key, self.partitions)
            return "wrong_partition", (
                f"the key belongs to partition {right} of {self.partitions}: the producer does not partition "
                "by murmur2 (librdkafka: partitioner=murmur2_random)"
            )
        return None

    def _weigh(self, key: bytes, row: Customer) -> None:
        """Raises RowTooLarge if a watched row has become too large: with the present event or timer, and no other."""
        limit = self.watched.get(key)
        if limit is not None and len(pack(row)) > limit:
            raise RowTooLarge(key, limit)

    def _refuse(self, refused: Refused, batch: Batch) -> None:
        letter = refused.letter
        batch.letters.append(letter)
        self.tally.feeds[refused.touchpoint, letter.source].consumed += 1
        self.tally.dead[refused.touchpoint, letter.source, letter.reason] += 1

    def _move_time(self, at: Millis, batch: Batch) -> bool:
        """Stream time and timer clock become what they are with an event of this time; due timers fire.

        False if RINGS were not enough to get there.
        """
        if at <= self.stream_time:
            return True
        clock = at - self.circumstances.policy.time.grace
        if clock > self.timer_clock:
            if not self._ring_until(clock, batch):
                return False
            self.timer_clock = clock
        self.stream_time = at
        return True

    def _ring_until(self, until: Millis, batch: Batch) -> bool:
        """Fire every timer due by then, whosever it is, in (due, customer, timer id) order."""
        next_due = self.store.next_due
        while (found := next_due(until)) is not None:
            if not self._rings_left:
                return False
            self._rings_left -= 1
            due, key = found
            row = self.store.row(key)
            assert row is not None, "a scheduled timer without its row"
            self._ring(key, row, due, batch)
            if row.timers:
                self.store.schedule(key, min(row.timers.values()))
            batch.fired.append(due)
            batch.rung_since += 1
        return True

    def _settle(self, key: bytes, row: Customer, batch: Batch) -> None:
        """Fire this customer's timers at or behind the clock, and note the next one."""
        while row.timers:
            due = min(row.timers.values())
            if due > self.timer_clock:
                self.store.schedule(key, due)
                return
            self._ring(key, row, due, batch)

    def _ring(self, key: bytes, row: Customer, due: Millis, batch: Batch) -> None:
        """Fire the first of the customer's timers due at `due`. It sees now = due.

        Raises RuntimeError if it sets a timer that is not later: that could go on for ever.
        """
        others = {timer for timer, at in row.timers.items() if at <= due}
        timer_id = min(timer for timer in others if row.timers[timer] == due)
        others.discard(timer_id)
        outer, batch.current = batch.current, (key, timer_id)
        del row.timers[timer_id]
        batch.rows[key] = row
        batch.rung[key] = timer_id
        if self.poison and (key, timer_id) in self.poison:
            batch.letters.append(_timer_letter(self.task, key, timer_id, due))
        else:
            advance.ring(row, timer_id, due, self.circumstances, batch.effects)
            if self.watched:
                self._weigh(key, row)
            if any(at <= due and timer not in others for timer, at in row.timers.items()):
                raise RuntimeError(
                    f"timer {timer_id.split(':')[0]} set a timer that is due at once while firing"
                )
        batch.current = outer


_encode = msgspec.msgpack.Encoder().encode
_decode_feeds = msgspec.msgpack.Decoder(FeedHistory).decode
_decode_storms = msgspec.msgpack.Decoder(StormHistory).decode

_POISON = (
    "its processing failed through a fault of this program, or its customer's row would outgrow a record"
)
_LATE = "its event time is further behind than {} allows, or behind what is still remembered of this customer"


def _letter(task: int, arrival: Arrival, reason: ReasonCode, message: str) -> DeadLetter:
    return DeadLetter(
        origin=Origin(
            topic=arrival.topic, partition=task, offset=arrival.offset, appended_at=arrival.appended_at
        ),
        source=arrival.event.source,
        event_id=arrival.event.event_id,
        reason=reason,
        message=message,
        key=arrival.key,
        value=arrival.value,
    )


def _timer_letter(task: int, key: bytes, timer_id: str, due: Millis) -> DeadLetter:
    return DeadLetter(
        origin=Origin(topic="timers", partition=task, offset=0, appended_at=due),
        source=None,
        event_id=None,
        reason="poison",
        pointer=f"/timers/{timer_id}",
        message="firing this timer failed twice through a fault of this program",
        key=key,
        value=None,
    )
