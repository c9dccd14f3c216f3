"""How long a customer's act takes to become an action, seen from outside: `python -m tests.bench.latency`.

Events are written at a steady rate, one in ten an order, which is thanked for at once. Measured is from the moment
Kafka appended the order's record to the moment a read-committed consumer has its action; the first seconds, in which
broker and worker warm up, do not count.
"""

import statistics
import threading
import time
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from confluent_kafka import Consumer, Message, Producer
from rich.console import Console

from schemas import topics
from schemas.action import Action
from schemas.event import Millis
from schemas.topics import ACTIONS
from schemas.touchpoints import load
from streams.clock import wall_millis
from streams.engine import admin
from streams.local.program import free_port
from streams.local.stack import embedded
from streams.settings import Settings
from tests.bench.process import worker

CUSTOMERS = 5_000
DRAIN_SECONDS = 10.0


def latency(
    rate: Annotated[int, typer.Option(help="Events a second.")] = 2_000,
    seconds: Annotated[int, typer.Option(help="How long to measure.")] = 30,
    warm_up: Annotated[int, typer.Option(help="Seconds before that.")] = 30,
) -> None:
    """Measure event → action, one worker, all tasks, live."""
    with embedded(with_redis=False) as stack:
        settings = Settings(bootstrap=stack.bootstrap, metrics_port=free_port())
        admin.create(settings, topics.topics(settings.app_id, settings.partitions, load()))
        with worker(settings):
            delays = _Watch(settings.bootstrap).delays(rate, warm_up, seconds)
    cut = statistics.quantiles(delays, n=100)
    Console().print(
        f"{rate:,} events/s for {seconds} s: event → action p50 {cut[49]:.0f} ms, p90 {cut[89]:.0f} ms, "
        f"p99 {cut[98]:.0f} ms, of {len(delays):,} actions"
    )


class _Watch:
    """Writes the events, and notes when each order was appended and when its action was read."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._appended: dict[str, Millis] = {}
        self._read: dict[str, Millis] = {}
        self._done = threading.Event()

    def delays(self, rate: int, warm_up: int, seconds: int) -> list[Millis]:
        """Of the orders written after the warm-up, ms. Raises RuntimeError if one has no action."""
        reader = threading.Thread(target=self._note_actions)
        reader.start()
        try:
            first = self._write(rate, warm_up, seconds)
            wanted = [order for order in self._appended if int(order[1:]) >= first]
            deadline = time.monotonic() + DRAIN_SECONDS
            while not self._read.keys() >= set(wanted) and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            self._done.set()
            reader.join()
        missing = len(set(wanted) - self._read.keys())
        if missing:
            raise RuntimeError(f"{missing} of {len(wanted)} orders had no action within {DRAIN_SECONDS:g} s")
        return [self._read[order] - self._appended[order] for order in wanted]

    def _write(self, rate: int, warm_up: int, seconds: int) -> int:
        """Write at the rate; the number of the first event after the warm-up."""
        producer = Producer(
            {"bootstrap.servers": self._bootstrap, "partitioner": "murmur2_random", "linger.ms": 2}
        )
        began, number, last = time.monotonic(), 0, rate * (warm_up + seconds)
        while number < last:
            due = min(last, int((time.monotonic() - began) * rate))
            for each in range(number, due):
                self._send(producer, each)
            number = due
            producer.poll(0)
            time.sleep(0.002)
        producer.flush()
        return rate * warm_up

    def _send(self, producer: Producer, number: int) -> None:
        customer = str(number % CUSTOMERS)
        event: dict[str, object] = {
            "event_id": f"e{number}",
            "event_time": datetime.now(UTC).isoformat(),
            "customer_id": customer,
            "source": "bench",
        }
        if number % 10:
            event |= {"type": "product_viewed", "product": {"product_id": f"p{number % 50}"}}
            producer.produce("touchpoints.web", key=f"c:{customer}", value=orjson.dumps(event))
            return
        order = f"o{number}"
        items = [{"product_id": "p", "price": 3}]
        event |= {"type": "order_placed", "order_id": order, "items": items, "total": 3.0}

        def note(_: object, message: Message) -> None:
            self._appended[order] = message.timestamp()[1]

        producer.produce(
            "touchpoints.orders", key=f"c:{customer}", value=orjson.dumps(event), on_delivery=note
        )

    def _note_actions(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "latency",
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 5,
            }
        )
        consumer.subscribe([ACTIONS])
        while not self._done.is_set():
            for message in consumer.consume(500, 0.02):
                said = Action.from_json(message.value() or b"")
                self._read.setdefault(said.business_key.id, wall_millis())
        consumer.close()


if __name__ == "__main__":
    typer.run(latency)
