"""What a million customers cost: to restore, to keep in memory, to take over. `python -m tests.bench.size`.

The rows are those that a replay of the Google Merchandise Store leaves, repeated under new keys. They are written as
a committed changelog. Then a worker of its own restores them, is made to unpack as many as it keeps unpacked (the hot
set), and of two workers one is killed. Memory is what the worker's process has resident beyond one without customers.
"""

import json
import os
import re
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from schemas.event import Millis
from streams.engine.partitions import partition_of
from streams.local.adapters import gms
from streams.local.stack import STATE_FOLDER, embedded
from tests.bench.figures import Failed
from tests.bench.process import cpu_seconds
from tests.bench.rows import replayed
from tests.broker.events import viewed
from tests.broker.filling import QUEUED, fill, key_of
from tests.broker.workers import Deployment, Worker, await_true, deployed

EVENTS = Path(__file__).parents[3] / "shared" / "data" / "gms_ga4"
"""The data set is not part of this project, since its licence may not allow it: it is looked for beside it."""

LIMIT_SECONDS = 600.0
SETTLE_SECONDS = 3.0
Figures = dict[str, float]


class Reach(NamedTuple):
    """What a figure is to be: at least or at most so much."""

    name: str
    bound: float
    unit: str
    at_least: bool = False

    def is_reached(self, figures: Figures) -> bool:
        """Whether it is."""
        figure = figures[self.name]
        return figure >= self.bound if self.at_least else figure <= self.bound

    def told(self, figures: Figures) -> str:
        """In one line."""
        is_reached = "reached" if self.is_reached(figures) else "NOT REACHED"
        sign = "≥" if self.at_least else "≤"
        figure = f"{figures[self.name]:,.{0 if self.bound > 100 else 2}f}"
        return f"{self.name.replace('_', ' ')}: {figure}, to be {sign} {self.bound:,.0f} {self.unit}: {is_reached}"


REACHES = (
    Reach("restore_rows_per_s", 150_000, "rows/s", at_least=True),
    Reach("bytes_per_customer", 2_048, "bytes, hot set aside"),
    Reach("takeover_beyond_session_seconds", 3.0, "s"),
)


class Process(NamedTuple):
    """What a worker has cost by the time its tasks were open."""

    cpu_s: float
    resident: int


class Opening(NamedTuple):
    """A task was open at `at` (seconds since the epoch), with so many rows, after so many seconds."""

    at: float
    rows: int
    seconds: float


def size(
    customers: Annotated[int, typer.Option(min=1, help="How many rows the changelog holds.")] = 1_000_000,
    partitions: Annotated[int, typer.Option(min=1, help="Of how many tasks.")] = 12,
    session: Annotated[
        float, typer.Option(min=1, help="Seconds after which a silent worker counts as dead.")
    ] = 6.0,
    events: Annotated[Path, typer.Option(help="The data set whose replay makes the rows.")] = EVENTS,
    report: Annotated[Path, typer.Option(envvar="REPORT", help="The figures as JSON.")] = STATE_FOLDER
    / "size.json",
) -> None:
    """Measure, print the table, write the report. Exits with 2 without the data set, with 1 out of reach."""
    console = Console()
    found = gms.ADAPTER.find(events)
    if found is None:
        console.print(f"NOTHING WAS MEASURED: {events} has no data set of the Google Merchandise Store")
        raise typer.Exit(2)
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    rows, stands = replayed(found)
    with embedded(with_redis=False) as stack:
        shops = partial(
            deployed,
            stack.bootstrap,
            partitions=partitions,
            session_timeout_ms=round(session * 1000),
            time="events",
        )
        with shops() as shop:
            worker = shop.start()
            _opened(worker, partitions)
            empty = Process(cpu_seconds(worker._process.pid), _resident(worker))
        with shops() as shop:
            written = fill(shop.settings, rows, customers, stands)
            figures: Figures = {"customers": customers, "partitions": partitions}
            figures["bytes_per_packed_row"] = written / customers
            console.print(f"{customers:,} rows of {written / customers:,.0f} bytes are written")
            figures |= _one_worker(shop, customers, stands.stream_time, empty)
            _show(console, figures)
            figures |= _takeover(shop, session)
    _show(console, figures)
    for reach in REACHES:
        console.print(reach.told(figures))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(figures, indent=2))
    console.print(f"{report}; load {os.getloadavg()[0]:.1f}")
    if not all(reach.is_reached(figures) for reach in REACHES):
        raise typer.Exit(1)


def _one_worker(shop: Deployment, customers: int, at: Millis, empty: Process) -> Figures:
    """Restore everything in one worker; look at its memory before and after it unpacks what it keeps unpacked."""
    worker = shop.start()
    opened = _opened(worker, shop.settings.partitions)
    seconds = opened[-1].at - min(each.at - each.seconds for each in opened)
    cpu, load = cpu_seconds(worker._process.pid) - empty.cpu_s, os.getloadavg()[0]
    cold = _resident(worker)
    hot = _unpack(shop, customers, at)
    warm = _resident(worker)
    assert worker.stop(LIMIT_SECONDS) == 0, worker.said
    return {
        "restore_seconds": seconds,
        "restore_rows_per_s": customers / seconds,
        "restore_rows_per_cpu_s": customers / cpu,
        "restore_at_load": load,
        "worker_without_customers_bytes": empty.resident,
        "bytes_per_customer": (cold - empty.resident) / customers,
        "hot_rows": hot,
        "bytes_per_hot_row": (warm - cold) / hot,
        "bytes_per_customer_with_hot_set": (warm - empty.resident) / customers,
    }


def _takeover(shop: Deployment, session: float) -> Figures:
    """Of two workers one is killed: how long until the other has all its tasks open, less the session."""
    share = shop.settings.partitions // 2
    staying, dying = shop.start(), shop.start()
    for worker in (staying, dying):
        worker.await_ready(LIMIT_SECONDS)
    await_true(
        "shared tasks", lambda: dying.metric("tasks_open") == share and staying.is_ready, LIMIT_SECONDS
    )
    before = len(_openings(staying))
    killed_at = time.time()
    dying.kill()
    opened = _opened(staying, before + share)[before:]
    return {
        "takeover_tasks": share,
        "takeover_rows": sum(each.rows for each in opened),
        "takeover_beyond_session_seconds": opened[-1].at - killed_at - session,
        "takeover_opening_seconds": max(each.seconds for each in opened),
    }


def _unpack(shop: Deployment, customers: int, at: Millis) -> int:
    """Something happens to as many customers of each task as it may keep unpacked; how many those are."""
    partitions = shop.settings.partitions
    counts, share = [0] * partitions, shop.settings.hot_rows // partitions
    for number in range(customers):
        key = key_of(number)
        task = partition_of(key, partitions)
        if counts[task] < share:
            counts[task] += 1
            customer = key.decode().removeprefix("c:")
            shop.send("web", key, viewed(f"size-{number}", customer, at + 1), partition=task)
            if sum(counts) % QUEUED == 0:
                shop.producer.flush()
    shop.await_taken(LIMIT_SECONDS)
    return sum(counts)


def _opened(worker: Worker, count: int) -> list[Opening]:
    """The worker's first so many openings, in their order; waits for them."""
    await_true("open tasks", lambda: len(_openings(worker)) >= count or not worker.is_running, LIMIT_SECONDS)
    if not worker.is_running:
        raise Failed(worker.said)
    return _openings(worker)[:count]


def _openings(worker: Worker) -> list[Opening]:
    return [
        Opening(datetime.fromisoformat(line["at"]).timestamp(), line["rows"], line["seconds"])
        for line in list(worker.log)
        if line["message"] == "task open"
    ]


def _resident(worker: Worker) -> int:
    """Bytes of memory that are the process's own, once it has settled."""
    time.sleep(SETTLE_SECONDS)
    rollup = Path(f"/proc/{worker._process.pid}/smaps_rollup").read_text()
    return sum(int(found) * 1024 for found in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE))


def _show(console: Console, figures: Figures) -> None:
    table = Table(title=f"{figures['customers']:,.0f} customers, {figures['partitions']:.0f} tasks")
    for name, figure in figures.items():
        table.add_row(name.replace("_", " "), f"{figure:,.0f}" if figure >= 100 else f"{figure:,.2f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(size)
