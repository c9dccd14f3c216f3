"""The learner: tests, then trains; nothing twice, nothing absurd, the same bytes from the same examples."""

from dataclasses import replace
from typing import Any

import pytest
from river import evaluate, metrics, stream

from models.learner import TAUGHT, Learner, Learning
from models.scorers import MODELS
from models.snapshot import SnapshotRefusedError, to_records
from tests.unit.models.builders import TINY, example, examples


def taught(n: int) -> Learner:
    learner = Learner([TINY])
    for each in examples(n):
        assert learner.learn(each) == "learned"
    return learner


def test_test_then_train_is_rivers_progressive_validation() -> None:
    model = replace(TINY, min_examples=0)
    learning = Learning(model)
    for each in examples(400, model):
        learning.learn(each)
    auc: Any = metrics.RollingROCAUC(window_size=400)  # type: ignore[no-untyped-call]
    log_loss: Any = metrics.LogLoss()  # type: ignore[no-untyped-call]
    dataset: Any = [(each.features, each.label) for each in examples(400, model)]
    evaluate.progressive_val_score(dataset, model.pipeline(), auc)
    evaluate.progressive_val_score(dataset, model.pipeline(), log_loss)
    assert learning.scored.auc() == pytest.approx(auc.get(), abs=1e-12)
    assert learning.scored.log_loss() == log_loss.get()
    assert auc.get() > 0.8


def test_what_decisions_saw_is_judged_apart_from_what_the_model_says_at_the_label() -> None:
    # River's simulate_qa asks now and answers later: the prediction of the question is what is judged.
    predictions: dict[int, float] = {}
    pipeline = TINY.pipeline()
    oracle: Any = metrics.LogLoss()  # type: ignore[no-untyped-call]
    learning = Learning(TINY)
    dataset: Any = [(each.features, each.label) for each in examples(300)]
    for i, x, y in stream.simulate_qa(dataset, moment=None, delay=50):
        if y is None:
            predictions[i] = pipeline.predict_proba_one(x)[True]
        else:
            oracle.update(y, predictions[i])
            learning.learn(example(i, p=predictions[i]))
            pipeline.learn_one(x, y)
    assert learning.decided.log_loss() == oracle.get()
    assert learning.scored.log_loss() != oracle.get()


def test_until_enough_is_learned_the_rule_is_in_force() -> None:
    learning = Learning(TINY)
    for i in range(TINY.min_examples):
        assert learning.predict(example(i).features) == 0.25
        learning.learn(example(i))
    assert learning.predict(example(0).features) != 0.25


def test_an_example_is_scored_before_it_is_learned() -> None:
    learner = taught(50)
    learning = learner.learning["tiny"]
    expected = learning.predict(example(50).features)
    learner.learn(example(50))
    assert learning.scored.pairs[-1] == (example(50).label, expected)
    assert learning.predict(example(50).features) != expected


def test_an_example_teaches_once() -> None:
    learner = taught(20)
    before = learner.snapshots({})
    assert learner.learn(example(3)) == "duplicate"
    assert learner.snapshots({}) == before


def test_the_window_of_ids_is_bounded() -> None:
    learning = Learning(TINY)
    for i in range(TAUGHT + 5):
        learning.learn(example(0, example_id=f"x{i}"))
    assert len(learning.snapshot({}).taught) == 8 * TAUGHT
    assert learning.learn(example(0, example_id=f"x{TAUGHT + 4}")) == "duplicate"
    assert learning.learn(example(0, example_id="x0")) == "learned"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 1e7])
def test_an_absurd_feature_teaches_nothing(bad: float) -> None:
    learner = taught(20)
    before = learner.snapshots({})
    # The contract keeps NaN and infinity out; the learner doesn't rely on that.
    spoilt = example(99).replace(features=example(99).features | {"b": bad})
    assert learner.learn(spoilt) == "wrong_features"
    assert learner.snapshots({}) == before


@pytest.mark.parametrize("features", [{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}])
def test_other_features_teach_nothing(features: dict[str, float]) -> None:
    assert Learner([TINY]).learn(example(0, features=features)) == "wrong_features"


def test_an_unknown_model_is_told() -> None:
    assert Learner([TINY]).learn(example(0).replace(model="other")) == "unknown_model"


def test_the_order_of_features_in_an_example_does_not_matter() -> None:
    turned = Learner([TINY])
    for each in examples(60):
        turned.learn(each.replace(features=dict(reversed(each.features.items()))))
    assert turned.snapshots({}) == taught(60).snapshots({})


def test_equal_examples_make_equal_bytes() -> None:
    one, other = (taught(80).snapshots(offsets)["tiny"] for offsets in ({3: 7, 1: 9}, {1: 9, 3: 7}))
    assert to_records(one) == to_records(other)


def test_a_restored_learner_goes_on_bit_by_bit_and_says_where() -> None:
    offsets = {0: 30}
    whole, first = taught(90), taught(30)
    second = Learner([TINY])
    assert second.restore(first.snapshots(offsets)) == offsets
    for i in range(30, 90):
        features = example(i).features
        assert second.learning["tiny"].predict(features) == first.learning["tiny"].predict(features)
        assert second.learn(example(i)) == first.learn(example(i)) == "learned"
    assert second.learn(example(12)) == "duplicate"
    end = {0: 90}
    assert second.snapshots(end) == first.snapshots(end) == whole.snapshots(end)


def test_a_new_model_starts_anew_beside_a_restored_one() -> None:
    learner = Learner(MODELS)
    learner.restore(taught(5).snapshots({0: 5}))
    assert {each.version for each in learner.learning.values()} == {0}


def test_snapshots_at_different_offsets_are_refused() -> None:
    learner = Learner(MODELS)
    snapshots = learner.snapshots({0: 1})
    snapshots["churn"] = learner.snapshots({0: 2})["churn"]
    with pytest.raises(SnapshotRefusedError, match="different offsets"):
        Learner(MODELS).restore(snapshots)
