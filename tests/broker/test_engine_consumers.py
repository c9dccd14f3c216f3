"""Consumers that are told to read committed never see what a killed worker left inside a transaction."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import ACTIONS
from tests.broker.breaking import DIE
from tests.broker.events import SECOND, START, key_of, placed
from tests.broker.reading import Reader, read
from tests.broker.workers import await_true, deployed

pytestmark = pytest.mark.broker

ORDERS = 20


def test_what_a_killed_worker_left_in_a_transaction_is_seen_by_nobody(kafka: str, tmp_path: Path) -> None:
    dies = tmp_path / "die"
    settings = {"time": "events", "idle_ms": 20, "session_timeout_ms": 2_000}
    with deployed(kafka, agents=("tests.broker.breaking",), **settings) as shop:
        worker = shop.start(**{DIE: str(dies)}).await_ready()
        for number in range(ORDERS):
            customer = f"v{number}"
            shop.send("orders", key_of(customer), placed(f"e{number}", customer, START + number * SECOND))
            if number == ORDERS // 2:
                shop.await_taken()
                dies.touch()
        shop.producer.flush()
        await_true("a worker that died in its transaction", lambda: not worker.is_running)
        assert not dies.exists()
        shop.start().await_ready()
        shop.await_taken()

        everything = Reader(kafka, ACTIONS, isolation="read_uncommitted").read()
        # What an heir writes to have something to abort has no value.
        written = Counter(
            dict(each.headers)["ce_id"].decode() for each in everything if each.value is not None
        )
        assert max(written.values()) == 2, "the killed worker had written nothing"

        committed = Counter(written.keys())
        by_librdkafka = Counter(dict(record.headers)["ce_id"].decode() for record in read(kafka, ACTIONS))
        assert by_librdkafka == committed
        assert asyncio.run(_by_aiokafka(kafka, shop.settings.partitions)) == committed
        assert len(committed) == ORDERS


async def _by_aiokafka(kafka: str, partitions: int) -> Counter[str]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(ACTIONS, number) for number in range(partitions)])
        ends = await consumer.end_offsets(consumer.assignment())
        seen: Counter[str] = Counter()
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                seen.update(dict(record.headers)["ce_id"].decode() for record in records)
        return seen
    finally:
        await consumer.stop()
