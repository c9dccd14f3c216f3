"""What befalls a soak comes from its seed."""

from itertools import pairwise
from random import Random

import pytest

from tests.soak.faults import KINDS, MOVING, schedule
from tests.soak.verdict import WARM_UP


@pytest.mark.parametrize(("minutes", "fewest"), [(3, 4), (6, 8), (60, 20)])
def test_a_run_has_its_faults_in_order_and_ends_in_peace(minutes: int, fewest: int) -> None:
    due = schedule(minutes * 60, Random(7))
    assert len(due) >= fewest
    assert all(before.at < after.at for before, after in pairwise(due))
    assert {each.name for each in due[: len(MOVING)]} == set(MOVING)
    assert due[-1].at < 0.9 * minutes * 60


def test_every_kind_comes_before_any_comes_again() -> None:
    names = [each.name for each in schedule(3_600, Random(7))]
    for begin in range(0, len(names) - len(KINDS), len(KINDS)):
        assert set(names[begin : begin + len(KINDS)]) == set(KINDS)


def test_the_same_seed_makes_the_same_schedule() -> None:
    assert schedule(3_600, Random(7)) == schedule(3_600, Random(7))
    assert schedule(3_600, Random(7)) != schedule(3_600, Random(8))


def test_an_hour_has_all_that_moves_tasks_within_its_warm_up() -> None:
    moving = [each.at for each in schedule(3_600, Random(7))[: len(MOVING)]]
    assert max(moving) < WARM_UP * 3_600
