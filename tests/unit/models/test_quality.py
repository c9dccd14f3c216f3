"""The figures against their definitions."""

import math

import pytest

from models.quality import WINDOW, Quality
from tests.unit.models.builders import number


def filled(n: int) -> Quality:
    quality = Quality()
    for i in range(n):
        quality.update(number("y", i) < 0.3, round(number("p", i), 1))
    return quality


def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half() -> None:
    quality = filled(200)
    positive = [p for label, p in quality.pairs if label]
    negative = [p for label, p in quality.pairs if not label]
    right = sum((p > q) + (p == q) / 2 for p in positive for q in negative)
    assert quality.auc() == pytest.approx(right / (len(positive) * len(negative)))


def test_log_loss_is_the_mean_surprise() -> None:
    quality = Quality([(True, 0.8), (False, 0.4)])
    assert quality.log_loss() == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)


def test_a_sure_mistake_costs_much_but_not_infinitely() -> None:
    loss = Quality([(True, 0.0)]).log_loss()
    assert loss is not None
    assert 30 < loss < 40


def test_without_both_outcomes_there_is_no_auc() -> None:
    assert Quality().auc() is None
    assert Quality().log_loss() is None
    assert Quality([(True, 0.5), (True, 0.7)]).auc() is None


def test_only_the_last_examples_count() -> None:
    quality = Quality([(True, 0.0), (False, 1.0)])
    for i in range(WINDOW):
        quality.update(i % 2 == 0, float(i % 2 == 0))
    assert len(quality.pairs) == WINDOW
    assert quality.auc() == 1.0


def test_the_pairs_are_the_whole_state() -> None:
    quality = filled(50)
    again = Quality(quality.pairs)
    assert (again.auc(), again.log_loss()) == (quality.auc(), quality.log_loss())
