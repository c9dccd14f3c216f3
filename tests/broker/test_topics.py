"""Topics are made as the registry says, and what differs is said with the way out."""

from dataclasses import replace

import pytest
from confluent_kafka import KafkaException

from schemas.topics import changelog, topics
from schemas.touchpoints import BUILT_IN
from streams.engine.admin import create, differences
from streams.settings import Settings


def test_topics_are_made_once_and_then_nothing_differs(kafka: str) -> None:
    settings = Settings(bootstrap=kafka, app_id="made", partitions=3)
    registry = tuple(replace(each, name=f"made-{each.name}") for each in topics("made", 3, BUILT_IN))
    assert differences(settings, registry) == [f"{each.name}: is missing" for each in registry]
    assert set(create(settings, registry)) == {each.name for each in registry}
    assert create(settings, registry) == ()
    assert differences(settings, registry) == []


def test_a_difference_is_named_with_what_is_and_what_is_wanted(kafka: str) -> None:
    settings = Settings(bootstrap=kafka, app_id="drifted", partitions=2)
    rows = next(each for each in topics("drifted", 2, ()) if each.name == changelog("drifted"))
    create(settings, (rows,))
    wanted = replace(rows, partitions=3, cleanup="delete", retention_ms=1_000)
    found = differences(settings, (wanted,))
    count, cleanup, retention = found
    assert count.startswith("drifted-changelog: has 2 partitions, 3 are wanted")
    assert "PULPERO_PARTITIONS=2" in count
    assert cleanup == "drifted-changelog: cleanup.policy is compact, delete is wanted"
    assert retention == "drifted-changelog: retention.ms is 604800000, 1000 is wanted"


def test_a_broker_that_refuses_is_an_error(kafka: str) -> None:
    settings = Settings(bootstrap=kafka, app_id="refused", partitions=1, replication=3)
    with pytest.raises(KafkaException):
        create(settings, topics("refused", 1, ())[:1])
