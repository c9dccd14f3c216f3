"""The events of the peers' job: made from a seed, 193 bytes each."""

import random
from collections import Counter
from collections.abc import Iterator

import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.bench.peers.job import LEARN_EACH

BYTES = 193
EVENTS_BY_CUSTOMER = 15
"""20,000 customers in 300,000 events; so that who stops early learns as large a part of the events."""
PARTITIONS = 4
SEED = 11
START = 1_700_000_000.0
_TYPES = ("product_viewed", "product_added", "order_completed")


def load(bootstrap: str, topic: str, count: int) -> int:
    """Make the topic and fill it; how many of its events are a customer's fifth, tenth, ….

    Raises KafkaException, and RuntimeError if the broker does not take them all.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    by_customer: Counter[bytes] = Counter()
    for key, value in events(count):
        by_customer[key] += 1
        producer.produce(topic, key=key, value=value)
        producer.poll(0)
    if left := producer.flush(60):
        raise RuntimeError(f"{left} records were not delivered")
    return sum(seen // LEARN_EACH for seen in by_customer.values())


def events(count: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, JSON) of the first `count` events; any customer is as likely as another."""
    chance = random.Random(SEED)
    customers = max(1, count // EVENTS_BY_CUSTOMER)
    for number in range(count):
        customer = chance.randrange(customers)
        key = f"c:{customer:05}"
        event = {
            "event_id": f"e-{number:09}",
            "customer_id": key,
            "type": chance.choices(_TYPES, (80, 15, 5))[0],
            "time": START + number * 0.125,
            "session_id": f"s-{customer:05}",
            "properties": {
                "product_id": "",
                "price": chance.randrange(100, 20_000) / 100,
                "quantity": chance.randrange(1, 4),
            },
        }
        missing = BYTES - len(orjson.dumps(event))
        event["properties"]["product_id"] = f"p-{chance.randrange(1_000):03}".ljust(missing, "-")  # type: ignore[index]
        yield key.encode(), orjson.dumps(event)
