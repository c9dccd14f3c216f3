"""The learner on a real broker: what it publishes is what the pure core learns, whoever learns and dies.

The log `examples` is the truth: an uninterrupted learner in this process reads it, and every snapshot that was
ever published must be, byte for byte, one of its own, each further than the one before, the last at the end.
"""

import signal
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from models.example_merge import ExampleMerge
from models.learner import Learner
from models.scorers import MODELS as EVERY_MODEL
from models.scorers import cold_start, scorers_of
from models.snapshot import Snapshot, SnapshotReader, to_records
from schemas.clock import encode_clock
from schemas.event import Millis
from schemas.example import Example, ExamplesWatermark
from schemas.topics import EXAMPLES, JOURNAL, MODELS
from streams.engine.partitions import partition_of
from streams.local.replayed import Replayed
from streams.local.simulator.shop import Shop
from tests.broker.events import START
from tests.broker.reading import Reader, Record, read
from tests.broker.striking import STRIKE
from tests.broker.workers import Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

DAY: Millis = 86_400_000
AFTERWARDS = 100 * DAY
"""Longer than every horizon: all predictions have their outcomes."""

NAMES = tuple(model.name for model in EVERY_MODEL)
MIN_EXAMPLES = {model.name: model.min_examples for model in EVERY_MODEL}["cart"]
TASKS = range(4)
SETTINGS: dict[str, Any] = {
    "partitions": len(TASKS),
    "time": "events",
    "idle_ms": 120_000,
    "batch_records": 500,
}
STRIKING = {"agents": ("tests.broker.striking",)}
BRIEF = {"session_timeout_ms": 3_000}


class Publication(NamedTuple):
    """All models' snapshots of one transaction, and the records that they came in."""

    snapshots: dict[str, Snapshot]
    records: list[tuple[str, bytes | None]]

    @property
    def position(self) -> dict[int, int]:
        """Where the learner stood. Raises AssertionError if the snapshots do not stand together."""
        first, *others = (snapshot.next_offsets for snapshot in self.snapshots.values())
        assert all(each == first for each in others)
        return first

    @property
    def versions(self) -> dict[str, int]:
        return {name: snapshot.version for name, snapshot in self.snapshots.items()}


class Log:
    """What was said about and by the models so far, read committed."""

    def __init__(self, shop: Deployment) -> None:
        self._models, self._examples = Reader(shop.bootstrap, MODELS), Reader(shop.bootstrap, EXAMPLES)

    def published(self) -> list[Publication]:
        return publications(self._models.read())

    def learned(self) -> Iterator[tuple[dict[int, int], Learner]]:
        """An uninterrupted learner over the examples, and its position, after each: scored first, then learned."""
        merge, learner = ExampleMerge(TASKS), Learner()
        for record in self._examples.read():
            merge.push(record.partition, record.offset, _content(record))
        while (merged := merge.pop()) is not None:
            example = merged.example
            learning = learner.learning[example.model]
            p = learning.predict(example.features)
            assert learner.learn(example) == "learned"
            assert learning.scored.pairs[-1][1] == pytest.approx(p, rel=1e-9)
            yield merge.next_offsets(), learner

    def examples(self) -> list[tuple[int, Example]]:
        """Each example with its task."""
        contents = ((record.partition, _content(record)) for record in self._examples.read())
        return [(task, each) for task, each in contents if isinstance(each, Example)]

    def await_learned(self) -> Publication:
        """Wait until everything is learned and published; the newest publication."""
        *_, (end, _) = self.learned()
        await_true("the last lesson", lambda: (said := self.published()) and said[-1].position == end)
        return self.published()[-1]

    def assert_coherent(self) -> None:
        """Every publication is the uninterrupted learner's, further than its predecessor, and the last is its last."""
        learned = self.learned()
        for number, publication in enumerate(self.published()):
            expected = next((known for at, known in learned if at == publication.position), None)
            assert expected is not None, f"publication {number} of {publication.versions} is not ahead"
            assert publication.records == _records(expected, publication.position), number
        assert next(learned, None) is None, "not everything was published"


def publications(log: list[Record]) -> list[Publication]:
    """The publications in the log of `models`. Raises AssertionError for one that is not whole."""
    reader, found, current = SnapshotReader(), list[Publication](), Publication({}, [])
    began = 0
    for record in log:
        key = (record.key or b"").decode()
        began = began if current.records else record.offset
        current.records.append((key, record.value))
        if (snapshot := reader.feed(key, record.value)) is not None:
            current.snapshots[snapshot.model] = snapshot
        if current.snapshots.keys() == set(NAMES):
            # A transaction's end takes an offset: without a gap, all were written in one.
            assert record.offset - began == len(current.records) - 1
            found.append(current)
            current = Publication({}, [])
    assert not current.records
    return found


def _content(record: Record) -> Example | ExamplesWatermark:
    kind = Example if record.json["kind"] == "example" else ExamplesWatermark
    read: Example | ExamplesWatermark = kind.from_json(record.value or b"")
    return read


def _records(learner: Learner, position: dict[int, int]) -> list[tuple[str, bytes]]:
    return [record for each in learner.snapshots(position).values() for record in to_records(each)]


def lives(customers: int, *days: int) -> list[list[Replayed]]:
    """What happens in a simulated shop, cut at these days after its opening."""
    events = list(Shop(7, START, customers).until(START + days[-1] * DAY))
    cuts = [bisect_left(events, START + day * DAY, key=lambda event: event.at) for day in (0, *days)]
    return [events[begin:end] for begin, end in pairwise(cuts)]


def send(
    shop: Deployment, events: Iterable[Replayed], settle: Millis = 0, told: Iterable[int] = TASKS
) -> None:
    """The events, and then the time, `settle` ms after the last of them, to these tasks."""
    at = START
    for event in events:
        shop.send(event.touchpoint, event.key, event.payload)
        at = event.at
    value, headers = encode_clock(at + settle)
    for touchpoint in shop.touchpoints:
        for number in told:
            shop.send(touchpoint.name, None, value, partition=number, headers=list(headers))
    shop.producer.flush()


def opened(worker: Worker) -> list[dict[str, int]]:
    """The versions that the learner went on from, each time that this worker became the learner."""
    return [line["versions"] for line in _said(worker, "learner open")]


def began_again(worker: Worker) -> list[str]:
    """What made the worker's learner begin again."""
    return [line["error"] for line in _said(worker, "learner: begins again")]


def _said(worker: Worker, message: str) -> list[dict[str, Any]]:
    return [line for line in list(worker.log) if line["message"] == message]


def test_tasks_score_with_what_was_learned_from_the_outcomes_of_their_scores(kafka: str) -> None:
    first, last = lives(170, 45, 60)
    with deployed(kafka, **SETTINGS, **STRIKING) as shop:
        workers = [shop.start(), shop.start()]
        for worker in workers:
            worker.await_ready()
        log = Log(shop)
        send(shop, first)
        shop.await_taken()
        version = log.await_learned().versions["cart"]
        assert version >= MIN_EXAMPLES
        await_true(
            "the model in force everywhere",
            lambda: all(worker.metric("model_version", model="cart") == version for worker in workers),
        )
        send(shop, last, settle=AFTERWARDS)
        shop.await_taken()
        log.await_learned()

        log.assert_coherent()
        assert_scored_with_what_was_published(log)
        assert_journaled(log, read(kafka, JOURNAL))
        (learner,) = (worker for worker in workers if opened(worker))
        assert_gauges(learner, log)


def assert_scored_with_what_was_published(log: Log) -> None:
    """The probability in each example is that of the published snapshot of its version, or of the rule."""
    published = (scorers_of(publication.snapshots) for publication in log.published())
    scorers = {
        (name, scorer.version): scorer
        for known in (cold_start(), *published)
        for name, scorer in known.items()
    }
    examples = [example for _, example in log.examples()]
    for each in examples:
        assert scorers[each.model, each.model_version].score(each.features).p == each.p
    assert any(each.model_version >= MIN_EXAMPLES for each in examples)
    outcomes = {(each.model, each.label) for each in examples}
    assert outcomes == {(name, label) for name in NAMES for label in (False, True)}


def assert_journaled(log: Log, journal: Iterable[Record]) -> None:
    """A version that a task has scored with is one that its journal says it took over."""
    noted = {
        (record.json["task"], *taken)
        for record in journal
        for taken in record.json.get("model_versions", {}).items()
    }
    scored = {(task, each.model, each.model_version) for task, each in log.examples() if each.model_version}
    assert scored <= noted


def assert_gauges(worker: Worker, log: Log) -> None:
    """The learner shows how many examples it has learned, and how well it had predicted them."""
    *_, (_, expected) = log.learned()
    shown = {
        name: (learning.version, learning.scored.auc(), learning.scored.log_loss())
        for name, learning in expected.learning.items()
    }
    figures = ("model_examples", "model_auc", "model_log_loss")
    await_true(
        "the gauges of the last lesson",
        lambda: shown == {name: tuple(worker.metric(each, model=name) for each in figures) for name in NAMES},
    )


def test_who_comes_after_a_killed_learner_goes_on_from_its_last_snapshot(kafka: str, tmp_path: Path) -> None:
    strike = tmp_path / "strike"
    first, second, third = lives(60, 20, 40, 60)
    with deployed(kafka, **SETTINGS | {"idle_ms": 20}, **BRIEF, **STRIKING) as shop:
        killed = shop.start(**{STRIKE: str(strike)}).await_ready()
        log = Log(shop)
        send(shop, (event for event in first if not is_held_back(event)), told=TASKS[:-1])
        shop.await_taken()
        left = log.await_learned()
        assert 0 < sum(left.versions.values()) < len(log.examples()), "no example has to wait"
        strike.write_text("commit_transaction SIGKILL")
        send(shop, [*filter(is_held_back, first), *second])
        await_true("a learner that died while it published", lambda: not killed.is_running)
        written = Reader(kafka, MODELS, isolation="read_uncommitted").read()
        assert len(written) > sum(len(each.records) for each in log.published())

        heir = shop.start().await_ready()
        send(shop, third, settle=AFTERWARDS)
        shop.await_taken()
        log.await_learned()
        log.assert_coherent()
        assert opened(heir) == [left.versions]


def is_held_back(event: Replayed) -> bool:
    """Of the last task after its tenth day: while these are missing, nobody else's examples may overtake it."""
    return event.at > START + 10 * DAY and partition_of(event.key.encode(), len(TASKS)) == TASKS[-1]


def test_a_learner_that_wakes_up_after_its_lease_has_gone_publishes_nothing(
    kafka: str, tmp_path: Path
) -> None:
    strike = tmp_path / "strike"
    first, second, third = lives(60, 20, 40, 60)
    with deployed(kafka, **SETTINGS, **BRIEF, **STRIKING) as shop:
        sleeper = shop.start(**{STRIKE: str(strike)}).await_ready()
        await_true("the learner", lambda: opened(sleeper))
        heir = shop.start().await_ready()
        log = Log(shop)
        send(shop, first)
        shop.await_taken()
        left = log.await_learned()
        strike.write_text("begin_transaction SIGSTOP")
        send(shop, second)
        await_true("a learner about to publish", lambda: not strike.exists())
        shop.await_taken()
        assert log.await_learned() != left

        assert not began_again(sleeper)
        sleeper.signal(signal.SIGCONT)
        await_true("its failure", lambda: began_again(sleeper))
        (failure,) = began_again(sleeper)
        assert "fenced by a newer instance" in failure
        send(shop, third, settle=AFTERWARDS)
        shop.await_taken()
        log.await_learned()
        log.assert_coherent()
        assert opened(heir) == [left.versions]
        assert not began_again(heir)


def test_one_two_and_three_workers_make_the_same_examples(kafka: str) -> None:
    (events,) = lives(60, 60)
    found = [examples_of(kafka, events, workers) for workers in (1, 2, 3)]
    assert found[0] == found[1] == found[2]


def examples_of(kafka: str, events: list[Replayed], number: int) -> Counter[str]:
    """The examples that so many workers make, all of the rules: no model is learned enough to take part."""
    with deployed(kafka, **SETTINGS, **BRIEF) as shop:
        workers = [shop.start() for _ in range(number)]
        await_true(
            "a share of the tasks for each", lambda: all(_said(each, "task open") for each in workers), 60
        )
        send(shop, events, settle=AFTERWARDS)
        shop.await_taken()
        examples = [example for _, example in Log(shop).examples()]
        assert {(each.model, each.model_version) for each in examples} == {(name, 0) for name in NAMES}
        return Counter(each.to_json().decode() for each in examples)
