"""What makes no progress although Kafka answers is named; what waits for Kafka is left to wait."""

import logging
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.engine import progress
from streams.engine import watchdog as module
from streams.engine.progress import FetchProgress
from streams.engine.watchdog import Place, Watchdog

WEB = TopicPartition("touchpoints.web", 3)
TOPICS = ("touchpoints.web", "changelog")


class Looked(NamedTuple):
    phase: str
    since: float


class Kafka:
    """Which places do not answer; whether anybody asked."""

    def __init__(self) -> None:
        self.away: set[Place] = set()
        self.asked: list[frozenset[Place]] = []

    def answered(self, places: frozenset[Place]) -> frozenset[Place]:
        self.asked.append(places)
        return places - self.away


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


def watchdog(kafka: Kafka, tasks: dict[int, Looked], *fetches: FetchProgress) -> Watchdog:
    return Watchdog(tasks, fetches, TOPICS, 60.0, kafka.answered)


def fetch_since(since: float, monkeypatch: pytest.MonkeyPatch) -> FetchProgress:
    monkeypatch.setattr(progress, "monotonic", lambda: since)
    made = FetchProgress()
    made.expect([WEB])
    return made


@pytest.mark.parametrize("phase", ["open", "merge", "commit"])
def test_a_phase_without_progress_is_named_with_its_task(kafka: Kafka, phase: str) -> None:
    watches = watchdog(kafka, {3: Looked("idle", 1.0), 7: Looked(phase, 40.0)})
    assert watches.look(100.0) is None
    said = f"task 7 has made no progress in '{phase}' for 60 s, although Kafka answers"
    assert watches.look(100.1) == said


def test_a_core_without_progress_is_no_fault_of_kafkas(kafka: Kafka) -> None:
    kafka.away = {(topic, 7) for topic in TOPICS}
    watches = watchdog(kafka, {7: Looked("advance", 40.0)})
    assert watches.look(100.1) == "task 7 has made no progress in 'advance' for 60 s"


def test_a_task_with_nothing_to_do_may_do_nothing_for_ever(kafka: Kafka) -> None:
    assert watchdog(kafka, {1: Looked("idle", 1.0)}).look(1e9) is None
    assert kafka.asked == []


def test_a_fetch_without_progress_is_named_with_its_partition_and_error(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = fetch_since(40.0, monkeypatch)
    watches = watchdog(kafka, {3: Looked("merge", 40.0)}, fetch)
    assert watches.look(100.0) is None
    said = "nothing was fetched from touchpoints.web[3] for 60 s, although Kafka answers"
    assert watches.look(100.1) == said
    fetch.fail(KafkaError("of old"))
    watches = watchdog(kafka, {}, fetch_since(41.0, monkeypatch))
    assert "of old" not in str(watches.look(101.1))
    assert "of old" in str(watchdog(kafka, {}, fetch).look(101.1))


@pytest.mark.parametrize("absent", TOPICS)
def test_who_waits_for_a_leader_that_is_away_waits_for_ever_and_says_so_seldom(
    kafka: Kafka, absent: str, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.away = {(absent, 7)}
    watches = watchdog(kafka, {7: Looked("commit", 40.0)})
    with caplog.at_level(logging.WARNING):
        assert [watches.look(now) for now in range(70, 2_000)] == [None] * 1_930
    (line,) = caplog.messages
    assert line.startswith("task 7 has made no progress in 'commit' for 61 s; waiting for Kafka")


def test_patience_begins_anew_when_kafka_comes_back(kafka: Kafka) -> None:
    kafka.away = {("changelog", 7)}
    watches = watchdog(kafka, {7: Looked("commit", 40.0)})
    for now in range(70, 200):
        watches.look(now)
    kafka.away = set()
    assert [watches.look(now) for now in range(200, 260)] == [None] * 60
    assert watches.look(260) is not None


def test_others_are_no_excuse(kafka: Kafka) -> None:
    kafka.away = {("changelog", 7)}
    watches = watchdog(kafka, {7: Looked("commit", 40.0), 8: Looked("commit", 45.0)})
    assert watches.look(104.0) is None
    assert "task 8" in str(watches.look(105.1))


def test_kafka_is_not_asked_while_all_gets_on(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = fetch_since(80.0, monkeypatch)
    assert watchdog(kafka, {7: Looked("commit", 80.0)}, fetch).look(109.0) is None
    assert kafka.asked == []


@pytest.mark.parametrize(("late", "ends"), [(0.0, True), (100.0, False)])
def test_a_process_that_was_stopped_as_a_whole_is_given_its_time_again(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, late: float, ends: bool
) -> None:
    times: Iterator[float] = iter([1_000.0, 1_001.0 + late, 1_001.0 + late])
    ended: list[int] = []
    monkeypatch.setattr(module, "monotonic", lambda: next(times))
    monkeypatch.setattr(os, "_exit", ended.append)
    watches = watchdog(kafka, {7: Looked("commit", 900.0)})
    waits = iter([False, True])
    done: Any = watches._done
    monkeypatch.setattr(done, "wait", lambda _: next(waits))
    watches._watch()
    assert bool(ended) is ends
