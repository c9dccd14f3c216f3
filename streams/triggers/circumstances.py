"""What a decision may know besides the customer's row: all of it recorded, none of it read from a clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from models.scorer import Scorer
from schemas.event import Millis
from schemas.policy import Policy, Storms
from streams.triggers.storms import StormTracker


class Feeds(Protocol):
    """How fresh the task's touchpoints are."""

    def is_stale(self, touchpoint: str) -> bool:
        """Whether the touchpoint is quiet in a way that says nothing about the customers."""
        ...


@dataclass(slots=True)
class Circumstances:
    """The versions and states in force at one position of the input. The task swaps them, triggers read."""

    policy: Policy
    policy_version: str
    scorers: Mapping[str, Scorer]
    feeds: Feeds
    allowed_lateness_ms: Mapping[str, Millis]
    paused: frozenset[str] = frozenset()
    """Triggers that a person has paused; `*` stands for all."""
    reference_version: int = 0
    released: Mapping[str, int] = field(default_factory=dict)
    """Triggers, families or `*` → the reference version at which a person last released their storms."""
    storms: StormTracker = field(default_factory=lambda: StormTracker(Storms(), partitions=1))
    """What each trigger of the task fires."""

    @property
    def model_versions(self) -> dict[str, int]:
        """The version of each model in force, by name."""
        return {name: scorer.version for name, scorer in sorted(self.scorers.items())}

    @property
    def reference(self) -> dict[str, object]:
        """What the reference data say at their version, as the journal tells it."""
        return {
            "reference_version": self.reference_version,
            "paused": sorted(self.paused),
            "released": dict(self.released),
        }
