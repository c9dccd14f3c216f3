"""The versions that decisions are made with: policy, models, reference data, pauses. They change between batches."""

from collections.abc import Mapping

from models.scorer import Scorer
from schemas.policy import Policy
from streams.engine.task_row import TaskRow
from streams.triggers.circumstances import Circumstances


class Versions:
    """The newest of everything, as this worker knows it. Tasks take them over at a batch's begin (`apply`)."""

    def __init__(self, policy: Policy, policy_version: str, scorers: Mapping[str, Scorer]) -> None:
        self.policy = policy
        self.policy_version = policy_version
        self.scorers: dict[str, Scorer] = dict(scorers)
        self.paused: frozenset[str] = frozenset()
        self.released: dict[str, int] = {}
        self.reference_version = 0

    def has_reached(self, row: TaskRow) -> bool:
        """Whether this worker knows all that the task knew: it never scores with older models or forgets a pause."""
        return self.reference_version >= row.reference_version and all(
            name in self.scorers and self.scorers[name].version >= version
            for name, version in row.model_versions.items()
        )

    def apply(self, circumstances: Circumstances) -> dict[str, object]:
        """Bring a task's circumstances up to date; what changed, for the journal: of the models, all of them.

        A task never goes back to an older model: a scorer below its present version is left.
        """
        changes: dict[str, object] = {}
        if circumstances.policy_version != self.policy_version:
            circumstances.policy, circumstances.policy_version = self.policy, self.policy_version
            changes["policy_version"] = self.policy_version
        if circumstances.reference_version != self.reference_version:
            circumstances.paused, circumstances.released = self.paused, self.released
            circumstances.reference_version = self.reference_version
            changes |= circumstances.reference
        newer = {
            name: scorer
            for name, scorer in self.scorers.items()
            if scorer is not circumstances.scorers.get(name)
            and (name not in circumstances.scorers or scorer.version > circumstances.scorers[name].version)
        }
        if newer:
            circumstances.scorers = {**circumstances.scorers, **newer}
            changes["model_versions"] = circumstances.model_versions
        return changes
