"""The features: fixed names in a fixed order, exact at known rows, finite on empty ones."""

import math

import pytest

from models.cart_features import CART_FEATURES, cart_features
from models.churn_features import CHURN_FEATURES, churn_features
from schemas.counts import DAY
from schemas.customer import Cart, Customer, Obstacle
from tests.unit.models.builders import AT, browser, buyer


def test_names_are_fixed_and_in_order() -> None:
    row, cart = browser()
    assert tuple(cart_features(row, cart, AT)) == CART_FEATURES
    assert tuple(churn_features(row, AT)) == CHURN_FEATURES
    assert len(set(CART_FEATURES)) == len(CART_FEATURES)
    assert len(set(CHURN_FEATURES)) == len(CHURN_FEATURES)


def test_an_empty_row_has_finite_features() -> None:
    empty = Customer("c:1")
    for features in (churn_features(empty, AT), cart_features(empty, Cart("k", AT, AT), AT)):
        assert all(math.isfinite(value) for value in features.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_items", math.log(3)),
        ("log_pieces", math.log(4)),
        ("log_value", math.log(36)),
        ("log_max_price", math.log(16)),
        ("log_categories", math.log(3)),
        ("reached_checkout", 0.0),
        ("log_cart_age_s", math.log(1801)),
        ("log_left_s", math.log(3601)),
        ("log_session_adds", math.log(3)),
        ("log_earlier_sessions", math.log(2)),
        ("payment_failed", 1.0),
        ("out_of_stock", 0.0),
        ("log_other_carts", 0.0),
        ("log_purchases", 0.0),
        ("weekend", 0.0),  # 2023-11-14 was a Tuesday
    ],
)
def test_a_cart_is_seen_as_it_is(name: str, value: float) -> None:
    row, cart = browser()
    cart.obstacles = [Obstacle("payment_failed", AT - 3_600_000, "e1")]
    assert cart_features(row, cart, AT)[name] == pytest.approx(value)


@pytest.mark.parametrize(("day", "weekend"), [(3, 0.0), (4, 1.0), (5, 1.0), (6, 0.0)])
def test_saturday_and_sunday_are_the_weekend(day: int, weekend: float) -> None:
    row, cart = browser()
    assert cart_features(row, cart, AT + day * DAY)["weekend"] == weekend


def test_the_own_rhythm_is_that_of_days_with_purchases() -> None:
    features = churn_features(buyer(40, 30, 20, 20, 10), AT)
    assert features["log_purchases"] == pytest.approx(math.log(5))
    assert features["log_cadence_days"] == pytest.approx(math.log(11))
    assert features["log_spread_days"] == 0.0
    assert features["silence_to_cadence"] == pytest.approx(0.0)
    assert features["log_orders_30d"] == pytest.approx(math.log(3))
    assert features["log_spend_30d"] == pytest.approx(math.log1p(60))


def test_the_same_silence_is_worse_for_a_quick_buyer() -> None:
    quick = churn_features(buyer(50, 45, 40, 35, 30), AT)
    slow = churn_features(buyer(150, 120, 90, 60, 30), AT)
    for name in ("silence_to_cadence", "silence_z", "bgnbd_logit"):
        assert quick[name] > slow[name]


def test_one_purchase_has_no_rhythm() -> None:
    features = churn_features(buyer(12), AT)
    assert features["one_purchase"] == features["spread_unknown"] == 1.0
    assert features["silence_to_cadence"] == features["silence_z"] == features["log_cadence_days"] == 0.0


def test_the_row_is_left_alone() -> None:
    row, cart = browser()
    before = repr(row)
    cart_features(row, cart, AT)
    churn_features(row, AT)
    assert repr(row) == before
