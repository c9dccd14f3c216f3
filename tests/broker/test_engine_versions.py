"""Two versions in one deployment: policies that differ side by side; what newer code wrote is refused, not misread."""

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from models.learner import Learner
from models.snapshot import FORMAT, to_records
from schemas.customer import ROW_VERSION
from schemas.policy_file import load_policy, policy_version
from schemas.topics import DEAD_LETTERS, DECISIONS, JOURNAL, MODELS
from streams.engine.partitions import partition_of
from streams.engine.task_row import TASK_ROW_KEY, TASK_ROW_VERSION, TaskRow, pack_task_row
from tests.broker.events import START, added, key_of
from tests.broker.reading import Record, read, rows, task_rows
from tests.broker.traffic import Traffic
from tests.broker.workers import Deployment, Worker, await_true, deployed

pytestmark = pytest.mark.broker

TASKS = range(4)
SETTINGS = {"partitions": len(TASKS), "time": "events", "idle_ms": 20}
OLD, NEW = "version: old\ntime: {grace: 5s}\n", "version: new\ntime: {grace: 9s}\n"


def test_each_decision_names_the_policy_of_the_worker_that_made_it_and_tasks_move_between_them(
    kafka: str, tmp_path: Path
) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        traffic = Traffic(shop)
        old = start(shop, tmp_path / "old.yaml", OLD).await_ready()
        go_on(shop, traffic)
        new = start(shop, tmp_path / "new.yaml", NEW)
        await_true("a share for the new one", lambda: tasks_open(old) == tasks_open(new) == len(TASKS) / 2)
        moved = {line["task"] for line in new.log if line["message"] == "task open"}
        go_on(shop, traffic)
        assert new.stop() == 0, new.said
        await_true("all tasks", lambda: tasks_open(old) == len(TASKS))
        go_on(shop, traffic)

        versions = [policy_version(load_policy(text)) for text in (OLD, NEW)]
        to_and_fro = [versions[0], versions[1], versions[0]]
        decided = runs(read(kafka, DECISIONS), "policy_version")
        assert decided == {task: to_and_fro if task in moved else versions[:1] for task in TASKS}
        # The policy that a task begins with is told too.
        assert runs(read(kafka, JOURNAL), "policy_version") == decided
        assert_only_rises(shop)
        traffic.assert_taken_once()


@pytest.mark.parametrize("what", ["row", "task row"])
def test_what_newer_code_has_written_ends_an_old_worker_that_says_so_and_changes_nothing(
    kafka: str, what: str
) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        worker = shop.start().await_ready()
        shop.send("web", key_of("anna"), added("e1", "anna", START))
        shop.await_taken()
        assert worker.stop() == 0, worker.said
        task = partition_of(key_of("anna").encode(), len(TASKS))
        write_newer(shop, what, task)
        shop.send("web", key_of("anna"), added("e2", "anna", START))
        shop.producer.flush()
        before = read(kafka, shop.changelog)

        worker = shop.start()
        assert worker.wait(60) == 1, worker.said
        said = {
            "row": f"{shop.changelog}[{task}] has rows of version {ROW_VERSION + 1}; this code reads up to "
            f"{ROW_VERSION}: start the version that wrote them",
            "task row": f"a task row of version {TASK_ROW_VERSION + 1}; this code reads version {TASK_ROW_VERSION}",
        }
        assert said[what] in worker.said
        assert read(kafka, shop.changelog) == before
        assert read(kafka, DEAD_LETTERS) == []


@pytest.mark.parametrize("newer", ["format", "river"])
def test_models_of_newer_code_are_refused_and_not_written_over_while_tasks_go_on(
    kafka: str, newer: str
) -> None:
    with deployed(kafka, **SETTINGS) as shop:
        traffic = Traffic(shop)
        write_newer_models(shop, newer)
        before = read(kafka, MODELS)
        worker = shop.start().await_ready()
        go_on(shop, traffic)
        await_true("a learner that refuses twice", lambda: len(refusals(worker)) > 1)
        said = {
            "format": f"snapshot format {FORMAT + 1}, this version reads {FORMAT}",
            "river": "the snapshot was learned with River 99.0",
        }
        assert all(said[newer] in why for why in refusals(worker))
        assert not [line for line in worker.log if line["message"] == "learner open"]
        assert read(kafka, MODELS) == before
        assert worker.is_ready
        traffic.assert_taken_once()
        assert worker.stop() == 0, worker.said


def start(shop: Deployment, path: Path, policy: str) -> Worker:
    path.write_text(policy)
    return shop.start(PULPERO_POLICY=str(path))


def go_on(shop: Deployment, traffic: Traffic) -> None:
    traffic.send()
    shop.await_taken()


def tasks_open(worker: Worker) -> float:
    return worker.metric("tasks_open")


def runs(records: Sequence[Record], field: str) -> dict[int, list[str]]:
    """What stands in the field of each task's records, in turn, repeated or missing values left out."""
    told = defaultdict[int, list[str]](list)
    for record in records:
        if field in record.json:
            told[record.partition].append(record.json[field])
    return {task: [value for value, _ in groupby(values)] for task, values in told.items()}


def assert_only_rises(shop: Deployment) -> None:
    """No task's progress or time ever goes back, whoever runs it."""
    stands: dict[int, TaskRow] = {}
    for record in read(shop.bootstrap, shop.changelog):
        if record.key == TASK_ROW_KEY:
            ((task, row),) = task_rows([record]).items()
            last = stands.get(task, TaskRow())
            assert row.stream_time >= last.stream_time
            assert row.timer_clock >= last.timer_clock
            assert all(row.offsets[topic] >= offset for topic, offset in last.offsets.items())
            stands[task] = row
    assert stands.keys() == set(TASKS)


def write_newer(shop: Deployment, what: str, task: int) -> None:
    """What a newer version would leave in the changelog of a task."""
    changelog = read(shop.bootstrap, shop.changelog)
    if what == "row":
        key = key_of("anna").encode()
        value = (ROW_VERSION + 1).to_bytes(1) + rows(changelog)[key][1:]
    else:
        newer = msgspec.structs.replace(task_rows(changelog)[task], version=TASK_ROW_VERSION + 1)
        key, value = TASK_ROW_KEY, pack_task_row(newer)
    write(shop, shop.changelog, key, value, task)


def write_newer_models(shop: Deployment, newer: str) -> None:
    """Snapshots that this version could read, were it not for their format or their River."""
    for snapshot in Learner().snapshots({}).values():
        of_river = msgspec.structs.replace(snapshot, river="99.0") if newer == "river" else snapshot
        *chunks, (key, manifest) = to_records(of_river)
        if newer == "format":
            manifest = json.dumps({**json.loads(manifest), "format": FORMAT + 1, "unheard_of": 1}).encode()
        for name, value in (*chunks, (key, manifest)):
            write(shop, MODELS, name.encode(), value, 0)


def write(shop: Deployment, topic: str, key: bytes, value: bytes, partition: int) -> None:
    producer = Producer({"bootstrap.servers": shop.bootstrap, "log_level": 0})
    producer.produce(topic, key=key, value=value, partition=partition)
    assert producer.flush(30) == 0


def refusals(worker: Worker) -> list[str]:
    log = list(worker.log)
    return [line["why"] for line in log if line["message"] == "learner: the published models are refused"]
