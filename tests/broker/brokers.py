"""Brokers of a test's own, to be stopped, killed and started again: one, or two of one cluster."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from confluent_kafka import ElectionType, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from streams.local import kafka
from streams.local.program import Program, free_port
from streams.local.stack import cache_folder
from tests.broker.workers import await_true

COORDINATORS = ("__consumer_offsets", "__transaction_state")
"""Who leads their partition coordinates groups, and transactions."""

_QUICK_TO_MISS = """\
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
"""


class Broker:
    """A broker on a port of its own that keeps its data."""

    def __init__(self, folder: Path, properties: str = kafka._PROPERTIES) -> None:
        self.folder = folder
        self._program = Program("kafka", folder)
        self._port = free_port()
        self._properties = properties
        self.bootstrap = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        with mock.patch.object(kafka, "_PROPERTIES", self._properties):
            kafka.start(self._program, self._port, cache_folder(), tethered=True, brief=True)

    def stop(self) -> None:
        """SIGTERM: leaders are handed over first, if there is anybody to take them."""
        self._program.stop()

    def kill(self) -> None:
        """kill -9."""
        pid = self._program.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await_true("a broker that is dead", lambda: not self._program.is_alive())
        self._program.stop()


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """One broker."""
    alone = Broker(folder)
    try:
        alone.start()
        yield alone
    finally:
        alone.stop()


class Pair:
    """Two brokers of one cluster. Both have everything; `second` is the preferred coordinator of it all."""

    def __init__(self, first: Broker, second: Broker) -> None:
        self.first, self.second = first, second
        self.bootstrap = f"{first.bootstrap},{second.bootstrap}"
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def make_coordinators(self) -> None:
        config = {"cleanup.policy": "compact"}
        topics = [NewTopic(name, 1, replica_assignment=[[2, 1]], config=config) for name in COORDINATORS]
        for made in self._admin.create_topics(topics).values():
            made.result(30)

    @property
    def coordinator(self) -> set[int]:
        """The broker that coordinates, by its number; two while it moves."""
        known = self._admin.list_topics(timeout=10).topics
        return {known[name].partitions[0].leader for name in COORDINATORS}

    def have_caught_up(self) -> bool:
        """Every partition has two replicas in sync."""
        known: dict[str, Any] = self._admin.list_topics(timeout=10).topics
        return all(len(each.isrs) == 2 for topic in known.values() for each in topic.partitions.values())

    def prefer(self) -> None:
        """Every partition that its preferred broker does not lead is handed to it, while both run."""
        known: dict[str, Any] = self._admin.list_topics(timeout=10).topics
        places = [
            TopicPartition(name, number) for name, topic in known.items() for number in topic.partitions
        ]
        self._admin.elect_leaders(ElectionType.PREFERRED, places).result(30)


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """Two brokers; the first is the controller."""
    first = Broker(folder / "1", kafka._PROPERTIES + _QUICK_TO_MISS)
    second = None
    try:
        first.start()
        second = _beside(first, folder / "2")
        second.start()
        both = Pair(first, second)
        both.make_coordinators()
        yield both
    finally:
        if second is not None:
            second.stop()
        first.stop()


def _beside(first: Broker, folder: Path) -> Broker:
    """A broker of the first one's cluster, without a controller of its own."""
    told = (first.folder / "server.properties").read_text().splitlines()
    kept = [
        line for line in told if not line.startswith(("process.roles", "node.id", "listeners", "advertised"))
    ]
    own = ["process.roles=broker", "node.id=2", "listeners=PLAINTEXT://127.0.0.1:{port}"]
    (folder / "data").mkdir(parents=True)
    first_is = (first.folder / "data" / "meta.properties").read_text().splitlines()
    cluster = next(line for line in first_is if line.startswith("cluster.id="))
    (folder / "data" / "meta.properties").write_text(f"version=1\nnode.id=2\n{cluster}\n")
    return Broker(folder, "\n".join([*kept, *own, ""]))
