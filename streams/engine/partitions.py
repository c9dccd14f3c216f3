"""Which partition, and so which task, a customer belongs to."""

from typing import Any

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """Kafka's default partition of a key: murmur2, as Java and `partitioner=murmur2_random` compute it."""
    hashed: Any = murmur2(key)
    return (int(hashed) & 0x7FFFFFFF) % partitions
