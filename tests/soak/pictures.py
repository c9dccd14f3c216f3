"""A picture of each: memory, open files, timers and lag over the time, with what befell the deployment."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak.samples import Look, Moment, Struck
from tests.soak.verdict import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ELDEST, _OTHERS, _TOGETHER, _FAULT = "#0b6e4f", "#9aa5b1", "#1f4e79", "#c0392b"

Value = Callable[[Look], float | None]
Line = list[tuple[float, float]]
"""(Minutes, value)."""


def draw(moments: Sequence[Moment], struck: Sequence[Struck], flowed: float, picture: Path) -> None:
    """Four rows over the same time, as SVG and PNG; the last part, in which nothing flows, is grey."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(12, 13))
    memory, files, timers, lag = rows = drawn.subplots(4, 1, sharex=True)
    _by_process(memory, moments, lambda look: look.memory)
    memory.set_title("resident memory of each worker, MiB")
    memory.legend(loc="lower right", frameon=False, ncols=2)
    _by_process(files, moments, lambda look: look.files)
    files.set_title("open files and sockets of each worker")
    _together(timers, moments, lambda look: look.timers)
    timers.set_title("open timers, all workers")
    _together(lag, moments, lambda look: look.lag)
    lag.set_title("lag, all workers, records")
    lag.set_yscale("symlog", linthresh=100)
    lag.set_xlabel("minutes")
    for axes in rows:
        axes.set_ylim(bottom=0)
        axes.margins(x=0.01)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e8eb")
        _mark(axes, struck, flowed / 60)
    _name(memory, struck)
    drawn.tight_layout()
    drawn.savefig(picture.with_suffix(".svg"))
    drawn.savefig(picture.with_suffix(".png"), dpi=100)


def _by_process(axes: "Axes", moments: Sequence[Moment], value: Value) -> None:
    """A line a process; the eldest, which is never ended, in colour."""
    names = list(dict.fromkeys(look.name for moment in moments for look in moment.workers))
    for number, name in enumerate(names):
        line = [
            (moment.at / 60, found)
            for moment in moments
            for look in moment.workers
            if look.name == name and (found := value(look)) is not None
        ]
        colour, label = (_ELDEST, f"{name}, never ended") if not number else (_OTHERS, "the others")
        _plot(axes, line, colour, label if number < 2 else "")


def _together(axes: "Axes", moments: Sequence[Moment], value: Value) -> None:
    """The sum, where all tasks are held."""
    line = [(moment.at / 60, sum(value(look) or 0 for look in moment.workers)) for moment in whole(moments)]
    _plot(axes, line, _TOGETHER, "")


def _plot(axes: "Axes", line: Line, colour: str, label: str) -> None:
    axes.plot([at for at, _ in line], [value for _, value in line], color=colour, label=label, linewidth=1.4)


def _mark(axes: "Axes", struck: Sequence[Struck], flowed: float) -> None:
    for each in struck:
        axes.axvspan(each.at / 60, each.until / 60, color=_FAULT, alpha=0.12, linewidth=0)
    axes.axvspan(flowed, max(flowed, axes.get_xlim()[1]), color="#000000", alpha=0.05, linewidth=0)


def _name(axes: "Axes", struck: Sequence[Struck]) -> None:
    """What each mark is, above the first row."""
    for each in struck:
        axes.annotate(
            each.name,
            (each.at / 60, 1.12),
            xycoords=("data", "axes fraction"),
            rotation=40,
            fontsize=8 if len(struck) < 20 else 6,
            color=_FAULT,
        )
