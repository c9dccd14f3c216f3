"""A look at every worker each two seconds, kept as one line of JSON."""

import threading
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams.cli.observed import quantiles
from tests.soak.fleet import Fleet, Series, Worker, total
from tests.soak.flow import Flow
from tests.soak.witness import Witness

EVERY_SECONDS = 2.0
ROWS_SECONDS = 10.0


class Look(msgspec.Struct, omit_defaults=True):
    """One worker at one moment. What it did not answer is None; memory in MiB, times in seconds."""

    name: str
    memory: float
    files: int
    threads: int
    tasks: int | None = None
    timers: int | None = None
    rows: int | None = None
    lag: int | None = None
    watermark_lag: float | None = None
    p99: float | None = None
    """Event to action, since the last look."""


class Moment(msgspec.Struct, omit_defaults=True):
    """All workers at one moment, `at` seconds since the flow began. `rows` is what the changelog says of them."""

    at: float
    sent: int
    workers: list[Look]
    rows: dict[str, float] = {}


class Struck(NamedTuple):
    """A fault, from when to when: until all tasks were open again."""

    name: str
    at: float
    until: float


class Sampler(threading.Thread):
    """Looks until `stop`; `moments` holds what it saw, and the file too."""

    def __init__(self, fleet: Fleet, flow: Flow, witness: Witness, file: Path) -> None:
        super().__init__(name="sampler", daemon=True)
        self.began = time.monotonic()
        self.moments: list[Moment] = []
        self._fleet, self._flow, self._witness = fleet, flow, witness
        self._file = file
        self._done = threading.Event()
        self._buckets: dict[str, dict[float, float]] = {}
        self._rows_at = 0.0
        self._failure: Exception | None = None

    def now(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self.began

    def pass_by(self, seconds: float) -> None:
        """Let time pass while it looks on."""
        self._done.wait(seconds)

    def run(self) -> None:
        """Look, and write it down at once."""
        try:
            with self._file.open("wb") as file:
                while not self._done.wait(EVERY_SECONDS - self.now() % EVERY_SECONDS):
                    self.moments.append(self._moment())
                    file.write(msgspec.json.encode(self.moments[-1]) + b"\n")
                    file.flush()
        except Exception as failed:
            self._failure = failed

    def check(self) -> None:
        """Raises what it ended with."""
        if self._failure is not None:
            raise self._failure

    def cease(self) -> None:
        """Look no more."""
        self._done.set()
        self.join()

    def stop(self) -> None:
        """Cease. Raises what it ended with before."""
        self.cease()
        self.check()

    def _moment(self) -> Moment:
        at = self.now()
        looks = [look for worker in list(self._fleet.workers) if (look := self._look(worker)) is not None]
        is_due = at - self._rows_at >= ROWS_SECONDS
        if is_due:
            self._rows_at = at
        return Moment(round(at, 2), self._flow.sent, looks, self._witness.rows() if is_due else {})

    def _look(self, worker: Worker) -> Look | None:
        try:
            look = Look(worker.name, worker.resident_mib(), worker.open_files(), worker.threads())
        except OSError:
            return None
        if series := worker.metrics():
            look.tasks = int(total(series, "tasks_open"))
            look.timers = int(total(series, "timers_open"))
            look.rows = int(total(series, "rows"))
            look.lag = int(total(series, "lag_records"))
            look.watermark_lag = max(
                (lag for _, lag in series.get("watermark_lag_seconds", ())), default=None
            )
            look.p99 = self._p99(worker.name, series)
        return look

    def _p99(self, name: str, series: Series) -> float | None:
        """Of the actions since the last look."""
        buckets = {
            float(labels["le"]): value for labels, value in series.get("event_to_action_seconds_bucket", ())
        }
        before = self._buckets.get(name, {})
        self._buckets[name] = buckets
        found = quantiles((bound, value - before.get(bound, 0.0)) for bound, value in buckets.items()).p99
        return None if found is None else found / 1000
