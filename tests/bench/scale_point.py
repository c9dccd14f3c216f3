"""One point of the scale: so many workers, partitions and customers, on a Kafka of its own."""

import os
import time
import urllib.request
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import orjson
from prometheus_client.parser import text_string_to_metric_families

from schemas import topics
from schemas.customer import Customer
from schemas.event import Millis
from schemas.touchpoints import load
from streams.engine import admin
from streams.engine.task_row import TaskRow
from streams.local.program import free_port
from streams.local.stack import embedded
from streams.settings import Settings
from tests.bench import mix
from tests.bench.process import LIMIT_SECONDS, cpu_seconds, worker
from tests.broker.filling import fill, key_of

_POLL_SECONDS = 0.1


class Point(NamedTuple):
    """What is varied."""

    workers: int
    partitions: int
    customers: int
    hours: int


class Found(NamedTuple):
    """CPU is what all workers took from before the events are written until all are taken; memory is theirs too.

    `seconds` are from the last look that saw no event taken to the first that saw all.
    """

    seconds: float
    events_per_s: float
    events_per_cpu_s: float
    cpu_us_per_event: float
    us_per_commit: float
    """By the clock: those of several tasks overlap."""
    events_per_batch: float
    resident_mb: float
    ready_s: float
    """From the start of the first worker until all tasks are open and spread evenly."""


class _Look(NamedTuple):
    at: float
    cpu_s: float
    events: float
    batches: float
    commits: float
    commit_s: float


def measure(
    point: Point,
    made: list[tuple[str, bytes, bytes, Millis]],
    left: list[Customer],
    stands: TaskRow,
) -> Found:
    """The customers' rows are there first, then the workers, then the events. Raises TimeoutError."""
    with embedded(with_redis=False) as stack, ExitStack() as started:
        settings = Settings(bootstrap=stack.bootstrap, time="events", partitions=point.partitions)
        admin.create(settings, topics.topics(settings.app_id, settings.partitions, load()))
        fill(settings, left, point.customers, stands)
        began, workers = time.monotonic(), []
        for _ in range(point.workers):
            port = free_port()
            pid = started.enter_context(worker(settings.model_copy(update={"metrics_port": port})))
            workers.append((pid, port))
        _await_spread(point, [port for _, port in workers])
        ready = time.monotonic() - began
        before = _look(workers)
        mix.load_into(settings, _acted(made, point.customers))
        seconds, after = _watch(workers, len(made))
        resident = sum(_resident_bytes(pid) for pid, _ in workers)
    cpu, events = after.cpu_s - before.cpu_s, after.events
    return Found(
        seconds,
        events / seconds,
        events / cpu,
        cpu / events * 1e6,
        (after.commit_s - before.commit_s) / (after.commits - before.commits) * 1e6,
        events / (after.batches - before.batches),
        resident / 1e6,
        ready,
    )


def _acted(
    made: list[tuple[str, bytes, bytes, Millis]], customers: int
) -> list[tuple[str, bytes, bytes, Millis]]:
    """The same events as acts of so many customers: of those whose rows are there."""
    acted = []
    for touchpoint, key, value, at in made:
        number = crc32(key) % customers
        event = orjson.loads(value) | {"customer_id": str(number)}
        acted.append((touchpoint, key_of(number), orjson.dumps(event), at))
    return acted


def _await_spread(point: Point, ports: list[int]) -> None:
    even = {point.partitions // point.workers, -(-point.partitions // point.workers)}
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        held = [_metrics(port)["pulpero_tasks_open"] for port in ports]
        if sum(held) == point.partitions and even.issuperset(held):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{point.partitions} tasks are not spread evenly: {held}")
        time.sleep(_POLL_SECONDS)


def _watch(workers: list[tuple[int, int]], count: int) -> tuple[float, _Look]:
    began = time.monotonic()
    deadline = began + LIMIT_SECONDS
    while (look := _look(workers)).events < count:
        if look.at > deadline:
            raise TimeoutError(f"the workers took {look.events:g} of {count} events in {LIMIT_SECONDS:g} s")
        if not look.events:
            began = look.at
        time.sleep(_POLL_SECONDS)
    return look.at - began, look


def _look(workers: list[tuple[int, int]]) -> _Look:
    metrics = _metrics(*(port for _, port in workers))
    return _Look(
        time.monotonic(),
        sum(cpu_seconds(pid) for pid, _ in workers),
        metrics["pulpero_consumed_total"],
        metrics["pulpero_batch_records_count"],
        metrics["pulpero_commit_seconds_count"],
        metrics["pulpero_commit_seconds_sum"],
    )


def _metrics(*ports: int) -> dict[str, float]:
    """Each sample's name → the sum over its labels and these workers; 0 for what they do not have."""
    summed: defaultdict[str, float] = defaultdict(float)
    for port in ports:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                summed[sample.name] += sample.value
    return summed


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
