"""What grows with what: `python -m tests.bench.scale` replays the recorded mix, one thing changed at a time.

The base is one worker, 12 partitions, 10,000 customers and an hour of history. Customers are rows as a replay of
the Google Merchandise Store leaves them, restored before the history begins, and it is they who act in it. Each
point has a Kafka of its own, on the same two cores as its workers: CPU time is comparable from point to point,
events/s is not once they compete.
"""

import json
import os
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from schemas.customer import Customer
from schemas.event import Millis
from streams.engine.task_row import TaskRow
from streams.local.adapters import gms
from streams.local.stack import STATE_FOLDER
from tests.bench.recorded import DATA, missing, recorded
from tests.bench.rows import replayed
from tests.bench.scale_point import Found, Point, measure

HOUR = 3_600_000
ENOUGH = 110_000
"""An hour of the recorded mix has fewer events."""

WIDTH = 120
_COLUMNS = ("s", "ev/s", "ev/CPU s", "µs/ev", "µs/commit", "ev/batch", "MB", "ready s")
_LEGEND = "ev: events; µs/ev: CPU of all workers; µs/commit: by the clock; MB: resident, all workers"

BASE = Point(workers=1, partitions=12, customers=10_000, hours=1)
POINTS = (
    BASE,
    BASE._replace(workers=2),
    BASE._replace(workers=4),
    BASE._replace(partitions=64),
    BASE._replace(partitions=64, workers=4),
    BASE._replace(customers=100_000),
    BASE._replace(customers=1_000_000),
    BASE._replace(hours=4),
)


def scale(
    events: Annotated[int, typer.Option(min=1, help="At most so many events an hour of history.")] = ENOUGH,
    customers: Annotated[int, typer.Option(min=1, help="Leave out what has more.")] = 1_000_000,
    report: Annotated[Path, typer.Option(envvar="REPORT", help="The figures as JSON.")] = STATE_FOLDER
    / "scale.json",
) -> None:
    """Measure every point, print the table, write the report. Exits with 2 without the recorded data."""
    console = Console()
    if absent := missing():
        console.print(f"NOTHING WAS MEASURED: no recorded data in {', '.join(map(str, absent))}")
        raise typer.Exit(2)
    rows, stands = _rows()
    start = stands.stream_time
    made = recorded(events * max(point.hours for point in POINTS), start)
    found: dict[Point, Found] = {}
    for point in POINTS:
        if point.customers <= customers:
            console.print(f"{point}; load {os.getloadavg()[0]:.1f}", markup=False)
            history = list(takewhile(partial(_is_before, start + point.hours * HOUR), made))
            found[point] = measure(point, history[: point.hours * events], rows, stands)
    _show(console, found)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(
        json.dumps([each._asdict() | figures._asdict() for each, figures in found.items()], indent=2)
    )
    console.print(f"{report}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _rows() -> tuple[list[Customer], TaskRow]:
    file = gms.ADAPTER.find(DATA / "gms_ga4")
    assert file is not None, "missing() was asked"
    return replayed(file)


def _is_before(end: Millis, event: tuple[str, bytes, bytes, Millis]) -> bool:
    return event[3] < end


def _show(console: Console, found: dict[Point, Found]) -> None:
    table = Table(title="the recorded mix", caption=_LEGEND)
    for name in (*Point._fields, *_COLUMNS):
        table.add_column(name, justify="right", no_wrap=True)
    for point, figures in found.items():
        table.add_row(*(f"{each:,.0f}" for each in (*point, *figures)))
    # Where the output is no terminal the console is narrower than the table.
    Console(width=max(WIDTH, console.width)).print(table)


if __name__ == "__main__":
    typer.run(scale)
