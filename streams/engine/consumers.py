"""Consumers without a group: one that is needed for a moment, and how every one is stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

STOP_SECONDS = 0.5


@asynccontextmanager
async def connected(bootstrap: str, isolation: str = "read_committed") -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group that is told what to read. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        # More is not faster, and such answers would hold up the loop for longer.
        max_partition_fetch_bytes=1 << 20,
        fetch_max_wait_ms=20,
    )
    try:
        await consumer.start()
        # Its tasks have to have begun before they are stopped.
        await asyncio.sleep(0)
        yield consumer
    finally:
        await stop(consumer)


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer without a group, in a task of its own.

    It can let out the CancelledError of its tasks, which would end ours; and right after an assignment it overlooks
    that it is to stop, and waits for itself until it is told again.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    while not stopping.done():
        await asyncio.wait([stopping], timeout=STOP_SECONDS)
        stopping.cancel()
