"""Cart propensity: the probability that a customer who left a cart orders something within the horizon."""

from models.cart_features import CART_FEATURES, CART_HORIZON_MS
from models.model import Model
from models.scorer import Features

RATES = {
    # (reached the checkout, bought before)
    (False, False): 0.064,
    (True, False): 0.082,
    (False, True): 0.152,
    (True, True): 0.272,
}


def prior_rate(features: Features) -> float:
    """The rate at which carts like this one were followed by an order within 7 days: RATES.

    Like it means left before or in the checkout, by somebody who had or had not bought before. Source: Google
    Merchandise Store, GA4 sample, 8,675 carts left from 2020-11-25 on whose week ended before 2021-01-06.
    """
    return RATES[features["reached_checkout"] > 0, features["log_purchases"] > 0]


MODEL = Model(
    name="cart",
    features=CART_FEATURES,
    horizon_ms=CART_HORIZON_MS,
    rule=prior_rate,
    purchase_label=True,
    learning_rate=0.05,
    min_examples=500,
)
