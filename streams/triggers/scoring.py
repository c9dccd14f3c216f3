"""What a model says of a customer, where the customer allows it."""

from collections.abc import Callable
from typing import NamedTuple, TypedDict

from models.scorer import Features
from schemas.customer import Customer
from schemas.event import Millis
from streams.customers import consent
from streams.triggers.circumstances import Circumstances


class ScoreFields(TypedDict, total=False):
    """The fields of a candidate that tell its score."""

    score: float
    model: str
    model_version: int
    features: dict[str, float]
    horizon_ms: Millis


class Scored(NamedTuple):
    """A model's word, and what it was shown."""

    p: float
    model: str
    version: int
    features: Features

    def fields(self, horizon_ms: Millis) -> ScoreFields:
        """As fields of a candidate whose label is known after `horizon_ms`."""
        return ScoreFields(
            score=self.p,
            model=self.model,
            model_version=self.version,
            features=self.features,
            horizon_ms=horizon_ms,
        )


def scored(
    row: Customer, model: str, features: Callable[[], Features], circumstances: Circumstances
) -> Scored | None:
    """The model's probability; None without the purpose `profiling`, and then no feature is even computed."""
    if not consent.allows(row, "profiling", None):
        return None
    shown = features()
    p, version = circumstances.scorers[model].score(shown)
    return Scored(p, model, version, shown)
