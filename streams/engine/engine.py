"""The engine of one worker: it holds leases, runs their tasks, fetches for them and watches over them."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from confluent_kafka import KafkaException
from mode import Service

from schemas.topics import Topic
from streams.clock import wall_millis
from streams.engine import admin
from streams.engine.follower import Follower
from streams.engine.garbage import SWEEP_SECONDS, Collector
from streams.engine.lease import Lease, LeaseLost
from streams.engine.source import Source
from streams.engine.task import Task
from streams.engine.watchdog import Watchdog
from streams.metrics import Metrics
from streams.settings import Settings

log = logging.getLogger(__name__)

HOLD_SECONDS = 0.05
PUBLISH_SECONDS = 5.0
GAUGE_SECONDS = 1.0
SILENT_SECONDS = 15.0
TOPICS_SECONDS = 60.0
"""How often the topics' partition counts are looked at."""


class TopicsUnfit(Exception):
    """The topics are no longer those of this deployment: a customer's records may go to another task."""


class Engine(Service):
    """Runs a task for every lease held. It crashes, and the worker with it, when a task cannot go on."""

    def __init__(
        self,
        settings: Settings,
        lease: Lease,
        source: Source,
        metrics: Metrics,
        new_task: Callable[[int], Task],
        registry: tuple[Topic, ...],
        followers: Iterable[Follower],
    ) -> None:
        super().__init__()
        self.tasks: dict[int, Task] = {}
        self._settings = settings
        self._lease = lease
        self._source = source
        self._metrics = metrics
        self._new_task = new_task
        self._jobs: dict[int, asyncio.Task[None]] = {}
        self._draining = False
        self._moves_counted = 0
        self._stormy: set[str] = set()
        self._registry = registry
        self._watchdog = Watchdog(
            self.tasks,
            [source.progress, *(each.progress for each in followers)],
            tuple(each.name for each in registry if each.partitions == settings.partitions),
            settings.watchdog_seconds,
            partial(admin.answered, settings),
        )

    @property
    def is_ready(self) -> bool:
        """Every task that this worker holds the lease of is open, and Kafka answers its fetches."""
        open_tasks = {number for number, task in self.tasks.items() if task.is_open}
        if not self._lease.has_joined or self._draining or open_tasks != self._lease.wanted:
            return False
        return not self._source.progress.is_silent(SILENT_SECONDS)

    async def on_start(self) -> None:
        """Connect the source and ask for leases."""
        await self._source.start()
        self._lease.join()
        self._watchdog.start()

    async def drain(self) -> None:
        """Finish the batches under way, close all tasks and give the leases back."""
        self._draining = True
        self._watchdog.stop()
        for task in self.tasks.values():
            task.stop()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, self._lease.leave)
        await self._source.stop()

    @Service.task
    async def _hold(self) -> None:
        """Poll the lease; start a task for each new one. A task whose lease went ends by itself."""
        while not self.should_stop and not self._draining:
            self._lease.poll()
            self._metrics.rebalances.inc(self._lease.moves - self._moves_counted)
            self._moves_counted = self._lease.moves
            for number in self._lease.wanted - self._jobs.keys():
                self._begin(number)
            for number, job in list(self._jobs.items()):
                if job.done():
                    del self._jobs[number]
                    self._forget_gauges(str(number), self.tasks.pop(number))
                    self._share_hot_rows()
                    if job.cancelled():
                        raise RuntimeError(f"task {number} was cancelled, and not by the engine")
                    await job
            await asyncio.sleep(HOLD_SECONDS)

    def _begin(self, number: int) -> None:
        # Not in a variable of `_hold`'s, which would keep a task with all its rows when it is long gone.
        task = self.tasks[number] = self._new_task(number)
        self._jobs[number] = asyncio.create_task(task.run(), name=f"task-{number}")
        self._share_hot_rows()

    def _share_hot_rows(self) -> None:
        for task in self.tasks.values():
            task.state.store.hot_rows = self._settings.hot_rows // len(self.tasks)

    @Service.task
    async def _fetch(self) -> None:
        while not self.should_stop and not self._draining:
            await self._source.fetch()

    @Service.task
    async def _publish_offsets(self) -> None:
        """Offsets for lag tools; the tasks themselves never read them."""
        loop = asyncio.get_running_loop()
        while not self.should_stop and not self._draining:
            await asyncio.sleep(PUBLISH_SECONDS)
            offsets = {
                (topic, number): offset
                for number, task in self.tasks.items()
                if task.is_open
                for topic, offset in task.progress.offsets.items()
            }
            if offsets and not self._draining:
                try:
                    await loop.run_in_executor(None, self._lease.publish, offsets)
                except LeaseLost as lost:
                    log.warning("offsets not published: %s", lost)

    @Service.task
    async def _collect_garbage(self) -> None:
        # Workers that were started together do not pause together.
        collector = Collector(SWEEP_SECONDS * random.uniform(0.75, 1.25))
        while not self.should_stop and not self._draining:
            await asyncio.sleep(GAUGE_SECONDS)
            if collector.is_due:
                collector.sweep()

    @Service.task
    async def _watch_topics(self) -> None:
        """Nobody must add partitions: new records of a customer would go to another task than the old ones."""
        loop = asyncio.get_running_loop()
        while not self.should_stop and not self._draining:
            await asyncio.sleep(TOPICS_SECONDS)
            try:
                faults = await loop.run_in_executor(None, admin.grown, self._settings, self._registry)
            except KafkaException as failed:
                log.info("the topics cannot be looked at: %s", failed)
                continue
            if faults:
                for fault in faults:
                    log.critical(fault)
                raise TopicsUnfit("partitions were added while the worker ran; see the log above")

    @Service.task
    async def _gauge(self) -> None:
        while not self.should_stop and not self._draining:
            await asyncio.sleep(GAUGE_SECONDS)
            metrics = self._metrics
            metrics.tasks_wanted.set(len(self._lease.wanted))
            metrics.tasks_open.set(sum(task.is_open for task in self.tasks.values()))
            metrics.ready.set(self.is_ready)
            for reason, count in self._source.dropped.items():
                metrics.dropped_records.labels(reason).inc(count)
            self._source.dropped.clear()
            for number, task in self.tasks.items():
                self._gauge_task(str(number), task)
            self._gauge_storms()

    def _gauge_task(self, number: str, task: Task) -> None:
        metrics, state = self._metrics, task.state
        metrics.rows.labels(number).set(len(state.store.packed))
        metrics.rows_unpacked.labels(number).set(state.store.unpacked)
        metrics.timers_open.labels(number).set(state.store.open_timers)
        metrics.queue_bytes.labels(number).set(task.merge.queued_bytes)
        if state.stream_time:
            metrics.watermark_lag_seconds.labels(number).set((wall_millis() - state.stream_time) / 1000)
        for topic, inbox in task.merge.inboxes.items():
            if inbox.high_watermark is not None:
                taken = task.progress.offsets.get(topic, 0)
                is_done = inbox.is_read_to_its_end and taken == state.offsets.get(topic, 0)
                behind = 0 if is_done else inbox.high_watermark - taken
                metrics.lag_records.labels(topic, number).set(behind)
            touchpoint = topic.removeprefix("touchpoints.")
            metrics.feed_stale.labels(touchpoint, number).set(state.feeds.is_stale(touchpoint))

    def _forget_gauges(self, number: str, task: Task) -> None:
        """A task that is gone is its next owner's to tell of: what stayed here would stand still, and be added."""
        metrics = self._metrics
        for gauge in (metrics.rows, metrics.rows_unpacked, metrics.timers_open, metrics.queue_bytes):
            gauge.remove(number)
        metrics.restore_remaining.remove(number)
        metrics.watermark_lag_seconds.remove(number)
        for topic in task.merge.inboxes:
            metrics.lag_records.remove(topic, number)
            metrics.feed_stale.remove(topic.removeprefix("touchpoints."), number)

    def _gauge_storms(self) -> None:
        """In how many tasks each trigger is held; 0 too, for one that was held before."""
        held = Counter(trigger for task in self.tasks.values() for trigger in task.held_triggers)
        self._stormy |= held.keys()
        for trigger in self._stormy:
            self._metrics.storm_held.labels(trigger).set(held[trigger])


def task_threads(partitions: int) -> ThreadPoolExecutor:
    """Threads for the tasks' blocking calls: one each, so that no commit waits for another."""
    return ThreadPoolExecutor(max_workers=partitions + 2, thread_name_prefix="task")
