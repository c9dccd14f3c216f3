"""The registry of topics: every topic that is read or written, with its key, value and settings.

Names, partition counts and settings stand here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from schemas.event import Millis
from schemas.touchpoints.touchpoint import Touchpoint

ACTIONS = "actions"
DECISIONS = "decisions"
EXAMPLES = "examples"
JOURNAL = "journal"
DEAD_LETTERS = "dead-letters"
MODELS = "models"
REFERENCE = "reference"

_DAY: Millis = 86_400_000
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is to be. `key` and `value` say what its records hold.

    `retention_ms` is None where only compaction removes records. `config` holds further topic settings.
    """

    name: str
    key: str
    value: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: Millis | None
    config: Mapping[str, str] = field(default_factory=dict, hash=False)

    def settings(self) -> dict[str, str]:
        """All of Kafka's topic settings that are not left to the broker.

        A record's timestamp is when the broker wrote it: by the producer's clock, time retention would delete
        a replay of old events within a minute.
        """
        settings = {"cleanup.policy": self.cleanup, "message.timestamp.type": "LogAppendTime"}
        if self.retention_ms is not None:
            settings["retention.ms"] = str(self.retention_ms)
        return settings | dict(self.config)


def tasks(app_id: str) -> str:
    """The empty topic whose partition i is the right to run task i."""
    return f"{app_id}-tasks"


def changelog(app_id: str) -> str:
    """The topic of the customers' rows and the task rows."""
    return f"{app_id}-changelog"


def topics(app_id: str, partitions: int, touchpoints: tuple[Touchpoint, ...]) -> tuple[Topic, ...]:
    """Every topic of a deployment of `partitions` tasks.

    What tasks write has a partition a task: task i writes to partition i only, so that an open transaction of
    one hides nothing of another's.
    """
    feeds = (
        _log(each.topic, partitions, "customer key", f"event of {each.name}, JSON", days=14)
        for each in touchpoints
    )
    return (
        *feeds,
        _log(tasks(app_id), partitions, "none", "none: it stays empty", days=1),
        _table(changelog(app_id), partitions, "customer key, or the task's", "row, msgpack", segment_mib=32),
        _log(ACTIONS, partitions, "customer key", "Action or ActionCancelled, CloudEvents", days=7),
        _log(DECISIONS, partitions, "customer key", "Decision, JSON", days=30),
        _log(EXAMPLES, partitions, "example id", "Example or ExamplesWatermark, JSON", days=90),
        _log(JOURNAL, partitions, "task", "what the task was told besides the log, JSON", days=14),
        _log(DEAD_LETTERS, partitions, "the refused record's key", "DeadLetter, JSON", days=30),
        _table(MODELS, 1, "model and chunk", "snapshot's chunk or manifest", segment_mib=32),
        _table(REFERENCE, 1, "kind/id", "item, offer, policy or pause, JSON", segment_mib=16),
    )


def _log(name: str, partitions: int, key: str, value: str, days: int) -> Topic:
    return Topic(name, key, value, partitions, "delete", days * _DAY)


def _table(name: str, partitions: int, key: str, value: str, segment_mib: int) -> Topic:
    """Compacted only, in small segments: what is not compacted is read again by every restore."""
    config = {"segment.bytes": str(segment_mib * _MIB), "min.cleanable.dirty.ratio": "0.1"}
    return Topic(name, key, value, partitions, "compact", None, config)
