"""The collector is off: what a worker drops has no cycles, and a sweep finds those that came about all the same."""

import asyncio
import gc
import weakref
from asyncio import Future
from collections.abc import Iterator

import pytest

from schemas.touchpoints import load
from streams.agents.touchpoints import TouchpointReader
from streams.engine import garbage
from streams.engine.inbox import Item, RawRecord, Refused
from streams.engine.work import Fetched
from tests.bench import mix, steps


class _Node:
    itself: "_Node"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_a_cycle_stays_until_a_sweep() -> None:
    garbage.tame()
    node = _Node()
    node.itself = node
    seen = weakref.ref(node)
    del node
    kept: list[list[int]] = [[] for _ in range(100_000)]
    assert seen() is not None
    garbage.sweep()
    assert seen() is None
    assert kept


def test_a_batch_leaves_no_cycles() -> None:
    made = mix.named("simulated", 5_000, 200)
    steps.measure(made)
    gc.collect()
    steps.measure(made)
    assert gc.collect() == 0


HOSTILE = (
    b"",
    b"{",
    b"[]",
    b"\xff",
    b"[" * 100_000,
    b'{"a":' * 5_000,
    b'{"type":1}',
    b'{"event_id":"e","type":"product_viewed"}',
    b'{"event_id":"e","type":"nothing","customer_id":"c","event_time":"then","properties":{"a":[1,{}]}}',
)


def test_refused_records_leave_no_cycles() -> None:
    web = next(each for each in load() if each.name == "web")
    reader = TouchpointReader(web, 1 << 18, 60_000, accepts_clock=False)

    def refuse_all() -> None:
        for value in HOSTILE:
            answer: Future[list[Item]] = Future(loop=loop)
            records = [RawRecord(offset, 1, b"c", value, ()) for offset in range(10)]
            found = reader.read(Fetched(web.topic, 0, records, frozenset(), answer))
            assert all(isinstance(each, Refused) for each in found)

    loop = asyncio.new_event_loop()
    try:
        refuse_all()
        garbage.tame()
        refuse_all()
        assert gc.collect() == 0
    finally:
        loop.close()
