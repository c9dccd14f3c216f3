"""The projector: keeps the serving view in Redis equal to changelog and decisions, whatever dies.

Progress stands in Redis beside the data and is written with them in one transaction, so that it is true of
whatever Redis holds: after a kill, a restart or a restored backup the projector goes on from there, and where
it is missing it builds everything anew. Nothing upstream waits for it.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from schemas.event import Millis
from streams.engine.task_row import TASK_ROW_KEY
from streams.logs import error_text
from streams.metrics import ProjectorMetrics
from streams.serving.inputs import MAX_RECORDS, Bounds, Inputs, Partition
from streams.serving.sink import Changes, Progress, ProgressMovedError, Sink

WRITE_SECONDS = 0.05
"""A customer's row is written at most once in this time."""
VERIFY_SECONDS = 1.0
"""How soon a flushed Redis is noticed when nothing happens."""
REFRESH_SECONDS = 30.0
"""How often, when nothing happens, progress is written and topics made anew are looked for."""
TOMBSTONES_KEPT_MS = 12 * 3_600_000
"""A view older than this is built anew: compaction drops tombstones after 24 h (`delete.retention.ms`)."""
BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0)
LOGGED_FAILURES = 30
"""Of failures in a row the first is logged, and then one in so many."""
STANDBY_SECONDS = 2.0

log = logging.getLogger(__name__)


class InputsReplacedError(Exception):
    """A topic was deleted and made anew under the projector."""


class Projector:
    """One projection. `changelog` is the name of the topic of rows; every other topic brings decisions."""

    def __init__(self, inputs: Inputs, changelog: str, sink: Sink, metrics: ProjectorMetrics) -> None:
        self._inputs = inputs
        self._changelog = changelog
        self._sink = sink
        self._metrics = metrics
        self._failures = 0
        self._has_written = False
        self._ends: dict[Partition, int] = {}
        self.is_ready = False
        """True when the view has caught up once since Redis last answered."""

    async def run(self, stop: asyncio.Event, *, rebuild: bool = False, once: bool = False) -> bool:
        """Project until `stop` is set or, with `once`, until the view has caught up; whether it had.

        While Redis or Kafka is away, or another process writes the view, it waits and goes on from the
        progress found then. `rebuild` builds everything anew first.
        """
        while not stop.is_set():
            try:
                await self._open(asked=rebuild)
                rebuild = False
                return await self._project(stop, once=once)
            except RedisError as error:
                await self._wait(stop, "Redis", error)
            except KafkaError as error:
                await self._wait(stop, "Kafka", error)
            except InputsReplacedError:
                log.warning("a topic was made anew")
            except ProgressMovedError as moved:
                log.warning(f"the view's progress is {moved}")
                await _pause(stop, 0 if moved.is_gone else STANDBY_SECONDS)
            finally:
                self._show_ready(False)
        return False

    async def _open(self, *, asked: bool) -> None:
        """Find where to go on, or begin anew."""
        progress = await self._sink.progress()
        bounds = await self._inputs.open()
        reason = "asked" if asked else self._rebuild_reason(progress, bounds)
        if progress is None or reason is not None:
            log.info("building the view anew", extra={"reason": reason})
            self._metrics.rebuilds.labels(reason).inc()
            offsets = {each: limits.beginning for each, limits in bounds.items()}
            await self._sink.begin(offsets, self._inputs.topic_ids)
        else:
            offsets = {each: max(limits.beginning, progress.offsets[each]) for each, limits in bounds.items()}
        self._inputs.seek(offsets)
        self._ends = {each: limits.end for each, limits in bounds.items()}
        self._failures = 0
        self._has_written = True
        self._metrics.redis_up.set(1)

    def _rebuild_reason(self, progress: Progress | None, bounds: Mapping[Partition, Bounds]) -> str | None:
        if progress is None:
            return "flushed" if self._has_written else "first"
        return rebuild_reason(progress, bounds, self._inputs.topic_ids, self._changelog, _now())

    async def _project(self, stop: asyncio.Event, *, once: bool) -> bool:
        written = refreshed = time.monotonic()
        while not stop.is_set():
            records = await self._inputs.take()
            positions = await self._inputs.positions()
            started = time.monotonic()
            if changes := self._gather(records):
                await self._sink.write(changes, positions)
                self._metrics.write_seconds.observe(time.monotonic() - started)
                written = started
            elif started - refreshed > REFRESH_SECONDS:
                if await self._inputs.were_replaced():
                    raise InputsReplacedError
                await self._sink.write(changes, positions)
                written = refreshed = started
            elif started - written > VERIFY_SECONDS:
                await self._sink.verify()
                written = started
            for topic, lag in self._inputs.lag(positions).items():
                self._metrics.lag_records.labels(topic).set(lag)
            if not self.is_ready and all(positions[each] >= end for each, end in self._ends.items()):
                await self._sink.write(Changes(), positions)
                self._show_ready(True)
                if once:
                    break
            if self.is_ready and len(records) < MAX_RECORDS:
                await _pause(stop, started + WRITE_SECONDS - time.monotonic())
        return self.is_ready

    def _gather(self, records: Iterable[ConsumerRecord]) -> Changes:
        changes, read = Changes(), Counter[str]()
        for record in records:
            read[record.topic] += 1
            if record.key is None or record.key == TASK_ROW_KEY:
                continue
            key = record.key.decode()
            if record.topic == self._changelog:
                changes.rows[key] = record.value
            elif record.value is not None:
                changes.decisions[key][record.value] = record.offset
        for topic, n in read.items():
            self._metrics.records.labels(topic).inc(n)
        return changes

    async def _wait(self, stop: asyncio.Event, whom: str, error: Exception) -> None:
        if whom == "Redis":
            self._metrics.redis_up.set(0)
        pause = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)]
        if self._failures % LOGGED_FAILURES == 0:
            log.warning(f"{whom} cannot be used; waiting for it", extra={"error": error_text(error)})
        self._failures += 1
        await _pause(stop, pause)

    def _show_ready(self, is_ready: bool) -> None:
        if is_ready and not self.is_ready:
            log.info("the view has caught up")
        self.is_ready = is_ready
        self._metrics.ready.set(is_ready)


def rebuild_reason(
    progress: Progress,
    bounds: Mapping[Partition, Bounds],
    topic_ids: Mapping[str, str],
    changelog: str,
    now: Millis,
) -> str | None:
    """Why the view cannot go on from its progress; None if it can. Decisions may be lost to retention."""
    if progress.topic_ids != topic_ids or progress.offsets.keys() != bounds.keys():
        return "new_topic"
    for each, (beginning, end) in bounds.items():
        if progress.offsets[each] > end or (each[0] == changelog and progress.offsets[each] < beginning):
            return "offsets"
    if now - progress.written_at > TOMBSTONES_KEPT_MS:
        return "stale"
    return None


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)


def _now() -> Millis:
    return int(time.time() * 1000)
