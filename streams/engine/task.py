"""One task: partition i of every touchpoint topic, from the lease to the commit.

A batch's way, the numbers as in deploy/docs/delivery.md:

1. Fetch: the source fills the inboxes.          5. Decide: in the same loop, on the row of that moment.
2. Decode: the touchpoint's agent.               6. Write: one transaction with everything, the task row last.
3. Merge: event time order, nobody overtakes.    7. Commit.
4. Advance: timers and events, one by one.       8. Show: the committed bytes become the store's bytes.

Any failure throws the batch away, and the task opens again from its changelog.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from time import monotonic
from typing import Literal, TypeVar

from schemas.action import Action, moment
from schemas.event import Millis
from schemas.example import Example, ExamplesWatermark
from streams.clock import wall_millis
from streams.decisions.effects import Effects
from streams.engine.batch import Batch, RecordId, TimerId
from streams.engine.changelog import Changelog
from streams.engine.commit import Transaction
from streams.engine.inbox import Inbox
from streams.engine.lease import Lease, LeaseLost
from streams.engine.merge import Merge
from streams.engine.outputs import Outputs
from streams.engine.source import InputLost, Reading, Source
from streams.engine.state import TaskState
from streams.engine.store import packed_rows
from streams.engine.task_row import TaskRow
from streams.engine.versions import Versions
from streams.engine.work import Channel, Culprit, Due, Fetched
from streams.metrics import Metrics, Tally
from streams.settings import Settings

log = logging.getLogger(__name__)

MAX_OPENINGS = 3
MAX_POISON = 3
"""So many poisonous records within POISON_WINDOW commits are not a record's fault but ours: the worker stops."""
POISON_WINDOW = 100
DECODE_CHUNK = 1_000
FRESH_MS = 2_000
"""A task is caught up only by a fetch that is not older."""
TICK_SECONDS = 0.2
HELD_UP_SECONDS = 0.02
VERSIONS_SECONDS = 0.05
WATERMARK_SECONDS = 10.0

T = TypeVar("T")
Phase = Literal["idle", "open", "merge", "advance", "commit"]


class TaskBroken(Exception):
    """The task failed again and again; the process must end and say so."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all tasks of a worker share."""

    settings: Settings
    lease: Lease
    source: Source
    versions: Versions
    outputs: Outputs
    changelog_topic: str
    decoders: Mapping[str, Channel]
    """Topic of a touchpoint → channel of its agent."""
    core: Channel
    metrics: Metrics
    threads: Executor
    committed: Callable[[Batch], Awaitable[None]]
    """Shows committed batches to the agents that asked for them."""


class Task:
    """Runs one task until its lease goes or `stop` is called. `phase` and `since` are for the watchdog."""

    def __init__(self, number: int, state: TaskState, surroundings: Surroundings) -> None:
        self.number = number
        self.state = state
        self.is_open = False
        self.phase: Phase = "idle"
        self.since = monotonic()
        self._with = surroundings
        settings = surroundings.settings
        self._changelog = Changelog(settings, surroundings.changelog_topic, number, state.store)
        self.merge = self._new_merge()
        self._transaction: Transaction | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._input_lost: InputLost | None = None
        self._changed: dict[str, object] = {}
        self._promised: Millis = 0
        self._promised_at = monotonic()
        self._suspect: RecordId | TimerId | None = None
        self._commits_since_poison: list[int] = []

    @property
    def progress(self) -> TaskRow:
        """How far the task has committed."""
        return self._changelog.task_row

    def stop(self) -> None:
        """Finish the batch under way and close."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Open and work, again after failures. Raises InputLost or TaskBroken when going on makes no sense."""
        failures = 0
        while self._is_wanted and failures < MAX_OPENINGS:
            try:
                await self._open()
                while self._is_wanted:
                    if await self._batch():
                        failures = 0
            except LeaseLost as lost:
                log.warning("lease not confirmed", extra={"task": self.number}, exc_info=lost)
                break
            except InputLost:
                raise
            except Exception as failure:
                failures += self._note_failure(failure)
                await self._close()
                await asyncio.sleep(0.2 * failures)
            finally:
                self._enter("idle")
        await self._close()
        if failures >= MAX_OPENINGS:
            raise TaskBroken(f"task {self.number} failed {failures} times in a row; see the log above")

    def _new_merge(self) -> Merge:
        return Merge(tuple(self._with.decoders), self._with.settings.idle)

    @property
    def _is_wanted(self) -> bool:
        if self._input_lost is not None:
            raise self._input_lost
        return not self._stopping and self.number in self._with.lease.wanted

    def _enter(self, phase: Phase) -> None:
        self.phase, self.since = phase, monotonic()

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._with.threads, function, *arguments)

    async def _open(self) -> None:
        """Prove the lease, fence the previous owner, restore, read on where the task row says.

        The proof comes first: a worker that lost its lease must not fence the rightful owner.
        """
        self._enter("open")
        began = monotonic()
        surroundings = self._with
        await self._in_thread(surroundings.lease.prove, self.number)
        self._transaction = Transaction(
            surroundings.settings, f"{surroundings.settings.app_id}-{self.number}", self.number
        )
        await self._in_thread(self._transaction.open)
        row = await self._changelog.restore(self._note_restored)
        while not self._with.versions.has_reached(row.model_versions):
            await asyncio.sleep(VERSIONS_SECONDS)
        self.state.load(row)
        self._changed = self._changes_since(row)
        topics = surroundings.decoders
        offsets = await surroundings.source.beginnings(self.number, topics) | row.offsets
        self.state.offsets = dict(offsets)
        self.merge = self._new_merge()
        surroundings.source.add(
            self.number, Reading(self.merge.inboxes, self._woken.set, self._lose_input), offsets
        )
        self.is_open = True
        surroundings.metrics.restore_seconds.observe(monotonic() - began)
        log.info(
            "task open",
            extra={
                "task": self.number,
                "rows": len(self.state.store.packed),
                "seconds": round(monotonic() - began, 2),
            },
        )

    async def _close(self) -> None:
        self.is_open = False
        self._with.source.remove(self.number)
        if self._transaction is not None:
            transaction, self._transaction = self._transaction, None
            await self._in_thread(transaction.close)

    async def _batch(self) -> bool:
        """Take one batch through all its steps; False if there was nothing to do."""
        if self.phase != "merge":
            self._enter("merge")
        batch, clock = await self._collect()
        if batch is None:
            return False
        self._changed |= self._with.versions.apply(self.state.circumstances)
        self._enter("advance")
        began = monotonic()
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._with.core.send(value=Due(self.state, batch, clock, answer))
        await answer
        self._with.metrics.batch_seconds.observe(monotonic() - began)
        self._promise_watermark(batch)
        if not batch.items and not batch.has_output:
            return False
        self._enter("commit")
        await self._write(batch, self._journal(batch, clock))
        return True

    def _promise_watermark(self, batch: Batch) -> None:
        """Every WATERMARK_SECONDS, tell the learner up to when this task has no more examples to write."""
        clock = self.state.timer_clock
        if clock > self._promised and monotonic() - self._promised_at >= WATERMARK_SECONDS:
            self._promised, self._promised_at = clock, monotonic()
            batch.effects.examples.append(ExamplesWatermark(task=self.number, up_to=moment(clock)))

    async def _collect(self) -> tuple[Batch | None, Millis | None]:
        """Steps 1 to 3: what can be taken now, and the clock of a task that is caught up; waits for a while."""
        limit = self._with.settings.batch_records
        batch = Batch([])
        while True:
            await self._decode()
            batch.items += self.merge.take(limit - len(batch.items))
            if len(batch.items) == limit or not any(
                self._wants_decoding(i) for i in self.merge.inboxes.values()
            ):
                break
        clock = self._wall_clock()
        if batch.items or (clock is not None and self._has_to_tick(clock)):
            return batch, clock
        await self._wait()
        return None, None

    def _has_to_tick(self, clock: Millis) -> bool:
        """A timer is due by the wall clock, or the learner waits for this task's watermark."""
        if self.state.store.next_due(clock) is not None:
            return True
        return clock > self._promised and monotonic() - self._promised_at >= WATERMARK_SECONDS

    def _wall_clock(self) -> Millis | None:
        """Wall time less grace, if this deployment is live and the task is caught up."""
        if self._with.settings.time != "live":
            return None
        now = wall_millis()
        if not self.merge.is_caught_up(now - FRESH_MS):
            return None
        return now - self.state.circumstances.policy.time.grace

    async def _wait(self) -> None:
        holding_up = self.merge.waits_for()
        if all(self.merge.inboxes[topic].is_read_to_its_end for topic in holding_up):
            self._enter("idle")
        self._woken.clear()
        timeout = HELD_UP_SECONDS if holding_up else TICK_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), timeout)

    async def _decode(self) -> None:
        """Step 2: let the touchpoints' agents decode what the merge will need next."""
        loop = asyncio.get_running_loop()
        asked: list[tuple[Inbox, Fetched]] = []
        poison = frozenset(self.state.poison)
        for topic, inbox in self.merge.inboxes.items():
            if self._wants_decoding(inbox):
                records = inbox.take_raw(DECODE_CHUNK)
                fetched = Fetched(topic, self.number, records, poison, loop.create_future())
                asked.append((inbox, fetched))
                await self._with.decoders[topic].send(value=fetched)
        for inbox, fetched in asked:
            inbox.put_decoded(await fetched.answer)

    @staticmethod
    def _wants_decoding(inbox: Inbox) -> bool:
        return bool(inbox.raw) and not inbox.decoded

    async def _write(self, batch: Batch, journal: dict[str, object] | None) -> None:
        """Steps 6 to 8."""
        transaction = self._transaction
        assert transaction is not None
        began = monotonic()
        progress = self.state.task_row()
        rows, offset = await self._in_thread(self._commit, transaction, batch, journal, progress)
        visible_at = wall_millis()
        metrics = self._with.metrics
        metrics.commit_seconds.observe(monotonic() - began)
        metrics.batch_records.observe(len(batch.items))
        self.state.store.show(rows)
        self._changelog.note(progress, offset)
        tally = self.state.tally
        if self._with.settings.time == "live":
            tally.timer_delays.extend(max(0, visible_at - due) for due in batch.fired)
        _count(batch.effects, tally)
        tally.flush(visible_at)
        self._suspect = None
        self.state.poison.clear()
        self._commits_since_poison = [n + 1 for n in self._commits_since_poison if n < POISON_WINDOW]
        await self._with.committed(batch)

    def _commit(
        self, transaction: Transaction, batch: Batch, journal: dict[str, object] | None, progress: TaskRow
    ) -> tuple[dict[bytes, bytes], int]:
        rows = packed_rows(batch.rows)
        self._with.outputs.check(batch, rows)
        return rows, transaction.commit([*self._with.outputs.records(batch, rows, journal, progress)])

    def _changes_since(self, row: TaskRow) -> dict[str, object]:
        """What is in force now and was not when the task row was written: another process's policy, say."""
        given = self.state.circumstances
        changed: dict[str, object] = {}
        if row.policy_version != given.policy_version:
            changed["policy_version"] = given.policy_version
        if row.reference_version != given.reference_version:
            changed["reference_version"] = given.reference_version
            changed["paused"] = sorted(given.paused)
        versions = {name: scorer.version for name, scorer in sorted(given.scorers.items())}
        if row.model_versions != versions:
            changed["model_versions"] = versions
        return changed

    def _journal(self, batch: Batch, clock: Millis | None) -> dict[str, object] | None:
        """What happened that is not in the log: versions that changed, timers that the wall clock fired."""
        facts, self._changed = self._changed, {}
        if clock is not None and batch.fired:
            facts["timer_clock"] = self.state.timer_clock
        if not facts:
            return None
        return {"task": self.number, "offsets": dict(self.state.offsets), **facts}

    def _lose_input(self, lost: Exception) -> None:
        if isinstance(lost, InputLost):
            self._input_lost = lost
        self._woken.set()

    def _note_restored(self, read: int, remaining: int) -> None:
        self.since = monotonic()
        self._with.metrics.restored_rows.inc(read)
        self._with.metrics.restore_remaining.labels(str(self.number)).set(remaining)

    def _note_failure(self, failure: Exception) -> bool:
        """Log it; the second failure of ours at the same record or timer makes that one poison.

        True if it counts as a failed opening: failures at a known record end by that record's poison.
        Raises TaskBroken when poison comes in a run.
        """
        suspect = failure.at if isinstance(failure, Culprit) else None
        cause = failure.__cause__ or failure
        self._with.metrics.failed_batches.labels(type(cause).__name__).inc()
        log.error(
            "batch failed", extra={"task": self.number, "record": _without_key(suspect)}, exc_info=cause
        )
        if not isinstance(failure, Culprit) or suspect is None:
            return True
        if suspect == self._suspect:
            self.state.poison[suspect] = failure.reason
            self._with.metrics.poison.inc()
            self._commits_since_poison.append(0)
            if len(self._commits_since_poison) >= MAX_POISON:
                raise TaskBroken(f"task {self.number}: {MAX_POISON} poisonous records close together")
        self._suspect = suspect
        return False


def _count(effects: Effects, tally: Tally) -> None:
    for message in effects.actions:
        if isinstance(message, Action):
            tally.actions[message.trigger, message.channel] += 1
        else:
            tally.cancelled_actions[message.trigger, message.reason] += 1
    for decision in effects.decisions:
        if decision.outcome == "suppressed":
            tally.suppressed[decision.trigger, decision.reason_code] += 1
        elif decision.outcome == "deferred":
            tally.deferred[decision.trigger, decision.reason_code] += 1
    for example in effects.examples:
        if isinstance(example, Example):
            tally.examples[example.model] += 1


def _without_key(suspect: RecordId | TimerId | None) -> str:
    """The suspect for the log, which must not name a customer."""
    if suspect is None:
        return "no record"
    where, which = suspect
    return f"{where}@{which}" if isinstance(where, str) else f"a timer of family {str(which).split(':')[0]}"
