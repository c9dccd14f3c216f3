"""Pulpero's core inside a stock Faust agent: Faust's consumer, table, changelog and producer.

Run as a process: `python -m tests.bench.stock_faust BOOTSTRAP PARTITIONS COUNT APP_ID` prints one JSON line with the
seconds and CPU seconds from the first event to the last. Its producer is tuned as research on Faust found best.
"""

import json
import sys
import time
from typing import Any

import faust

from schemas.action import to_kafka
from schemas.customer import pack
from schemas.decoding import Decoder
from schemas.event import Arrival, Event, happened_at
from schemas.touchpoints import load
from streams.engine.batch import Batch
from streams.engine.state import TaskState
from tests.bench.task import task


def build(bootstrap: str, partitions: int, count: int, app_id: str) -> faust.App:
    """An app as Faust's guide would have it: one agent, one table, actions sent to a topic."""
    app = faust.App(
        app_id,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=partitions,
        table_standby_replicas=0,
        producer_linger=0.05,
        producer_max_batch_size=262_144,
        web_enabled=False,
    )
    touchpoints = {touchpoint.topic: touchpoint for touchpoint in load()}
    decoders = {topic: Decoder(touchpoint, 1 << 18) for topic, touchpoint in touchpoints.items()}
    source = app.topic(*touchpoints, key_type=bytes, value_type=bytes, value_serializer="raw")
    actions = app.topic("actions", key_type=bytes, value_type=bytes, value_serializer="raw")
    decisions = app.topic("decisions", key_type=bytes, value_type=bytes, value_serializer="raw")
    rows = app.Table("customers", key_type=bytes, value_type=bytes, partitions=partitions)
    tasks: dict[int, TaskState] = {}
    lateness = {touchpoint.name: 1 << 60 for touchpoint in load()}  # Faust reads topics in no order of time
    seen = {"n": 0, "began": 0.0, "cpu": 0.0}

    @app.agent(source)
    async def customers(stream: Any) -> None:
        async for event in stream.events():
            if not seen["n"]:
                seen["began"], seen["cpu"] = time.perf_counter(), time.process_time()
            message = event.message
            decoded = decoders[message.topic].decode(message.key, message.value)
            if message.key is not None and isinstance(decoded, Event):
                appended_at = int(message.timestamp * 1000)
                arrival = Arrival(
                    decoded,
                    happened_at(decoded, appended_at),
                    touchpoints[message.topic].name,
                    message.topic,
                    message.offset,
                    message.key,
                    appended_at,
                    message.value,
                )
                state = tasks.get(message.partition) or tasks.setdefault(
                    message.partition, task(message.partition, partitions, lateness)
                )
                batch = Batch([arrival])
                while not batch.is_done:
                    state.advance(batch, 1)
                for key, row in batch.rows.items():
                    rows[key] = pack(row)
                for said in batch.effects.actions:
                    key, value, headers = to_kafka(said)
                    await actions.send(key=key, value=value, headers=dict(headers))
                for decision in batch.effects.decisions:
                    await decisions.send(key=decision.customer_key.encode(), value=decision.to_json())
            seen["n"] += 1
            if seen["n"] == count:
                _report(seen)

    return app


def _report(seen: dict[str, float]) -> None:
    figures = {
        "seconds": time.perf_counter() - seen["began"],
        "cpu_s": time.process_time() - seen["cpu"],
    }
    sys.__stdout__.write(json.dumps(figures) + "\n") if sys.__stdout__ else None
    sys.__stdout__.flush() if sys.__stdout__ else None


if __name__ == "__main__":
    bootstrap, partitions, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    app = build(bootstrap, partitions, count, sys.argv[4])
    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()
