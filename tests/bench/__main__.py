"""`make bench`: stock Faust and Pulpero do the same job on the same events and broker, in one run.

Each system is a process of its own and reads the same loaded topics from the beginning. Reported are events/s
from the first event to the last, and the process's CPU seconds over the same time.
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
from typing import Annotated

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


def bench(
    events: Annotated[int, typer.Option(help="How many events, for each system the same.")] = 60_000,
    customers: Annotated[int, typer.Option(help="Of how many simulated customers.")] = 3_000,
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
        systems: dict[str, Callable[[int], tuple[float, float]]] = {
            "stock Faust": lambda run: _stock_faust(settings, events, run),
            "Pulpero": lambda run: _pulpero(settings, events, run),
        }
        for run in range(runs):
            for name, job in systems.items():
                rate, cpu = job(run)
                console.print(f"run {run + 1}: {name}: {rate:,.0f} events/s, {cpu:.1f} CPU s")
                kept = figures["full job"].setdefault(name, {"events_per_s": [], "cpu_s": []})
                kept["events_per_s"].append(round(rate, 1))
                kept["cpu_s"].append(round(cpu, 2))
    _print(console, figures, steps.measure(made[: min(events, 50_000)]))
    if report is not None:
        report.write_text(json.dumps(figures, indent=2))


def _stock_faust(settings: Settings, count: int, run: int) -> tuple[float, float]:
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
    return count / found["seconds"], found["cpu_s"]


def _pulpero(settings: Settings, count: int, run: int) -> tuple[float, float]:
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


def _watch(pid: int, port: int, count: int) -> tuple[float, float]:
    """(events/s, CPU seconds) from the first look that sees events to the one that sees all of them."""
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
                return (seen.events - first[1]) / (now - first[0]), _cpu_seconds(pid) - first[2]
        time.sleep(0.1)
    raise TimeoutError(f"the worker did not take {count} events in {LIMIT_SECONDS:g} s")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(console: Console, figures: Figures, spent: dict[str, float]) -> None:
    table = Table(title="events/s")
    for column in ("job", "system", "min", "median", "max", "x stock Faust"):
        table.add_column(column)
    for job, systems in figures.items():
        base = statistics.median(systems["stock Faust"]["events_per_s"])
        for name, kept in systems.items():
            rates = sorted(kept["events_per_s"])
            median = statistics.median(rates)
            table.add_row(
                job, name, f"{rates[0]:,.0f}", f"{median:,.0f}", f"{rates[-1]:,.0f}", f"{median / base:.1f}"
            )
    console.print(table)
    by_step = Table(title="Pulpero, µs an event by step (one process, no Kafka)")
    for step in spent:
        by_step.add_column(step)
    by_step.add_row(*(f"{micros:.1f}" for micros in spent.values()))
    console.print(by_step)


if __name__ == "__main__":
    typer.run(bench)
