"""What a mix is made of, and what the core makes of it."""

from collections import Counter
from typing import NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from schemas.decoding import Decoder
from schemas.event import Arrival, Event, Millis, happened_at
from schemas.touchpoints import load
from streams.engine.batch import Batch
from streams.engine.inbox import Item
from tests.bench.task import declared_lateness, task

BATCH = 1_000
Made = list[tuple[str, bytes, bytes, Millis]]


class Composition(NamedTuple):
    """`shares` by type; actions and decisions are those of the core with the default policy, by the mix's end."""

    shares: dict[str, float]
    events_a_customer: float
    hours: float
    actions_per_1000: float
    decisions_per_1000: float
    timers_per_1000: float

    def show(self, console: Console, mix: str) -> None:
        """Print it as a table."""
        table = Table(title=f"the {mix} mix")
        for kind, share in self.shares.items():
            table.add_row(kind, f"{share:.1%}")
        table.add_section()
        for name in ("events_a_customer", "hours", *self._fields[3:]):
            table.add_row(name.replace("_", " "), f"{getattr(self, name):,.1f}")
        console.print(table)


def composition(made: Made) -> Composition:
    """Take the events through one task's core and count."""
    count, per_mille = len(made), 1000 / len(made)
    kinds = Counter(f"{touchpoint} {orjson.loads(value)['type']}" for touchpoint, _, value, _ in made)
    effects = _effects(made)
    return Composition(
        {kind: times / count for kind, times in kinds.most_common()},
        count / len({key for _, key, _, _ in made}),
        (made[-1][3] - made[0][3]) / 3_600_000,
        effects["actions"] * per_mille,
        effects["decisions"] * per_mille,
        effects["timers"] * per_mille,
    )


def _effects(made: Made) -> Counter[str]:
    decoders = {each.name: Decoder(each, 1 << 18) for each in load()}
    state, effects = task(0, 1, declared_lateness()), Counter[str]()
    for begin in range(0, len(made), BATCH):
        items: list[Item] = []
        for offset, (touchpoint, key, value, at) in enumerate(made[begin : begin + BATCH], start=begin):
            event = decoders[touchpoint].decode(key, value)
            if not isinstance(event, Event):
                raise TypeError(f"the mix has an event that is none: {event}")
            topic = f"touchpoints.{touchpoint}"
            items.append(Arrival(event, happened_at(event, at), touchpoint, topic, offset, key, at, value))
        batch = Batch(items)
        while not batch.is_done:
            state.advance(batch, BATCH)
        effects["actions"] += len(batch.effects.actions)
        effects["decisions"] += len(batch.effects.decisions)
        effects["timers"] += len(batch.fired)
    return effects
