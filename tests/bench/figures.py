"""What the bench finds, and how it is shown: a table, a picture and a report."""

import json
import statistics
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

BASE = "stock Faust"
"""The system that the others are compared with."""

_COLUMNS = ("job", "system", "min", "median", "max", "x stock Faust", "CPU µs an event", "x per CPU second")

_GUARANTEES = "Kafka Streams and Pulpero work exactly once, the others at least once"

Figures = dict[str, dict[str, dict[str, list[float]]]]
"""Job → system → `events`, `events_per_s` and `cpu_s` (for that many events), one figure a run."""


class Measured(NamedTuple):
    """What one run of one system took, from its first event to its last."""

    events: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Events/s."""
        return self.events / self.seconds


class Failed(Exception):
    """A system did not do its job; the message has the last that it said."""


def keep(figures: Figures, job: str, system: str, taken: Measured) -> None:
    """Add one run."""
    kept = figures.setdefault(job, {}).setdefault(system, {"events": [], "events_per_s": [], "cpu_s": []})
    kept["events"].append(taken.events)
    kept["events_per_s"].append(round(taken.rate, 1))
    kept["cpu_s"].append(round(taken.cpu_s, 2))


def write(figures: Figures, report: Path) -> Path:
    """Write the report as JSON and the picture beside it, whose path is returned."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(figures, indent=2))
    picture = report.with_suffix(".svg")
    _draw(figures, picture)
    return picture


def show(console: Console, figures: Figures, note: str = "") -> None:
    """Print the table, and under it what it is of."""
    table = Table(title="events/s", caption="; ".join(filter(None, (_GUARANTEES, note))))
    for number, column in enumerate(_COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right")
    for job, systems in figures.items():
        base = systems.get(BASE)
        for name, kept in systems.items():
            rates, cpu = sorted(kept["events_per_s"]), _cpu_micros(kept)
            table.add_row(
                job,
                name,
                *(f"{each:,.0f}" for each in (rates[0], statistics.median(rates), rates[-1])),
                "" if base is None else f"{_rate(kept) / _rate(base):.1f}",
                f"{cpu:.1f}",
                "" if base is None else f"{_cpu_micros(base) / cpu:.1f}",
            )
    console.print(table)


def _rate(kept: dict[str, list[float]]) -> float:
    return statistics.median(kept["events_per_s"])


def _cpu_micros(kept: dict[str, list[float]]) -> float:
    """The median run's."""
    return statistics.median(cpu / n * 1e6 for cpu, n in zip(kept["cpu_s"], kept["events"], strict=True))


def _draw(figures: Figures, picture: Path) -> None:
    """A row of bars a job: the median rate with its range, and the CPU time of an event."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    drawn = Figure(figsize=(10, 0.5 + sum(0.9 + 0.45 * len(each) for each in figures.values())))
    rows = drawn.subplots(len(figures), 2, squeeze=False, height_ratios=[*map(len, figures.values())])
    for (rates, cpu), (job, systems) in zip(rows, figures.items(), strict=True):
        names, medians = list(systems), [_rate(kept) for kept in systems.values()]
        below = [
            each - min(kept["events_per_s"]) for each, kept in zip(medians, systems.values(), strict=True)
        ]
        above = [
            max(kept["events_per_s"]) - each for each, kept in zip(medians, systems.values(), strict=True)
        ]
        colours = ["#0b6e4f" if name == "Pulpero" else "#9aa5b1" for name in names]
        bars = rates.barh(names, medians, xerr=[below, above], color=colours, ecolor="#333333", capsize=3)
        rates.bar_label(bars, labels=[f"{each:,.0f}" for each in medians], padding=6)
        rates.set_title(f"{job}: events/s, median and range")
        micros = [_cpu_micros(kept) for kept in systems.values()]
        bars = cpu.barh(names, micros, color=colours)
        cpu.bar_label(bars, fmt="%.0f", padding=6)
        cpu.set_title("CPU µs an event")
        cpu.set_yticklabels([])
        for axes in (rates, cpu):
            axes.invert_yaxis()
            axes.margins(x=0.2)
            axes.set_xlim(left=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter("{x:,.0f}")
    drawn.tight_layout()
    drawn.savefig(picture)
