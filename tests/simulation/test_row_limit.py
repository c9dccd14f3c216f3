"""A row that would outgrow a record: the same events are refused, however the batches are cut."""

import asyncio
from collections.abc import Iterator

import msgspec
from prometheus_client import CollectorRegistry

from schemas.event import Arrival, Event, Millis
from schemas.policy import Policy
from schemas.touchpoints import BUILT_IN
from schemas.touchpoints.web import WebEvent
from streams.agents.customers import take
from streams.engine.batch import Batch, RowTooLarge
from streams.engine.outputs import Outputs
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.suspects import Suspects
from streams.engine.task_row import TaskRow
from streams.engine.work import Culprit, Due
from streams.metrics import Metrics, Tally
from streams.triggers.circumstances import Circumstances
from streams.triggers.feeds import FeedTracker
from tests.broker.events import SECOND, START, event

LIMIT = 2_160
COUNT = 60
TOPIC = "touchpoints.web"


def test_the_same_events_are_refused_in_batches_of_any_size() -> None:
    one_by_one, *others = [_lived(size) for size in (1, 7, COUNT)]
    rows, refused = one_by_one
    assert others == [one_by_one, one_by_one]
    assert 0 < len(refused) < COUNT / 2
    assert max(map(len, rows.values())) <= LIMIT
    assert {offset % 3 for offset in refused} > {0}, "some of each kind are refused"
    assert set(range(min(refused), COUNT)) - set(refused), "and what fits is taken all the same"


def _lived(size: int) -> tuple[dict[bytes, bytes], list[int]]:
    """The rows, and the offsets of the refused events, after a life in batches of that size."""
    state, refused = _state(), list[int]()
    suspects = Suspects(0, state, Metrics(CollectorRegistry()))
    progress, first = TaskRow(), 0
    arrivals = list(_arrivals())
    while first < COUNT:
        batch = Batch([*arrivals[first : first + size]])
        try:
            rows = _advanced(state, batch)
        except (Culprit, RowTooLarge) as failure:
            suspects.note(failure)
            state.load(progress)
            continue
        refused += [letter.origin.offset for letter in batch.letters]
        progress, first = state.task_row(), first + size
        state.store.show(rows)
        suspects.clear()
    return state.store.packed, refused


def _advanced(state: TaskState, batch: Batch) -> dict[bytes, bytes]:
    """The changed rows. Raises what the customers' agent answers, or RowTooLarge."""
    try:
        asyncio.run(take(Due(state, batch, None, None)))  # type: ignore[arg-type]
    except RowTooLarge as outgrown:
        raise Culprit(batch.current, "row_too_large") from outgrown
    return Outputs("changelog", LIMIT).pack(batch)


def _arrivals() -> Iterator[Arrival]:
    for number in range(COUNT):
        at: Millis = START + number * SECOND
        if number % 3:
            made = event(f"e{number:04}", "anna", "page_viewed", at, path="/")
        else:
            product = {"product_id": f"p{number:04}", "name": "x" * 60, "price": 1}
            made = event(f"e{number:04}", "anna", "product_added", at, cart_id="c", product=product)
        told: Event = msgspec.convert(made, WebEvent)
        yield Arrival(told, at, "web", TOPIC, number, b"c:anna", at)


def _state() -> TaskState:
    policy = Policy(version="t")
    given = Circumstances(
        policy=policy,
        policy_version="t",
        scorers={},
        feeds=FeedTracker(policy.feeds),
        allowed_lateness_ms={each.name: each.allowed_lateness_ms for each in BUILT_IN},
    )
    return TaskState(0, 1, Store(10), given, Tally(Metrics(CollectorRegistry())))
