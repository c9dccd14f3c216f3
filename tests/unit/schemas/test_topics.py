"""The registry of topics: what the engine relies on."""

import pytest

from schemas.topics import Topic, changelog, tasks, topics
from schemas.touchpoints import BUILT_IN

REGISTRY = {each.name: each for each in topics("shop", 12, BUILT_IN)}


def test_every_topic_stands_once() -> None:
    assert set(REGISTRY) == {
        "touchpoints.web",
        "touchpoints.orders",
        "touchpoints.messages",
        "touchpoints.consent",
        "shop-tasks",
        "shop-changelog",
        "actions",
        "decisions",
        "examples",
        "journal",
        "dead-letters",
        "models",
        "reference",
    }
    assert len(topics("shop", 12, BUILT_IN)) == len(REGISTRY)


def test_all_that_a_task_reads_or_writes_has_a_partition_a_task() -> None:
    single = {name for name, topic in REGISTRY.items() if topic.partitions == 1}
    assert single == {"models", "reference"}
    assert {topic.partitions for name, topic in REGISTRY.items() if name not in single} == {12}


@pytest.mark.parametrize("name", [changelog("shop"), "models", "reference"])
def test_what_is_state_is_compacted_only(name: str) -> None:
    settings = REGISTRY[name].settings()
    assert settings["cleanup.policy"] == "compact"
    assert "retention.ms" not in settings
    assert int(settings["segment.bytes"]) <= 64 << 20
    assert float(settings["min.cleanable.dirty.ratio"]) == 0.1


@pytest.mark.parametrize("topic", REGISTRY.values(), ids=lambda each: each.name)
def test_a_records_time_is_when_it_was_written(topic: Topic) -> None:
    assert topic.settings()["message.timestamp.type"] == "LogAppendTime"


def test_the_journal_is_kept_as_long_as_the_log_it_completes() -> None:
    assert REGISTRY["journal"].retention_ms == REGISTRY["touchpoints.web"].retention_ms


def test_two_deployments_share_no_lease_and_no_changelog() -> None:
    assert {tasks("a"), changelog("a")}.isdisjoint({tasks("b"), changelog("b")})
