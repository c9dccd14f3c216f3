"""Rows as a real shop's history leaves them, and a committed changelog of any number of customers made of them."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson

from schemas.customer import Customer, unpack
from schemas.decoding import Decoder
from schemas.event import Arrival, Event, happened_at
from schemas.touchpoints import load
from streams.engine.batch import Batch
from streams.engine.inbox import Item, Tick
from streams.engine.outputs import Outputs
from streams.engine.task_row import TaskRow
from streams.local.adapters import gms
from streams.local.adapters.adapter import Options
from streams.local.replay import SETTLE_MS
from tests.bench.task import declared_lateness, task

BATCH = 1_000
_DECODERS = {touchpoint.name: Decoder(touchpoint, 1 << 18) for touchpoint in load()}


def replayed(events: Path) -> tuple[list[Customer], TaskRow]:
    """The rows that a replay of the Google Merchandise Store's events leaves, and where their task stands."""
    state, outputs = task(0, 1, declared_lateness()), Outputs("changelog", 1 << 20)
    taken = _items(events)
    while items := list(islice(taken, BATCH)):
        batch = Batch(items)
        while not batch.is_done:
            state.advance(batch, BATCH)
        state.store.show(outputs.pack(batch))
    return [unpack(packed) for packed in state.store.packed.values()], state.task_row()


def _items(events: Path) -> Iterator[Item]:
    """Decoded as a worker decodes them; at the end time goes on for as long as a replay lets it."""
    at = 0
    for offset, each in enumerate(gms.read(events, Options(), Counter())):
        key, value, at = each.key.encode(), orjson.dumps(each.payload), each.at
        event = _DECODERS[each.touchpoint].decode(key, value)
        if not isinstance(event, Event):
            raise TypeError(f"the replay has an event that is none: {event}")
        topic = f"touchpoints.{each.touchpoint}"
        yield Arrival(event, happened_at(event, at), each.touchpoint, topic, offset, key, at, value)
    yield Tick(at + SETTLE_MS, "touchpoints.web", 0)
