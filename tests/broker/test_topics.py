"""Topics are made as the registry says, and what differs is said with the way out."""

from dataclasses import replace

import pytest
import typer
from confluent_kafka import KafkaException
from typer.testing import CliRunner

from schemas.topics import changelog, topics
from schemas.touchpoints import BUILT_IN
from streams.cli.topics import register
from streams.engine.admin import create, differences, faults
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
    count, cleanup, retention, way_out = found
    assert count == "drifted-changelog: has 2 partitions, 3 are wanted"
    assert "PULPERO_PARTITIONS=2" in way_out
    assert cleanup == "drifted-changelog: cleanup.policy is compact, delete is wanted"
    assert retention == "drifted-changelog: retention.ms is 604800000, 1000 is wanted"


def test_a_broker_that_refuses_is_an_error(kafka: str) -> None:
    settings = Settings(bootstrap=kafka, app_id="refused", partitions=1, replication=3)
    with pytest.raises(KafkaException):
        create(settings, topics("refused", 1, ())[:1])


def test_the_way_out_of_a_wrong_count_is_told_once_and_replication_is_looked_at(kafka: str) -> None:
    settings = Settings(bootstrap=kafka, app_id="counted", partitions=2)
    registry = tuple(replace(each, name=f"counted-{each.name}") for each in topics("counted", 2, BUILT_IN))
    create(settings, registry)
    wanted = tuple(replace(each, partitions=4) if each.partitions == 2 else each for each in registry)
    recounted = [each for each in wanted if each.partitions == 4]
    *lines, way_out = faults(settings, wanted)
    assert lines == [f"{each.name}: has 2 partitions, 4 are wanted" for each in recounted]
    assert way_out.count("PULPERO_PARTITIONS=2") == 1
    thrice = settings.model_copy(update={"replication": 3})
    assert differences(thrice, registry) == [
        f"{each.name}: has replication 1, 3 is wanted" for each in registry
    ]


def test_topics_create_says_so_where_a_topic_has_another_count(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"BOOTSTRAP": kafka, "APP_ID": "recounted", "PARTITIONS": "2"}.items():
        monkeypatch.setenv(f"PULPERO_{name}", value)
    rows = next(each for each in topics("recounted", 3, ()) if each.name == changelog("recounted"))
    create(Settings(), (rows,))
    commands = typer.Typer()
    register(commands)
    found = CliRunner().invoke(commands, ["topics", "create"])
    assert found.exit_code == 1
    assert "recounted-changelog: has 3 partitions, 2 are wanted\n" in found.stdout
