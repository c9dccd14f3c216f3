"""The serving view on a real Kafka and a real Redis that is flushed, stopped and restarted under load."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from uuid import uuid4
from zlib import crc32

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from schemas.action import BusinessKey, moment
from schemas.customer import Customer, Identity, pack
from schemas.decision import Decision
from streams.local import redis as embedded_redis
from streams.local.program import Program, free_port
from streams.metrics import ProjectorMetrics
from streams.serving.connection import connect
from streams.serving.inputs import Inputs
from streams.serving.layout import MAX_DECISIONS
from streams.serving.projector import Projector
from streams.serving.sink import Sink
from streams.serving.view import View

PARTITIONS = 3
WITHIN_SECONDS = 5.0


def in_a_loop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Log:
    """A changelog and a decisions topic of one test, written in transactions, and the resulting table."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.app_id = f"app-{uuid4().hex[:8]}"
        self.topics = (f"{self.app_id}-changelog", f"{self.app_id}-decisions")
        self.table: dict[str, bytes] = {}
        self._random = random.Random(7)
        self.create()
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "transactional.id": self.app_id, "retry.backoff.ms": 1}
        )
        self._producer.init_transactions(20)

    def create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for made in admin.create_topics([NewTopic(each, PARTITIONS, 1) for each in self.topics]).values():
            made.result()

    def delete(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for gone in admin.delete_topics(list(self.topics)).values():
            gone.result()

    def write(self, customers: int = 50) -> None:
        """An aborted transaction of rows of others, and a committed one of changed rows."""
        changes: dict[str, bytes | None] = {}
        for _ in range(customers):
            key = f"c:{self._random.randrange(200)}"
            is_forgotten = self._random.random() < 0.1
            changes[key] = None if is_forgotten else pack(self._row(key))
        self._transact({f"{key}-aborted": pack(Customer(key=key)) for key in changes}, commit=False)
        self._transact(changes, commit=True)
        for key, packed in changes.items():
            if packed is None:
                self.table.pop(key, None)
            else:
                self.table[key] = packed

    def write_for(self, seconds: float) -> None:
        """Transaction after transaction."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.write(customers=20)

    def decide(self, key: str, numbers: Iterable[int]) -> None:
        """One transaction of decisions for one customer."""
        self._producer.begin_transaction()
        for number in numbers:
            self._produce(self.topics[1], key, _decision(key, number).to_json())
        self._producer.commit_transaction(10)

    def _row(self, key: str) -> Customer:
        aliases = Identity(loyalty_card=f"{self._random.randrange(10**6)}", anonymous_ids=[f"a{key}"])
        return Customer(key=key, last_seen=self._random.randrange(10**12), identity=aliases)

    def _transact(self, changes: dict[str, bytes | None] | dict[str, bytes], *, commit: bool) -> None:
        self._producer.begin_transaction()
        self._producer.produce(self.topics[0], key=b"\x00task", value=b"task row", partition=0)
        for key, packed in changes.items():
            self._produce(self.topics[0], key, packed)
        self._producer.flush()
        if commit:
            self._producer.commit_transaction(10)
        else:
            self._producer.abort_transaction(10)

    def _produce(self, topic: str, key: str, value: bytes | None) -> None:
        partition = crc32(key.encode()) % PARTITIONS
        self._producer.produce(topic, key=key.encode(), value=value, partition=partition)


def _decision(key: str, number: int) -> Decision:
    return Decision(
        decision_id=f"decision-{number}",
        customer_key=key,
        trigger="churn_risk",
        business_key=BusinessKey(kind="customer", id=key),
        at=moment(number),
        outcome="suppressed",
        reason_code="silence",
        conditions=(),
        evidence=(),
        gates=(),
        policy_version="1",
    )


class EmbeddedRedis:
    """A Redis that a test can stop and start on the same port; it keeps nothing over a stop."""

    def __init__(self, folder: Path) -> None:
        self._program = Program("redis", folder)
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        embedded_redis.start(self._program, self._port, tethered=False)

    def stop(self) -> None:
        self._program.stop()


@pytest.fixture
def log(kafka: str) -> Log:
    return Log(kafka)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    redis = EmbeddedRedis(tmp_path / "redis")
    redis.start()
    yield redis
    redis.stop()


@asynccontextmanager
async def projecting(log: Log, store: EmbeddedRedis) -> AsyncIterator[Projector]:
    """A projector that is cancelled, not stopped, at the end: as good as killed."""
    inputs = Inputs(log.bootstrap, log.topics)
    redis = connect(store.url)
    projector = Projector(
        inputs, log.topics[0], Sink(redis, log.app_id), ProjectorMetrics(CollectorRegistry())
    )
    running = asyncio.create_task(projector.run(asyncio.Event()))
    try:
        yield projector
        assert not running.done(), running.result()
    finally:
        # On Python 3.11 asyncio.wait_for, which the Redis client uses, can swallow a cancellation.
        while not running.done():
            running.cancel()
            await asyncio.wait([running], timeout=0.1)
        await inputs.close()
        await redis.aclose()


async def rows_of(redis: Redis, log: Log) -> dict[str, bytes]:
    prefix = f"{log.app_id}:c:"
    names = [name.decode() async for name in redis.scan_iter(f"{prefix}*", count=1000)]
    return dict(
        zip([n.removeprefix(prefix) for n in names], await redis.mget(names) if names else [], strict=True)
    )


async def equals_the_table(store: EmbeddedRedis, log: Log, within: float = WITHIN_SECONDS) -> None:
    """Wait until Redis holds exactly the table and one pointer for each alias in it."""
    redis = connect(store.url)
    deadline = asyncio.get_running_loop().time() + within
    try:
        while (rows := await rows_of(redis, log)) != log.table:
            assert asyncio.get_running_loop().time() < deadline, _difference(rows, log.table)
            await asyncio.sleep(0.02)
        pointers = {name async for name in redis.scan_iter(f"{log.app_id}:i:*", count=1000)}
        assert len(pointers) == 2 * len(log.table)
    finally:
        await redis.aclose()


def _difference(rows: dict[str, bytes], table: dict[str, bytes]) -> str:
    other = sum(rows[key] != table[key] for key in rows.keys() & table.keys())
    return (
        f"{len(table.keys() - rows.keys())} missing, {len(rows.keys() - table.keys())} too many, {other} old"
    )


@in_a_loop
async def test_redis_equals_the_table_without_what_was_aborted(log: Log, store: EmbeddedRedis) -> None:
    log.write()
    async with projecting(log, store):
        for _ in range(4):
            await equals_the_table(store, log)
            log.write()
        await equals_the_table(store, log)


@in_a_loop
async def test_a_killed_projector_goes_on_where_redis_stands(log: Log, store: EmbeddedRedis) -> None:
    load = asyncio.create_task(asyncio.to_thread(log.write_for, 3.0))
    for _ in range(4):
        async with projecting(log, store):
            await asyncio.sleep(0.4)
    await load
    async with projecting(log, store):
        await equals_the_table(store, log)


@in_a_loop
async def test_a_flushed_redis_is_filled_again_without_new_events(log: Log, store: EmbeddedRedis) -> None:
    async with projecting(log, store):
        log.write()
        await equals_the_table(store, log)
        redis = connect(store.url)
        await redis.flushall()
        await redis.aclose()
        await equals_the_table(store, log)


@in_a_loop
async def test_a_restarted_redis_is_filled_again_without_new_events(log: Log, store: EmbeddedRedis) -> None:
    async with projecting(log, store):
        load = asyncio.create_task(asyncio.to_thread(log.write_for, 2.0))
        await asyncio.sleep(0.7)
        await asyncio.to_thread(store.stop)
        await load
        await asyncio.to_thread(store.start)
        await equals_the_table(store, log)


@in_a_loop
async def test_topics_made_anew_replace_the_view(log: Log, store: EmbeddedRedis) -> None:
    async with projecting(log, store):
        log.write()
        await equals_the_table(store, log)
    log.delete()
    await asyncio.sleep(1.0)
    log.create()
    log.table.clear()
    log.write(customers=5)
    async with projecting(log, store):
        await equals_the_table(store, log)


@in_a_loop
async def test_two_projectors_do_not_spoil_the_view(log: Log, store: EmbeddedRedis) -> None:
    async with projecting(log, store), projecting(log, store):
        await asyncio.to_thread(log.write_for, 2.0)
        await equals_the_table(store, log)


@in_a_loop
async def test_a_rebuild_takes_away_what_is_not_in_the_table(log: Log, store: EmbeddedRedis) -> None:
    log.write()
    redis = connect(store.url)
    await redis.set(f"{log.app_id}:c:c:stranger", pack(Customer(key="c:stranger")))
    inputs = Inputs(log.bootstrap, log.topics)
    projector = Projector(
        inputs, log.topics[0], Sink(redis, log.app_id), ProjectorMetrics(CollectorRegistry())
    )
    assert await projector.run(asyncio.Event(), rebuild=True, once=True)
    await inputs.close()
    await redis.aclose()
    await equals_the_table(store, log, within=0.0)


@in_a_loop
async def test_a_customer_is_found_by_key_and_by_any_identifier(log: Log, store: EmbeddedRedis) -> None:
    log.write()
    key = min(log.table)
    async with projecting(log, store):
        await equals_the_table(store, log)
    redis = connect(store.url)
    view = View(redis, log.app_id)
    row = await view.customer(key)
    assert row is not None
    assert pack(row) == log.table[key]
    assert await view.find(f"l:{row.identity.loyalty_card}") == row
    assert await view.find(f"a:a{key}") == row
    assert await view.find("c:nobody") is None
    await redis.aclose()


@in_a_loop
async def test_a_customers_newest_decisions_are_kept_whatever_is_read_twice(
    log: Log, store: EmbeddedRedis
) -> None:
    redis = connect(store.url)
    view = View(redis, log.app_id)
    for first in (0, MAX_DECISIONS, 2 * MAX_DECISIONS):
        async with projecting(log, store) as projector:
            log.decide("c:1", range(first, first + MAX_DECISIONS))
            log.decide("c:2", [first])
            while not projector.is_ready or len(await view.decisions("c:2")) <= first // MAX_DECISIONS:
                await asyncio.sleep(0.02)
    last = 3 * MAX_DECISIONS
    assert [each.decision_id for each in await view.decisions("c:1")] == [
        f"decision-{number}" for number in range(last - 1, last - MAX_DECISIONS - 1, -1)
    ]
    assert await view.decisions("c:3") == []
    await redis.aclose()
