"""`make soak`: a shop's years in an hour of this machine's, while a seeded hand kills and disturbs.

Two workers on the embedded Kafka take half of what they can, live: timers, decisions, examples, the learner and its
models. What they need at the end is compared with what they needed after the warm-up: tests/soak/verdict.py says
what may differ. The report's folder has the samples, the workers' logs, the verdict and the pictures.
"""

import random
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streams.local.stack import STATE_FOLDER
from tests.soak.fleet import broker
from tests.soak.pictures import draw
from tests.soak.run import Plan, Ran, capacity, run


def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long events flow.")] = 60.0,
    rate: Annotated[
        float | None, typer.Option(min=1, help="Events a second; else half of what is measured.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of events and faults; else a drawn one.")] = None,
    report: Annotated[Path, typer.Option(help="The folder for what was seen.")] = STATE_FOLDER / "soak",
) -> None:
    """Soak two workers and say whether they end as they began. Exits with 1 if not."""
    # Asked to end, it ends as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(soft_wrap=True, highlight=False)
    plan = Plan.of(
        minutes, random.SystemRandom().randrange(1 << 32) if seed is None else seed, report.resolve()
    )
    console.print(f"seed {plan.seed}; everything seen goes to {plan.folder}")
    try:
        with broker() as kafka:
            if rate is None:
                rate = capacity(kafka, plan) / 2
                console.print(
                    f"two workers take {2 * rate:,.0f} events/s of old customers here; half of it flows"
                )
            ran = run(kafka, plan, rate, console.print)
    except KeyboardInterrupt:
        console.print("ended early; everything that was started is stopped")
        raise typer.Exit(130) from None
    ran.write(plan)
    draw(ran.moments, ran.struck, plan.seconds, plan.folder / "soak")
    _show(console, ran)
    console.print(f"{plan.folder}: verdict.json, samples.jsonl, soak.svg and soak.png")
    if not ran.is_green:
        raise typer.Exit(1)


def _show(console: Console, ran: Ran) -> None:
    for each in ran.compared:
        console.print(
            f"[{'green' if each.is_green else 'red'}]{'ok ' if each.is_green else 'RED'}[/] {each.says}"
        )
    reds = sum(not each.is_green for each in ran.compared)
    console.print("it ends where it began" if not reds else f"red: {reds} of {len(ran.compared)} do not hold")


if __name__ == "__main__":
    typer.run(soak)
