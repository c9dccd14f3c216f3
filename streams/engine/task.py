"""One task: partition i of every touchpoint topic, from the lease to the commit.

A batch's way, the numbers as in deploy/docs/delivery.md:

1. Fetch: the source fills the inboxes.          5. Decide: in the same loop, on the row of that moment.
2. Decode: the touchpoint's agent.               6. Write: one transaction with everything, the task row last.
3. Merge: event time order, nobody overtakes.    7. Commit.
4. Advance: timers and events, one by one.       8. Show: the committed bytes become the store's bytes.

Any failure throws the batch away, and the task opens again from its changelog.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from aiokafka.errors import KafkaError, KafkaTimeoutError

from schemas.action import moment
from schemas.event import Millis
from schemas.example import ExamplesWatermark
from streams.clock import SteadyClock, wall_millis
from streams.engine.batch import Batch
from streams.engine.changelog import Changelog
from streams.engine.commit import BrokersWereAway, OutputRecord, Transaction, numbered
from streams.engine.consumers import connected
from streams.engine.fence import Fence
from streams.engine.inbox import BEGINNING_OF_TIME
from streams.engine.intake import Intake
from streams.engine.journal import Journal
from streams.engine.lease import Lease, LeaseLost
from streams.engine.merge import Merge
from streams.engine.outputs import Outputs
from streams.engine.source import InputLost, Reading, Source
from streams.engine.state import TaskState
from streams.engine.store import RELEASED
from streams.engine.suspects import Suspects, TaskBroken
from streams.engine.task_row import NewerCode, TaskRow
from streams.engine.threads import in_thread
from streams.engine.versions import Versions
from streams.engine.work import Channel, Due, ask
from streams.logs import Seldom, error_text
from streams.metrics import Metrics
from streams.settings import Settings

log = logging.getLogger(__name__)

MAX_OPENINGS = 3
FRESH_MS = 2_000
"""Live, a topic has ended and a task is caught up only by a fetch that is not older."""
VERSIONS_SECONDS = 0.05
REACH_SECONDS = 10.0
AWAY_SECONDS = 1.0
"""Until a task tries again to open, where Kafka was away."""
WATERMARK_SECONDS = 10.0
SPACING_SECONDS_PER_TASK = 0.0025
SPACING_SECONDS_MAX = 0.05
SPACED_BELOW = 200
"""A commit costs as much as dozens of events, whatever is in it, and the tasks of a worker share its CPU: so a task
whose batches are smaller than this lets records gather for that long after each.
"""

Phase = Literal["idle", "open", "merge", "advance", "commit"]


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


class OpeningGivenUp(Exception):
    """The lease went while the task opened, whether or not it has come back."""


class Task:
    """Runs one task until its lease goes or `stop` is called. `phase` and `since` are for the watchdog."""

    def __init__(self, number: int, state: TaskState, surroundings: Surroundings) -> None:
        settings = surroundings.settings
        self.number = number
        self.state = state
        self.is_open = False
        self.phase: Phase = "idle"
        self.since = monotonic()
        self._with = surroundings
        self._term = 0
        self._changelog = Changelog(surroundings.changelog_topic, number, state.store)
        self._fence = Fence(
            settings, surroundings.lease, surroundings.outputs, self._changelog, surroundings.threads
        )
        self._intake = Intake(number, surroundings.decoders, settings.idle)
        self._suspects = Suspects(number, state, surroundings.metrics)
        self._journal = Journal(state)
        self._clock = SteadyClock()
        self._complains = Seldom()
        self._stopping = False
        self._input_lost: InputLost | None = None
        self._small_at: float | None = None
        self._promised: Millis = 0
        self._promised_at = monotonic()

    @property
    def merge(self) -> Merge:
        """The task's input, for gauges."""
        return self._intake.merge

    @property
    def progress(self) -> TaskRow:
        """How far the task has committed."""
        return self._changelog.task_row

    @property
    def held_triggers(self) -> list[str]:
        """The triggers that are in a storm, but for those whose release the task takes over with its next batch."""
        return self.state.circumstances.storms.held(self._with.versions.released)

    def stop(self) -> None:
        """Finish the batch under way and close."""
        self._stopping = True
        self._intake.wake()

    async def run(self) -> None:
        """Open and work, again after failures. Raises InputLost, NewerCode or TaskBroken when going on is no use."""
        failures = 0
        while self._is_wanted and failures < MAX_OPENINGS:
            self._term, pause = self._with.lease.term(self.number), 0.0
            try:
                await self._open()
                while self._is_in_term:
                    if await self._batch():
                        failures = 0
            except LeaseLost as lost:
                log.warning("lease not confirmed", extra={"task": self.number}, exc_info=lost)
                await self._close()
                break
            except OpeningGivenUp:
                pass
            except (InputLost, NewerCode):
                raise
            except Exception as failure:
                failures += self._is_ours(failure)
                pause = AWAY_SECONDS if _waits_for_kafka(failure) else 0.2 * failures
            # Not idle before it is closed: the watchdog is to see a producer that does not let go.
            await self._close()
            self._enter("idle")
            await asyncio.sleep(pause)
        self._enter("idle")
        await self._release()
        if failures >= MAX_OPENINGS:
            raise TaskBroken(f"task {self.number} failed {failures} times in a row; see the log above")

    def _is_ours(self, failure: Exception) -> bool:
        """Log it. Whether it counts as a failed opening: Kafka's absence does not, however often it comes."""
        if not _waits_for_kafka(failure):
            return self._suspects.note(failure)
        if self._complains():
            said = {"task": self.number, "why": error_text(failure)}
            log.warning("Kafka is away; the task opens again when it is back", extra=said)
        return False

    @property
    def _is_wanted(self) -> bool:
        if self._input_lost is not None:
            raise self._input_lost
        return not self._stopping and self.number in self._with.lease.wanted

    @property
    def _is_in_term(self) -> bool:
        """Wanted without a break since it began to open: others may have run it in one."""
        return self._is_wanted and self._with.lease.term(self.number) == self._term

    def _enter(self, phase: Phase) -> None:
        self.phase, self.since = phase, monotonic()

    async def _open(self) -> None:
        """Become the only one who writes, restore, read on where the task row says."""
        self._enter("open")
        began = monotonic()
        surroundings = self._with
        async with connected(surroundings.settings.bootstrap) as consumer:
            await self._fence.open(consumer, lambda: self._note_restored(0, 0))
            row = await self._changelog.restore(consumer, self._note_restored)
        await self._await_versions(row)
        self.state.load(row)
        self._journal.open(row)
        topics = surroundings.decoders
        offsets = await surroundings.source.beginnings(self.number, topics) | row.offsets
        self.state.offsets = dict(offsets)
        surroundings.source.add(
            self.number, Reading(self.merge.inboxes, self._intake.wake, self._lose_input), offsets
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

    async def _release(self) -> None:
        while not self._stopping and self.state.store.release(RELEASED):
            await asyncio.sleep(0)

    async def _await_versions(self, row: TaskRow) -> None:
        """A task does not score with older models than before, or forget a pause, unless they do not come: made
        anew, say.
        """
        deadline = monotonic() + REACH_SECONDS
        while not self._with.versions.has_reached(row):
            if not self._is_in_term:
                raise OpeningGivenUp
            if monotonic() > deadline:
                log.error(
                    "models or reference data are older than the task's last", extra={"task": self.number}
                )
                return
            await asyncio.sleep(VERSIONS_SECONDS)

    async def _close(self) -> None:
        self.is_open = False
        self._with.source.remove(self.number)
        self._intake.reset()
        await self._fence.close()

    async def _batch(self) -> bool:
        """Take one batch through all its steps; False if there was nothing to do."""
        if self.phase != "merge":
            self._enter("merge")
        await self._let_gather()
        # 1. to 3.
        settings = self._with.settings
        since = wall_millis() - FRESH_MS if settings.time == "live" else BEGINNING_OF_TIME
        batch = Batch(await self._intake.take(settings.batch_records, self.state.poison, since))
        clock = self._wall_clock()
        if not batch.items and (clock is None or not self._has_to_tick(clock)):
            if not self._intake.is_held_up:
                self._enter("idle")
            self._fence.transaction.check()
            await self._intake.wait()
            return False
        # 4. and 5.
        self._enter("advance")
        self._journal.note(self._with.versions.apply(self.state.circumstances))
        await self._advance(batch, clock)
        if batch.is_cut:
            self._intake.put_back(batch.leave())
        self._promise_watermark(batch)
        if not batch.items and not batch.has_output:
            return False
        # 6. to 8.
        self._enter("commit")
        await self._write(batch, self._journal.record(batch))
        self._small_at = self.since if len(batch.items) < SPACED_BELOW else None
        return True

    async def _let_gather(self) -> None:
        """After a small batch, wait until the next commit is worth it."""
        if self._small_at is not None:
            spacing = min(SPACING_SECONDS_MAX, SPACING_SECONDS_PER_TASK * len(self._with.lease.wanted))
            await asyncio.sleep(max(0.0, self._small_at + spacing - monotonic()))

    async def _advance(self, batch: Batch, clock: Millis | None) -> None:
        """Steps 4 and 5, in the customers' agent."""
        began = monotonic()
        loop = asyncio.get_running_loop()
        await ask(self._with.core, Due(self.state, batch, clock, loop.create_future()))
        self._with.metrics.batch_seconds.observe(monotonic() - began)

    async def _write(self, batch: Batch, journal: dict[str, object] | None) -> None:
        """Steps 6 to 8."""
        began = monotonic()
        progress = self.state.task_row()
        rows, offset = await in_thread(
            self._with.threads, self._commit, self._fence.transaction, batch, journal, progress
        )
        visible_at = wall_millis()
        self.state.store.show(rows)
        self._changelog.note(progress, offset)
        self._suspects.clear()
        self._count(batch, visible_at, monotonic() - began)
        while self.state.store.cool(RELEASED):
            await asyncio.sleep(0)
        await self._with.committed(batch)

    def _commit(
        self, transaction: Transaction, batch: Batch, journal: dict[str, object] | None, progress: TaskRow
    ) -> tuple[dict[bytes, bytes], int]:
        rows = self._with.outputs.pack(batch)
        records: list[OutputRecord] = []
        for record in self._with.outputs.records(batch, rows, journal, progress):
            records.append(record)
            self.since = monotonic()  # dead letters of hostile records take long to be made
        return rows, transaction.commit(numbered(records, self._changelog.batches + 1))

    def _count(self, batch: Batch, visible_at: Millis, seconds: float) -> None:
        metrics, tally = self._with.metrics, self.state.tally
        metrics.commit_seconds.observe(seconds)
        metrics.batch_records.observe(len(batch.items))
        if self._with.settings.time == "live":
            tally.timer_delays.extend(max(0, visible_at - due) for due in batch.fired)
        tally.effects(batch.effects)
        tally.flush(visible_at)

    def _promise_watermark(self, batch: Batch) -> None:
        """Every WATERMARK_SECONDS, tell the learner up to when this task has no more examples to write."""
        clock = self.state.timer_clock
        if clock > self._promised and monotonic() - self._promised_at >= WATERMARK_SECONDS:
            self._promised, self._promised_at = clock, monotonic()
            batch.effects.examples.append(ExamplesWatermark(task=self.number, up_to=moment(clock)))

    def _has_to_tick(self, clock: Millis) -> bool:
        """A timer is due by the wall clock, or the learner waits for this task's watermark."""
        if self.state.store.next_due(clock) is not None:
            return True
        return clock > self._promised and monotonic() - self._promised_at >= WATERMARK_SECONDS

    def _wall_clock(self) -> Millis | None:
        """Wall time less grace, if this deployment is live and the task is caught up."""
        if self._with.settings.time != "live":
            return None
        if not self.merge.is_caught_up(wall_millis() - FRESH_MS):
            return None
        return self._clock.now(self.state.stream_time) - self.state.circumstances.policy.time.grace

    def _lose_input(self, lost: Exception) -> None:
        if isinstance(lost, InputLost):
            self._input_lost = lost
        self._intake.wake()

    def _note_restored(self, read: int, remaining: int) -> None:
        if not self._is_in_term:
            raise OpeningGivenUp
        if read:
            self.since = monotonic()
        self._with.metrics.restored_rows.inc(read)
        self._with.metrics.restore_remaining.labels(str(self.number)).set(remaining)


def _waits_for_kafka(failure: Exception) -> bool:
    """It passes when Kafka is back."""
    if isinstance(failure, KafkaError):
        return isinstance(failure, KafkaTimeoutError) or failure.retriable
    return isinstance(failure, BrokersWereAway | TimeoutError)
