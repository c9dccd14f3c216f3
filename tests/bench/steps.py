"""Where an event's microseconds go: the steps of a batch, in one process, without Kafka."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from schemas.decoding import Decoder
from schemas.event import Arrival, Event, Millis, happened_at
from schemas.touchpoints import load
from streams.engine.batch import Batch
from streams.engine.garbage import SWEEP_SECONDS, Collector
from streams.engine.merge import Merge
from streams.engine.outputs import Outputs
from tests.bench.task import declared_lateness, task

BATCH = 1_000
_DECODERS = {touchpoint.name: Decoder(touchpoint, 1 << 18) for touchpoint in load()}


def measure(mix: list[tuple[str, bytes, bytes, Millis]]) -> dict[str, float]:
    """µs per event of each step: decode, merge, advance (fold, timers, decisions), pack, encode."""
    Collector(SWEEP_SECONDS)
    spent: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = perf_counter()
        yield
        spent[step] = spent.get(step, 0.0) + perf_counter() - began

    state, outputs = task(0, 1, declared_lateness()), Outputs("changelog", 1 << 20)
    for begin in range(0, len(mix), BATCH):
        with timed("decode"):
            arrivals = _decoded(mix[begin : begin + BATCH], begin)
        merge = _filled(arrivals)
        with timed("merge"):
            batch = Batch(merge.take(len(arrivals)))
        with timed("advance"):
            while not batch.is_done:
                state.advance(batch, BATCH)
        with timed("pack"):
            rows = outputs.pack(batch)
        with timed("encode"):
            list(outputs.records(batch, rows, None, state.task_row()))
        state.store.show(rows)
    return {step: seconds / len(mix) * 1e6 for step, seconds in spent.items()}


def _filled(arrivals: list[Arrival]) -> Merge:
    merge = Merge(tuple({arrival.topic for arrival in arrivals}), 0)
    for arrival in arrivals:
        merge.inboxes[arrival.topic].decoded.append(arrival)
    for inbox in merge.inboxes.values():
        inbox.position = inbox.last_stable = inbox.fetched_at = 0
    return merge


def _decoded(mix: list[tuple[str, bytes, bytes, Millis]], first: int) -> list[Arrival]:
    arrivals = []
    for offset, (touchpoint, key, value, at) in enumerate(mix, start=first):
        event = _DECODERS[touchpoint].decode(key, value)
        if not isinstance(event, Event):
            raise TypeError(f"the mix has an event that is none: {event}")
        arrivals.append(
            Arrival(
                event, happened_at(event, at), touchpoint, f"touchpoints.{touchpoint}", offset, key, at, value
            )
        )
    return arrivals
