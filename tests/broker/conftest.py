"""One embedded Kafka for all broker tests of a run."""

from collections.abc import Iterator

import pytest

from streams.local.stack import embedded


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # With `--dist loadgroup` one worker runs all of these, so that a run starts one broker, not one a worker.
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.broker)
            item.add_marker(pytest.mark.xdist_group("broker"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a real Kafka. Tests share it, so each makes topics and groups of names of its own."""
    with embedded(with_redis=False) as stack:
        yield stack.bootstrap
