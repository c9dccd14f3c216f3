"""The scorers that tasks hold: the rule until enough is learned, then River's answer without River."""

import timeit
from dataclasses import replace

import pytest

from models import cart_propensity, churn
from models.cart_features import cart_features
from models.churn_features import churn_features
from models.learner import Learner, Learning
from models.scorers import MODELS, ModelScorer, cold_start, scorers_of
from models.snapshot import SnapshotRefusedError
from tests.unit.models.builders import AT, TINY, browser, buyer, example, examples, number


def taught(n: int) -> Learning:
    learning = Learning(TINY)
    for each in examples(n):
        learning.learn(each)
    return learning


def test_the_folded_sum_is_rivers_answer() -> None:
    learning = taught(500)
    scorer = ModelScorer(learning.snapshot({}))
    for i in range(500, 1_000):
        score = scorer.score(example(i).features)
        assert score.p == pytest.approx(learning.predict(example(i).features), abs=1e-12)
        assert score.version == scorer.version == 500


@pytest.mark.parametrize(("a", "p"), [(1e5, 1.0), (-1e5, 0.0)])
def test_far_out_it_saturates_as_river_does(a: float, p: float) -> None:
    learning = taught(500)
    features = example(1).features | {"a": a}
    assert ModelScorer(learning.snapshot({})).score(features).p == learning.predict(features) == p


def test_a_feature_that_never_varied_weighs_nothing() -> None:
    learning = Learning(TINY)
    for each in examples(50):
        learning.learn(each.replace(features=each.features | {"c": 2.0}))
    features = example(60).features | {"c": 77.0}
    scored = ModelScorer(learning.snapshot({})).score(features).p
    assert scored == pytest.approx(learning.predict(features), abs=1e-12)


def test_the_rule_answers_until_enough_is_learned() -> None:
    few, enough = taught(9).snapshot({}), taught(10).snapshot({})
    assert scorers_of({"tiny": few}, [TINY])["tiny"].score(example(0).features) == (0.25, 0)
    assert scorers_of({"tiny": enough}, [TINY])["tiny"].score(example(0).features).version == 10


def test_other_features_are_refused_and_other_models_left_aside() -> None:
    snapshot = taught(20).snapshot({})
    with pytest.raises(SnapshotRefusedError, match="features are not"):
        scorers_of({"tiny": snapshot}, [replace(TINY, features=("a", "b", "x"))])
    assert scorers_of({"tiny": snapshot}).keys() == {"cart", "churn"}


def test_a_cold_start_has_a_rule_for_every_model() -> None:
    scorers = cold_start()
    row, cart = browser()
    cart_score = scorers["cart"].score(cart_features(row, cart, AT))
    churn_score = scorers["churn"].score(churn_features(buyer(90, 60, 30), AT))
    assert cart_score == (cart_propensity.RATES[False, False], 0)
    assert 0 < churn_score.p < 1
    assert {scorer.version for scorer in scorers.values()} == {0}


def test_the_rule_rises_with_the_checkout_and_with_a_purchase_before() -> None:
    row, cart = browser()
    rates = [cart_propensity.prior_rate(cart_features(row, cart, AT))]
    cart.stage = "checkout"
    rates.append(cart_propensity.prior_rate(cart_features(row, cart, AT)))
    row.purchases.count = 1
    rates.append(cart_propensity.prior_rate(cart_features(row, cart, AT)))
    assert rates == sorted(set(rates))


def test_every_model_learns_what_its_features_say() -> None:
    learner = Learner(MODELS)
    for model in MODELS:
        for each in examples(1_500, model):
            safe = each.features | {"bgnbd_logit": 0.0} if model is churn.MODEL else each.features
            assert learner.learn(each.replace(features=safe)) == "learned"
        auc = learner.learning[model.name].scored.auc()
        assert auc is not None
        assert auc > 0.6
    scorers = scorers_of(learner.snapshots({}))
    assert {name: scorer.version for name, scorer in scorers.items()} == {"cart": 1_500, "churn": 1_500}


def test_a_score_costs_a_few_microseconds() -> None:
    names = tuple(f"f{n}" for n in range(20))
    model = replace(TINY, features=names)
    learning = Learning(model)
    for each in examples(30, model):
        learning.learn(each)
    scorer = ModelScorer(learning.snapshot({}))
    features = {name: number(name) for name in names}
    best = min(timeit.repeat(lambda: scorer.score(features), number=2_000, repeat=5)) / 2_000
    assert best < 15e-6  # 1 to 2 µs on an idle machine; the bound leaves room for a busy one
