"""Workers as processes of their own on the embedded Kafka: started, asked, stopped and killed by pid."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from prometheus_client.parser import text_string_to_metric_families

from schemas import topics
from schemas.touchpoints import load
from streams.engine import admin
from streams.engine.partitions import partition_of
from streams.settings import Settings
from tests.broker.reading import Reader, Record, read, task_rows

ROOT = Path(__file__).parents[2]
_COMMAND = Path(sys.executable).with_name("pulpero")
_POLL_SECONDS = 0.05


def await_true(what: str, is_true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until it is true. Raises AssertionError that says what was waited for."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for: {what}")
        time.sleep(_POLL_SECONDS)


class Worker:
    """A running `pulpero worker`. `log` holds its log lines so far."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.log: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [_COMMAND, "worker", "--json-logs"], env=environment, cwd=ROOT, stderr=subprocess.PIPE
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._port: int | None = None

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """Its whole log as text."""
        return "\n".join(orjson.dumps(line).decode() for line in self.log)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of its HTTP side; (0, "") while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._found_port()}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    @property
    def is_ready(self) -> bool:
        return self.get("/ready")[0] == 200

    def await_ready(self, seconds: float = 40.0) -> "Worker":
        await_true("a worker that is ready", lambda: self.is_ready or not self.is_running, seconds)
        assert self.is_running, self.said
        return self

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the metric's series that have these labels."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"pulpero_{name}" and labels.items() <= sample.labels.items()
        )

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._end()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM; its exit code."""
        self._process.terminate()
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Wait for its end; its exit code."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end within {seconds:g} s:\n{self.said}") from None
        return self._end()

    def _end(self) -> int:
        code = self._process.wait()
        self._listener.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return code

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            try:
                self.log.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                self.log.append({"message": line.decode(errors="replace").rstrip()})

    def _found_port(self) -> int:
        if self._port is None:
            found = [line["metrics_port"] for line in list(self.log) if "metrics_port" in line]
            if not found:
                raise OSError("the worker has not said its port yet")
            self._port = found[0]
        return self._port


class Deployment:
    """Topics of its own on a broker, and the workers that were started on them."""

    def __init__(self, bootstrap: str, **settings: Any) -> None:
        self.settings = Settings(
            bootstrap=bootstrap, app_id=f"app-{uuid4().hex[:8]}", **{"partitions": 4, **settings}
        )
        self.touchpoints = load(self.settings.touchpoints)
        self.registry = topics.topics(self.settings.app_id, self.settings.partitions, self.touchpoints)
        self.changelog = topics.changelog(self.settings.app_id)
        self.workers: list[Worker] = []
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "log_level": 0})
        self._progress: Reader | None = None

    @property
    def bootstrap(self) -> str:
        return self.settings.bootstrap

    def read(self, *names: str) -> list[Record]:
        """All committed records of the topics."""
        return read(self.bootstrap, *names)

    def create_topics(self) -> None:
        """Make every topic anew: what earlier tests wrote is gone."""
        names = {each.name for each in self.registry}
        left = names & self._existing()
        if left:
            for gone in self.admin.delete_topics(sorted(left)).values():
                gone.result()
        await_true("topics that are gone", lambda: not names & self._existing())
        assert set(admin.create(self.settings, self.registry)) == names
        await_true("topics with leaders", self._have_leaders)

    def _existing(self) -> set[str]:
        return set(self.admin.list_topics(timeout=10).topics)

    def environment(self, **more: str) -> dict[str, str]:
        """The settings as a worker's environment."""
        given = self.settings.model_dump(exclude_unset=True)
        named = {f"PULPERO_{name.upper()}": _as_text(value) for name, value in given.items()}
        return {**os.environ, "PYTHONPATH": str(ROOT), "PULPERO_METRICS_PORT": "0", **named, **more}

    def start(self, **more: str) -> Worker:
        """One more worker."""
        worker = Worker(self.environment(**more))
        self.workers.append(worker)
        return worker

    def send(
        self,
        touchpoint: str,
        key: str | bytes | None,
        value: object,
        *,
        partition: int | None = None,
        headers: list[tuple[str, str | bytes | None]] | None = None,
    ) -> int:
        """Send one record, bytes as they are; without a partition to the key's. Returns the partition."""
        raw = key.encode() if isinstance(key, str) else key
        if partition is None:
            partition = partition_of(raw or b"", self.settings.partitions)
        body = value if isinstance(value, bytes) or value is None else orjson.dumps(value)
        self.producer.produce(
            f"touchpoints.{touchpoint}", key=raw, value=body, partition=partition, headers=headers
        )
        self.producer.poll(0)
        return partition

    def await_taken(self, seconds: float = 40.0) -> None:
        """Wait until the task rows say that every record of every touchpoint is taken and committed."""
        self.await_offsets(self.ends(), seconds)

    def ends(self) -> dict[tuple[str, int], int]:
        """The end offset of every partition of every touchpoint. Raises KafkaException."""
        self.producer.flush()
        return self._end_offsets([each.topic for each in self.touchpoints])

    def _end_offsets(self, names: list[str]) -> dict[tuple[str, int], int]:
        partitions = {each.name: each.partitions for each in self.registry}
        places = [(name, number) for name in names for number in range(partitions[name])]
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = self.admin.list_offsets({TopicPartition(*place): latest for place in places})
        return {(place.topic, place.partition): told.result().offset for place, told in asked.items()}

    def _have_leaders(self) -> bool:
        # The client remembers how many partitions a topic of the same name had before, until it is told anew.
        self._existing()
        try:
            return bool(self._end_offsets([each.name for each in self.registry]))
        except KafkaException:
            return False

    def await_offsets(self, ends: dict[tuple[str, int], int], seconds: float = 40.0) -> None:
        """Wait until the task rows have reached these offsets."""
        if self._progress is None:
            self._progress = Reader(self.bootstrap, self.changelog)
        progress = self._progress

        def reached() -> bool:
            done = task_rows(progress.read())
            return all(
                end == 0 or (task in done and done[task].offsets.get(topic, 0) >= end)
                for (topic, task), end in ends.items()
            )

        await_true("all records taken", reached, seconds)

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.kill()


@contextmanager
def deployed(bootstrap: str, **settings: Any) -> Iterator[Deployment]:
    """A deployment with new topics; its workers are killed at the end."""
    shop = Deployment(bootstrap, **settings)
    shop.create_topics()
    try:
        yield shop
    finally:
        shop.close()


def _as_text(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return orjson.dumps(list(value)).decode()
    return str(value)
