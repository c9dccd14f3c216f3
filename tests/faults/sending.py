"""How the fault tests' records get into their topics."""

from tests.broker.workers import Deployment
from tests.faults.oracle import murmur2
from tests.faults.stream import Sent


def send(shop: Deployment, sent: Sent) -> None:
    """One record to where its key belongs, a misplaced one to its neighbour, a clock record everywhere."""
    partitions = shop.settings.partitions
    if sent.key is None:
        for number in range(partitions):
            shop.send(sent.touchpoint, None, sent.value, partition=number, headers=sent.headers)
        return
    right = murmur2(sent.key.encode()) % partitions
    shop.send(sent.touchpoint, sent.key, sent.value, partition=(right + sent.misplaced) % partitions)
