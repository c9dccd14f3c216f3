"""What stays is looked at once or twice and then no more; a cycle that has died there is found by a sweep."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from streams.engine import garbage


class _Node:
    itself: "_Node"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


def _live_through(containers: int) -> list[list[int]]:
    return [[] for _ in range(containers)]


def test_the_collector_never_looks_at_everything_by_itself() -> None:
    garbage.tame()
    _, young, whole = (each["collections"] for each in gc.get_stats())
    kept = _live_through(100 * garbage.YOUNG)
    assert gc.get_stats()[1]["collections"] > young
    assert gc.get_stats()[2]["collections"] == whole
    assert kept


def test_a_cycle_that_died_young_is_found_soon_and_one_that_died_old_by_a_sweep() -> None:
    garbage.tame()
    young, old = _Node(), _Node()
    seen = []
    for node in (old, young):
        node.itself = node
        seen.append(weakref.ref(node))
    gc.collect(1)
    late = _Node()
    late.itself = late
    seen.append(weakref.ref(late))
    del node, young, old, late
    _live_through(10 * garbage.YOUNG)
    assert [each() is None for each in seen] == [False, False, True]
    garbage.sweep()
    assert [each() is None for each in seen] == [True, True, True]
