"""One simulation: a seed's shop, its workers, what befalls them, and the judgement at the end."""

import traceback
from collections import Counter
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

from tests.faults import comparing, stream
from tests.faults.comparing_rows import assert_rows
from tests.faults.oracle import refold
from tests.faults.replaying import assert_replays
from tests.faults.stream import DAY, START, Portion
from tests.simulation.engine.shop import SESSION_MS, Shop, settings_of
from tests.simulation.engine.stories import by_events, live
from tests.simulation.engine.world import World, inhabited

STREAMS = 24
"""Different streams of events; a seed takes one of them."""
LONGEST_SECONDS = 150.0
"""Of simulated time. Nothing goes wrong for most of it, so what is not done by then never will be."""


@dataclass(frozen=True)
class Outcome:
    """What a run was: `trace` is a hash of its whole course, `broken` the laws that it broke."""

    seed: int
    trace: str
    happened: Counter[str]
    openings: int
    broken: list[str]


def simulate(seed: int) -> Outcome:
    """Live through a seed, and judge it. Every third seed is a live deployment, the others go by events."""
    time: Literal["live", "events"] = "live" if seed % 3 == 2 else "events"
    settings = settings_of(Random(f"settings:{seed}"), time)
    world = World(seed, START + 200 * DAY, settings.partitions, SESSION_MS)
    with inhabited(world):
        shop = Shop(world, settings)
        story = live(shop) if time == "live" else by_events(shop, _portions(seed % STREAMS))
        job = world.loop.spawn(None, story)
        is_over = world.loop.run_until(job.done, LONGEST_SECONDS)
        trace = f"{world.broker.digest}-{world.loop.steps}-{world.rng.random()}"
        world.loop.end()
    broken = world.laws.broken
    if is_over:
        job.result()
        world.laws.judge(shop)
        _compare(shop)
    else:
        broken.append(f"not everything is done after {LONGEST_SECONDS:g} s")
    return Outcome(seed, trace, world.happened, world.laws.openings, broken)


@cache
def _portions(number: int) -> tuple[Portion, ...]:
    return tuple(stream.portions(number, customers=8, days=5, size=12))


def _compare(shop: Shop) -> None:
    """What was written is what the oracle of the fault tests makes of the input, and log and journal make it again."""
    try:
        if shop.settings.time == "events":
            written = comparing.Written(shop)
            expected = refold(comparing.inputs(shop), shop.settings.partitions, written.told())
            comparing.assert_letters(written, expected)
            assert_rows(written, expected)
            comparing.assert_decisions(written, expected)
            comparing.assert_actions(written, expected)
            comparing.assert_examples(written, expected)
        assert_replays(shop)
    except (AssertionError, LookupError) as differs:
        where = traceback.extract_tb(differs.__traceback__)[-1]
        said = str(differs)[:300]
        shop.world.laws.broken.append(f"{where.name}:{where.lineno}: {type(differs).__name__} {said}")
