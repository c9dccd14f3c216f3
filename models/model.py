"""What there is to say of a thing to be learned: name, features, horizon, rule and River pipeline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from river import linear_model, optim, preprocessing

from models.scorer import Features
from schemas.event import Millis


@dataclass(frozen=True, slots=True)
class Model:
    """One prediction, told apart by `name`, of whether something happens within `horizon_ms`.

    `purchase_label` is the label that a purchase within the horizon gives; its end without one gives the other.
    `rule` answers until `min_examples` are learned: as version 0. From then on the version is the number of
    examples learned, so that the same examples give the same version wherever snapshots were cut.
    """

    name: str
    features: tuple[str, ...]
    horizon_ms: Millis
    purchase_label: bool
    rule: Callable[[Features], float]
    learning_rate: float
    min_examples: int

    def pipeline(self) -> Any:
        """A fresh pipeline, no randomness in it: standard scaling, then logistic regression by AdaGrad.

        AdaGrad (Duchi, Hazan and Singer, JMLR 12, 2011) was the best of River's optimisers on both tasks in
        prequential runs on real data.
        """
        return preprocessing.StandardScaler() | linear_model.LogisticRegression(
            optim.AdaGrad(self.learning_rate)
        )
