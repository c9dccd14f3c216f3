"""The events that every system of the bench gets, loaded before anything is measured: recorded or simulated ones."""

from itertools import islice
from typing import Literal

import orjson
from confluent_kafka import Producer
from rich.console import Console

from schemas.clock import encode_clock
from schemas.event import Millis
from schemas.touchpoints import load
from streams.local.simulator.shop import Shop
from streams.settings import Settings
from tests.bench.recorded import START, missing, recorded

SEED = 11

Name = Literal["recorded", "simulated"]


def choose(wanted: Name | None, console: Console) -> Name:
    """The mix that is wanted, else the recorded one where its data are; where they are not, the console says so.

    Raises FileNotFoundError if the recorded one is wanted and its data are missing.
    """
    absent = ", ".join(map(str, missing()))
    if absent and wanted == "recorded":
        raise FileNotFoundError(f"no recorded data in {absent}")
    if absent and wanted is None:
        console.rule("[bold red]the mix is SIMULATED: there are no recorded data")
        console.print(f"looked for in {absent}", markup=False)
    return wanted or ("simulated" if absent else "recorded")


def named(mix: Name, count: int, customers: int) -> list[tuple[str, bytes, bytes, Millis]]:
    """The first `count` events of this mix; `customers` are the simulated shop's."""
    return recorded(count) if mix == "recorded" else events(count, customers)


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
