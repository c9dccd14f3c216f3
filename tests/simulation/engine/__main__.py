"""Many seeds of the simulation over all cores, or one of them again."""

import multiprocessing
from collections import Counter
from typing import Annotated

import typer

from tests.simulation.engine.simulate import simulate

_TOLD_EVERY = 500


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 10_000,
    seed: Annotated[
        int | None, typer.Option(min=0, help="This one alone: what happened, and what it broke.")
    ] = None,
) -> None:
    """The engine on a simulated Kafka, clock and threads. Exit code 1 if a seed broke a law."""
    raise typer.Exit(code=_one(seed) if seed is not None else _many(seeds))


def _one(seed: int) -> int:
    outcome = simulate(seed)
    typer.echo(f"seed {seed}, course {outcome.trace}, {outcome.openings} openings")
    _tell(outcome.happened)
    for broken in outcome.broken:
        typer.echo(f"broken: {broken}")
    typer.echo("red" if outcome.broken else "green")
    return bool(outcome.broken)


def _many(seeds: int) -> int:
    happened: Counter[str] = Counter()
    red: list[int] = []
    with multiprocessing.get_context("spawn").Pool() as cores:
        for done, outcome in enumerate(cores.imap_unordered(simulate, range(seeds), chunksize=10), 1):
            happened += outcome.happened
            if outcome.broken:
                red.append(outcome.seed)
                typer.echo(f"seed {outcome.seed}: {'; '.join(outcome.broken[:3])}")
            if done % _TOLD_EVERY == 0 and done < seeds:
                typer.echo(f"{done} of {seeds} seeds, {len(red)} red")
    _tell(happened)
    typer.echo(f"{seeds} seeds, {len(red)} red")
    if red:
        typer.echo(f"again: make simulate SEED={min(red)}")
    return bool(red)


def _tell(happened: Counter[str]) -> None:
    typer.echo("what happened:")
    for what, count in sorted(happened.items()):
        typer.echo(f"  {count:7} {what}")


if __name__ == "__main__":
    typer.run(main)
