"""When the view may go on from its progress, and when it must be built anew."""

import pytest

from streams.serving.inputs import Bounds
from streams.serving.projector import TOMBSTONES_KEPT_MS, rebuild_reason
from streams.serving.sink import Progress

NOW = 1_700_000_000_000
IDS = {"rows": "a", "decisions": "b"}
OFFSETS = {("rows", 0): 10, ("rows", 1): 0, ("decisions", 0): 5, ("decisions", 1): 5}
BOUNDS = {place: Bounds(0, 10) for place in OFFSETS}


def reason(
    offsets: dict[tuple[str, int], int] = OFFSETS,
    bounds: dict[tuple[str, int], Bounds] = BOUNDS,
    topic_ids: dict[str, str] = IDS,
    written_at: int = NOW,
) -> str | None:
    progress = Progress("w:1", written_at, offsets, IDS)
    return rebuild_reason(progress, bounds, topic_ids, "rows", NOW)


def test_progress_within_the_topics_is_gone_on_from() -> None:
    assert reason() is None


@pytest.mark.parametrize("topic_ids", [{"rows": "z", "decisions": "b"}, {"rows": "a"}])
def test_another_topic_of_the_same_name_is_noticed_whatever_its_length(topic_ids: dict[str, str]) -> None:
    assert reason(topic_ids=topic_ids) == "new_topic"


def test_another_partition_count_is_another_topic() -> None:
    assert reason(bounds=BOUNDS | {("rows", 2): Bounds(0, 0)}) == "new_topic"


@pytest.mark.parametrize("place", OFFSETS)
def test_a_topic_shorter_than_the_progress_has_lost_records(place: tuple[str, int]) -> None:
    assert reason(offsets=OFFSETS | {place: 11}) == "offsets"


def test_rows_that_are_gone_before_they_were_read_force_a_rebuild_but_decisions_do_not() -> None:
    assert reason(bounds=BOUNDS | {("rows", 1): Bounds(1, 10)}) == "offsets"
    assert reason(bounds=BOUNDS | {("decisions", 0): Bounds(6, 10)}) is None


def test_a_view_older_than_the_tombstones_are_kept_is_not_trusted() -> None:
    assert reason(written_at=NOW - TOMBSTONES_KEPT_MS) is None
    assert reason(written_at=NOW - TOMBSTONES_KEPT_MS - 1) == "stale"
