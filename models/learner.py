"""Learning from labelled examples, each scored before it is learned, none learned twice."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from river.__version__ import __version__ as RIVER

from models.model import Model
from models.parameters import exported, restored
from models.quality import Quality
from models.scorer import Features
from models.scorers import MODELS
from models.snapshot import Snapshot, check_features, check_river, next_offsets
from schemas.example import Example

Verdict = Literal["learned", "duplicate", "unknown_model", "wrong_features"]

TAUGHT = 4_096
"""Ids remembered, by model. Offsets are what keeps an example from being read twice; this is for one that was
written twice."""

MAX_MAGNITUDE = 1e6
"""A feature beyond it is refused: features are logarithms, ratios and flags, and one absurd value would spoil
the scaler for good."""


class Learning:
    """One model, being learned."""

    def __init__(self, model: Model, snapshot: Snapshot | None = None) -> None:
        self.model = model
        self.version = 0
        self.scored, self.decided = Quality(), Quality()
        self._pipeline: Any = model.pipeline()
        self._taught: dict[bytes, None] = {}
        if snapshot is not None:
            check_features(snapshot, model)
            check_river(snapshot)
            self.version = snapshot.version
            self.scored, self.decided = Quality(snapshot.scored), Quality(snapshot.decided)
            self._pipeline = restored(model, snapshot.parameters)
            taught = snapshot.taught
            self._taught = {taught[at : at + 8]: None for at in range(0, len(taught), 8)}

    def predict(self, features: Features) -> float:
        """The probability that is in force now: the rule's until enough is learned, then the model's."""
        if self.version < self.model.min_examples:
            return self.model.rule(features)
        return float(self._pipeline.predict_proba_one(features)[True])

    def learn(self, example: Example) -> Verdict:
        """Score the example, note both predictions against its label, and learn it; or say why not."""
        digest = hashlib.blake2b(example.example_id.encode(), digest_size=8).digest()
        if digest in self._taught:
            return "duplicate"
        features = self._in_order(example.features)
        if features is None:
            return "wrong_features"
        self.scored.update(example.label, self.predict(features))
        self.decided.update(example.label, example.p)
        self._pipeline.learn_one(features, example.label)
        self.version += 1
        self._taught[digest] = None
        if len(self._taught) > TAUGHT:
            del self._taught[next(iter(self._taught))]
        return "learned"

    def snapshot(self, offsets: Mapping[int, int]) -> Snapshot:
        """What `Learning(model, snapshot)` needs to go on bit for bit."""
        return Snapshot(
            model=self.model.name,
            version=self.version,
            features=self.model.features,
            river=RIVER,
            next_offsets=dict(offsets),
            parameters=exported(self.model, self._pipeline),
            scored=list(self.scored.pairs),
            decided=list(self.decided.pairs),
            taught=b"".join(self._taught),
        )

    def _in_order(self, features: Features) -> Features | None:
        names = self.model.features
        if features.keys() != set(names):
            return None
        ordered = {name: float(features[name]) for name in names}
        plausible = all(math.isfinite(x) and abs(x) <= MAX_MAGNITUDE for x in ordered.values())
        return ordered if plausible else None


class Learner:
    """All models, learned from one merged sequence of examples. The same sequence makes equal snapshots."""

    def __init__(self, models: Iterable[Model] = MODELS) -> None:
        self._learning = {model.name: Learning(model) for model in models}

    def learn(self, example: Example) -> Verdict:
        """Teach the example to its model: test, then train. Anything but `learned` has changed nothing."""
        learning = self._learning.get(example.model)
        return "unknown_model" if learning is None else learning.learn(example)

    @property
    def learning(self) -> Mapping[str, Learning]:
        """Each model's state by name: version and quality are read from it."""
        return self._learning

    def snapshots(self, offsets: Mapping[int, int]) -> dict[str, Snapshot]:
        """A snapshot of each model, all at the same next `offsets`: to be published in one transaction."""
        return {name: learning.snapshot(offsets) for name, learning in self._learning.items()}

    def restore(self, snapshots: Mapping[str, Snapshot]) -> dict[int, int]:
        """Take the models' states from snapshots and say at which offsets reading goes on.

        A model without a snapshot starts anew there; a snapshot of an unknown model is left aside. Raises
        SnapshotRefusedError, with nothing changed, if offsets, features or River's version do not fit.
        """
        known = {name: snapshot for name, snapshot in snapshots.items() if name in self._learning}
        offsets = next_offsets(known)
        self._learning = {
            name: Learning(learning.model, known.get(name)) for name, learning in self._learning.items()
        }
        return offsets
