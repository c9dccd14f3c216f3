"""`make bench`: other systems and Pulpero do the same jobs on the same events and broker, in one run.

Two jobs: `peers`, small and the same for everybody (tests/bench/peers), and `full job`, which only Pulpero's core can
do. Each system is a process of its own and reads the same loaded topics from the beginning. Reported are events/s
from the first event to the last, and the process's CPU seconds over the same time. Stock Faust stops early: it would
take half an hour for what the others read, and its rate does not grow with more.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from schemas import topics
from schemas.event import Millis
from schemas.touchpoints import load
from streams.cli.observed import scrape
from streams.engine import admin
from streams.local.program import free_port
from streams.local.stack import STATE_FOLDER, embedded
from streams.settings import Settings
from tests.bench import mix, steps
from tests.bench.composition import composition
from tests.bench.figures import BASE, Failed, Figures, Measured, keep, show, write
from tests.bench.peers import systems as peers
from tests.bench.process import LIMIT_SECONDS, answer, cpu_seconds, worker

PEERS, FULL_JOB = JOBS = ("peers", "full job")

SOON_SECONDS, LATER_SECONDS = 0.1, 1.0

Systems = dict[str, Callable[[int], Measured]]
"""A system's name → one run of it, by the run's number."""


def bench(
    events: Annotated[
        int,
        typer.Option(
            min=1, help="How many events each job loads. What is done before the first look does not count."
        ),
    ] = 300_000,
    faust_events: Annotated[
        int, typer.Option(min=1, help="After how many of them stock Faust stops.")
    ] = 60_000,
    customers: Annotated[
        int, typer.Option(min=1, help="Of how many simulated customers, in the full job.")
    ] = 12_000,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each system.")] = 3,
    of: Annotated[
        mix.Name | None,
        typer.Option("--mix", help="The full job's events; recorded where there are such data."),
    ] = None,
    job: Annotated[
        list[str] | None, typer.Option(help=f"Only this job: {' or '.join(JOBS)}; may be repeated.")
    ] = None,
    report: Annotated[
        Path, typer.Option(envvar="REPORT", help="The figures as JSON; the picture goes beside it.")
    ] = STATE_FOLDER / "bench.json",
) -> None:
    """Measure, print the table, write report and picture.

    Exits with 1 if a system failed, with 2 if what was asked for cannot be measured here.
    """
    console = Console()
    with _ends_plainly(console):
        figures: Figures = {}
        failures, faust_events = 0, min(faust_events, events)
        if unknown := set(job or JOBS) - set(JOBS):
            raise typer.BadParameter(f"{', '.join(sorted(unknown))}: the jobs are {', '.join(JOBS)}")
        made, chosen = [], None
        if not job or FULL_JOB in job:
            chosen = mix.choose(of, console)
            made = mix.named(chosen, events, customers)
            composition(made).show(console, chosen)
        # Each job has a Kafka of its own: their deployments have the same topics, with other partition counts.
        if not job or PEERS in job:
            with (
                embedded(with_redis=False) as stack,
                peers.systems(stack.bootstrap, events, faust_events, console.print) as systems,
            ):
                failures += _measure(console, figures, PEERS, systems, runs)
        if made:
            with embedded(with_redis=False) as stack:
                systems = _full_job(stack.bootstrap, made, faust_events)
                failures += _measure(console, figures, FULL_JOB, systems, runs)
        show(console, figures, f"the full job's events are {chosen}" if chosen else "")
        if made:
            _print_steps(console, steps.measure(made[:50_000]))
        console.print(f"{report} and {write(figures, report)}")
        if failures:
            raise typer.Exit(1)


@contextmanager
def _ends_plainly(console: Console) -> Iterator[None]:
    """In a line and an exit code: Ctrl-C, and what is missing here."""
    try:
        yield
    except (FileNotFoundError, peers.PeerMissing) as missing:
        console.print(f"NOTHING WAS MEASURED: {missing}", markup=False)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        console.print("ended early; everything that was started is stopped")
        raise typer.Exit(130) from None


def _measure(console: Console, figures: Figures, job: str, systems: Systems, runs: int) -> int:
    """Run after run, each system in turn; how many failed."""
    failures = 0
    for run in range(runs):
        for name, system in systems.items():
            try:
                taken = system(run)
            except Failed as failed:
                failures += 1
                console.print(f"{job}, run {run + 1}: {name} failed: {failed}", markup=False)
                continue
            console.print(
                f"{job}, run {run + 1}: {name}: {taken.rate:,.0f} events/s, {taken.cpu_s:.1f} CPU s"
            )
            keep(figures, job, name, taken)
    return failures


def _full_job(bootstrap: str, made: list[tuple[str, bytes, bytes, Millis]], faust_events: int) -> Systems:
    settings = Settings(bootstrap=bootstrap, time="events", metrics_port=free_port())
    admin.create(settings, topics.topics(settings.app_id, settings.partitions, load()))
    mix.load_into(settings, made)
    return {
        BASE: lambda run: _stock_faust(settings, faust_events, run),
        "Pulpero": lambda run: _pulpero(settings, len(made), run),
    }


def _stock_faust(settings: Settings, count: int, run: int) -> Measured:
    arguments = (settings.bootstrap, settings.partitions, count, f"stock-faust-{run}")
    found = answer([sys.executable, "-m", "tests.bench.stock_faust", *map(str, arguments)])
    return Measured(count, found["seconds"], found["cpu_s"])


def _pulpero(settings: Settings, count: int, run: int) -> Measured:
    """An application of its own each run, so that each begins at the topics' beginning with empty rows."""
    own = settings.model_copy(update={"app_id": f"bench-{run}", "metrics_port": free_port()})
    admin.create(own, topics.topics(own.app_id, own.partitions, load()))
    with worker(own) as pid:
        return _watch(pid, own.metrics_port, count)


def _watch(pid: int, port: int, count: int) -> Measured:
    """From the first look that sees events to the one that sees all of them.

    A look costs the worker 10 ms of its CPU, so they are few but where it begins and ends.
    """
    deadline = time.monotonic() + LIMIT_SECONDS
    first: tuple[float, int, float] | None = None
    while time.monotonic() < deadline:
        seen = scrape(port)
        now, pause = time.perf_counter(), SOON_SECONDS
        if seen is not None and seen.events:
            first = first or (now, seen.events, cpu_seconds(pid))
            if seen.events >= count:
                return Measured(seen.events - first[1], now - first[0], cpu_seconds(pid) - first[2])
            left = (count - seen.events) * (now - first[0]) / max(1, seen.events - first[1])
            pause = min(LATER_SECONDS, max(SOON_SECONDS, left / 3))
        time.sleep(pause)
    raise TimeoutError(f"the worker did not take {count} events in {LIMIT_SECONDS:g} s")


def _print_steps(console: Console, spent: dict[str, float]) -> None:
    by_step = Table(title="Pulpero, µs an event by step (one process, no Kafka)")
    for step in spent:
        by_step.add_column(step)
    by_step.add_row(*(f"{micros:.1f}" for micros in spent.values()))
    console.print(by_step)


if __name__ == "__main__":
    typer.run(bench)
