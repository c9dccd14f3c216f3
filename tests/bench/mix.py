"""The events that every system of the bench gets: a simulated shop's, loaded before anything is measured."""

from itertools import islice

import orjson
from confluent_kafka import Producer

from schemas.clock import encode_clock
from schemas.event import Millis
from schemas.touchpoints import load
from streams.local.simulator.shop import Shop
from streams.settings import Settings

START: Millis = 1_700_000_000_000
SEED = 11


def events(count: int, customers: int) -> list[tuple[str, bytes, bytes, Millis]]:
    """The first `count` events of the shop: (touchpoint, key, value, event time in ms)."""
    shop = Shop(SEED, START, customers)
    return [
        (each.touchpoint, each.key.encode(), orjson.dumps(each.payload), each.at)
        for each in islice(shop.events(), count)
    ]


def load_into(settings: Settings, mix: list[tuple[str, bytes, bytes, Millis]]) -> None:
    """Write them to the touchpoints' topics, partitioned as the contract says, and last the time reached."""
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for touchpoint, key, value, _ in mix:
        producer.produce(f"touchpoints.{touchpoint}", key=key, value=value)
        producer.poll(0)
    at_the_end, headers = encode_clock(mix[-1][3])
    for each in load():
        for partition in range(settings.partitions):
            producer.produce(each.topic, value=at_the_end, headers=list(headers), partition=partition)
    if left := producer.flush(60):
        raise RuntimeError(f"{left} records were not delivered")
