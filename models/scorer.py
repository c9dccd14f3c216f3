"""What a task asks of a model: a probability, and which version said it."""

from typing import NamedTuple, Protocol

Features = dict[str, float]


class Score(NamedTuple):
    """A probability in [0, 1] and the version of the model that gave it (0: the cold-start rule)."""

    p: float
    version: int


class Scorer(Protocol):
    """A model, read only."""

    @property
    def version(self) -> int:
        """The version that `score` speaks for; 0 is the cold-start rule."""
        ...

    def score(self, features: Features) -> Score:
        """The probability for these features. Pure: the same features and version give the same score."""
        ...
