"""The processes of a soak: a broker that can be paused, and workers. All of them die with the soak."""

import os
import re
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from streams.local import kafka
from streams.local.demo import is_ready
from streams.local.program import Program, free_port
from streams.local.stack import cache_folder
from tests.broker.workers import ROOT, await_true

READY_SECONDS = 90.0
LOOK_SECONDS = 1.0
Series = dict[str, list[tuple[dict[str, str], float]]]
"""A metric's name, without the prefix → (labels, value) of each of its series."""


class Died(Exception):
    """A worker ended that nobody had killed; the message has the last that it said."""


class Broker:
    """The embedded Kafka."""

    def __init__(self, program: Program, port: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._program = program

    def pause(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        pid = self._program.pid()
        assert pid is not None, "the broker does not run"
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def broker() -> Iterator[Broker]:
    """A Kafka on a free port, its data in a temporary folder; both gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="pulpero-soak-") as folder:
        program, port = Program("kafka", Path(folder) / "kafka"), free_port()
        try:
            kafka.start(program, port, cache_folder(), tethered=True)
            yield Broker(program, port)
        finally:
            program.stop()


class Worker:
    """A running `pulpero worker`; its log is a file in `folder`."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = free_port()
        self._program = Program(name, folder)
        command = [sys.executable, "-m", "streams", "worker", "--json-logs"]
        own = {**environment, "PULPERO_METRICS_PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        self._program.start(command, tethered=True, environment=own)
        await_true(f"the pid of {name}", self._program.pid)
        pid = self._program.pid()
        assert pid is not None
        self.pid = pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended; a stopped process runs."""
        return self._program.is_alive()

    @property
    def is_ready(self) -> bool:
        """Whether all its tasks are open."""
        return is_ready(self.port)

    def signal(self, number: signal.Signals) -> None:
        """To its pid."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self._program.stop()

    def stop(self) -> None:
        """SIGTERM. Raises Died if it does not end in order."""
        if not self._program.stop(20.0) or '"worker stopped"' not in self.log_tail():
            raise Died(f"{self.name} did not stop in order:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of its log."""
        return self._program.log_tail()

    def metrics(self) -> Series:
        """All series of /metrics; none while it does not answer."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/metrics", timeout=LOOK_SECONDS
            ) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        found: Series = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix("pulpero_")
                found.setdefault(name, []).append((sample.labels, sample.value))
        return found

    def resident_mib(self) -> float:
        """Resident memory, MiB. Raises OSError if it is gone."""
        return int(_found(self._status(), r"VmRSS:\s+(\d+)")) / 1024

    def threads(self) -> int:
        """How many threads it has. Raises OSError if it is gone."""
        return int(_found(self._status(), r"Threads:\s+(\d+)"))

    def open_files(self) -> int:
        """How many files and sockets it has open. Raises OSError if it is gone."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def _status(self) -> str:
        return Path(f"/proc/{self.pid}/status").read_text()


def _found(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ProcessLookupError("it has ended and is not yet buried")
    return found[1]


class Fleet:
    """The workers of one deployment, in the order of their starts."""

    def __init__(self, folder: Path, environment: Mapping[str, str], partitions: int) -> None:
        self.workers: list[Worker] = []
        self._folder = folder
        self._environment = environment
        self._partitions = partitions
        self._started = 0

    def start(self) -> Worker:
        """One more. From the main thread: on Linux it dies with the thread that started it."""
        self._started += 1
        name = f"worker-{self._started}"
        worker = Worker(name, self._folder / name, self._environment)
        self.workers.append(worker)
        return worker

    def remove(self, worker: Worker, end: Callable[[Worker], None]) -> None:
        """End one, and forget it."""
        self.workers.remove(worker)
        end(worker)

    def check(self) -> None:
        """Raises Died if one has ended by itself."""
        for worker in self.workers:
            if not worker.is_running:
                raise Died(f"{worker.name} ended by itself:\n{worker.log_tail()}")

    def await_open(self) -> None:
        """Wait until every task is open in one worker. Raises Died, or AssertionError after READY_SECONDS."""
        await_true(f"{self._partitions} open tasks", self._is_open, READY_SECONDS)

    def _is_open(self) -> bool:
        self.check()
        if not all(worker.is_ready for worker in self.workers):
            return False
        counted = [total(worker.metrics(), "tasks_open") for worker in self.workers]
        return sum(counted) == self._partitions and all(counted)

    def stop(self) -> None:
        """SIGTERM to all. Raises Died if one does not end in order."""
        while self.workers:
            self.remove(self.workers[-1], Worker.stop)

    def kill(self) -> None:
        """Whatever still runs."""
        while self.workers:
            self.workers.pop().kill()


def total(series: Series, name: str, **labels: str) -> float:
    """The sum of the metric's series that have these labels."""
    return sum(value for has, value in series.get(name, ()) if labels.items() <= has.items())
