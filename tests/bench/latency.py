"""How long acts and silences take to become actions, seen from outside: `python -m tests.bench.latency`.

Measured on live traffic of a steady rate (tests/bench/live.py), each to the moment a read-committed consumer has
the action; the first seconds, in which broker and worker warm up, do not count.

- Event → action: from when Kafka appended the order's record.
- Timer delay: from the moment the timer may fire, which is its due time and the policy's grace (5 s unless chosen
  otherwise). The grace is meant, for events that come a little late, and no delay; the worker's own
  `pulpero_timer_delay_seconds` counts from the due time alone, and so shows it on top.
"""

import json
import statistics
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from schemas import topics
from schemas.event import Millis
from schemas.policy import Policy
from schemas.touchpoints import load
from streams.engine import admin
from streams.local.program import free_port
from streams.local.stack import embedded
from streams.settings import Settings
from tests.bench.live import Live
from tests.bench.process import worker

SILENCE_SECONDS = 5
_POLICY = f"""
version: "bench"
abandonment: {{browse_after: {SILENCE_SECONDS}s}}
feeds: {{chance: 1.0e-300}}  # else a feed that pauses by chance holds some reminders back, for a minute each
"""
REACH_MS = {"event → action": 100, "timer delay beyond due + grace": 1_000}


def latency(
    rate: Annotated[int, typer.Option(min=1, help="Events a second.")] = 2_000,
    seconds: Annotated[int, typer.Option(min=10, help="How long to measure.")] = 30,
    warm_up: Annotated[int, typer.Option(min=0, help="Seconds before that.")] = 60,
    report: Annotated[Path | None, typer.Option(envvar="REPORT", help="The figures as JSON.")] = None,
) -> None:
    """Measure event → action and the timers' delay, one worker, all tasks, live."""
    grace = Policy(version="bench").time.grace
    with embedded(with_redis=False) as stack, tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(_POLICY)
        settings = Settings(bootstrap=stack.bootstrap, metrics_port=free_port(), policy=policy)
        admin.create(settings, topics.topics(settings.app_id, settings.partitions, load()))
        with worker(settings):
            delays = Live(settings.bootstrap, SILENCE_SECONDS * 1000, grace).delays(rate, warm_up, seconds)
    found = {name: _quantiles(each) for name, each in zip(REACH_MS, delays, strict=True)}
    _show(found, f"{rate:,} events/s for {seconds} s; the grace is {grace / 1000:g} s")
    if report is not None:
        report.write_text(json.dumps({"rate": rate, "seconds": seconds, "ms": found}, indent=2))


def _quantiles(delays: list[Millis]) -> dict[str, float]:
    cut = statistics.quantiles(delays, n=100)
    return {"p50": cut[49], "p90": cut[89], "p99": cut[98], "max": max(delays), "of": len(delays)}


def _show(found: dict[str, dict[str, float]], title: str) -> None:
    table = Table(title=title)
    for column in ("ms", "p50", "p90", "p99", "max", "of", "p99 to reach"):
        table.add_column(column, justify="left" if column == "ms" else "right")
    for name, each in found.items():
        table.add_row(name, *(f"{value:,.0f}" for value in each.values()), f"{REACH_MS[name]:,}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(latency)
