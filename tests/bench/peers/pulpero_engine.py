"""The peers' job in Pulpero's engine: leases, fetching, merge, agents and transactions are those of production.

Only what is the shop's in production is the job's here: how bytes become an event, what an event does to a row, and
how a row is packed. Exactly once, as ever.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from schemas import topics
from schemas.customer import Customer
from schemas.dead_letter import ReasonCode
from schemas.event import Arrival
from schemas.policy import Policy
from schemas.touchpoints.touchpoint import Touchpoint
from streams.agents import customers, touchpoints
from streams.agents.touchpoints import TouchpointReader
from streams.app import App
from streams.engine import admin
from streams.engine.batch import Batch
from streams.engine.engine import Engine, task_threads
from streams.engine.inbox import Item, RawRecord
from streams.engine.lease import Lease
from streams.engine.outputs import Outputs
from streams.engine.source import Source
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.task import Surroundings, Task
from streams.engine.versions import Versions
from streams.engine.work import Fetched
from streams.metrics import Metrics, Tally
from streams.settings import Settings
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker
from tests.bench.peers.job import Job

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[float]).decode


class _Reader(TouchpointReader):
    """Reads with the job's contract in place of the touchpoint's."""

    def __init__(self, touchpoint: Touchpoint, job: Job) -> None:
        self._name = touchpoint.name
        self._job = job

    def read(self, fetched: Fetched) -> list[Item]:
        """The records as arrivals, in order."""
        return [self._arrival(fetched.topic, record) for record in fetched.records]

    def _arrival(self, topic: str, record: RawRecord) -> Arrival:
        key, value = record.key, record.value
        assert key is not None, "the bench's events have a key"
        assert value is not None, "the bench's events have a value"
        event: Any = self._job.read(value)
        at = int(event.time * 1000)
        return Arrival(event, at, self._name, topic, record.offset, key, record.appended_at, value)


class _Rows(Store):
    """Keeps the job's rows; they have no timers."""

    def __init__(self, hot_rows: int) -> None:
        super().__init__(hot_rows)
        self._hot: dict[bytes, Any] = {}

    def row(self, key: bytes) -> Any:
        """The row as it is now; None on first sight."""
        row = self._hot.get(key)
        if row is None and (packed := self.packed.get(key)) is not None:
            row = self._hot[key] = _unpack(packed)
        return row

    def put(self, key: bytes, row: Any) -> None:
        """Keep a changed row until it is shown or forgotten."""
        self._hot[key] = row

    def forget(self) -> None:
        """Throw away everything uncommitted."""
        self._hot.clear()


class _State(TaskState):
    """Takes an event as the job does."""

    def __init__(self, number: int, settings: Settings, circumstances: Circumstances, tally: Tally) -> None:
        self._rows = _Rows(settings.hot_rows)
        super().__init__(number, settings.partitions, self._rows, circumstances, tally)
        self.job: Job

    def _take(
        self,
        arrival: Arrival,
        row: Customer | None,
        refusal: tuple[ReasonCode, str] | None,
        batch: Batch,
    ) -> None:
        if refusal is not None:
            raise ValueError(refusal[1])
        event: Any = arrival.event
        before: Any = row
        after: Any = self.job.take(before, event)
        self._rows.put(arrival.key, after)
        counts = self.tally.feeds[arrival.touchpoint, None]
        counts.consumed += 1
        counts.applied += 1
        counts.newest = arrival.appended_at
        self.feeds.observe(arrival.touchpoint, arrival.at)
        batch.rows[arrival.key] = after
        batch.applied.append(arrival)


class _Outputs(Outputs):
    """Packs the job's rows."""

    def pack(self, batch: Batch) -> dict[bytes, bytes]:
        """The changed rows' bytes."""
        return {key: _pack(row) for key, row in batch.rows.items()}


class PeersWorker:
    """One worker with the job as its core. `done` is set when so many events are committed."""

    def __init__(self, settings: Settings, touchpoint: Touchpoint, job: Job, count: int) -> None:
        self._settings = settings
        self._job = job
        self._left = count
        self.done = asyncio.Event()
        self.app = App(settings.app_id, broker=f"kafka://{settings.bootstrap}", store="memory://")
        self.app.registry = topics.topics(settings.app_id, settings.partitions, (touchpoint,))
        decoder, core = self.app.channel(), self.app.channel()
        touchpoints.register(self.app, decoder, _Reader(touchpoint, job), touchpoint.name)
        customers.register(self.app, core)
        self._surroundings = self._surround({touchpoint.topic: decoder}, core)
        self.app.engine = Engine(
            settings,
            self._surroundings.lease,
            self._surroundings.source,
            self._surroundings.metrics,
            self._new_task,
            self.app.registry,
            followers=(),
        )

    def _surround(self, decoders: Mapping[str, Any], core: Any) -> Surroundings:
        settings = self._settings
        changelog = topics.changelog(settings.app_id)
        return Surroundings(
            settings=settings,
            lease=Lease(settings, settings.app_id, topics.tasks(settings.app_id)),
            source=Source(settings, len(decoders)),
            versions=Versions(Policy(version="peers"), "peers", {}),
            outputs=_Outputs(changelog, settings.max_row_bytes),
            changelog_topic=changelog,
            decoders=decoders,
            core=core,
            metrics=Metrics(CollectorRegistry()),
            threads=task_threads(settings.partitions),
            committed=self._committed,
        )

    def _new_task(self, number: int) -> Task:
        versions = self._surroundings.versions
        circumstances = Circumstances(
            policy=versions.policy,
            policy_version=versions.policy_version,
            scorers={},
            feeds=FeedTracker(versions.policy.feeds),
            allowed_lateness_ms={},
        )
        state = _State(number, self._settings, circumstances, Tally(self._surroundings.metrics))
        state.job = self._job
        return Task(number, state, self._surroundings)

    async def _committed(self, batch: Batch) -> None:
        self._left -= len(batch.applied)
        if self._left <= 0:
            self.done.set()


async def run(settings: Settings, touchpoint: Touchpoint, count: int) -> None:
    """Work until everything is committed, and report. Raises what crashes the engine."""
    job = Job(count)
    worker = PeersWorker(settings, touchpoint, job, count)
    app = worker.app
    admin.create(settings, app.registry)
    await app.start()
    app.flow_control.resume()
    await app.engine.start()
    await app.engine.wait(worker.done.wait())
    if app.engine.crash_reason is not None:
        raise app.engine.crash_reason
    job.report()
    await app.engine.drain()
    await app.engine.stop()
    await app.stop()


if __name__ == "__main__":
    bootstrap, topic, partitions, count, name = sys.argv[1:]
    settings = Settings(bootstrap=bootstrap, app_id=name, partitions=int(partitions), time="events")
    touchpoint = Touchpoint(topic.removeprefix("touchpoints."), Any, allowed_lateness_ms=0)
    asyncio.run(run(settings, touchpoint, int(count)))
