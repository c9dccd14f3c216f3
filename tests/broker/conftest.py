"""One embedded Kafka for all broker tests of a run, and a deployment's fresh topics on it."""

import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from confluent_kafka.admin import AdminClient

from schemas.topics import topics
from schemas.touchpoints import load
from streams.engine import admin
from streams.local.stack import embedded
from streams.settings import Settings

_NUMBERS = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # With `--dist loadgroup` one worker runs all of these, so that a run starts one broker, not one a worker. First,
    # because xdist reads the groups in this hook too.
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()) or item.get_closest_marker("broker"):
            item.add_marker(pytest.mark.broker)
            item.add_marker(pytest.mark.xdist_group("broker"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a real Kafka. Tests share it, so each makes topics and groups of names of its own."""
    with embedded(with_redis=False, brief=True) as stack:
        yield stack.bootstrap


@pytest.fixture
def deployment(kafka: str) -> Settings:
    """Settings of a deployment of 3 tasks in event time, its app id unused, all its topics just made and empty."""
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    existing = _listed(client)
    if existing:
        for deleted in client.delete_topics(list(existing)).values():
            deleted.result(30)
    _until(lambda: not _listed(client))
    settings = Settings(bootstrap=kafka, app_id=f"app-{next(_NUMBERS)}", partitions=3, time="events")
    made = set(admin.create(settings, topics(settings.app_id, settings.partitions, load())))
    _until(lambda: _listed(client) == made)
    return settings


def _listed(client: AdminClient) -> set[str]:
    return {name for name in client.list_topics(timeout=10).topics if not name.startswith("__")}


def _until(holds: Callable[[], bool]) -> None:
    # The broker's own view follows the controller's a moment later; each look is a round trip to it.
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
