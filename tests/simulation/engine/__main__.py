"""`python -m tests.simulation.engine --seeds 10000`: many seeds over all cores; or one again, with `--seed`.

Ends with exit code 1 and the seeds that broke a law, if any did.
"""

import argparse
import multiprocessing
import sys
from collections import Counter

from tests.simulation.engine.simulate import simulate

_TOLD_EVERY = 500


def main() -> int:
    asked = argparse.ArgumentParser(prog="simulate")
    asked.add_argument("--seeds", type=int, default=10_000)
    asked.add_argument("--seed", type=int)
    given = asked.parse_args()
    return one(given.seed) if given.seed is not None else many(given.seeds)


def one(seed: int) -> int:
    """One seed: the hash of its course, and what it broke."""
    outcome = simulate(seed)
    _say(outcome.trace, *outcome.broken)
    return bool(outcome.broken)


def many(seeds: int) -> int:
    """Seeds from 0 on."""
    happened: Counter[str] = Counter()
    red: list[int] = []
    with multiprocessing.get_context("spawn").Pool() as cores:
        for done, outcome in enumerate(cores.imap_unordered(simulate, range(seeds), chunksize=10), 1):
            happened += outcome.happened
            if outcome.broken:
                red.append(outcome.seed)
                _say(f"seed {outcome.seed}: {'; '.join(outcome.broken[:3])}")
            if done % _TOLD_EVERY == 0:
                _say(f"{done} of {seeds} seeds, {len(red)} red")
    _say("what happened:", *(f"  {count:7} {what}" for what, count in sorted(happened.items())))
    if red:
        _say(f"again: make simulate SEED={min(red)}")
    return bool(red)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
