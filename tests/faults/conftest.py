"""A broker of the fault tests' own, and the seed of their schedules."""

import os
import sys
import time
from collections.abc import Iterator

import pytest

from streams.local.stack import embedded

pytest.register_assert_rewrite(
    *(
        f"tests.faults.{name}"
        for name in ("comparing", "comparing_rows", "oracle_models", "replaying", "verdict")
    )
)

_SEED = "PULPERO_FAULT_SEED"
_SEEDS = (7, 8, 11)
"""Of streams in which everything occurs that is compared: feedback of every kind, caps, late items, withdrawals."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # With `--dist loadgroup` one worker runs all of these, one after the other: each keeps two cores busy.
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.xdist_group("faults"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of a real Kafka."""
    with embedded(with_redis=False) as stack:
        yield stack.bootstrap


@pytest.fixture
def seed() -> int:
    """The seed of the stream and of the kills: printed, so that `PULPERO_FAULT_SEED=…` runs it (or any) again."""
    given = int(os.environ.get(_SEED) or _SEEDS[time.time_ns() // 1_000 % len(_SEEDS)])
    sys.stdout.write(f"{_SEED}={given}\n")
    return given
