"""`make bench`: stock Faust and Pulpero do the same job on the same events and broker, in one run.

Each system is a process of its own and reads the same loaded topics from the beginning. Reported are events/s
from the first event to the last, and the process's CPU seconds over the same time. Stock Faust stops early: it would
take half an hour for what the others read, and its rate does not grow with more.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from schemas import topics
from schemas.touchpoints import load
from streams.cli.observed import scrape
from streams.engine import admin
from streams.local.demo import is_ready
from streams.local.program import free_port
from streams.local.stack import embedded
from streams.settings import Settings
from tests.bench import mix, steps

LIMIT_SECONDS = 300.0

Figures = dict[str, dict[str, dict[str, list[float]]]]
"""Job → system → `events`, `events_per_s` and `cpu_s` (for that many events), one figure a run."""


class Measured(NamedTuple):
    """What one run of one system took, from its first event to its last."""

    events: int
    seconds: float
    cpu_s: float


def bench(
    events: Annotated[int, typer.Option(help="How many events are loaded.")] = 240_000,
    faust_events: Annotated[int, typer.Option(help="After how many of them stock Faust stops.")] = 60_000,
    customers: Annotated[int, typer.Option(help="Of how many simulated customers.")] = 12_000,
    runs: Annotated[int, typer.Option(help="Runs of each system.")] = 3,
    report: Annotated[Path | None, typer.Option(envvar="REPORT", help="Write the figures as JSON.")] = None,
) -> None:
    """Measure, print the table, write the report."""
    console = Console()
    made = mix.events(events, customers)
    figures: Figures = {"full job": {}}
    with embedded(with_redis=False) as stack:
        settings = Settings(bootstrap=stack.bootstrap, time="events", metrics_port=free_port())
        registry = topics.topics(settings.app_id, settings.partitions, load())
        admin.create(settings, registry)
        mix.load_into(settings, made)
        systems: dict[str, Callable[[int], Measured]] = {
            "stock Faust": lambda run: _stock_faust(settings, min(faust_events, events), run),
            "Pulpero": lambda run: _pulpero(settings, events, run),
        }
        for run in range(runs):
            for name, job in systems.items():
                taken = job(run)
                rate = taken.events / taken.seconds
                console.print(f"run {run + 1}: {name}: {rate:,.0f} events/s, {taken.cpu_s:.1f} CPU s")
                kept = figures["full job"].setdefault(name, {"events": [], "events_per_s": [], "cpu_s": []})
                kept["events"].append(taken.events)
                kept["events_per_s"].append(round(rate, 1))
                kept["cpu_s"].append(round(taken.cpu_s, 2))
    _print(console, figures, steps.measure(made[: min(events, 50_000)]))
    if report is not None:
        report.write_text(json.dumps(figures, indent=2))


def _stock_faust(settings: Settings, count: int, run: int) -> Measured:
    app_id = f"stock-faust-{run}"
    arguments = [settings.bootstrap, str(settings.partitions), str(count), app_id]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.stock_faust", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "F_DATADIR": folder},
            text=True,
        )
        assert process.stdout is not None
        try:
            found = json.loads(next(line for line in process.stdout if line.startswith("{")))
        finally:
            process.kill()
            process.wait()
    return Measured(count, found["seconds"], found["cpu_s"])


def _pulpero(settings: Settings, count: int, run: int) -> Measured:
    """An application of its own each run, so that each begins at the topics' beginning with empty rows."""
    own = settings.model_copy(update={"app_id": f"bench-{run}", "metrics_port": free_port()})
    admin.create(own, topics.topics(own.app_id, own.partitions, load()))
    environment = {
        **os.environ,
        "PULPERO_BOOTSTRAP": own.bootstrap,
        "PULPERO_APP_ID": own.app_id,
        "PULPERO_TIME": own.time,
        "PULPERO_METRICS_PORT": str(own.metrics_port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "worker"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        return _watch(process.pid, own.metrics_port, count)
    finally:
        process.terminate()
        process.wait()


def _watch(pid: int, port: int, count: int) -> Measured:
    """From the first look that sees events to the one that sees all of them."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not is_ready(port):
        if time.monotonic() > deadline:
            raise TimeoutError("the worker did not become ready")
    first: tuple[float, int, float] | None = None
    while time.monotonic() < deadline:
        seen = scrape(port)
        now = time.perf_counter()
        if seen is not None and seen.events:
            first = first or (now, seen.events, _cpu_seconds(pid))
            if seen.events >= count:
                return Measured(seen.events - first[1], now - first[0], _cpu_seconds(pid) - first[2])
        time.sleep(0.1)
    raise TimeoutError(f"the worker did not take {count} events in {LIMIT_SECONDS:g} s")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_micros(kept: dict[str, list[float]]) -> float:
    """The median run's."""
    return statistics.median(cpu / n * 1e6 for cpu, n in zip(kept["cpu_s"], kept["events"], strict=True))


def _print(console: Console, figures: Figures, spent: dict[str, float]) -> None:
    table = Table(title="events/s")
    for column in (
        "job",
        "system",
        "min",
        "median",
        "max",
        "x stock Faust",
        "CPU µs an event",
        "x per CPU second",
    ):
        table.add_column(column)
    for job, systems in figures.items():
        base = systems["stock Faust"]
        for name, kept in systems.items():
            rates, cpu = sorted(kept["events_per_s"]), _cpu_micros(kept)
            times = statistics.median(rates) / statistics.median(base["events_per_s"])
            table.add_row(
                job,
                name,
                *(f"{each:,.0f}" for each in (rates[0], statistics.median(rates), rates[-1])),
                f"{times:.1f}",
                f"{cpu:.0f}",
                f"{_cpu_micros(base) / cpu:.1f}",
            )
    console.print(table)
    by_step = Table(title="Pulpero, µs an event by step (one process, no Kafka)")
    for step in spent:
        by_step.add_column(step)
    by_step.add_row(*(f"{micros:.1f}" for micros in spent.values()))
    console.print(by_step)


if __name__ == "__main__":
    typer.run(bench)
