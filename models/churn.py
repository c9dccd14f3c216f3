"""Churn: the probability that a customer who bought before buys nothing within the horizon."""

import math

from models.churn_features import CHURN_FEATURES, CHURN_HORIZON_MS
from models.model import Model
from models.scorer import Features


def bgnbd(features: Features) -> float:
    """P(no purchase within the horizon) by BG/NBD with its published CDNOW estimates (models/bgnbd.py).

    It needs no label of this shop: the customer's own number of purchases, time from first to last, and
    time since the first decide.
    """
    return 1.0 / (1.0 + math.exp(-features["bgnbd_logit"]))


MODEL = Model(
    name="churn",
    features=CHURN_FEATURES,
    horizon_ms=CHURN_HORIZON_MS,
    rule=bgnbd,
    purchase_label=False,
    learning_rate=0.05,
    min_examples=500,
)
