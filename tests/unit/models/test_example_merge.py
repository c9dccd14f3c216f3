"""The merge at its edges; its laws are tested on generated logs in tests/property."""

import pytest

from models.example_merge import ExampleMerge
from schemas.action import moment
from schemas.example import ExamplesWatermark
from tests.unit.models.builders import AT, example


def watermark(partition: int, at: int) -> ExamplesWatermark:
    return ExamplesWatermark(task=partition, up_to=moment(AT + at))


def given(merge: ExampleMerge) -> list[tuple[int, int]]:
    found = []
    while (merged := merge.pop()) is not None:
        found.append((merged.partition, merged.offset))
    return found


def test_nobody_overtakes_a_partition_that_is_silent() -> None:
    merge = ExampleMerge([0, 1])
    merge.push(0, 0, example(5))
    assert merge.pop() is None
    assert merge.waits_for() == [1]
    merge.push(1, 0, watermark(1, 4))
    assert merge.pop() is None
    merge.push(1, 1, watermark(1, 6))
    assert merge.waits_for() == []
    assert given(merge) == [(0, 0)]


@pytest.mark.parametrize(("partition", "passes"), [(0, True), (2, False)])
def test_at_the_watermark_itself_only_lower_partitions_pass(partition: int, passes: bool) -> None:
    merge = ExampleMerge([1, partition])
    merge.push(partition, 0, example(5))
    merge.push(1, 0, watermark(1, 5))
    assert (merge.pop() is not None) is passes


def test_a_broken_promise_does_not_turn_a_partition_round() -> None:
    merge = ExampleMerge([0, 1])
    merge.push(0, 0, watermark(0, 10))
    merge.push(0, 1, example(3))
    merge.push(1, 0, example(7))
    merge.push(1, 1, watermark(1, 20))
    assert given(merge) == [(1, 0), (0, 1)]


def test_what_was_reached_is_ignored_when_it_comes_again() -> None:
    merge = ExampleMerge([0], {0: 2})
    for offset in (0, 1, 2, 2, 1, 3):
        merge.push(0, offset, example(offset))
    merge.push(0, 9, watermark(0, 100))
    assert given(merge) == [(0, 2), (0, 3)]
    assert merge.next_offsets() == {0: 4}


def test_offsets_may_jump() -> None:
    merge = ExampleMerge([0])
    merge.push(0, 4, example(1))
    merge.push(0, 9, example(2))
    assert given(merge) == [(0, 4), (0, 9)]
    assert merge.next_offsets() == {0: 10}


def test_what_is_held_is_counted() -> None:
    merge = ExampleMerge([0, 1])
    merge.push(0, 0, example(1))
    merge.push(0, 1, example(2))
    assert (merge.queued(0), merge.queued(1)) == (2, 0)


def test_a_partition_that_is_not_merged_is_an_error() -> None:
    with pytest.raises(KeyError):
        ExampleMerge([0]).push(1, 0, example(1))
