"""`pulpero metrics`: the catalogue of metrics, on the screen or as deploy/metrics.md."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.cli.terminal import plain
from streams.metrics import Metric, catalogue

_HEAD = """\
# Metrics

Written by `pulpero metrics --markdown > deploy/metrics.md`. The worker serves them at `:9108/metrics`, the projector
(`pulpero_projector_…`) at `:9109/metrics`; both also answer `/ready` (200 or 503) and `/live`.
The books balance: consumed = applied + duplicate + late + dead.

| metric | kind | labels | meaning | what to do |
|---|---|---|---|---|
"""


def register(app: typer.Typer) -> None:
    """Add the command `metrics`."""
    app.command()(metrics)


def metrics(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page deploy/metrics.md.")] = False,
) -> None:
    """Every metric: its name, kind, labels, meaning and what to do when it looks wrong."""
    if markdown:
        plain().print(page(), end="")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for column in ("labels", "meaning", "what to do"):
        table.add_column(column, overflow="fold")
    for metric in catalogue():
        table.add_row(metric.name, ", ".join(metric.labels), metric.meaning, metric.remedy)
    Console(highlight=False, markup=False).print(table)


def page() -> str:
    """The text of deploy/metrics.md."""
    return _HEAD + "".join(map(_row, catalogue()))


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} | {metric.remedy} |\n"
