"""The peers' job as Faust's guide would have it: one agent, one table. The producer is tuned as it does best."""

import sys
from pathlib import Path
from typing import Any

import faust

from tests.bench.peers.job import Job


def build(bootstrap: str, topic: str, partitions: int, job: Job, name: str) -> faust.App:
    """The app; each event's row is written to the table's changelog."""
    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=Path("faust"),
        topic_partitions=partitions,
        table_standby_replicas=0,
        producer_linger=0.05,
        producer_max_batch_size=262_144,
        web_enabled=False,
    )
    source = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")
    rows = app.Table("customers", partitions=partitions)

    @app.agent(source)
    async def customers(stream: Any) -> None:
        async for value in stream:
            event = job.read(value)
            rows[event.customer_id] = job.take(rows.get(event.customer_id), event)
            if job.is_done:
                await app.producer.flush()
                job.report()

    return app


if __name__ == "__main__":
    bootstrap, topic, partitions, count, name = sys.argv[1:]
    app = build(bootstrap, topic, int(partitions), Job(int(count)), name)
    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()
