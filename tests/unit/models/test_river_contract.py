"""What River asks of each of its estimators, asked of every model of ours (after river/checks)."""

import copy
import sys

import pytest

from models.learner import Learning
from models.model import Model
from models.scorers import MODELS, ModelScorer
from models.snapshot import to_records
from tests.unit.models.builders import TINY, example, newest

EVERY = pytest.mark.parametrize("model", [*MODELS, TINY], ids=lambda model: model.name)


def taught(model: Model, n: int) -> Learning:
    learning = Learning(model)
    for i in range(n):
        assert learning.learn(example(i, model)) == "learned"
    return learning


@EVERY
def test_it_predicts_before_it_has_learned(model: Model) -> None:
    untaught = Learning(model)
    assert 0 <= untaught.predict(example(0, model).features) <= 1
    assert ModelScorer(untaught.snapshot({})).score(example(0, model).features).p == 0.5


@EVERY
def test_predicting_changes_nothing(model: Model) -> None:
    learning = taught(model, model.min_examples + 5)
    before = to_records(learning.snapshot({}))
    first = [learning.predict(example(i, model).features) for i in range(20)]
    assert [learning.predict(example(i, model).features) for i in range(20)] == first
    assert to_records(learning.snapshot({})) == before


@EVERY
def test_it_keeps_no_hold_of_what_it_was_given(model: Model) -> None:
    learning, given = taught(model, 20), example(20, model)
    kept = copy.deepcopy(given.features)
    learning.learn(given)
    assert given.features == kept
    before = to_records(learning.snapshot({}))
    given.features.update(dict.fromkeys(given.features, 99.0))
    assert to_records(learning.snapshot({})) == before


@EVERY
def test_a_snapshot_goes_on_bit_by_bit(model: Model) -> None:
    original = taught(model, model.min_examples)
    records = to_records(original.snapshot({}), chunk_bytes=1_000)
    again = Learning(model, newest(records)[model.name])
    for i in range(model.min_examples, model.min_examples + 50):
        assert again.predict(example(i, model).features) == original.predict(example(i, model).features)
        again.learn(example(i, model))
        original.learn(example(i, model))
    assert to_records(again.snapshot({})) == to_records(original.snapshot({}))


def test_memory_is_bounded() -> None:
    learning = taught(TINY, 5_000)
    size = len(to_records(learning.snapshot({}))[0][1])
    for i in range(5_000, 10_000):
        learning.learn(example(i))
    records = to_records(learning.snapshot({}))
    assert abs(sum(sys.getsizeof(value) for _, value in records[:-1]) - size) < 1_000
    assert len(records) == 2
