"""The engine's own advance loop against the plain driver: heap, hot rows and batches change nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from schemas.event import Arrival
from schemas.policy import Policy
from streams.engine import inbox
from streams.engine.batch import Batch
from streams.engine.outputs import Outputs
from streams.engine.state import TaskState
from streams.engine.store import Store
from streams.engine.task_row import TaskRow, pack_task_row, unpack_task_row
from streams.metrics import Metrics, Tally
from streams.triggers.feeds import FeedTracker
from tests.simulation.driver import Change, Entry, Stale, merged, run
from tests.simulation.logs import HAPPENINGS, Happening, log_of, welcomed
from tests.unit.decisions.builders import circumstances

# A chance so small that no feed of these short logs is ever stale, for the driver knows no feed tracker.
_POLICY = Policy.model_validate({"version": "p1", "feeds": {"chance": 1e-300}, "contacts": {"cap": 2}})


class Outcome(NamedTuple):
    """What a run leaves."""

    rows: dict[bytes, bytes]
    actions: list[str]
    decisions: list[str]


def _engine_run(entries: Sequence[Entry], size: int, hot_rows: int, crashes: frozenset[int]) -> Outcome:
    """Through TaskState in batches; before the batches in `crashes` the batch is done once for nothing."""
    given = replace(circumstances(), policy=_POLICY, feeds=FeedTracker(_POLICY.feeds), policy_version="p1")
    state = TaskState(0, 1, Store(hot_rows), given, Tally(Metrics(CollectorRegistry())))
    items: list[inbox.Item] = [
        entry if isinstance(entry, Arrival) else inbox.Tick(entry.at, "touchpoints.web", n)
        for n, entry in enumerate(entries)
    ]
    committed = pack_task_row(TaskRow())
    state.load(unpack_task_row(committed))
    outcome = Outcome({}, [], [])
    for number, begin in enumerate(range(0, len(items), size)):
        if number in crashes:
            state.advance(Batch(items[begin : begin + size]), size)
            state.load(unpack_task_row(committed))
        batch = Batch(items[begin : begin + size])
        while not batch.is_done:
            state.advance(batch, size)
        rows = Outputs("log", 1 << 20).pack(batch)
        committed = pack_task_row(state.task_row())
        state.store.show(rows)
        while state.store.cool(2):
            pass
        outcome.actions.extend(each.to_json().decode() for each in batch.effects.actions)
        outcome.decisions.extend(each.to_json().decode() for each in batch.effects.decisions)
    outcome.rows.update(state.store.packed)
    return outcome


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    HAPPENINGS,
    st.booleans(),
    st.sampled_from([1, 3, 7, 10_000]),
    st.sampled_from([0, 1, 100]),
    st.frozensets(st.integers(0, 20), max_size=4),
)
def test_the_engine_does_what_the_plain_driver_does(
    happenings: list[Happening], welcome: bool, size: int, hot_rows: int, crashes: frozenset[int]
) -> None:
    log = log_of((welcomed() if welcome else []) + happenings)
    entries = [entry for entry in merged(log) if not isinstance(entry, Change)]
    plain = run(entries, replace(circumstances(), policy=_POLICY, feeds=Stale(frozenset())))

    engine = _engine_run(entries, size, hot_rows, crashes)

    assert engine.actions == plain.said["actions"]
    assert engine.decisions == plain.said["decisions"]
    assert engine.rows == plain.rows
