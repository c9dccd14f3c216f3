"""Cart propensity: the probability that a customer whose cart was left buys within the horizon."""

from models.features import CART_FEATURES, CART_HORIZON_MS
from models.model import Model
from models.scorer import Features

AT_CART = 0.05
AT_CHECKOUT = 0.11


def prior_rate(features: Features) -> float:
    """The rate at which carts left at this stage were bought within 7 days by others.

    Source: Google Merchandise Store, GA4 sample, carts left between 2020-11-25 and 2021-01-06: one rate for
    those left before the checkout and one for those left in it.
    """
    return AT_CHECKOUT if features["reached_checkout"] else AT_CART


MODEL = Model(
    name="cart",
    features=CART_FEATURES,
    horizon_ms=CART_HORIZON_MS,
    rule=prior_rate,
    learning_rate=0.05,
    min_examples=500,
)
